"""How far the drawing of many edges is, shown on a terminal."""

import time
from contextlib import AbstractContextManager
from typing import Any

from typing_extensions import override

__all__ = ["Progress"]

_PATIENCE = 2.0
"""Seconds after which it is shown."""


class Progress(AbstractContextManager["Progress"]):
    """A bar on the terminal, or in a notebook, of what has taken two seconds and is not done.

    Args:
        what: What is being made.
        total: Pieces of work in all [1].

    Example:
        >>> with Progress("Drawing 2 edges", 2) as progress:
        ...     progress.advance(2)
    """

    def __init__(self, what: str, total: int = 0) -> None:
        self.what, self.total, self.done = what, total, 0
        self._start, self._bar = time.perf_counter(), None

    @override
    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, pieces: int) -> None:
        """Say what has been done.

        Args:
            pieces: Pieces of work since the last time [1].
        """
        self.done += pieces
        late = time.perf_counter() - self._start > _PATIENCE
        if self._bar is None and late and self.done < self.total:
            self._bar = self._shown()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self.done)

    def _shown(self) -> Any:
        from rich.console import Console
        from rich.progress import Progress as Bar

        bar = Bar(console=Console(stderr=True), transient=True)  # elsewhere it writes nothing
        bar.add_task(self.what, total=self.total)
        bar.start()
        return bar
