"""When the periods of trials begin and end."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

__all__ = ["Duration", "Schedule", "Timeline"]

Duration = float | Sequence[float]
"""Length of a period, or several of which each trial gets one [ms]."""


class Timeline:
    """The periods of each trial of a batch, one after the other.

    Args:
        lengths: Steps of each period in each trial, in the order of the periods [1].
        steps: Steps of the longest possible trial: shorter ones end before [1].

    Example:
        >>> timeline = Timeline({"fixation": torch.tensor([1, 1]), "decision": torch.tensor([2, 1])}, steps=3)
        >>> timeline.during("decision").long()
        tensor([[0, 0],
                [1, 1],
                [1, 0]])
    """

    def __init__(self, lengths: Mapping[str, Int64[Tensor, " batch"]], *, steps: int) -> None:
        ends = torch.stack(list(lengths.values())).cumsum(0)
        self.steps = steps
        self.count = ends.shape[1]
        self.device = ends.device
        self._starts = dict(zip(lengths, ends - torch.stack(list(lengths.values())), strict=True))
        self._ends = dict(zip(lengths, ends, strict=True))

    def during(self, *names: str, after: int = 0) -> Bool[Tensor, "time batch"]:
        """Return at which steps of which trials any of some periods is on.

        Args:
            names: The periods.
            after: Steps at the beginning of each that do not count [1].
        """
        step = torch.arange(self.steps, device=self.device).unsqueeze(1)
        found = torch.zeros(self.steps, self.count, dtype=torch.bool, device=self.device)
        for name in names:
            found |= (step >= self._starts[name] + after) & (step < self._ends[name])
        return found


class Schedule:
    """The order of periods, and how long they may be.

    Args:
        periods: Duration of each, or durations that are equally often drawn [ms]; a period of 0 is left out.
        dt: Length of a step [ms].

    Raises:
        ValueError: A duration that is negative, or shorter than half a step and not 0; no duration; no step at all.

    Example:
        >>> schedule = Schedule({"fixation": 100.0, "delay": (0.0, 200.0)}, dt=20.0)
        >>> schedule.steps
        15
        >>> schedule.draw(4).during("delay").sum(0).sort().values
        tensor([ 0,  0, 10, 10])
    """

    def __init__(self, periods: Mapping[str, Duration], *, dt: float) -> None:
        if not dt > 0:
            raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
        self.dt = dt
        self.choices = {name: self._steps_of(name, duration) for name, duration in periods.items()}
        self.steps = sum(map(max, self.choices.values()))
        if self.steps == 0:
            raise ValueError(f"Expected a period longer than 0 [ms], got {dict(periods)}.")

    def _steps_of(self, name: str, duration: Duration) -> tuple[int, ...]:
        durations = (duration,) if isinstance(duration, int | float) else tuple(duration)
        if not durations:
            raise ValueError(f"Expected at least one duration for `{name}` [ms], got none.")
        for each in durations:
            if not each >= 0 or each == float("inf"):
                raise ValueError(f"Expected `{name}` to be 0 or more [ms], got {each}.")
            if each > 0 and round(each / self.dt) == 0:
                raise ValueError(
                    f"Expected `{name}` to last at least a step, `dt` = {self.dt} [ms], or to be 0, got {each}."
                )
        return tuple(round(each / self.dt) for each in durations)

    def draw(self, count: int, *, generator: torch.Generator | None = None) -> Timeline:
        """Draw the periods of trials; each of several durations comes as likely as the others.

        Args:
            count: Number of trials [1].
            generator: Source of randomness; its device is that of the timeline.
        """
        device = torch.device("cpu") if generator is None else generator.device
        lengths = {}
        for name, choices in self.choices.items():
            known = torch.tensor(choices, device=device)
            if len(choices) == 1:
                lengths[name] = known.expand(count)
            else:
                lengths[name] = known[torch.randint(len(choices), (count,), generator=generator, device=device)]
        return Timeline(lengths, steps=self.steps)
