"""Benchmarks: ``python -m tasks.bench`` with ``train``, ``column``, ``plasticity``, ``rates``, ``scale``, ``data``."""

import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import torch

from tasks.bench import data
from tasks.bench.measure import compare, show
from tasks.bench.suite import SUITES
from tasks.command_line import parse


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to measure."""

    cases: tuple[str, ...] = ()
    """Sizes: small, large, conv, huge of `train`; single, batch, learn of `column`; those of
    `plasticity` are in its table; 100 and 256 of `rates`; poisson, latency of `data`. Default all but huge."""
    epochs: int | None = None
    """Turns that each contestant takes; by default 5, of `scale` 3, of `data` 1 [1]."""
    steps: int | None = None
    """Steps of a turn; by default 5, of `scale` 1 [1]."""
    quick: bool = False
    """Only show that it runs: the smallest size, one turn."""
    data_root: Path = Path("data")
    """Folder of MNIST, for `data`, which takes random images of its size where it is not there."""
    seed: int = 0
    """Seed of weights and inputs [1]."""
    out: Path = Path("runs/bench")
    """Folder for report.json."""


def main(name: str, config: Config) -> None:
    """Measure, print the table, and leave ``report.json`` where asked."""
    if name == "data":
        encode(config)
        return
    suite = SUITES[name]
    if unknown := set(config.cases) - set(suite.cases):
        raise ValueError(f"Expected `cases` to be among {', '.join(suite.cases)}, got {', '.join(sorted(unknown))}.")
    begin = time.perf_counter()
    cases, rounds, steps = (
        list(config.cases or suite.default),
        config.epochs or suite.rounds,
        config.steps or suite.steps,
    )
    if config.quick:
        cases, rounds, steps = [suite.quick], 1, 2
    config.out.mkdir(parents=True, exist_ok=True)
    figures = {}
    for case, measured in compare(suite, cases=cases, rounds=rounds, steps=steps, seed=config.seed):
        figures[case] = measured
        write(config, figures, seconds=time.perf_counter() - begin)
    show(suite, figures)


def encode(config: Config) -> None:
    """Measure how images become spikes, and how long training waits for them."""
    if unknown := set(config.cases) - set(data.ENCODERS):
        raise ValueError(f"Expected `cases` to be among {', '.join(data.ENCODERS)}, got {', '.join(sorted(unknown))}.")
    begin = time.perf_counter()
    config.out.mkdir(parents=True, exist_ok=True)
    images, encoders = data.IMAGES, list(config.cases or data.ENCODERS)
    if config.quick:
        images, encoders = 4 * data.BATCH, encoders[:1]
    report: dict[str, Any] = {}
    turns = data.measure(encoders, images=images, rounds=config.epochs or 1, root=config.data_root, seed=config.seed)
    for encoder, figures in turns:
        report[encoder] = figures
        write(config, report, seconds=time.perf_counter() - begin)
    for encoder in ("constant_current",) if config.quick else ("constant_current", "poisson", "latency"):
        shares = report.setdefault("waiting", {})
        shares[f"digits, {encoder}"] = data.waiting(options=["--encoder", encoder, "--seed", str(config.seed)])
        write(config, report, seconds=time.perf_counter() - begin)
    data.show(report, images=images)


def write(config: Config, figures: dict[str, Any], *, seconds: float) -> None:
    """Leave ``report.json`` with what is known so far."""
    installed = {each.metadata["name"].lower(): each.version for each in distributions()}
    peers = ("snntorch", "spikingjelly", "neurosush", "bindsnet", "nn4n", "nest-simulator", "brian2")
    names = ("torch", "conex-nn", *peers, "numba", "triton")
    report = {
        "benchmark": figures,
        "seconds": seconds,
        "config": {key: str(value) for key, value in asdict(config).items()},
        "seed": config.seed,
        "versions": {"python": platform.python_version(), **{n: installed[n] for n in names if n in installed}},
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
    }
    (config.out / "report.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    if not sys.argv[1:2] or sys.argv[1] not in (*SUITES, "data"):
        sys.exit(
            f"usage: python -m tasks.bench {{{','.join(SUITES)},data}} "
            "[--cases '[...]'] [--epochs 5] [--quick] [--out DIR]"
        )
    main(sys.argv[1], parse(Config, sys.argv[2:]))
