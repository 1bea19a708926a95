"""Add events up on a grid of space and time."""

from collections.abc import Sequence

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from conex_nn.encoders.checks import check_spike_dtype
from conex_nn.encoders.events.events import Events, recording_of

__all__ = ["accumulate", "check_sensor_size"]


def accumulate(
    events: Events,
    plane: Int[Tensor, " events"],
    *,
    time: int,
    sensor_size: Sequence[int],
    polarities: int,
    dtype: torch.dtype,
    binary: bool = False,
) -> Shaped[Tensor, " time *batch polarities height width"]:
    """Count events, which have been checked, on planes.

    Args:
        events: One recording or a batch.
        plane: The plane of each event; one beyond the last drops the event [1].
        time: Number of planes [1].
        sensor_size: Height and width of the sensor [1].
        polarities: Number of polarities, a channel each [1].
        dtype: Type of the counts; what ``torch.uint8`` cannot hold is 255 there.
        binary: Say whether there was an event, not how many.

    Returns:
        Counts, without a batch axis for one recording [1].

    Example:
        >>> t = torch.tensor([0, 1, 1])
        >>> accumulate(Events(t, t * 0, t * 0, t), t, time=2, sensor_size=(1, 2), polarities=1, dtype=torch.float32)
        tensor([[[[1., 0.]]],
        <BLANKLINE>
        <BLANKLINE>
                [[[0., 2.]]]])
    """
    height, width = sensor_size
    batch = len(events.bounds) - 1
    inside = (plane >= 0) & (plane < time)
    cell = plane * batch + recording_of(events)
    cell = ((cell * polarities + events.p.long()) * height + events.y.long()) * width + events.x.long()
    cell = cell[inside]
    counts = torch.zeros(time * batch * polarities * height * width, dtype=torch.float32, device=cell.device)
    counts.index_add_(0, cell, counts.new_ones(()).expand(len(cell)))
    if binary or dtype == torch.bool:
        counts = counts.clamp_(max=1)
    elif dtype == torch.uint8:
        counts = counts.clamp_(max=255)
    lead = (time,) if events.offsets is None else (time, batch)
    return counts.view(*lead, polarities, height, width).to(dtype)


def check_sensor_size(sensor_size: Sequence[int]) -> tuple[int, int]:
    """Return the height and the width of a sensor, or raise.

    Args:
        sensor_size: Height and width [1].

    Raises:
        ValueError: Anything else.

    Example:
        >>> check_sensor_size([34, 34])
        (34, 34)
    """
    size = tuple(int(length) for length in sensor_size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"Expected `sensor_size` to be a height and a width, at least 1 [1], got {size}.")
    return size[0], size[1]


def check_counts(polarities: int, dtype: torch.dtype | None) -> None:
    """Raise unless counts of that many polarities make sense in that type.

    Args:
        polarities: Number of polarities [1].
        dtype: Type of the counts; None for torch's default.

    Raises:
        ValueError: Neither 1 nor 2 polarities.
        TypeError: A type that holds no counts.

    Example:
        >>> check_counts(2, torch.uint8)
    """
    check_spike_dtype(dtype)
    if polarities not in (1, 2):
        raise ValueError(f"Expected `polarities` to be 1 or 2 [1], got {polarities}.")
