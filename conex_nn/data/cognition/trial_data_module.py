"""What makes trials under a Lightning Trainer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from torch.utils.data import DataLoader
from typing_extensions import override

from conex_nn.data.cognition.trial_batches import FreshBatches, TrialBatches
from conex_nn.data.cognition.trials import Trials

__all__ = ["TrialDataModule"]


class TrialDataModule(L.LightningDataModule, ABC):
    """Make batches of trials that depend on a seed and their number alone, new ones in every epoch of training.

    A subclass says how trials are made.

    Args:
        batch_size: Trials per batch [1].
        batches: Batches of an epoch of training, of a validation, and of the test [1].
        num_workers: Processes that make batches [1].
        seed: Seed of all trials [1].

    Raises:
        ValueError: A number out of range.

    Example:
        >>> from conex_nn.data import CognitiveTrials
        >>> issubclass(CognitiveTrials, TrialDataModule)
        True
    """

    def __init__(self, *, batch_size: int, batches: tuple[int, int, int], num_workers: int, seed: int) -> None:
        super().__init__()
        check_sizes(batch_size=batch_size, batches=batches[0], num_workers=num_workers)
        for name, value in zip(("validation_batches", "test_batches"), batches[1:], strict=True):
            if value < 0:
                raise ValueError(f"Expected `{name}` to be 0 or more, got {value}.")
        self.batch_size = batch_size
        self.batches = batches
        self.num_workers = num_workers
        self.seed = seed
        self._resumed_at = 0

    @abstractmethod
    def trials(self, count: int, *, generator: torch.Generator | None = None) -> Trials:
        """Make trials, time first.

        Args:
            count: Number of trials [1].
            generator: Source of randomness.
        """

    @override
    def setup(self, stage: str) -> None:
        self._resumed_at = 0

    # Lightning may ask for the first batches of a resumed run before it knows the epoch: a module of data does.

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self._epoch()}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._resumed_at = int(state_dict["epoch"])

    def _epoch(self) -> int:
        """Return the number of the epoch that is about to begin."""
        # `current_epoch` lags behind in a checkpoint that was saved as an epoch ended.
        progress: Any = None if self.trainer is None else self.trainer.fit_loop.epoch_progress.current
        return max(0 if progress is None else progress.processed, self._resumed_at)

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
            self.trials,
            batch_size=self.batch_size,
            batches=self.batches[stream],
            seed=self.seed,
            stream=stream,
            num_workers=self.num_workers,
            epoch=self._epoch,
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


def trial_loader(
    trials: Callable[..., Trials],
    *,
    batch_size: int,
    batches: int,
    seed: int = 0,
    stream: int = 0,
    num_workers: int = 0,
    epoch: Callable[[], int] | None = None,
) -> DataLoader[Any]:
    """Return a loader of batches of trials, batch first.

    Args:
        trials: Makes trials, time first: ``trials(count, generator=...)``.
        batch_size: Trials per batch [1].
        batches: Batches in an epoch [1].
        seed: Seed of all trials [1].
        stream: 0 for training, whose trials are new in each epoch; others stay the same [1].
        num_workers: Processes that make batches [1].
        epoch: Says which epoch is about to begin, see :class:`FreshBatches`.

    Example:
        >>> from conex_nn.data import PerceptualDecision
        >>> len(trial_loader(PerceptualDecision().trials, batch_size=4, batches=3))
        3
    """
    data = TrialBatches(trials, batch_size=batch_size, batches=batches, seed=seed, stream=stream)
    return DataLoader(
        data,
        batch_size=None,
        sampler=FreshBatches(data, epoch=epoch) if stream == 0 else None,
        num_workers=num_workers,
        pin_memory=torch.cuda.is_available(),
        persistent_workers=num_workers > 0,
    )
