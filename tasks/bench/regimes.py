"""What NEST makes of Brunel's regimes, and Brian2 of COBA: the figures that ``tasks.balanced`` shows beside ours.

``uv run --group bench python -m tasks.bench.regimes --scale 0.2 --seeds 3``
"""

import statistics
from dataclasses import dataclass
from importlib.metadata import version
from typing import NamedTuple

import torch

import conex_nn as cx
from tasks.balanced.brunel import REGIMES
from tasks.balanced.vogels_abbott import Coba
from tasks.bench import in_brian, in_nest
from tasks.command_line import parse

__all__ = ["Config", "Figures", "figures"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which networks, and for how long."""

    networks: tuple[str, ...] = tuple(REGIMES)
    """Among SR, SI-fast, AI and SI-slow, and COBA."""
    scale: float = 1.0
    """Part of the cells, and of the synapses of each [1]."""
    duration: float = 1000.0
    """How long each is watched [ms]."""
    transient: float = 100.0
    """How long it runs before that [ms]."""
    seeds: int = 1
    """How often, each time with another seed, from 1 on [1]."""


class Figures(NamedTuple):
    """Of the excitatory cells."""

    rate: float
    """Mean rate [Hz]."""
    cv: float
    """Mean coefficient of variation of their intervals [1]."""


def figures(name: str, config: Config, *, seed: int) -> Figures:
    """Run a regime in NEST, or COBA in Brian2.

    Args:
        name: Of the regime.
        config: Its scale, and for how long.
        seed: Seed of all that is drawn [1].
    """
    if name == "COBA":
        excitatory = in_brian.coba(Coba(), transient=config.transient, duration=config.duration, dt=0.1, seed=seed)
        return Figures(float(cx.recording.rate(excitatory).mean()), float(cx.recording.cv(excitatory).nanmean()))
    regime = REGIMES[name].scaled(config.scale)
    nest, cells = in_nest.balanced_network(regime, threads=torch.get_num_threads(), dt=0.1, seed=seed)
    excitatory, _ = in_nest.measured(nest, cells, transient=config.transient, duration=config.duration)
    return Figures(float(cx.recording.rate(excitatory).mean()), float(cx.recording.cv(excitatory).nanmean()))


def main(config: Config) -> None:
    """Run, and print each run and the mean of all."""
    print(f"NEST {version('nest-simulator')}, {config}")
    for name in config.networks:
        found = []
        for seed in range(1, config.seeds + 1):
            found.append(figures(name, config, seed=seed))
            print(f"{name}, seed {seed}: {found[-1].rate:.3f} Hz, CV {found[-1].cv:.4f}", flush=True)
        rate, cv = (statistics.fmean(column) for column in zip(*found, strict=True))
        print(f"{name}: {rate:.3f} Hz, CV {cv:.4f}")


if __name__ == "__main__":
    main(parse(Config))
