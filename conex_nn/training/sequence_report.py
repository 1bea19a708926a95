"""The report at the end of a test of sequences: a table, a file and pictures."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.training.psychometric_curve import Psychometric
from conex_nn.training.report_contents import of_the_run, tested
from conex_nn.training.run_report import RunReport
from conex_nn.training.sequence_batch import SequenceBatch, sequence_batch
from conex_nn.training.sequence_task import SequenceTask

__all__ = ["SequenceReport"]


class SequenceReport(RunReport):
    """Write what a test of a :class:`SequenceTask` found, and how it was trained.

    At the end of ``trainer.test``, in the main process: prints a table, and writes into a folder

    - ``report.json``: ``accuracy`` and the other figures, psychometric curves and their ``threshold``, ``seconds`` (of
      wall clock since this callback first saw the trainer at work), the configuration, the seed, versions, the learning
      curves;
    - ``psychometric.png``, where there are such curves, ``trial.png`` (what the network saw and did in the first
      sequence of the test), and ``learning.png`` after training.

    Args:
        out_dir: Folder to write into; made where there is none.
        config: What to put under ``config`` in the file: a mapping or a dataclass.
        show: Print the table.

    Raises:
        TypeError: A configuration of another kind; at its use: a module that is no :class:`SequenceTask`.

    Example:
        >>> report = SequenceReport("runs/first", config={"hidden": 100})
        >>> trainer = L.Trainer(callbacks=[report], logger=False, enable_checkpointing=False, accelerator="cpu")
    """

    of = SequenceTask

    def __init__(self, out_dir: str | Path, *, config: Any = None, show: bool = True) -> None:
        super().__init__(out_dir, config=config, show=show)
        self._sample: SequenceBatch | None = None

    @override
    def on_test_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0 and dataloader_idx == 0 and trainer.is_global_zero:
            x, targets, mask, decision, _ = sequence_batch(batch)
            first = (each[:, :1].clone() for each in (x, targets, mask, decision))
            self._sample = SequenceBatch(*first, info={})  # pyright: ignore[reportArgumentType]

    @override
    def found(self, trainer: L.Trainer, model: SequenceTask) -> dict[str, Any]:
        figures = tested({name: float(value) for name, value in trainer.callback_metrics.items()})
        report: dict[str, Any] = {}
        if "accuracy" in figures:
            report["accuracy"] = figures.pop("accuracy")
        report |= figures
        if model.curves:
            report["threshold"] = {name: _number(curve.threshold) for name, curve in model.curves.items()}
            report["psychometric"] = {name: _plain(curve) for name, curve in model.curves.items()}
        return report | of_the_run(model, seconds=self.seconds, config=self.config, history=self.history)

    @override
    def draw(self, trainer: L.Trainer, model: SequenceTask) -> None:
        # Imported here: matplotlib is of use at the end of a test only.
        from conex_nn.plots import psychometric, side_by_side, trial

        data = getattr(trainer, "datamodule", None)
        class_names = getattr(data, "class_names", None)
        if model.curves:
            axes = side_by_side(len(model.curves))
            positive = [int(curve.positive) for curve in model.testing.of_evidence]  # pyright: ignore
            for ax, (name, curve), choice in zip(axes, model.curves.items(), positive, strict=True):
                psychometric(
                    curve.evidence, curve.share, count=curve.count, bias=curve.bias, slope=curve.slope,
                    xlabel=name, ax=ax,
                )  # fmt: skip
                called = class_names[choice] if class_names is not None and choice < len(class_names) else choice
                ax.set_ylabel(f"share of choices of {called} [1]")
            self._save(axes[0], "psychometric.png")
        if self._sample is not None:
            x, targets, mask = (each[:, 0] for each in self._sample[:3])
            with torch.no_grad():
                outputs = model.outputs(self._sample.x)[:, 0]
            axes = trial(
                x.flatten(1), outputs, targets, mask=mask, dt=model.dt,
                input_names=_fitting(getattr(data, "input_names", None), x.flatten(1).shape[1]),
                output_names=_fitting(class_names, outputs.shape[1]),
            )  # fmt: skip
            self._save(axes[0], "trial.png")
        self._draw_learning()
        self._sample = None


def _fitting(names: Sequence[str] | None, count: int) -> Sequence[str] | None:
    return names if names is not None and len(names) == count else None


def _plain(curve: Psychometric) -> dict[str, Any]:
    return {name: value.tolist() if value.dim() else _number(value) for name, value in curve._asdict().items()}


def _number(value: Tensor) -> float | None:
    return float(value) if math.isfinite(value) else None
