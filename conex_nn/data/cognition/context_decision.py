"""Which way do the dots move, or which colour are they?"""

from collections.abc import Sequence

import torch
from typing_extensions import override

from conex_nn.data.cognition.balanced import balanced
from conex_nn.data.cognition.cognitive_task import CognitiveTask, Presented
from conex_nn.data.cognition.perceptual_decision import check_coherences, evidence_inputs, signed_evidence
from conex_nn.data.cognition.timeline import Duration, Timeline

__all__ = ["ContextDecision"]


class ContextDecision(CognitiveTask):
    """Decide by the motion or by the colour of dots, as a context says, and leave the other out of account.

    Motion and colour are two pairs of inputs like those of :class:`PerceptualDecision`, of independent coherences; the
    inputs ``motion`` and ``colour`` say, from fixation to the end of the delay, which of them counts. All combinations
    of context, sides and coherences come equally often. In ``info``: ``motion`` and ``colour`` (signed coherences),
    ``context`` (0 for motion, 1 for colour), ``coherence`` (the one that counts), ``congruent`` (whether both speak for
    the same side) and ``choice``.

    Args:
        coherences: Strengths of motion and of colour, from 0 to 1 [1].
        scale: Factor of the coherences [1].
        fixation: Time before the stimulus [ms].
        stimulus: How long it lasts, or several such times [ms].
        delay: Time from its end to the decision [ms].
        decision: Time to answer [ms].
        dt: Length of a step [ms].
        noise: Intensity of the inputs' noise, see :class:`CognitiveTask` [ms^0.5].
        grace: Time after the beginning of the decision that does not count [ms].
        decision_weight: Weight of a step of the decision in the loss [1].

    Raises:
        ValueError: As :class:`PerceptualDecision`.

    Example:
        >>> trials = ContextDecision().trials(72)
        >>> trials.info["congruent"].sum()
        tensor(36)

    References:
        Mante et al., Nature 503 (2013), 78-84; inputs of Song, Yang and Wang, PLOS Computational Biology 12 (2016).
    """

    def __init__(
        self,
        *,
        coherences: Sequence[float] = (0.02, 0.06, 0.2),
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
            input_names=("motion left", "motion right", "colour left", "colour right", "motion", "colour"),
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
        levels = len(self.coherences)
        context, *of_motion, colour_side, colour_level = balanced(
            timeline.count, 2, 2, levels, 2, levels, generator=generator
        )
        motion_side, motion_level = of_motion
        motion = signed_evidence(self.coherences, motion_level, motion_side)
        colour = signed_evidence(self.coherences, colour_level, colour_side)
        shown = timeline.during("stimulus").unsqueeze(-1)
        cued = timeline.during("fixation", "stimulus", "delay").unsqueeze(-1)
        evidence = [shown * evidence_inputs(each, scale=self.scale) for each in (motion, colour)]
        cue = (cued * torch.stack([context == 0, context == 1], -1)).to(evidence[0].dtype)
        side = torch.where(context == 0, motion_side, colour_side)
        info = {
            "motion": motion,
            "colour": colour,
            "context": context,
            "coherence": torch.where(context == 0, motion, colour),
            "congruent": motion_side == colour_side,
        }
        return Presented(torch.cat([*evidence, cue], -1), 1 + side, info)
