"""Is it the same as before?"""

import torch
import torch.nn.functional as F
from typing_extensions import override

from conex_nn.data.cognition.balanced import balanced
from conex_nn.data.cognition.cognitive_task import CognitiveTask, Presented
from conex_nn.data.cognition.timeline import Duration, Timeline

__all__ = ["DelayedMatch"]


class DelayedMatch(CognitiveTask):
    """Say whether a test stimulus is the sample that was seen some time before (delayed match to sample).

    Each stimulus has an input of its own. Matches and non-matches, and within them the samples, come equally often; in
    a non-match the test is drawn from the others. In ``info``: ``sample`` and ``test`` (from 0) and ``choice``.

    Args:
        stimuli: Number of stimuli [1].
        fixation: Time before the sample [ms].
        sample: How long it is shown [ms].
        delay: Time from its end to the test, or several such times [ms].
        test: How long the test is shown [ms].
        decision: Time to answer, after the test [ms].
        dt: Length of a step [ms].
        noise: Intensity of the inputs' noise, see :class:`CognitiveTask` [ms^0.5].
        grace: Time after the beginning of the decision that does not count [ms].
        decision_weight: Weight of a step of the decision in the loss [1].

    Raises:
        ValueError: As :class:`CognitiveTask`; fewer than two stimuli.

    Example:
        >>> trials = DelayedMatch(stimuli=3).trials(30)
        >>> (trials.info["choice"] == 1).sum(), (trials.info["sample"] == trials.info["test"]).sum()
        (tensor(15), tensor(15))

    References:
        Miller, Erickson and Desimone, Journal of Neuroscience 16 (1996), 5154-5167.
    """

    def __init__(
        self,
        *,
        stimuli: int = 2,
        fixation: Duration = 100.0,
        sample: Duration = 400.0,
        delay: Duration = (200.0, 400.0, 800.0),
        test: Duration = 400.0,
        decision: Duration = 300.0,
        dt: float = 20.0,
        noise: float = 0.5,
        grace: float = 100.0,
        decision_weight: float = 5.0,
    ) -> None:
        if stimuli < 2:
            raise ValueError(f"Expected `stimuli` to be at least 2 [1], got {stimuli}.")
        super().__init__(
            input_names=tuple(f"stimulus {index}" for index in range(stimuli)),
            choice_names=("match", "non-match"),
            periods={"fixation": fixation, "sample": sample, "delay": delay, "test": test, "decision": decision},
            dt=dt,
            noise=noise,
            grace=grace,
            decision_weight=decision_weight,
        )
        self.stimuli = stimuli

    @override
    def present(self, timeline: Timeline, *, generator: torch.Generator | None = None) -> Presented:
        differs, sample = balanced(timeline.count, 2, self.stimuli, generator=generator)
        step = torch.randint(1, self.stimuli, (timeline.count,), generator=generator, device=timeline.device)
        test = (sample + differs * step) % self.stimuli
        shown = sum(
            timeline.during(period).unsqueeze(-1) * F.one_hot(stimulus, self.stimuli).to(torch.get_default_dtype())
            for period, stimulus in {"sample": sample, "test": test}.items()
        )
        return Presented(torch.as_tensor(shown), 1 + differs, {"sample": sample, "test": test})
