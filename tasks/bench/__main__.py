"""Benchmarks: ``python -m tasks.bench train``."""

import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from importlib.metadata import distributions
from pathlib import Path

import torch

from tasks.bench.contestants import CASES
from tasks.bench.train import compare, show
from tasks.command_line import parse


@dataclass(frozen=True, kw_only=True)
class Config:
    """What to measure."""

    cases: tuple[str, ...] = ("small", "large", "conv")
    """Sizes: small, large, conv, huge."""
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

    def __post_init__(self) -> None:
        unknown = set(self.cases) - set(CASES)
        if unknown:
            raise ValueError(f"Expected `cases` to be among {', '.join(CASES)}, got {', '.join(sorted(unknown))}.")


def main(config: Config) -> None:
    """Measure, print the table, and leave ``report.json`` where asked."""
    begin = time.perf_counter()
    cases, rounds, steps = (["small"], 1, 2) if config.quick else (list(config.cases), config.epochs, config.steps)
    config.out.mkdir(parents=True, exist_ok=True)
    installed = {each.metadata["name"].lower(): each.version for each in distributions()}
    names = ("torch", "conex-nn", "snntorch", "spikingjelly", "numba", "triton")
    figures = {}
    for case, measured in compare(cases=cases, rounds=rounds, steps=steps, seed=config.seed):
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
    show(figures)


if __name__ == "__main__":
    if sys.argv[1:2] != ["train"]:
        sys.exit("usage: python -m tasks.bench train [--cases '[small,large,conv]'] [--epochs 5] [--quick] [--out DIR]")
    main(parse(Config, sys.argv[2:]))
