"""The report at the end of a test: a table, a file and pictures."""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from rich.console import Console
from torch import Tensor
from typing_extensions import override

from conex_nn.recording import record, spiking_layers
from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.report_contents import contents
from conex_nn.training.report_table import table

__all__ = ["Report"]


class Report(L.Callback):
    """Write what a test of a :class:`SpikingClassifier` found, and how it was trained.

    At the end of ``trainer.test``, in the main process: prints a table, and writes into a folder

    - ``report.json``: ``accuracy`` and the other figures, ``per_class`` accuracies, ``seconds`` (of wall clock since
      this callback first saw the trainer at work), the configuration, the seed, versions, the learning curves;
    - ``confusion.png``, ``raster.png`` (spikes of every spiking layer for the first test sample), and ``learning.png``
      after training.

    Args:
        out_dir: Folder to write into; made where there is none.
        config: What to put under ``config`` in the file: a mapping or a dataclass.
        show: Print the table.

    Raises:
        TypeError: A configuration of another kind; at its use: a module that is no :class:`SpikingClassifier`.

    Example:
        >>> report = Report("runs/first", config={"hidden": 100})
        >>> trainer = L.Trainer(callbacks=[report], logger=False, enable_checkpointing=False, accelerator="cpu")
    """

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
        self._sample: tuple[Tensor | dict[str, Tensor], int] | None = None
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
        if not isinstance(pl_module, SpikingClassifier):
            raise TypeError(f"Expected `Report` to see a SpikingClassifier, got {type(pl_module).__name__}.")
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
    def on_test_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0 and dataloader_idx == 0 and trainer.is_global_zero:
            x, labels, *lengths = batch
            labels, _ = pl_module.heads.split(labels) if isinstance(pl_module, SpikingClassifier) else (labels, {})
            steps = int(lengths[0][0]) if lengths else None
            several = isinstance(x, Mapping)
            one = {k: each[:1, :steps].clone() for k, each in x.items()} if several else x[:1, :steps].clone()
            self._sample = one, int(labels[0])

    @override
    def on_test_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(pl_module, SpikingClassifier):
            return
        names = getattr(getattr(trainer, "datamodule", None), "class_names", None)
        if names is None or len(names) != pl_module.num_classes:
            names = [str(index) for index in range(pl_module.num_classes)]
        report = contents(
            pl_module,
            {name: float(value) for name, value in trainer.callback_metrics.items()},
            class_names=names,
            seconds=self.seconds,
            config=self.config,
            history=self.history,
        )
        self.out_dir.mkdir(parents=True, exist_ok=True)
        (self.out_dir / "report.json").write_text(json.dumps(report, indent=2, default=str) + "\n")
        self._draw(pl_module, list(names))
        self._sample = None
        if self.show:
            Console().print(table(report))

    def _draw(self, model: SpikingClassifier, class_names: list[str]) -> None:
        # Imported here: matplotlib is of use at the end of a test only.
        from conex_nn.plots import confusion, curves, raster, side_by_side

        if model.confusion is not None:
            self._save(confusion(model.confusion, class_names=class_names), "confusion.png")
        layers = self._spikes_of_the_sample(model)
        if layers and self._sample is not None:
            axes = raster(layers, dt=model.dt)
            axes.set_title(f"one test sample of class {class_names[self._sample[1]]}")
            self._save(axes, "raster.png")
        if any("train/loss" in epoch for epoch in self.history):
            left, right = side_by_side(2)
            curves(self.history, "loss", ax=left)
            curves(self.history, "accuracy", ax=right)
            self._save(left, "learning.png")

    def _save(self, axes: Any, name: str) -> None:
        axes.figure.savefig(self.out_dir / name, dpi=150, bbox_inches="tight")

    @torch.no_grad()
    def _spikes_of_the_sample(self, model: SpikingClassifier) -> dict[str, Tensor]:
        """Return the spikes ``(time, *neurons)`` of every layer, and of the input where it is spikes."""
        addresses = list(spiking_layers(model.net))
        if self._sample is None:
            return {}
        x = self._sample[0]
        inputs = x if isinstance(x, dict) else {"input": x}
        spikes = {name: each[0] for name, each in inputs.items() if bool(((each == 0) | (each == 1)).all())}
        if addresses:
            with record(model.net, *addresses) as recording:
                model.outputs(x)
            spikes |= {name.removesuffix(".spikes"): value[:, 0] for name, value in recording.items()}
        return spikes
