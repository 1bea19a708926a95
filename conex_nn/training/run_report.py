"""What every report at the end of a test does: it keeps the time and the learning curves, and writes."""

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

import lightning as L
from rich.console import Console
from typing_extensions import override

from conex_nn.training.report_table import table
from conex_nn.training.trainable import Trainable

__all__ = ["RunReport"]


class RunReport(L.Callback, ABC):
    """Keep what is logged in each epoch and how long all takes; at the end of a test, write and draw what was found.

    A subclass says of which module it is and what it found.

    Args:
        out_dir: Folder to write into; made where there is none.
        config: What to put under ``config`` in the file: a mapping or a dataclass.
        show: Print the table.

    Raises:
        TypeError: A configuration of another kind; at its use: another module.

    Example:
        >>> from conex_nn.training import Report
        >>> issubclass(Report, RunReport)
        True
    """

    of: ClassVar[type[Trainable]]
    """What is reported on."""

    def __init__(self, out_dir: str | Path, *, config: Any = None, show: bool = True) -> None:
        if is_dataclass(config) and not isinstance(config, type):
            config = asdict(config)
        if config is not None and not isinstance(config, Mapping):
            raise TypeError(f"Expected `config` to be a mapping or a dataclass, got {type(config).__name__}.")
        self.out_dir = Path(out_dir)
        self.config = dict(config or {})
        self.show = show
        self.history: list[dict[str, int | float]] = []
        """One mapping per epoch of training: what was logged."""
        self._validated = False
        self._start: float | None = None
        self._seconds_before = 0.0

    @property
    def seconds(self) -> float:
        """Wall-clock time since the trainer's start, earlier parts of a resumed run included [s]."""
        return self._seconds_before + (0.0 if self._start is None else time.perf_counter() - self._start)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"history": [dict(epoch) for epoch in self.history], "seconds": self.seconds}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if not self.history:  # a test of the best checkpoint leaves alone what is known of the whole training
            self.history = list(state_dict["history"])
            self._seconds_before = float(state_dict["seconds"])

    @override
    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if not isinstance(pl_module, self.of):
            name = type(self).__name__
            raise TypeError(f"Expected `{name}` to see a {self.of.__name__}, got {type(pl_module).__name__}.")
        self._start = time.perf_counter() if self._start is None else self._start

    @override
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        stages = ("train/", "val/") if self._validated else ("train/",)
        logged = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith(stages) and math.isfinite(value)
        }
        self.history.append({"epoch": trainer.current_epoch, **logged})
        self._validated = False

    @override
    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._validated = not trainer.sanity_checking

    @override
    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, self.of):
            return
        report = self.found(trainer, pl_module)
        self.out_dir.mkdir(parents=True, exist_ok=True)
        (self.out_dir / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
        self.draw(trainer, pl_module)
        if self.show:
            Console().print(table(report))

    @abstractmethod
    def found(self, trainer: L.Trainer, model: Any) -> dict[str, Any]:
        """Return what goes into the file.

        Args:
            trainer: The trainer at the end of a test.
            model: What was tested.
        """

    @abstractmethod
    def draw(self, trainer: L.Trainer, model: Any) -> None:
        """Draw pictures into the folder.

        Args:
            trainer: The trainer at the end of a test.
            model: What was tested.
        """

    def _draw_learning(self) -> None:
        """Draw what is known of loss and accuracy over the epochs."""
        # Imported here: matplotlib is of use at the end of a test only.
        from conex_nn.plots import curves, side_by_side

        names = {name.rpartition("/")[2] for epoch in self.history for name in epoch}
        drawn = [quantity for quantity in ("loss", "accuracy") if quantity in names]
        if not any("train/loss" in epoch for epoch in self.history):
            return
        axes = side_by_side(len(drawn))
        for quantity, ax in zip(drawn, axes, strict=True):
            curves(self.history, quantity, ax=ax)
        self._save(axes[0], "learning.png")

    def _save(self, axes: Any, name: str) -> None:
        axes.figure.savefig(self.out_dir / name, dpi=150, bbox_inches="tight")
