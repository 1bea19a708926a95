"""Which way do the dots move?"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from conex_nn.data.cognition.balanced import balanced
from conex_nn.data.cognition.cognitive_task import CognitiveTask, Presented
from conex_nn.data.cognition.timeline import Duration, Timeline

__all__ = ["PerceptualDecision", "evidence_inputs", "signed_evidence"]


class PerceptualDecision(CognitiveTask):
    r"""Say which of two inputs is the stronger, as monkeys say which way random dots move.

    During the stimulus the inputs ``left`` and ``right`` are

    .. math:: u = \tfrac{1}{2} (1 \mp s c)

    plus noise, with the signed coherence c, positive to the right. Every coherence comes equally often to either side;
    at a coherence of 0, the side that is right is drawn. In ``info``: ``coherence`` (signed) and ``choice``.

    Args:
        coherences: Strengths of the motion, from 0 to 1 [1].
        scale: Factor s of the coherence [1].
        fixation: Time before the stimulus [ms].
        stimulus: How long it lasts, or several such times [ms].
        delay: Time from its end to the decision [ms].
        decision: Time to answer [ms].
        dt: Length of a step [ms].
        noise: Intensity of the inputs' noise, see :class:`CognitiveTask` [ms^0.5]. At the default of 1, an ideal
            observer of 800 ms is right in 74 % of trials at a coherence of 0.01 and in 99.5 % at one of 0.04.
        grace: Time after the beginning of the decision that does not count [ms].
        decision_weight: Weight of a step of the decision in the loss [1].

    Raises:
        ValueError: As :class:`CognitiveTask`; no coherence, one out of range, or one that makes an input negative.

    Example:
        >>> task = PerceptualDecision()
        >>> task.input_names, task.class_names
        (('fixation', 'left', 'right'), ('fixate', 'left', 'right'))
        >>> trials = task.trials(20, generator=torch.Generator().manual_seed(0))
        >>> trials.info["coherence"].unique()
        tensor([-0.1600, -0.0800, -0.0400, -0.0200, -0.0100,  0.0100,  0.0200,  0.0400,
                 0.0800,  0.1600])

    References:
        Roitman and Shadlen, Journal of Neuroscience 22 (2002), 9475-9489; inputs and coherences of Song, Yang and Wang,
        PLOS Computational Biology 12 (2016), e1004792, with more noise in the inputs in place of noise in the network.
    """

    def __init__(
        self,
        *,
        coherences: Sequence[float] = (0.01, 0.02, 0.04, 0.08, 0.16),
        scale: float = 3.2,
        fixation: Duration = 100.0,
        stimulus: Duration = 800.0,
        delay: Duration = 0.0,
        decision: Duration = 300.0,
        dt: float = 20.0,
        noise: float = 1.0,
        grace: float = 100.0,
        decision_weight: float = 5.0,
    ) -> None:
        super().__init__(
            input_names=("left", "right"),
            choice_names=("left", "right"),
            periods={"fixation": fixation, "stimulus": stimulus, "delay": delay, "decision": decision},
            dt=dt,
            noise=noise,
            grace=grace,
            decision_weight=decision_weight,
        )
        check_coherences(coherences, scale=scale)
        self.coherences = tuple(coherences)
        self.scale = scale

    @override
    def present(self, timeline: Timeline, *, generator: torch.Generator | None = None) -> Presented:
        side, level = balanced(timeline.count, 2, len(self.coherences), generator=generator)
        coherence = signed_evidence(self.coherences, level, side)
        shown = timeline.during("stimulus").unsqueeze(-1)
        return Presented(shown * evidence_inputs(coherence, scale=self.scale), 1 + side, {"coherence": coherence})


def check_coherences(coherences: Sequence[float], *, scale: float, name: str = "coherences") -> None:
    """Raise unless coherences are in range and leave every input 0 or more.

    Args:
        coherences: The coherences [1].
        scale: Their factor [1].
        name: Name of the argument.
    """
    if not coherences or not all(0 <= each <= 1 for each in coherences):
        raise ValueError(f"Expected `{name}` from 0 to 1 [1], at least one of them, got {tuple(coherences)}.")
    if not 0 < scale * max(coherences) <= 1:
        raise ValueError(
            f"Expected `scale` times the largest of `{name}` to be above 0 and at most 1 [1], since no input may be "
            f"negative, got {scale} x {max(coherences)}."
        )


def signed_evidence(levels: Sequence[float], level: Tensor, side: Tensor) -> Float[Tensor, " batch"]:
    """Return the strength of evidence, negative for side 0 and positive for side 1 [1].

    Args:
        levels: Strengths that there are [1].
        level: Which of them each trial has, ``(batch,)`` [1].
        side: Side that it speaks for, ``(batch,)`` [1].

    Example:
        >>> signed_evidence([0.1, 0.2], torch.tensor([1, 0]), torch.tensor([0, 1]))
        tensor([-0.2000,  0.1000])
    """
    strengths = torch.tensor(levels, device=level.device, dtype=torch.get_default_dtype())[level]
    return torch.where(side == 1, strengths, -strengths)


def evidence_inputs(coherence: Float[Tensor, " batch"], *, scale: float) -> Float[Tensor, "batch 2"]:
    """Return what two inputs of opposite tuning see: ``(1 - s c) / 2`` and ``(1 + s c) / 2`` [1].

    Args:
        coherence: Signed coherence [1].
        scale: Its factor [1].

    Example:
        >>> evidence_inputs(torch.tensor([0.0, 0.25]), scale=2.0)
        tensor([[0.5000, 0.5000],
                [0.2500, 0.7500]])
    """
    drive = scale * coherence
    return torch.stack([1 - drive, 1 + drive], -1) / 2
