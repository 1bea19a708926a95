"""What every built-in cognitive task does."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from conex_nn.data.cognition.timeline import Duration, Schedule, Timeline
from conex_nn.data.cognition.trials import Trials

__all__ = ["CognitiveTask", "Presented"]


class Presented(NamedTuple):
    """What is shown in trials, without fixation and noise."""

    stimuli: Float[Tensor, "time batch stimuli"]
    """Inputs but the first, which is fixation [1]."""
    choice: Int64[Tensor, " batch"]
    """Class that is right in each trial, from 1 [1]."""
    info: dict[str, Tensor]
    """What the trials are about, ``(batch,)``."""


class CognitiveTask(ABC):
    r"""A task whose trials are made as they are asked for, all of a batch at once.

    Input 0 is fixation, on until the period ``decision`` begins; its end is the sign to answer. Every input has white
    noise of an intensity that does not depend on the step: its standard deviation at a step is
    :math:`\sigma / \sqrt{\Delta t}`. Class 0 is to be named before the decision, the right choice during it.

    A task of your own implements ``present``.

    Args:
        input_names: Name of each input but fixation.
        choice_names: Name of each choice.
        periods: Durations of the periods in their order, the last of them ``decision`` [ms].
        dt: Length of a step [ms].
        noise: Intensity :math:`\sigma` of the inputs' noise [ms^0.5].
        grace: Time after the beginning of the decision that does not count, neither in the loss nor as an answer [ms].
        decision_weight: Weight of a step of the decision in the loss; that of one before is 1 [1].

    Raises:
        ValueError: Durations that do not fit (see :class:`Schedule`), no decision or not at the end, one that is over
            before it counts, numbers out of range, fewer than two choices.

    Example:
        >>> class Detection(CognitiveTask):
        ...     def __init__(self) -> None:
        ...         periods = {"fixation": 100.0, "stimulus": 200.0, "decision": 200.0}
        ...         super().__init__(input_names=["light"], choice_names=["yes", "no"], periods=periods)
        ...
        ...     def present(self, timeline, *, generator=None):
        ...         absent, = balanced(timeline.count, 2, generator=generator)
        ...         shown = timeline.during("stimulus") & (absent == 0)
        ...         return Presented(shown.float().unsqueeze(-1), 1 + absent, {"absent": absent})
        >>> from conex_nn.data.cognition import balanced
        >>> Detection().trials(10).inputs.shape
        torch.Size([25, 10, 2])

    References:
        Song, Yang and Wang, PLOS Computational Biology 12 (2016), e1004792, for periods, weights over time and inputs;
        Yang et al., Nature Neuroscience 22 (2019), Methods, for the grace period and the decision's weight.
    """

    def __init__(
        self,
        *,
        input_names: Sequence[str],
        choice_names: Sequence[str],
        periods: Mapping[str, Duration],
        dt: float = 20.0,
        noise: float = 0.0,
        grace: float = 100.0,
        decision_weight: float = 5.0,
    ) -> None:
        if list(periods)[-1:] != ["decision"]:
            raise ValueError(f"Expected `periods` to end with 'decision', got {list(periods)}.")
        if len(choice_names) < 2:
            raise ValueError(f"Expected `choice_names` of at least 2 choices, got {len(choice_names)}.")
        for name, value in {"noise": noise, "grace": grace, "decision_weight": decision_weight}.items():
            if not value >= 0:
                unit = {"noise": "ms^0.5", "grace": "ms"}.get(name, "1")
                raise ValueError(f"Expected `{name}` to be 0 or more [{unit}], got {value}.")
        self.schedule = Schedule(periods, dt=dt)
        self.grace_steps = round(grace / dt)
        if min(self.schedule.choices["decision"]) <= self.grace_steps:
            raise ValueError(
                f"Expected `decision` to be longer than `grace` = {grace} [ms], got {periods['decision']}."
            )
        self.dt = dt
        self.noise = noise
        self.decision_weight = decision_weight
        self.input_names = ("fixation", *input_names)
        self.class_names = ("fixate", *choice_names)

    @property
    def steps(self) -> int:
        """Steps of the longest trial [1]."""
        return self.schedule.steps

    @property
    def num_inputs(self) -> int:
        """Inputs of a network for it, fixation included [1]."""
        return len(self.input_names)

    @property
    def num_classes(self) -> int:
        """Outputs of a network for it: its choices, and to fixate [1]."""
        return len(self.class_names)

    @abstractmethod
    def present(self, timeline: Timeline, *, generator: torch.Generator | None = None) -> Presented:
        """Choose what each trial is about, and show it.

        Args:
            timeline: When the periods of each trial are on.
            generator: Source of randomness; its device is the timeline's.
        """

    def trials(self, count: int, *, generator: torch.Generator | None = None) -> Trials:
        """Make trials.

        Args:
            count: Number of trials [1].
            generator: Source of randomness; its device is that of the trials.

        Returns:
            The trials, time first.

        Raises:
            ValueError: Fewer than one.
        """
        if count < 1:
            raise ValueError(f"Expected `count` to be at least 1 [1], got {count}.")
        timeline = self.schedule.draw(count, generator=generator)
        stimuli, choice, info = self.present(timeline, generator=generator)
        before = timeline.during(*list(self.schedule.choices)[:-1])
        deciding = timeline.during("decision")
        counts = timeline.during("decision", after=self.grace_steps)
        inputs = torch.cat([before.unsqueeze(-1).to(stimuli.dtype), stimuli], -1)
        if self.noise:
            drawn = torch.randn(inputs.shape, generator=generator, device=inputs.device, dtype=inputs.dtype)
            inputs = inputs + self.noise * self.dt**-0.5 * drawn
        return Trials(
            inputs=inputs,
            targets=torch.where(deciding, choice, 0),
            mask=before.to(inputs.dtype) + self.decision_weight * counts.to(inputs.dtype),
            decision=counts,
            info={"choice": choice, **info},
        )
