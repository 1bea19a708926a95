"""Recordings of event cameras under a Lightning Trainer."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from typing_extensions import override

from conex_nn.data.in_memory_data_module import EncodeOn, InMemoryDataModule, Splits
from conex_nn.data.labelled_events import LabelledEvents, lengths_differ
from conex_nn.encoders.events import Events

__all__ = ["EventDataModule", "Splits"]


class EventDataModule(InMemoryDataModule):
    """Load, split, augment and encode recordings that fit in memory.

    A subclass says what the data are: it implements ``splits``, with :class:`LabelledEvents` passed through
    ``recordings``.

    A batch reaches the model as ``(x, labels)``, with frames x of the shape ``(batch, time, polarity, height, width)``;
    where recordings become different numbers of frames as ``(x, labels, lengths)``; and without an encoder as
    ``(events, labels)``. See :class:`InMemoryDataModule` for the rest.

    Args:
        class_names: Name of each class.
        sensor_size: Height and width of the sensor, after `transform` [1].
        encoder: Makes frames ``(time, *batch, polarity, height, width)`` of recordings, such as
            :class:`~conex_nn.encoders.events.FramesByTime`; None leaves them as they are.
        transform: Changes all recordings once, when they are loaded, such as ``partial(denoise, window=5.0)``.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`InMemoryDataModule`.
        batch_size: Recordings per batch [1].
        augment: Maps a training batch of :class:`~conex_nn.encoders.events.Events`, on the device, to such a batch.
        num_workers: Processes that read batches [1].

    Raises:
        ValueError: If a number is out of range, or arguments do not go together.

    Example:
        >>> from conex_nn.encoders.events import FramesByTime
        >>> class Dots(EventDataModule):
        ...     def splits(self):
        ...         t = torch.arange(4)
        ...         events = Events(t, t, t % 2, t, offsets=torch.tensor([0, 2, 4]))
        ...         data = self.recordings(LabelledEvents(events, torch.tensor([0, 1]), sensor_size=(4, 4)))
        ...         return Splits(train=data, validation=data, test=data)
        >>> data = Dots(class_names=["early", "late"], sensor_size=(4, 4), encoder=FramesByTime((4, 4), time=5))
        >>> data.on_after_batch_transfer(next(iter(data.test_dataloader())), 0)[0].shape
        torch.Size([2, 5, 2, 4, 4])
    """

    def __init__(
        self,
        *,
        class_names: Sequence[str],
        sensor_size: Sequence[int],
        encoder: Callable[[Events], Any] | None = None,
        transform: Callable[[Events], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Events], Any] | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__(
            class_names=class_names,
            feature_shape=(2, *sensor_size),
            encoder=encoder,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        self.sensor_size = tuple(sensor_size)
        self.transform = transform

    def recordings(self, data: LabelledEvents) -> LabelledEvents:
        """Check recordings, and transform them.

        Args:
            data: The recordings.

        Raises:
            ValueError: If a label has no class, or an event is out of the sensor.
        """
        if len(data) and int(data.labels.max()) >= self.num_classes:
            raise ValueError(
                f"Expected `labels` to be below {self.num_classes}, the number of classes, "
                f"got {int(data.labels.max())}."
            )
        if self.transform is not None:
            data = data.changed(self.transform, sensor_size=self.sensor_size)
        return LabelledEvents(data.events, data.labels, sensor_size=self.sensor_size, class_names=data.class_names)

    @override
    def ragged(self, data: Any) -> bool:
        return lengths_differ(self.encoder)

    @override
    def encode_batch(self, x: Events) -> tuple[Any, Tensor | None]:
        if self.encoder is None:
            return x, None
        frames = self.encoder(x)
        recordings = len(x.bounds) - 1
        if frames.shape[1:2] != (recordings,):
            raise ValueError(
                f"Expected `encoder` to map {recordings} recordings to (time, {recordings}, ...), got "
                f'{tuple(frames.shape)}. An encoder that takes single recordings needs encode_on="worker".'
            )
        encoder: Any = self.encoder
        return frames.movedim(0, 1), encoder.lengths(x) if lengths_differ(encoder) else None
