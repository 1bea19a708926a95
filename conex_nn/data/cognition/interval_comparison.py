"""Which of two vibrations was the quicker?"""

from collections.abc import Sequence

import torch
from typing_extensions import override

from conex_nn.data.cognition.balanced import balanced
from conex_nn.data.cognition.cognitive_task import CognitiveTask, Presented
from conex_nn.data.cognition.timeline import Duration, Timeline

__all__ = ["IntervalComparison"]


class IntervalComparison(CognitiveTask):
    r"""Compare two stimuli that come one after the other, as monkeys compare the frequencies of two vibrations.

    A frequency f drives an input ``rising`` by :math:`(f - f_\min) / (f_\max - f_\min)` and another, ``falling``, by 1
    minus that. Pairs, in either order, come equally often. In ``info``: ``first`` and ``second`` [Hz], ``difference``
    (the second minus the first [Hz]) and ``choice``: 1 where the first is the higher, 2 where the second is.

    Args:
        pairs: Two frequencies that are compared with each other, each pair in both orders [Hz].
        fixation: Time before the first stimulus [ms].
        first: How long it lasts [ms].
        delay: Time between the stimuli, or several such times [ms].
        second: How long the second lasts [ms].
        decision: Time to answer [ms].
        dt: Length of a step [ms].
        noise: Intensity of the inputs' noise, see :class:`CognitiveTask` [ms^0.5].
        grace: Time after the beginning of the decision that does not count [ms].
        decision_weight: Weight of a step of the decision in the loss [1].

    Raises:
        ValueError: As :class:`CognitiveTask`; no pair, a pair of equal frequencies or not of two.

    Example:
        >>> trials = IntervalComparison(pairs=[(10.0, 18.0)]).trials(4)
        >>> trials.info["difference"].sort().values
        tensor([-8., -8.,  8.,  8.])

    References:
        Romo et al., Nature 399 (1999), 470-473, with pairs 8 Hz apart.
    """

    def __init__(
        self,
        *,
        pairs: Sequence[tuple[float, float]] = ((34.0, 26.0), (30.0, 22.0), (26.0, 18.0), (22.0, 14.0), (18.0, 10.0)),
        fixation: Duration = 100.0,
        first: Duration = 400.0,
        delay: Duration = (200.0, 400.0, 800.0),
        second: Duration = 400.0,
        decision: Duration = 300.0,
        dt: float = 20.0,
        noise: float = 0.5,
        grace: float = 100.0,
        decision_weight: float = 5.0,
    ) -> None:
        super().__init__(
            input_names=("rising", "falling"),
            choice_names=("first", "second"),
            periods={"fixation": fixation, "first": first, "delay": delay, "second": second, "decision": decision},
            dt=dt,
            noise=noise,
            grace=grace,
            decision_weight=decision_weight,
        )
        if not pairs or any(len(pair) != 2 or pair[0] == pair[1] for pair in pairs):
            raise ValueError(f"Expected `pairs` of two different frequencies [Hz], got {tuple(pairs)}.")
        self.pairs = tuple(pairs)

    @override
    def present(self, timeline: Timeline, *, generator: torch.Generator | None = None) -> Presented:
        turned, pair = balanced(timeline.count, 2, len(self.pairs), generator=generator)
        frequencies = torch.tensor(self.pairs, device=timeline.device, dtype=torch.get_default_dtype())
        low, high = frequencies.aminmax()
        first = frequencies[pair, turned]
        second = frequencies[pair, 1 - turned]
        stimuli = torch.zeros(timeline.steps, timeline.count, 2, device=timeline.device)
        for period, frequency in {"first": first, "second": second}.items():
            rising = (frequency - low) / (high - low)
            stimuli = stimuli + timeline.during(period).unsqueeze(-1) * torch.stack([rising, 1 - rising], -1)
        choice = torch.where(first > second, 1, 2)
        return Presented(stimuli, choice, {"first": first, "second": second, "difference": second - first})
