"""Benchmarks: ``python -m tasks.bench`` with ``train``, ``column``, ``plasticity`` or ``rates``."""

import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

import torch

from tasks.bench.measure import compare, show
from tasks.bench.suite import SUITES
from tasks.command_line import parse


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to measure."""

    cases: tuple[str, ...] = ()
    """Sizes: small, large, conv, huge of `train`; single, batch, learn of `column`; those of
    `plasticity` are in its table; 100 and 256 of `rates`. Default all but huge."""
    epochs: int = 5
    """Turns that each contestant takes [1]."""
    steps: int = 5
    """Steps of a turn [1]."""
    quick: bool = False
    """Only show that it runs: the smallest size, one turn."""
    seed: int = 0
    """Seed of weights and inputs [1]."""
    out: Path = Path("runs/bench")
    """Folder for report.json."""


def main(name: str, config: Config) -> None:
    """Measure, print the table, and leave ``report.json`` where asked."""
    suite = SUITES[name]
    if unknown := set(config.cases) - set(suite.cases):
        raise ValueError(f"Expected `cases` to be among {', '.join(suite.cases)}, got {', '.join(sorted(unknown))}.")
    begin = time.perf_counter()
    cases, rounds, steps = list(config.cases or suite.default), config.epochs, config.steps
    if config.quick:
        cases, rounds, steps = [suite.quick], 1, 2
    config.out.mkdir(parents=True, exist_ok=True)
    installed = {each.metadata["name"].lower(): each.version for each in distributions()}
    names = ("torch", "conex-nn", "snntorch", "spikingjelly", "neurosush", "bindsnet", "nn4n", "numba", "triton")
    figures = {}
    for case, measured in compare(suite, cases=cases, rounds=rounds, steps=steps, seed=config.seed):
        figures[case] = measured
        report = {
            "benchmark": figures,
            "seconds": time.perf_counter() - begin,
            "config": {key: str(value) for key, value in asdict(config).items()},
            "seed": config.seed,
            "versions": {"python": platform.python_version(), **{n: installed[n] for n in names if n in installed}},
            "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
            "threads": torch.get_num_threads(),
        }
        (config.out / "report.json").write_text(json.dumps(report, indent=2))
    show(suite, figures)


if __name__ == "__main__":
    if not sys.argv[1:2] or sys.argv[1] not in SUITES:
        sys.exit(
            f"usage: python -m tasks.bench {{{','.join(SUITES)}}} [--cases '[...]'] [--epochs 5] [--quick] [--out DIR]"
        )
    main(sys.argv[1], parse(Config, sys.argv[2:]))
