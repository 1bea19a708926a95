"""N-MNIST: handwritten digits, seen by an event camera."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typing_extensions import override

from conex_nn.data.event_data_module import EventDataModule
from conex_nn.data.event_files import read_events, require_tonic
from conex_nn.data.in_memory_data_module import EncodeOn, Splits
from conex_nn.data.labelled_events import collect_events
from conex_nn.data.splitting import cut, sample_count
from conex_nn.encoders.events import Events


class NMNIST(EventDataModule):
    """Handwritten digits, 60 000 + 10 000 recordings of 0.3 s on 34 x 34 pixels: MNIST before a camera that moves.

    The test part is the official one; validation is cut from the training part, stratified, by `seed` alone. The files
    are read through tonic (``pip install conex-nn[events]``), which downloads them to ``<root>/NMNIST`` on first use;
    that takes minutes. :func:`write_events` makes one file of them, which takes seconds to read.

    Args:
        root: Folder with the data, or a file that :func:`write_events` wrote.
        encoder: Makes frames of recordings, such as ``FramesByTime((34, 34), time=15)``; see :class:`EventDataModule`.
        transform: Changes all recordings once, when they are loaded; it has to leave the sensor its size.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`InMemoryDataModule`.
        batch_size: Recordings per batch [1].
        augment: Applied to training batches on the device, before encoding.
        validation: Training recordings kept for validation: a number or a fraction [1].
        num_workers: Processes that read batches [1].
        seed: Seed of the split [1].

    Raises:
        ValueError: If a size or another number is out of range.
        FileNotFoundError: When used, if there is no such file.
        ImportError: When used, if a folder is given and tonic is not installed.

    Example:
        >>> from conex_nn.encoders.events import FramesByTime
        >>> data = NMNIST(root="data/nmnist_small.npz", encoder=FramesByTime((34, 34), window=20.0, time=15))
        >>> data.num_classes, data.feature_shape, data.class_names[0]
        (10, (2, 34, 34), '0')

    References:
        Orchard et al., Converting static image datasets to spiking neuromorphic datasets using saccades, Frontiers in
        Neuroscience 9 (2015), section 2.
    """

    def __init__(
        self,
        *,
        root: str | Path = "data",
        encoder: Callable[[Events], Any] | None = None,
        transform: Callable[[Events], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Events], Any] | None = None,
        validation: int | float = 0.1,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            class_names=[str(digit) for digit in range(10)],
            sensor_size=(34, 34),
            encoder=encoder,
            transform=transform,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        sample_count("validation", validation, total=0)  # an unusable size fails here, not after a download
        self._validation = validation
        self._root = Path(root)
        self._seed = seed

    @override
    def prepare_data(self) -> None:
        if self._root.suffix != ".npz":
            for train in (False, True):  # here, since `setup` runs in every process
                require_tonic().datasets.NMNIST(save_to=str(self._root), train=train)

    @override
    def splits(self) -> Splits:
        if self._root.suffix == ".npz":
            parts = read_events(self._root)
        else:
            kind = require_tonic().datasets.NMNIST
            parts = tuple(collect_events(kind(save_to=str(self._root), train=train)) for train in (True, False))
        data, test = (self.recordings(part) for part in parts)
        validation, train = cut(data, sample_count("validation", self._validation, total=len(data)), seed=self._seed)
        return Splits(train=train, validation=validation, test=test)
