"""Random changes of events that leave what they show."""

from collections.abc import Sequence

import torch

from conex_nn.encoders.events.events import Events, keep, recording_of, sort_events

__all__ = ["check_probability", "drop_events", "jitter_time", "shift_pixels"]


def jitter_time(events: Events, *, std: float, generator: torch.Generator | None = None) -> Events:
    """Move every event in time, by a normal distribution, and sort the events anew.

    Args:
        events: One recording or a batch.
        std: Standard deviation [ms].
        generator: Source of randomness, on the device of the events; torch's global one by default.

    Returns:
        As many events, in the order of time; some may be before 0.

    Raises:
        ValueError: A negative deviation.

    Example:
        >>> t = torch.arange(3) * 1000
        >>> jittered = jitter_time(Events(t, t, t % 2, t), std=0.1, generator=torch.Generator().manual_seed(0))
        >>> jittered.t
        tensor([ 154,  971, 1782])
    """
    if not std >= 0:
        raise ValueError(f"Expected `std` to be 0 or more [ms], got {std}.")
    moved = torch.randn(len(events.t), generator=generator, device=events.t.device) * (1000 * std)
    return sort_events(events._replace(t=events.t.long() + moved.round().long()))


def shift_pixels(
    events: Events, *, most: int, sensor_size: Sequence[int], generator: torch.Generator | None = None
) -> Events:
    """Shift each recording by whole pixels, drawn evenly for each axis; what leaves the sensor is gone.

    Args:
        events: One recording or a batch.
        most: Largest shift to either side [1].
        sensor_size: Height and width of the sensor [1].
        generator: Source of randomness, on the device of the events; torch's global one by default.

    Raises:
        ValueError: A negative shift.

    Example:
        >>> t = torch.arange(3)
        >>> shifted = shift_pixels(
        ...     Events(t, t, t % 2, t), most=1, sensor_size=(3, 3), generator=torch.Generator().manual_seed(3)
        ... )
        >>> shifted.x, shifted.y
        (tensor([0, 1]), tensor([1, 2]))
    """
    if most < 0:
        raise ValueError(f"Expected `most` to be 0 or more [pixels], got {most}.")
    height, width = sensor_size
    recordings = len(events.bounds) - 1
    shift = torch.randint(-most, most + 1, (2, recordings), generator=generator, device=events.t.device)
    dx, dy = shift[:, recording_of(events)]
    x, y = events.x.long() + dx, events.y.long() + dy
    return keep(events._replace(x=x, y=y), (x >= 0) & (x < width) & (y >= 0) & (y < height))


def drop_events(events: Events, *, probability: float, generator: torch.Generator | None = None) -> Events:
    """Leave out events by chance.

    Args:
        events: One recording or a batch.
        probability: Of each event to be left out [1].
        generator: Source of randomness, on the device of the events; torch's global one by default.

    Raises:
        ValueError: No probability.

    Example:
        >>> t = torch.arange(1000)
        >>> events = Events(t, t, t % 2, t)
        >>> len(drop_events(events, probability=0.25, generator=torch.Generator().manual_seed(0)).t)
        749
    """
    check_probability(probability)
    return keep(events, torch.rand(len(events.t), generator=generator, device=events.t.device) >= probability)


def check_probability(probability: float) -> None:
    """Raise unless a number is a probability.

    Args:
        probability: The number [1].

    Raises:
        ValueError: Below 0 or above 1.

    Example:
        >>> check_probability(0.5)
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"Expected `probability` to be from 0 to 1 [1], got {probability}.")
