"""Pictures while a network trains: when they are drawn, and where they go."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning as L
from typing_extensions import override

from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.sequence_task import SequenceTask

__all__ = ["Learner", "Pictures"]

Learner = SpikingClassifier | SequenceTask
"""What pictures are drawn of."""


class Pictures(L.Callback, ABC):
    """Base of callbacks that draw pictures every few epochs of training.

    What is trained is a :class:`SpikingClassifier` or a :class:`SequenceTask`. A callback of your own defines
    ``pictures``. Without a folder they go to every logger that takes figures (``experiment.add_figure``, as
    TensorBoard's), with the epoch as the step; where there is none, and always with a folder, they are saved as
    ``<folder>/<name>-<epoch>.png``, the folder being ``pictures`` beside the log. The main
    process draws them.

    Args:
        out_dir: Folder to write into; made where there is none.
        every: Epochs from picture to picture [1].

    Raises:
        ValueError: A period below 1.
        TypeError: At fitting: a module that is neither.

    Example:
        >>> class Distribution(Pictures):
        ...     def pictures(self, trainer, model, epoch):
        ...         from conex_nn.plots import weight_histogram
        ...         yield "weights", weight_histogram(dict(model.net.named_parameters()))
        >>> trainer = L.Trainer(callbacks=[Distribution(every=5)], logger=False, accelerator="cpu")
    """

    def __init__(self, out_dir: str | Path | None = None, *, every: int = 1) -> None:
        if every < 1:
            raise ValueError(f"Expected `every` to be at least 1 [1], got {every}.")
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.every = every

    @abstractmethod
    def pictures(self, trainer: L.Trainer, model: Learner, epoch: int) -> Iterator[tuple[str, Any]]:
        """Yield the name of each picture and the axes that it is drawn on.

        Args:
            trainer: The trainer.
            model: What it trains.
            epoch: Epochs that are complete; 0 before the first one [1].
        """

    def draws(self, epoch: int) -> bool:
        """Return whether pictures are due.

        Args:
            epoch: Epochs that are complete [1].
        """
        return epoch % self.every == 0

    @override
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        model = self.checked(pl_module)
        if trainer.current_epoch == 0:
            self._draw(trainer, model, 0)

    @override
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if self.draws(trainer.current_epoch + 1):
            self._draw(trainer, self.checked(pl_module), trainer.current_epoch + 1)

    def checked(self, module: L.LightningModule) -> Learner:
        """Return the module if it is one that is understood.

        Args:
            module: What is trained.
        """
        if not isinstance(module, Learner):
            raise TypeError(
                f"Expected `{type(self).__name__}` to see a SpikingClassifier or a SequenceTask, got "
                f"{type(module).__name__}."
            )
        return module

    def _draw(self, trainer: L.Trainer, model: Learner, epoch: int) -> None:
        log_dir = trainer.log_dir  # which all processes have to ask for
        if not trainer.is_global_zero:
            return
        takers = [] if self.out_dir is not None else [each for each in trainer.loggers if _takes_figures(each)]
        folder = self.out_dir or Path(log_dir or trainer.default_root_dir) / "pictures"
        for name, ax in self.pictures(trainer, model, epoch):
            for logger in takers:
                _experiment(logger).add_figure(name, ax.figure, global_step=epoch, close=False)
            if not takers:
                folder.mkdir(parents=True, exist_ok=True)
                ax.figure.savefig(folder / f"{name}-{epoch}.png", dpi=150, bbox_inches="tight")


def _experiment(logger: Any) -> Any:
    return logger.experiment


def _takes_figures(logger: Any) -> bool:
    return callable(getattr(_experiment(logger), "add_figure", None))
