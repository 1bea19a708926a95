"""What becomes of on and off events."""

import torch

from conex_nn.encoders.events.events import Events, keep, recording_of
from conex_nn.encoders.events.random_changes import check_probability

__all__ = ["flip_polarity", "merge_polarity", "split_polarity"]


def merge_polarity(events: Events) -> Events:
    """Give all events the polarity 0; frames of them have one channel (``polarities=1``).

    Args:
        events: One recording or a batch.

    Example:
        >>> t = torch.arange(3)
        >>> merge_polarity(Events(t, t, t % 2, t)).p
        tensor([0, 0, 0])
    """
    return events._replace(p=torch.zeros_like(events.p))


def split_polarity(events: Events) -> tuple[Events, Events]:
    """Return the off events and the on events.

    Args:
        events: One recording or a batch.

    Example:
        >>> t = torch.arange(3)
        >>> off, on = split_polarity(Events(t, t, t % 2, t))
        >>> off.t, on.t
        (tensor([0, 2]), tensor([1]))
    """
    return keep(events, events.p == 0), keep(events, events.p != 0)


def flip_polarity(events: Events, *, probability: float = 1.0, generator: torch.Generator | None = None) -> Events:
    """Exchange on and off events, in all recordings or in some: a dark digit on light becomes a light one on dark.

    Args:
        events: One recording or a batch.
        probability: Of each recording to be changed [1].
        generator: Source of randomness, on the device of the events; torch's global one by default.

    Raises:
        ValueError: No probability.

    Example:
        >>> t = torch.arange(3)
        >>> flip_polarity(Events(t, t, t % 2, t)).p
        tensor([1, 0, 1])
    """
    check_probability(probability)
    drawn = torch.rand(len(events.bounds) - 1, generator=generator, device=events.t.device) < probability
    return events._replace(p=torch.where(drawn[recording_of(events)], (events.p == 0).to(events.p.dtype), events.p))
