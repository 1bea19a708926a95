"""Training steps side by side: ours, snnTorch's, SpikingJelly's and the matrix products alone.

Every contestant is a process of its own; they take turns, so that a machine whose speed drifts drifts for all.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tasks.bench.contestants import CASES, CONTESTANTS

__all__ = ["compare", "show"]


class _Process:
    """A contestant at work."""

    def __init__(self, contestant: str, case: str, seed: int, cache: str | None = None) -> None:
        environment = dict(os.environ)
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        if cache is not None:
            environment |= {"CONEX_NN_CACHE": cache, "TRITON_CACHE_DIR": cache}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tasks.bench.worker", contestant, case, str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
            env=environment,
        )

    def read(self) -> dict[str, Any]:
        while line := self.process.stdout.readline():  # pyright: ignore[reportOptionalMemberAccess]
            if line.startswith("{"):  # libraries may print, too
                return json.loads(line)
        self.said.seek(0)
        return {"absent": "it stopped: " + "".join(self.said.readlines()[-3:])}

    def ask(self, order: str, count: int = 1) -> dict[str, Any]:
        self.process.stdin.write(f"{order} {count}\n")  # pyright: ignore[reportOptionalMemberAccess]
        self.process.stdin.flush()  # pyright: ignore[reportOptionalMemberAccess]
        return self.read()

    def close(self) -> None:
        self.process.communicate()  # closes its input, on which it ends
        self.said.close()


@dataclass
class _Figures:
    first: float
    cold: float | None
    milliseconds: float
    least: float
    memory: float


LABELS = {"products": "matrix products alone", "scan": "conex_nn, a LIF layer alone", "copies": "copy of its tensors"}


def _ratio(figures: dict[str, _Figures], name: str) -> float:
    """Return how many times its floor a contestant takes."""
    floor = "copies" if name in ("scan", "copies") else "products"
    return figures[name].milliseconds / figures[floor].milliseconds


def _measure(
    case: str, names: list[str], rounds: int, steps: int, seed: int, progress: Progress
) -> dict[str, _Figures]:
    """Time the contestants in turn on one case."""
    bar = progress.add_task(CASES[case].name, total=len(names) + rounds)
    running, first, cold = {}, {}, {}
    for name in names:
        if name == "conex_nn":
            with tempfile.TemporaryDirectory() as cache:
                process = _Process(name, case, seed, cache)
                cold[name] = process.read().get("first")
                process.close()
        process = _Process(name, case, seed)
        answer = process.read()
        progress.advance(bar)
        if "absent" in answer:
            progress.console.print(f"{name} is left out: {answer['absent']}")
            process.close()
            continue
        running[name], first[name] = process, answer["first"]
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, process in running.items():
            times[name] += process.ask("time", steps)["times"]
        progress.advance(bar)
    figures = {}
    for name, process in running.items():
        ordered = sorted(times[name])
        figures[name] = _Figures(
            first=first[name],
            cold=cold.get(name),
            milliseconds=1e3 * statistics.median(ordered),
            least=1e3 * ordered[0],
            memory=process.ask("memory")["memory"],
        )
        process.close()
    return figures


def compare(*, cases: list[str], rounds: int, steps: int, seed: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the benchmark: yield the name of each case with its figures, as soon as it is done.

    Args:
        cases: Which of the sizes.
        rounds: Turns that each contestant takes [1].
        steps: Training steps of a turn [1].
        seed: Seed of weights and inputs [1].
    """
    with Progress(transient=True) as progress:
        for case in cases:
            names = [name for name in CONTESTANTS if not (CASES[case].conv and name in ("scan", "copies"))]
            figures = _measure(case, names, rounds, steps, seed, progress)
            if missing := {"products", "conex_nn"} - set(figures):
                raise RuntimeError(f"Expected a figure for {' and '.join(sorted(missing))}, got none; see above.")
            yield case, {name: {**asdict(f), "times_floor": _ratio(figures, name)} for name, f in figures.items()}


def show(report: dict[str, dict[str, Any]]) -> None:
    """Print one table of what was measured.

    Args:
        report: Figures of each contestant, by case.
    """
    table = Table(title="One training step, forward and backward; freed memory is kept, for all alike")
    for column in ("", "ms", "least", "/ floor", "conex_nn is", "peak MiB", "first call s", "cold"):
        table.add_column(column, justify="right" if column else "left")
    for case, figures in report.items():
        table.add_row(f"[bold]{CASES[case].name}[/], T={CASES[case].time}, B={CASES[case].batch}")
        for name, f in figures.items():
            peer = name in ("snntorch", "spikingjelly")
            times = f["milliseconds"] / figures["conex_nn"]["milliseconds"]
            table.add_row(
                "  " + LABELS.get(name, name),
                f"{f['milliseconds']:.2f}",
                f"{f['least']:.2f}",
                f"{f['times_floor']:.2f}",
                f"{times:.2f}x faster" if peer else "",
                f"{f['memory']:.0f}",
                f"{f['first']:.2f}",
                f"{f['cold']:.2f}" if f["cold"] else "",
            )
        table.add_section()
    Console().print(table)
