"""Cognitive tasks under a Lightning Trainer."""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader
from typing_extensions import override

from conex_nn.data.cognition.cognitive_task import CognitiveTask
from conex_nn.data.cognition.multi_task import MultiTask
from conex_nn.data.cognition.trial_batches import FreshBatches, TrialBatches
from conex_nn.data.cognition.trials import Trials

__all__ = ["CognitiveTrials", "trial_loader"]


class CognitiveTrials(L.LightningDataModule):
    """Make trials as training goes: every epoch has new ones; those of validation and of the test stay the same.

    A batch is a :class:`Trials`, batch first. It depends on `seed` and its number alone, not on the number of worker
    processes or of what was drawn before; a resumed run goes on with the trials that would have come.

    Args:
        task: A :class:`CognitiveTask` or a :class:`MultiTask`.
        batch_size: Trials per batch [1].
        batches: Batches in an epoch of training [1].
        validation_batches: Batches of a validation [1].
        test_batches: Batches of the test [1].
        num_workers: Processes that make batches [1]. Making one takes about a millisecond: 0 is fastest.
        seed: Seed of all trials [1].

    Raises:
        TypeError: Another task.
        ValueError: A number out of range.

    Example:
        >>> from conex_nn.data import PerceptualDecision
        >>> data = CognitiveTrials(PerceptualDecision(), batch_size=16, batches=10)
        >>> batch = next(iter(data.train_dataloader()))
        >>> batch.inputs.shape, data.num_inputs, data.class_names
        (torch.Size([16, 60, 3]), 3, ('fixate', 'left', 'right'))
    """

    def __init__(
        self,
        task: CognitiveTask | MultiTask,
        *,
        batch_size: int = 64,
        batches: int = 100,
        validation_batches: int = 4,
        test_batches: int = 20,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(task, CognitiveTask | MultiTask):
            raise TypeError(f"Expected `task` to be a CognitiveTask or a MultiTask, got {type(task).__name__}.")
        check_sizes(batch_size=batch_size, batches=batches, num_workers=num_workers)
        check_evaluation(validation_batches=validation_batches, test_batches=test_batches)
        self.task = task
        self.input_names = task.input_names
        self.class_names = task.class_names
        self.num_classes = len(task.class_names)
        self.num_inputs = len(task.input_names)
        self.dt = task.dt
        self.batch_size = batch_size
        self.batches = (batches, validation_batches, test_batches)
        self.num_workers = num_workers
        self.seed = seed

    @override
    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(0)

    @override
    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(1)

    @override
    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader(2)

    @override
    def predict_dataloader(self) -> DataLoader[Any]:
        return self.test_dataloader()

    def _loader(self, stream: int) -> DataLoader[Any]:
        return trial_loader(
            self.task.trials,
            batch_size=self.batch_size,
            batches=self.batches[stream],
            seed=self.seed,
            stream=stream,
            num_workers=self.num_workers,
            epoch=0 if self.trainer is None else self.trainer.current_epoch,
        )


def check_sizes(*, batch_size: int, batches: int, num_workers: int) -> None:
    """Raise unless the numbers of a data module of trials are in range.

    Args:
        batch_size: Trials per batch [1].
        batches: Batches in an epoch of training [1].
        num_workers: Processes [1].
    """
    for name, value in {"batch_size": batch_size, "batches": batches}.items():
        if value < 1:
            raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")
    if num_workers < 0:
        raise ValueError(f"Expected `num_workers` to be 0 or more, got {num_workers}.")


def check_evaluation(*, validation_batches: int, test_batches: int) -> None:
    """Raise unless the numbers of batches to evaluate on are in range; 0 is for none.

    Args:
        validation_batches: Batches of a validation [1].
        test_batches: Batches of the test [1].
    """
    for name, value in {"validation_batches": validation_batches, "test_batches": test_batches}.items():
        if value < 0:
            raise ValueError(f"Expected `{name}` to be 0 or more, got {value}.")


def trial_loader(
    trials: Callable[..., Trials],
    *,
    batch_size: int,
    batches: int,
    seed: int = 0,
    stream: int = 0,
    num_workers: int = 0,
    epoch: int = 0,
) -> DataLoader[Any]:
    """Return a loader of batches of trials, batch first.

    Args:
        trials: Makes trials, time first: ``trials(count, generator=...)``.
        batch_size: Trials per batch [1].
        batches: Batches in an epoch [1].
        seed: Seed of all trials [1].
        stream: 0 for training, whose trials are new in each epoch; others stay the same [1].
        num_workers: Processes that make batches [1].
        epoch: Where training begins: on resuming, Lightning makes the first iterator before it tells the epoch [1].

    Example:
        >>> from conex_nn.data import PerceptualDecision
        >>> len(trial_loader(PerceptualDecision().trials, batch_size=4, batches=3))
        3
    """
    data = TrialBatches(trials, batch_size=batch_size, batches=batches, seed=seed, stream=stream)
    sampler = FreshBatches(data) if stream == 0 else None
    if sampler is not None:
        sampler.set_epoch(epoch)
    return DataLoader(
        data,
        batch_size=None,
        sampler=sampler,
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
    )
