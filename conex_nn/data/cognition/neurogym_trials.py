"""The tasks of neurogym under a Lightning Trainer."""

import importlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.data.cognition.trial_data_module import TrialDataModule
from conex_nn.data.cognition.trials import Trials

__all__ = ["NeurogymTrials"]


class NeurogymTrials(TrialDataModule):
    """Make trials of a task of neurogym, for training on what it says is right (``pip install conex-nn[cognition]``).

    A batch is a :class:`Trials`, batch first, and depends on `seed` and its number alone, as in
    :class:`CognitiveTrials`. Every trial stands by itself and begins at the first step; after the end of shorter ones
    nothing is asked. Class 0 is neurogym's fixation; the choice is read where another class is right. In ``info``:
    ``choice``, and the numbers of neurogym's ``trial``, such as ``coh``. Neurogym makes trials one by one:
    `num_workers` helps here.

    Args:
        task: Name of a trial-based task with a single discrete choice, such as ``"PerceptualDecisionMaking-v0"``.
        options: What the task takes, such as ``{"dt": 20}``.
        batch_size: Trials per batch [1].
        batches: Batches in an epoch of training [1].
        validation_batches: Batches of a validation [1].
        test_batches: Batches of the test [1].
        decision_weight: Weight in the loss of a step at which a choice is right; that of fixation is 1 [1].
        num_workers: Processes that make batches [1].
        seed: Seed of all trials [1].

    Raises:
        ModuleNotFoundError: Without neurogym.
        ValueError: A number out of range.
        TypeError: A task that is not based on trials, or has other actions than a choice among some.

    Example:
        >>> data = NeurogymTrials("PerceptualDecisionMaking-v0", {"dt": 100})  # doctest: +SKIP
        >>> next(iter(data.train_dataloader())).inputs.shape  # doctest: +SKIP
        torch.Size([64, 22, 3])

    References:
        Molano-Mazon et al., NeuroGym: An open resource for developing and sharing neuroscience tasks (2022).
    """

    def __init__(
        self,
        task: str,
        options: Mapping[str, Any] | None = None,
        *,
        batch_size: int = 64,
        batches: int = 100,
        validation_batches: int = 4,
        test_batches: int = 20,
        decision_weight: float = 5.0,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            batch_size=batch_size,
            batches=(batches, validation_batches, test_batches),
            num_workers=num_workers,
            seed=seed,
        )
        if not decision_weight >= 0:
            raise ValueError(f"Expected `decision_weight` to be 0 or more [1], got {decision_weight}.")
        self.env = _made(task, dict(options or {}))
        self.class_names = tuple(str(place) for place in range(int(self.env.action_space.n)))
        self.num_classes = len(self.class_names)
        self.num_inputs = int(self.env.observation_space.shape[0])
        self.dt = float(self.env.dt)
        self.decision_weight = decision_weight

    @override
    def trials(self, count: int, *, generator: torch.Generator | None = None) -> Trials:
        """Make trials.

        Args:
            count: Number of trials [1].
            generator: Source of the seed of neurogym's own generator.

        Returns:
            The trials, time first, as long as the longest of them.
        """
        self.env.seed(int(torch.randint(2**31 - 1, (), generator=generator)))
        found = [self._one() for _ in range(count)]
        pad = torch.nn.utils.rnn.pad_sequence
        targets = pad([target for _, target, _ in found])
        asked = pad([torch.ones(len(target), dtype=torch.bool) for _, target, _ in found])
        decision = targets > 0
        dtype = torch.get_default_dtype()
        told = {name for _, _, info in found for name in info}
        info = {name: torch.tensor([info.get(name, np.nan) for _, _, info in found], dtype=dtype) for name in told}
        return Trials(
            inputs=pad([inputs for inputs, _, _ in found]),
            targets=targets,
            mask=(asked & ~decision).to(dtype) + self.decision_weight * decision.to(dtype),
            decision=decision,
            info={**info, "choice": targets.amax(0)},
        )

    def _one(self) -> tuple[Tensor, Tensor, dict[str, float]]:
        trial = self.env.new_trial()
        told = trial or {}
        numbers = {name: float(told[name]) for name in told if isinstance(told[name], int | float | np.number)}
        inputs = torch.as_tensor(np.array(self.env.ob), dtype=torch.get_default_dtype())
        return inputs, torch.as_tensor(np.array(self.env.gt)).long(), numbers


def _made(task: str, options: dict[str, Any]) -> Any:
    """Return the environment itself, without gymnasium's wrappers."""
    try:
        neurogym: Any = importlib.import_module("neurogym")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Expected neurogym to be installed for its tasks: `pip install conex-nn[cognition]`. The tasks of "
            "`conex_nn.data`, such as PerceptualDecision, need nothing."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of gymnasium, about how neurogym describes itself
        env: Any = neurogym.make(task, **options)
    env = env.unwrapped
    if not hasattr(env, "new_trial"):
        raise TypeError(f"Expected `task` to be based on trials, got {task!r}.")
    if not hasattr(env.action_space, "n") or len(env.observation_space.shape) != 1:
        raise TypeError(f"Expected `task` to have one choice among some and a vector of inputs, got {task!r}.")
    return env
