"""Recordings of an event camera as tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

__all__ = ["Events", "check_events", "crop_time", "from_structured", "keep", "recording_of", "sort_events"]


class Events(NamedTuple):
    """Events of one recording, or of a batch of recordings one after another.

    An event says that the brightness of a pixel rose or fell. Transforms are functions of this record that return a new
    one; :class:`FramesByTime`, :class:`FramesByCount` and :class:`Voxels` make tensors of it.
    """

    x: Int[Tensor, " events"]
    """Column of the pixel, from the left [1]."""
    y: Int[Tensor, " events"]
    """Row of the pixel, from the top [1]."""
    p: Int[Tensor, " events"]
    """Polarity: 1 where the brightness rose, 0 where it fell [1]."""
    t: Int[Tensor, " events"]
    """Time, not falling within a recording [µs]."""
    offsets: Int[Tensor, " recordings_and_1"] | None = None
    """Recording i is the events from ``offsets[i]`` to ``offsets[i + 1]``; None where there is one, not a batch [1]."""

    @property
    def bounds(self) -> Int[Tensor, " recordings_and_1"]:
        """First event of each recording, and the number of all events [1]."""
        return self.t.new_tensor([0, len(self.t)], dtype=torch.long) if self.offsets is None else self.offsets.long()


def recording_of(events: Events) -> Int[Tensor, " events"]:
    """Return the index of the recording that each event belongs to.

    Args:
        events: One recording or a batch.

    Returns:
        Indices; zeros where there is one recording [1].

    Example:
        >>> one = torch.zeros(3, dtype=torch.long)
        >>> recording_of(Events(one, one, one, one, offsets=torch.tensor([0, 2, 3])))
        tensor([0, 0, 1])
    """
    counts = events.bounds.diff()
    index = torch.arange(len(counts), device=counts.device)
    return index.repeat_interleave(counts, output_size=len(events.t))


def keep(events: Events, kept: Bool[Tensor, " events"]) -> Events:
    """Return some of the events, each still in its recording.

    Args:
        events: One recording or a batch.
        kept: Which events stay.

    Example:
        >>> t = torch.tensor([1, 2, 3])
        >>> keep(Events(t, t, t, t, offsets=torch.tensor([0, 2, 3])), t != 2).offsets
        tensor([0, 1, 2])
    """
    offsets = None
    if events.offsets is not None:
        before = torch.cat([kept.new_zeros(1, dtype=torch.long), kept.cumsum(0)])
        offsets = before[events.offsets.long()]
    return Events(events.x[kept], events.y[kept], events.p[kept], events.t[kept], offsets)


def sort_events(events: Events) -> Events:
    """Bring the events of each recording into the order of time; those of one time keep theirs.

    Args:
        events: One recording or a batch.

    Example:
        >>> t = torch.tensor([5, 3, 4])
        >>> sort_events(Events(t, t, t, t, offsets=torch.tensor([0, 2, 3]))).t
        tensor([3, 5, 4])
    """
    order = events.t.argsort(stable=True)
    order = order[recording_of(events)[order].argsort(stable=True)]
    return Events(events.x[order], events.y[order], events.p[order], events.t[order], events.offsets)


def crop_time(events: Events, *, start: float = 0.0, stop: float) -> Events:
    """Keep the events of a stretch of time, which is counted from the first event of each recording.

    Args:
        events: One recording or a batch.
        start: Begin of the stretch [ms].
        stop: End of the stretch, itself excluded [ms].

    Raises:
        ValueError: A stretch without length.

    Example:
        >>> t = torch.tensor([7000, 7999, 8000])
        >>> crop_time(Events(t, t, t, t), stop=1.0).t
        tensor([7000, 7999])
    """
    if not stop > start:
        raise ValueError(f"Expected `stop` to be beyond `start`, {start:g} [ms], got {stop:g}.")
    since = since_first(events)
    return keep(events, (since >= 1000 * start) & (since < 1000 * stop))


def since_first(events: Events) -> Int[Tensor, " events"]:
    """Return the time since the first event of the same recording.

    Args:
        events: One recording or a batch.

    Returns:
        Times [µs].

    Example:
        >>> t = torch.tensor([5, 7, 20])
        >>> since_first(Events(t, t, t, t, offsets=torch.tensor([0, 2, 3])))
        tensor([0, 2, 0])
    """
    t = events.t.long()
    return t - t[events.bounds[recording_of(events)]] if len(t) else t


def from_structured(array: np.ndarray) -> Events:
    """Take a recording from an array with the fields x, y, p and t, as tonic and readers of AEDAT4 files give it.

    Args:
        array: One record per event; t is in microseconds.

    Returns:
        The recording; pixels and polarities as small integers.

    Raises:
        TypeError: Another kind of array.
        ValueError: A missing field.

    Example:
        >>> array = np.array([(3, 4, 1, 10)], dtype=[("x", "i2"), ("y", "i2"), ("p", "?"), ("t", "i8")])
        >>> from_structured(array).p
        tensor([1], dtype=torch.uint8)
    """
    names = array.dtype.names if isinstance(array, np.ndarray) else None
    if names is None:
        raise TypeError(f"Expected `array` to be a structured array of events, got {type(array).__name__}.")
    polarity = "p" if "p" in names else "on"  # the field's name in AEDAT4
    if missing := [name for name in ("x", "y", polarity, "t") if name not in names]:
        raise ValueError(f"Expected `array` to have the fields x, y, p and t, got {', '.join(names)}: no {missing[0]}.")
    x, y = (torch.from_numpy(array[name].astype(np.int16)) for name in ("x", "y"))
    p = torch.from_numpy((array[polarity] > 0).astype(np.uint8))
    return Events(x, y, p, torch.from_numpy(array["t"].astype(np.int64)))


def check_events(events: Events, *, sensor_size: Sequence[int], polarities: int = 2) -> None:
    """Raise unless events are within their sensor and in the order of time.

    Args:
        events: One recording or a batch.
        sensor_size: Height and width of the sensor [1].
        polarities: Number of polarities [1].

    Raises:
        TypeError: No integers, or unsigned ones of more than 8 bits.
        ValueError: Fields of unequal length, events out of the sensor or out of order, unsuitable offsets.

    Example:
        >>> t = torch.arange(3)
        >>> check_events(Events(t, t, t % 2, t), sensor_size=(34, 34))
    """
    for name, field in zip(events._fields, events[:4], strict=False):
        if field.is_floating_point() or field.is_complex():
            raise TypeError(f"Expected `events.{name}` to be integers, got {field.dtype}.")
        if field.dtype in _WIDE_UNSIGNED:
            raise TypeError(
                f"Expected `events.{name}` to be of a signed type or bytes, got {field.dtype}, with which torch hardly "
                "computes. Convert it: `.to(torch.int32)`."
            )
        if field.dim() != 1 or len(field) != len(events.t):
            raise ValueError(
                f"Expected `events.{name}` of shape ({len(events.t)},), one for each time, got {tuple(field.shape)}."
            )
    _check_offsets(events)
    if not len(events.t):
        return
    height, width = sensor_size
    for name, field, size in (("x", events.x, width), ("y", events.y, height), ("p", events.p, polarities)):
        low, high = torch.stack(torch.aminmax(field)).tolist()
        if low < 0 or high >= size:
            hint = " `merge_polarity` makes one of two." if name == "p" else ""
            raise ValueError(
                f"Expected `events.{name}` to be from 0 to {size - 1}, on a sensor of {height} x {width} pixels "
                f"(height x width) and {polarities} polarities, got values from {low} to {high}.{hint}"
            )
    falls = events.t[1:] < events.t[:-1]  # a difference of bytes is never negative
    first = events.bounds[1:-1]
    falls[first[(first > 0) & (first < len(events.t))] - 1] = False  # a recording begins anew
    if bool(falls.any()):
        place = int(falls.nonzero()[0]) + 1
        before, after = events.t[place - 1 : place + 1].tolist()
        raise ValueError(
            f"Expected `events` in the order of time within a recording, got {after} [µs] after {before} at event "
            f"{place}. Sort them: `sort_events(events)`."
        )


def _check_offsets(events: Events) -> None:
    if events.offsets is None:
        return
    offsets = events.offsets
    good = offsets.dim() == 1 and len(offsets) >= 2 and not offsets.is_floating_point()
    if not good or int(offsets[0]) != 0 or int(offsets[-1]) != len(events.t) or bool((offsets.diff() < 0).any()):
        raise ValueError(
            f"Expected `events.offsets` to rise from 0 to the number of events, {len(events.t)}, got "
            f"{offsets.tolist() if offsets.numel() < 8 else tuple(offsets.shape)}."
        )


_WIDE_UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)
