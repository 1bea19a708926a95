"""How far a long run is, shown on a terminal; and how it is stopped there without losing it."""

import signal
import threading
import time
from contextlib import AbstractContextManager
from types import FrameType
from typing import Any

from typing_extensions import override

__all__ = ["Progress", "Stop"]

_PATIENCE = 2.0
"""Seconds after which a run shows how far it is."""


class Progress(AbstractContextManager["Progress"]):
    """A bar with the time that has been simulated and how much longer that takes than life does.

    Args:
        steps: How many steps are to be run [1].
        dt: Length of a step [ms].
        shown: Show it from the start; None for after two seconds, on a terminal or in a notebook.

    Example:
        >>> with Progress(100, 0.1, shown=False) as progress:
        ...     progress.reach(50)
    """

    def __init__(self, steps: int, dt: float, *, shown: bool | None = None) -> None:
        self.steps, self.dt, self.shown = steps, dt, shown
        self.start = time.perf_counter()
        self._bar: Any = None

    @override
    def __enter__(self) -> "Progress":
        self.start = time.perf_counter()
        if self.shown:
            self._show()
        return self

    @override
    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def seconds(self) -> float:
        """How long it has taken so far [s]."""
        return time.perf_counter() - self.start

    def reach(self, step: int) -> None:
        """Say how far the run is.

        Args:
            step: Steps that have been run [1].
        """
        if self._bar is None and self.shown is None and self.seconds > _PATIENCE and step < self.steps:
            self._show()
        if self._bar is not None:
            factor = 1000 * self.seconds / (step * self.dt) if step else float("nan")
            self._bar.update(self._bar.task_ids[0], completed=step * self.dt, factor=f"{factor:.3g}")

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        if not self.shown and not (console.is_terminal or console.is_jupyter):
            self.shown = False
            return
        text = "{task.completed:g} of {task.total:g} ms, real-time factor {task.fields[factor]}"
        self._bar = Bar(BarColumn(), TextColumn(text), TimeRemainingColumn(), console=console)
        self._bar.add_task("", total=self.steps * self.dt, factor="-")
        self._bar.start()


class Stop(AbstractContextManager["Stop"]):
    """Lets the first interrupt from the keyboard ask for an end; the second one breaks off as ever.

    Where somebody else handles interrupts, or outside of the main thread, it changes nothing.

    Example:
        >>> with Stop() as stop:
        ...     stop.asked
        False
    """

    def __init__(self) -> None:
        self.asked = False
        self._held = False

    @override
    def __enter__(self) -> "Stop":
        main = threading.current_thread() is threading.main_thread()
        self._held = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._held:
            signal.signal(signal.SIGINT, self._ask)
        return self

    @override
    def __exit__(self, *_: object) -> None:
        if self._held:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.default_int_handler(number, frame)
        self.asked = True
