"""Coarser pixels."""

from conex_nn.encoders.events.events import Events

__all__ = ["downsample"]


def downsample(events: Events, *, factor: int) -> Events:
    """Make one pixel of each square of `factor` x `factor`; it has the events of all of them.

    A sensor of `n` pixels becomes one of ``ceil(n / factor)``.

    Args:
        events: One recording or a batch.
        factor: Side of the squares [1].

    Raises:
        ValueError: A factor below 1.

    Example:
        >>> import torch
        >>> t = torch.arange(5)
        >>> downsample(Events(t, t, t % 2, t), factor=2).x
        tensor([0, 0, 1, 1, 2])
    """
    if factor < 1:
        raise ValueError(f"Expected `factor` to be at least 1 [pixels], got {factor}.")
    return events._replace(x=events.x // factor, y=events.y // factor)
