"""Frames of equally many events."""

from collections.abc import Sequence

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_time
from conex_nn.encoders.events.accumulate import accumulate, check_counts, check_sensor_size
from conex_nn.encoders.events.events import Events, check_events, recording_of

__all__ = ["FramesByCount"]


class FramesByCount(nn.Module):
    """Count events in frames that hold equally many: fast motion then has shorter frames.

    With `count` alone a recording has as many full frames as it can fill; events after them are left out. One of fewer
    events has one frame.
    With `time` beside it there are that many, and frames that are not filled are empty. With `time` alone the events of
    each recording are dealt out evenly, in order.

    Args:
        sensor_size: Height and width of the sensor [1].
        count: Events of a frame; None to deal out what there is [1].
        time: Number of frames; None for what each recording fills [1].
        polarities: Channels: 2, or 1 after :func:`merge_polarity` [1].
        binary: Frames say whether there was an event, not how many.
        dtype: Type of the frames; torch's default by default. ``torch.uint8`` saves memory, and counts up to 255.

    Raises:
        ValueError: Neither a count nor a time, or an argument out of range; at the call: events out of the sensor or
            out of the order of time.
        TypeError: A time that is no integer, or a type that holds no counts.

    Example:
        >>> t = torch.tensor([0, 1, 2, 9000, 9001])
        >>> events = Events(x=t * 0, y=t * 0, p=torch.tensor([0, 1, 1, 0, 1]), t=t)
        >>> FramesByCount((1, 1), count=2)(events).flatten(1)  # off and on in 2 frames; the fifth event is left out
        tensor([[1., 1.],
                [1., 1.]])
    """

    def __init__(
        self,
        sensor_size: Sequence[int],
        *,
        count: int | None = None,
        time: int | None = None,
        polarities: int = 2,
        binary: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if count is None and time is None:
            raise ValueError("Expected a `count` [events], a `time` [frames], or both, got neither.")
        if count is not None and count < 1:
            raise ValueError(f"Expected `count` to be at least 1 [events], got {count}.")
        if time is not None:
            check_time(time)
        check_counts(polarities, dtype)
        self.sensor_size = check_sensor_size(sensor_size)
        self.count = count
        self.time = time
        self.polarities = polarities
        self.binary = binary
        self.dtype = dtype

    @override
    def forward(self, events: Events) -> Shaped[Tensor, " time *batch {self.polarities} height width"]:
        check_events(events, sensor_size=self.sensor_size, polarities=self.polarities)
        recording = recording_of(events)
        place = torch.arange(len(events.t), device=events.t.device) - events.bounds[recording]
        if self.count is None:
            frame = place * (self.time or 1) // events.bounds.diff()[recording]
        else:
            frame = place // self.count
            frame = torch.where(frame < self._full(events)[recording], frame, -1)
        return accumulate(
            events,
            frame,
            time=self.time if self.time is not None else int(self.lengths(events).max()),
            sensor_size=self.sensor_size,
            polarities=self.polarities,
            binary=self.binary,
            dtype=self.dtype or torch.get_default_dtype(),
        )

    def lengths(self, events: Events) -> Int[Tensor, " recordings"]:
        """Return the number of frames of each recording: `time`, or what it fills, at least 1.

        Args:
            events: One recording or a batch.

        Example:
            >>> t = torch.arange(5)
            >>> FramesByCount((5, 5), count=2).lengths(Events(t, t, t % 2, t, offsets=torch.tensor([0, 4, 5])))
            tensor([2, 1])
        """
        if self.time is not None or self.count is None:
            return torch.full((len(events.bounds) - 1,), self.time or 0, device=events.t.device)
        return self._full(events)

    def _full(self, events: Events) -> Int[Tensor, " recordings"]:
        return (events.bounds.diff() // (self.count or 1)).clamp(min=1)

    @override
    def extra_repr(self) -> str:
        count = "" if self.count is None else f", count={self.count}"
        return f"{self.sensor_size}{count}{'' if self.time is None else f', time={self.time}'}"
