"""Drop events that nothing nearby goes with."""

import torch
from torch import Tensor

from conex_nn.encoders.checks import check_positive
from conex_nn.encoders.events.events import Events, keep, recording_of

__all__ = ["denoise"]


def denoise(events: Events, *, window: float) -> Events:
    """Keep events that one of the four neighbouring pixels had an event shortly before, of either polarity.

    Noise of a sensor comes alone; an edge that moves does not. The first event of a burst goes as well.

    Args:
        events: One recording or a batch, in the order of time.
        window: Time within which the neighbour's event has to have come [ms].

    Returns:
        Those events.

    Raises:
        ValueError: A window that is not positive.

    Example:
        >>> x, t = torch.tensor([3, 4, 9]), torch.tensor([0, 500, 600])
        >>> denoise(Events(x, y=torch.tensor([3, 3, 9]), p=x % 2, t=t), window=1.0).x
        tensor([4])

    References:
        Delbruck, Frame-free dynamic digital vision, Int. Symp. on Secure-Life Electronics (2008), section IV,
        "background activity filter".
    """
    check_positive("window", window, unit="ms")
    if not len(events.t):
        return events
    x, y = events.x.long() + 1, events.y.long() + 1  # with a margin, in which nothing happens
    height, width = int(y.max()) + 2, int(x.max()) + 2
    pixel = (recording_of(events) * height + y) * width + x
    order = torch.arange(len(pixel), device=pixel.device)
    # Keys by pixel, then by order: just below the key of a neighbour at this event's place is its latest event.
    keys = pixel * len(pixel) + order
    by_pixel = keys.sort().values
    supported = torch.zeros_like(pixel, dtype=torch.bool)
    for step in (-1, 1, -width, width):
        supported |= _had_one(by_pixel, (pixel + step) * len(pixel) + order, events.t.long(), 1000 * window)
    return keep(events, supported)


def _had_one(by_pixel: Tensor, keys: Tensor, t: Tensor, window: float) -> Tensor:
    found = by_pixel[(torch.searchsorted(by_pixel, keys) - 1).clamp(min=0)]
    n = len(t)
    same = (found // n == keys // n) & (found < keys)
    return same & (t - t[found % n] < window)
