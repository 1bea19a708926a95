"""Contestants side by side: ours, other libraries' and the matrix products alone.

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

from tasks.bench.suite import Suite

__all__ = ["compare", "show"]


class _Process:
    """A contestant at work."""

    def __init__(self, suite: str, contestant: str, case: str, seed: int, cache: str | None = None) -> None:
        environment = dict(os.environ)
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the first call is not to be Python's compiling of libraries
        self.said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        if cache is not None:
            environment |= {"CONEX_NN_CACHE": cache, "TRITON_CACHE_DIR": cache}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tasks.bench.worker", suite, contestant, case, str(seed)],
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
    build: float
    first: float
    cold: float | None
    milliseconds: float
    least: float
    memory: float


LABELS = {
    "products": "products alone",
    "layer": "a LIF layer alone",
    "scan": "its two passes alone",
    "function": "a function that copies them",
    "copies": "copy of its tensors",
}


def _measure(suite: Suite, case: str, rounds: int, steps: int, seed: int, progress: Progress) -> dict[str, _Figures]:
    """Time the contestants in turn on one case."""
    names = [name for name in suite.contestants if suite.takes_part(name, case)]
    bar = progress.add_task(suite.cases[case].name, total=len(names) + rounds)
    running, build, first, cold = {}, {}, {}, {}
    for name in names:
        if name == "conex_nn":
            with tempfile.TemporaryDirectory() as cache:
                process = _Process(suite.name, name, case, seed, cache)
                cold[name] = process.read().get("first")
                process.close()
        process = _Process(suite.name, name, case, seed)
        answer = process.read()
        progress.advance(bar)
        if "absent" in answer:
            progress.console.print(f"{name} is left out: {answer['absent']}")
            process.close()
            continue
        running[name], build[name], first[name] = process, answer["build"], answer["first"]
    times: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(rounds):
        for name, process in running.items():
            times[name] += process.ask("time", steps)["times"]
        progress.advance(bar)
    figures = {}
    for name, process in running.items():
        ordered = sorted(times[name])
        figures[name] = _Figures(
            build=build[name],
            first=first[name],
            cold=cold.get(name),
            milliseconds=1e3 * statistics.median(ordered),
            least=1e3 * ordered[0],
            memory=process.ask("memory")["memory"],
        )
        process.close()
    return figures


def compare(
    suite: Suite, *, cases: list[str], rounds: int, steps: int, seed: int = 0
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run a benchmark: yield the name of each case with its figures, as soon as it is done.

    Args:
        suite: What is compared.
        cases: Which of its sizes.
        rounds: Turns that each contestant takes [1].
        steps: Calls of a turn [1].
        seed: Seed of weights and inputs [1].
    """
    with Progress(transient=True) as progress:
        for case in cases:
            figures = _measure(suite, case, rounds, steps, seed, progress)
            if missing := {"products", "conex_nn"} & set(suite.contestants) - set(figures):
                raise RuntimeError(f"Expected a figure for {' and '.join(sorted(missing))}, got none; see above.")
            yield case, {name: asdict(f) | _times_floor(suite, name, figures) for name, f in figures.items()}


def _times_floor(suite: Suite, name: str, figures: dict[str, _Figures]) -> dict[str, float]:
    """Return how often a contestant's time is that of its floor, where it has one."""
    floor = suite.floor(name)
    return {} if floor is None else {"times_floor": figures[name].milliseconds / figures[floor].milliseconds}


def show(suite: Suite, report: dict[str, dict[str, Any]]) -> None:
    """Print what was measured, a table for each case.

    Args:
        suite: What was compared.
        report: Figures of each contestant, by case.
    """
    console = Console()
    console.print(f"\n[bold]{suite.title}[/]", soft_wrap=True)
    headings = ("", suite.unit, "least", "/floor", "speed-up", "MiB", "build", "1st", "cold")
    for case, figures in report.items():
        size = suite.cases[case]
        per = suite.calls(size)
        rows = [
            (
                LABELS.get(name, name),
                f"{f['milliseconds'] / per:.3g}",
                f"{f['least'] / per:.3g}",
                f"{f['times_floor']:.2f}" if "times_floor" in f else "",
                f"{f['milliseconds'] / figures['conex_nn']['milliseconds']:.2f}x" if name in suite.peers else "",
                f"{f['memory']:.0f}",
                f"{f['build']:.2f}",
                f"{f['first']:.2f}",
                f"{f['cold']:.2f}" if f["cold"] else "",
            )
            for name, f in figures.items()
        ]
        console.print(f"\n[bold]{size.name}[/], T={size.time}, B={size.batch}", soft_wrap=True, highlight=False)
        table = Table(padding=(0, 1, 0, 0), header_style="dim", box=None)
        shown = [place for place in range(len(headings)) if any(row[place] for row in rows)]
        for place in shown:
            table.add_column(headings[place], justify="right" if place else "left", no_wrap=True)
        for row in rows:
            table.add_row(*(row[place] for place in shown))
        console.print(table)
    meanings = "speed-up: of conex_nn over it; MiB: peak; seconds: build, 1st call, and cold (kernels not yet compiled)"
    console.print(f"[dim]{meanings}[/]", soft_wrap=True)
