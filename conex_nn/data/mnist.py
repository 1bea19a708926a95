"""MNIST: handwritten digits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor
from typing_extensions import override

from conex_nn.data.idx_files import read_idx_set
from conex_nn.data.image_data_module import ImageDataModule, Splits
from conex_nn.data.in_memory_data_module import EncodeOn
from conex_nn.data.splitting import cut, sample_count


class MNIST(ImageDataModule):
    """Handwritten digits, 60 000 + 10 000 images of 28 x 28 pixels.

    The test part is the official one; validation is cut from the training part, stratified, by `seed` alone. The files
    are downloaded to ``<root>/MNIST/raw`` on first use.

    Args:
        root: Folder with the data.
        encoder: Maps intensities ``(1, 28, 28)`` to ``(time, 1, 28, 28)``; see :class:`ImageDataModule`.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`ImageDataModule`.
        batch_size: Samples per batch [1].
        augment: Applied to training batches on the device, before encoding.
        validation: Training images kept for validation: a number or a fraction [1].
        num_workers: Processes that read batches [1].
        seed: Seed of the split [1].

    Raises:
        ValueError: If a size or another number is out of range.
        RuntimeError: When used, if the files are neither there nor to be had.

    Example:
        >>> from conex_nn.encoders import Poisson
        >>> data = MNIST(root="data", encoder=Poisson(time=30))
        >>> data.num_classes, data.feature_shape, data.class_names[0]
        (10, (1, 28, 28), '0')

    References:
        LeCun et al., Gradient-based learning applied to document recognition (1998), section III.A.
    """

    def __init__(
        self,
        *,
        root: str | Path = "data",
        encoder: Callable[[Tensor], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Tensor], Any] | None = None,
        validation: int | float = 5000,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            class_names=[str(digit) for digit in range(10)],
            feature_shape=(1, 28, 28),
            encoder=encoder,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        sample_count("validation", validation, total=0)  # an unusable size fails here, not after a download
        self._validation = validation
        self._root = root
        self._seed = seed

    @override
    def prepare_data(self) -> None:
        read_idx_set("MNIST", root=self._root, train=False)

    @override
    def splits(self) -> Splits:
        data = self.labelled(*read_idx_set("MNIST", root=self._root, train=True))
        validation, train = cut(data, sample_count("validation", self._validation, total=len(data)), seed=self._seed)
        test = self.labelled(*read_idx_set("MNIST", root=self._root, train=False))
        return Splits(train=train, validation=validation, test=test)
