"""Recordings of an event camera, in memory, and batches of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override

from conex_nn.data.labelled_images import check_labels
from conex_nn.encoders.events import Events, check_events, from_structured


class LabelledEvents(Dataset[tuple[Any, Tensor]]):
    """Hold recordings and labels in memory, and give out batches of recordings one after another.

    As with :class:`LabelledImages`, a batch needs no collating: pass ``collate_fn=LabelledImages.collate``.

    Args:
        events: All recordings, one after another, with their offsets.
        labels: One class index, from 0, per recording [1].
        sensor_size: Height and width of the sensor [1].
        class_names: What classes are called, where that is known.

    Raises:
        ValueError: Events out of the sensor or out of the order of time, or labels that do not fit the recordings.
        TypeError: Labels or events that are no integers.

    Example:
        >>> t = torch.tensor([0, 7, 9])
        >>> events = Events(x=t, y=t, p=t % 2, t=t, offsets=torch.tensor([0, 2, 3]))
        >>> data = LabelledEvents(events, torch.tensor([4, 5]), sensor_size=(10, 10))
        >>> data[0][0].t, data.__getitems__([1, 0])[0].t
        (tensor([0, 7]), tensor([9, 0, 7]))
    """

    def __init__(
        self,
        events: Events,
        labels: Shaped[Tensor, "*_"],
        *,
        sensor_size: Sequence[int],
        class_names: Sequence[str] | None = None,
    ) -> None:
        labels = torch.as_tensor(labels)
        check_events(events, sensor_size=sensor_size)
        check_labels(labels, samples=len(events.bounds) - 1)
        self.events = events._replace(offsets=events.bounds)
        self.labels = labels.long()
        self.sensor_size = (int(sensor_size[0]), int(sensor_size[1]))
        self.class_names = None if class_names is None else tuple(class_names)

    def __len__(self) -> int:
        return len(self.labels)

    @override
    def __getitem__(self, index: int) -> tuple[Any, Tensor]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"Expected an index below {len(self)}, the number of recordings, got {index}.")
        index %= len(self)
        first, last = self.events.bounds[index : index + 2].tolist()
        one = Events(*(field[first:last] for field in self.events[:4]))  # pyright: ignore[reportOptionalSubscript]
        return one, self.labels[index]

    def __getitems__(self, indices: Sequence[int]) -> tuple[Any, ...]:
        """Read a batch; ``DataLoader`` calls this.

        Args:
            indices: Which recordings [1].

        Returns:
            The recordings and their labels [1].

        Example:
            >>> t = torch.tensor([0, 7, 9])
            >>> events = Events(x=t, y=t, p=t % 2, t=t, offsets=torch.tensor([0, 2, 3]))
            >>> LabelledEvents(events, torch.tensor([4, 5]), sensor_size=(10, 10)).__getitems__([1])[0].offsets
            tensor([0, 1])
        """
        index = torch.as_tensor(indices)
        labels = self.labels.index_select(0, index)
        return select_recordings(self.events, index), labels

    def changed(self, transform: Callable[[Events], Events], *, sensor_size: Sequence[int]) -> "LabelledEvents":
        """Return the recordings after a transform, such as ``partial(denoise, window=5.0)``.

        Args:
            transform: Maps recordings to as many recordings.
            sensor_size: Height and width of the sensor afterwards [1].

        Raises:
            ValueError: Events out of that sensor, or another number of recordings.
        """
        events = transform(self.events)
        return LabelledEvents(events, self.labels, sensor_size=sensor_size, class_names=self.class_names)


def select_recordings(events: Events, index: Tensor) -> Events:
    """Return some recordings of a batch, in any order.

    Args:
        events: The batch.
        index: Which recordings [1].

    Example:
        >>> t = torch.tensor([0, 7, 9])
        >>> select_recordings(Events(t, t, t % 2, t, offsets=torch.tensor([0, 2, 3])), torch.tensor([1, 1])).t
        tensor([9, 9])
    """
    bounds = events.bounds
    counts = bounds.diff()[index]
    offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    place = torch.arange(int(offsets[-1])) + (bounds[index] - offsets[:-1]).repeat_interleave(counts)
    return Events(events.x[place], events.y[place], events.p[place], events.t[place], offsets)


def lengths_differ(encoder: Any) -> bool:
    """Return whether an encoder says that it makes samples of different lengths.

    Args:
        encoder: One with a method ``lengths`` and without a fixed ``time``, or any other.

    Example:
        >>> from conex_nn.encoders.events import FramesByTime
        >>> lengths_differ(FramesByTime((4, 4), window=1.0)), lengths_differ(FramesByTime((4, 4), time=5))
        (True, False)
    """
    return callable(getattr(encoder, "lengths", None)) and getattr(encoder, "time", None) is None


def collect_events(
    data: Any, *, sensor_size: Sequence[int] | None = None, class_names: Sequence[str] | None = None
) -> LabelledEvents:
    """Read a data set of recordings into memory: one of tonic's, or any of ``(events, label)``.

    Args:
        data: Gives pairs of a recording, as :class:`~conex_nn.encoders.events.Events` or as a structured array with x,
            y, p and t [µs], and its class: an index or a name.
        sensor_size: Height and width of the sensor; by default what the data set's own ``sensor_size`` says, which in
            tonic is width, height and polarities [1].
        class_names: Names in the order of their indices, such as ``class_names`` of the part that is learned from; by
            default those found, in the order of the alphabet.

    Returns:
        The recordings, in as few bytes as hold them.

    Raises:
        ValueError: No recordings, no sensor size, a name that is none of `class_names`, or events that are out of the
            sensor or out of the order of time.

    Example:
        >>> t = torch.arange(3)
        >>> collect_events([(Events(t, t, t % 2, t), 1)], sensor_size=(4, 4)).events.x.dtype
        torch.uint8
    """
    if sensor_size is None:
        own = getattr(data, "sensor_size", None)
        if own is None:
            raise ValueError("Expected a `sensor_size`, (height, width), as the data set says none, got None.")
        sensor_size = (own[1], own[0])
    fields: list[list[Tensor]] = [[], [], [], []]
    labels, counts = [], []
    for index in range(len(data)):
        events, label = data[index]
        one = from_structured(events) if isinstance(events, np.ndarray) else events
        for field, values, most in zip(fields, one[:4], (*(max(sensor_size),) * 2, 1, None), strict=True):
            field.append(_small(values, most))
        labels.append(label)
        counts.append(len(one.t))
    if not counts:
        raise ValueError("Expected at least one recording, got none.")
    if isinstance(labels[0], str):
        class_names = sorted(set(labels)) if class_names is None else list(class_names)
        if unknown := sorted(set(labels) - set(class_names)):
            raise ValueError(f"Expected classes to be among {', '.join(class_names)}, got {', '.join(unknown)}.")
        labels = [class_names.index(label) for label in labels]
    x, y, p, t = (torch.cat(field) for field in fields)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    classes = torch.tensor([int(each) for each in labels])
    return LabelledEvents(Events(x, y, p, t, offsets), classes, sensor_size=sensor_size, class_names=class_names)


def _small(values: Tensor, most: int | None) -> Tensor:
    """Return values in a small type that holds them: bytes up to `most`, or 32 bits for times."""
    if most is not None:
        return values if most > 256 else values.to(torch.uint8) if bool((values >= 0).all()) else values
    return values.to(torch.int32) if not len(values) or int(values.abs().max()) < 2**31 else values
