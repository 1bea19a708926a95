"""The report at the end of a test: a table, a file and pictures."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.recording import record, spiking_layers
from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.padding import first_sample
from conex_nn.training.report_contents import contents
from conex_nn.training.run_report import RunReport

__all__ = ["Report"]


class Report(RunReport):
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

    of = SpikingClassifier

    def __init__(self, out_dir: str | Path, *, config: Any = None, show: bool = True) -> None:
        super().__init__(out_dir, config=config, show=show)
        self._sample: tuple[Tensor | dict[str, Tensor], int] | None = None

    @override
    def on_test_batch_end(  # what is no batch has then been told of
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx == 0 and dataloader_idx == 0 and trainer.is_global_zero:
            x, labels, *lengths = batch
            labels, _ = pl_module.heads.split(labels) if isinstance(pl_module, SpikingClassifier) else (labels, {})
            self._sample = first_sample(x, *lengths), int(labels[0])

    @override
    def found(self, trainer: L.Trainer, model: SpikingClassifier) -> dict[str, Any]:
        return contents(
            model,
            {name: float(value) for name, value in trainer.callback_metrics.items()},
            class_names=_class_names(trainer, model),
            seconds=self.seconds,
            config=self.config,
            history=self.history,
        )

    @override
    def draw(self, trainer: L.Trainer, model: SpikingClassifier) -> None:
        # Imported here: matplotlib is of use at the end of a test only.
        from conex_nn.plots import confusion, raster

        class_names = _class_names(trainer, model)
        if model.confusion is not None:
            self._save(confusion(model.confusion, class_names=class_names), "confusion.png")
        layers = self._spikes_of_the_sample(model)
        if layers and self._sample is not None:
            axes = raster(layers, dt=model.dt)
            axes.set_title(f"one test sample of class {class_names[self._sample[1]]}")
            self._save(axes, "raster.png")
        self._draw_learning()
        self._sample = None

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


def _class_names(trainer: L.Trainer, model: SpikingClassifier) -> list[str]:
    names = getattr(getattr(trainer, "datamodule", None), "class_names", None)
    if names is None or len(names) != model.num_classes:
        return [str(index) for index in range(model.num_classes)]
    return list(names)
