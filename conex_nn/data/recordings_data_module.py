"""Any recordings as a data module."""

from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from conex_nn.data.event_data_module import EventDataModule
from conex_nn.data.in_memory_data_module import EncodeOn, Splits
from conex_nn.data.labelled_events import LabelledEvents, collect_events
from conex_nn.data.splitting import cut, sample_count
from conex_nn.encoders.events import Events


class RecordingsDataModule(EventDataModule):
    """Train on any recordings of an event camera: your own, or a data set of tonic's.

    ``RecordingsDataModule(tonic.datasets.DVSGesture("data", train=True), test=tonic.datasets.DVSGesture("data",
    train=False), encoder=...)`` is one line. All is read into memory at once. The split is stratified and depends
    on `seed` alone.

    Args:
        recordings: :class:`LabelledEvents`, or what :func:`collect_events` reads, such as a data set of tonic's.
        test: Recordings to keep for testing: a number [1], a fraction [1], or recordings of their own.
        validation: Recordings to keep for validation: a number or a fraction of what is not for testing [1].
        sensor_size: Height and width of the sensor, after `transform`; by default that of the recordings [1]. Without
            a `transform` it need not be known otherwise.
        class_names: Name of each class, where labels are names in the order of their numbers; by default what the data
            set calls them, else the names that occur in `recordings`, else their indices.
        encoder: Makes frames of recordings; see :class:`EventDataModule`.
        transform: Changes all recordings once, when they are loaded.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`InMemoryDataModule`.
        batch_size: Recordings per batch [1].
        augment: Applied to training batches on the device, before encoding.
        num_workers: Processes that read batches [1].
        seed: Seed of the split [1].

    Raises:
        ValueError: If labels, events or sizes do not fit.

    Example:
        >>> from conex_nn.encoders.events import FramesByCount
        >>> t = torch.arange(60)
        >>> events = Events(t % 8, t % 8, t % 2, t, offsets=torch.arange(0, 61, 6))
        >>> recordings = LabelledEvents(events, torch.arange(10) % 2, sensor_size=(8, 8))
        >>> data = RecordingsDataModule(recordings, encoder=FramesByCount((8, 8), time=3), validation=2)
        >>> data.setup()
        >>> len(data.train_dataloader().dataset)
        6
    """

    def __init__(
        self,
        recordings: Any,
        *,
        test: Any = 0.2,
        validation: int | float = 0.1,
        sensor_size: Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        encoder: Callable[[Events], Any] | None = None,
        transform: Callable[[Events], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Events], Any] | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        known = sensor_size if transform is None else None  # of recordings that say none; `transform` may change it
        own = _collected(recordings, sensor_size=known, class_names=class_names)
        size, apart = (test, None) if isinstance(test, int | float) else (0, test)
        if apart is not None:
            apart = _collected(apart, sensor_size=known, class_names=class_names or own.class_names)
        if class_names is None:
            most = max(int(each.labels.max()) + 1 for each in (own, apart) if each is not None)
            class_names = own.class_names or [str(label) for label in range(most)]
        super().__init__(
            class_names=class_names,
            sensor_size=own.sensor_size if sensor_size is None else sensor_size,
            encoder=encoder,
            transform=transform,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        data = self.recordings(own)
        size = sample_count("test", size, total=len(data))
        more = sample_count("validation", validation, total=len(data) - size)
        test_part, validation_part, train_part = cut(data, size, more, seed=seed)
        given = test_part if apart is None else self.recordings(apart)
        self._ready = Splits(train=train_part, validation=validation_part, test=given)

    @override
    def splits(self) -> Splits:
        return self._ready


def _collected(data: Any, *, sensor_size: Sequence[int] | None, class_names: Sequence[str] | None) -> LabelledEvents:
    """Return recordings in memory, whose classes are numbered as all are."""
    if isinstance(data, LabelledEvents):
        return data
    own = getattr(data, "sensor_size", None)
    return collect_events(data, sensor_size=sensor_size if own is None else None, class_names=class_names)
