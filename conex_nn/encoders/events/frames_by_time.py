"""Frames of equal duration."""

from collections.abc import Sequence

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_positive, check_time
from conex_nn.encoders.events.accumulate import accumulate, check_counts, check_sensor_size
from conex_nn.encoders.events.events import Events, check_events, recording_of, since_first

__all__ = ["FramesByTime"]


class FramesByTime(nn.Module):
    r"""Count events in frames that last equally long.

    The event at t goes to frame

    .. math:: k = \lfloor (t - t_\text{first}) / w \rfloor

    of its recording, where w is the window. With `window` alone a recording has as many frames as it needs; with `time`
    beside it that many: later events are left out, and frames after the last event are empty. With `time` alone each
    recording is cut into that many windows of equal length, which then differ from recording to recording.

    Args:
        sensor_size: Height and width of the sensor [1].
        window: Duration of a frame, to be the network's step `dt`; None to cut recordings into `time` parts [ms].
        time: Number of frames; None for what each recording needs [1].
        polarities: Channels: 2, or 1 after :func:`merge_polarity` [1].
        binary: Frames say whether there was an event, not how many.
        dtype: Type of the frames; torch's default by default. ``torch.uint8`` saves memory, and counts up to 255.

    Raises:
        ValueError: Neither a window nor a time, or an argument out of range; at the call: events out of the sensor or
            out of the order of time.
        TypeError: A time that is no integer, or a type that holds no counts.

    Example:
        >>> t = torch.tensor([100, 1099, 1100, 3100])
        >>> events = Events(x=t * 0, y=t * 0, p=torch.tensor([0, 1, 1, 0]), t=t)
        >>> FramesByTime((1, 1), window=1.0)(events).flatten(1)  # off and on in 4 frames of 1 ms
        tensor([[1., 1.],
                [0., 1.],
                [0., 0.],
                [1., 0.]])
    """

    def __init__(
        self,
        sensor_size: Sequence[int],
        *,
        window: float | None = None,
        time: int | None = None,
        polarities: int = 2,
        binary: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if window is None and time is None:
            raise ValueError("Expected a `window` [ms], a `time` [frames], or both, got neither.")
        if window is not None:
            check_positive("window", window, unit="ms")
            if window < 1e-6:
                raise ValueError(f"Expected `window` of at least 1e-06 [ms], got {window}. Events are timed in µs.")
        if time is not None:
            check_time(time)
        check_counts(polarities, dtype)
        self.sensor_size = check_sensor_size(sensor_size)
        self.window = window
        self.time = time
        self.polarities = polarities
        self.binary = binary
        self.dtype = dtype

    @override
    def forward(self, events: Events) -> Shaped[Tensor, " time *batch {self.polarities} height width"]:
        check_events(events, sensor_size=self.sensor_size, polarities=self.polarities)
        time = self.time if self.time is not None else int(self.lengths(events).max())
        return accumulate(
            events,
            self._frame(events),
            time=time,
            sensor_size=self.sensor_size,
            polarities=self.polarities,
            binary=self.binary,
            dtype=self.dtype or torch.get_default_dtype(),
        )

    def lengths(self, events: Events) -> Int[Tensor, " recordings"]:
        """Return the number of frames of each recording: `time`, or what it needs, at least 1.

        Args:
            events: One recording or a batch.

        Example:
            >>> t = torch.tensor([0, 2000, 0])
            >>> FramesByTime((1, 1), window=1.0).lengths(Events(t, t, t, t, offsets=torch.tensor([0, 2, 3])))
            tensor([3, 1])
        """
        recordings = len(events.bounds) - 1
        if self.time is not None:
            return torch.full((recordings,), self.time, device=events.t.device)
        needed = torch.ones(recordings, dtype=torch.long, device=events.t.device)
        return needed.scatter_reduce_(0, recording_of(events), self._frame(events) + 1, "amax")

    def _frame(self, events: Events) -> Int[Tensor, " events"]:
        since = since_first(events)
        if self.window is not None:
            micros = round(1000 * self.window, 6)
            return since // int(micros) if micros == int(micros) else (since.double() / micros).floor().long()
        recording = recording_of(events)
        lasts = torch.zeros(len(events.bounds) - 1, dtype=torch.long, device=since.device)
        lasts.scatter_reduce_(0, recording, since + 1, "amax")  # to the last event, its microsecond included
        return since * (self.time or 1) // lasts[recording]

    @override
    def extra_repr(self) -> str:
        window = "" if self.window is None else f", window={self.window:g} ms"
        return f"{self.sensor_size}{window}{'' if self.time is None else f', time={self.time}'}"
