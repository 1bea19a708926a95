"""Cognitive tasks under a Lightning Trainer."""

import torch
from typing_extensions import override

from conex_nn.data.cognition.cognitive_task import CognitiveTask
from conex_nn.data.cognition.multi_task import MultiTask
from conex_nn.data.cognition.trial_data_module import TrialDataModule
from conex_nn.data.cognition.trials import Trials

__all__ = ["CognitiveTrials"]


class CognitiveTrials(TrialDataModule):
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
        if not isinstance(task, CognitiveTask | MultiTask):
            raise TypeError(f"Expected `task` to be a CognitiveTask or a MultiTask, got {type(task).__name__}.")
        super().__init__(
            batch_size=batch_size,
            batches=(batches, validation_batches, test_batches),
            num_workers=num_workers,
            seed=seed,
        )
        self.task = task
        self.input_names = task.input_names
        self.class_names = task.class_names
        self.num_classes = task.num_classes
        self.num_inputs = task.num_inputs
        self.dt = task.dt

    @override
    def trials(self, count: int, *, generator: torch.Generator | None = None) -> Trials:
        return self.task.trials(count, generator=generator)
