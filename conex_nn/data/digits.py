"""Handwritten digits that come with scikit-learn: no download."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.data.image_data_module import ImageDataModule, Splits
from conex_nn.data.in_memory_data_module import EncodeOn
from conex_nn.data.splitting import cut, sample_count


class Digits(ImageDataModule):
    """Handwritten digits, 1797 images of 8 x 8 pixels with 17 grey levels.

    The split is stratified and depends on `seed` alone.

    Args:
        encoder: Maps intensities ``(1, 8, 8)`` to ``(time, 1, 8, 8)``; see :class:`ImageDataModule`.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`ImageDataModule`.
        batch_size: Samples per batch [1].
        augment: Applied to training batches on the device, before encoding.
        validation: Images kept for validation: a number or a fraction of all [1].
        test: Images kept for testing: a number or a fraction of all [1].
        num_workers: Processes that read batches [1].
        seed: Seed of the split [1].

    Raises:
        ValueError: If a size or another number is out of range.

    Example:
        >>> from conex_nn.encoders import Poisson
        >>> data = Digits(encoder=Poisson(time=20))
        >>> data.num_classes, data.feature_shape
        (10, (1, 8, 8))
        >>> data.setup()
        >>> len(data.train_dataloader().dataset)
        1258

    References:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (1998), UCI, https://doi.org/10.24432/C50P49.
        scikit-learn holds its test part.
    """

    def __init__(
        self,
        *,
        encoder: Callable[[Tensor], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Tensor], Any] | None = None,
        validation: int | float = 0.1,
        test: int | float = 0.2,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(
            class_names=[str(digit) for digit in range(10)],
            feature_shape=(1, 8, 8),
            encoder=encoder,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        self._test_size = sample_count("test", test, total=_SAMPLES)
        self._validation_size = sample_count("validation", validation, total=_SAMPLES)
        self._seed = seed

    @override
    def splits(self) -> Splits:
        from sklearn.datasets import load_digits

        grey_levels, digits = load_digits(return_X_y=True)  # 0..16
        images = torch.as_tensor(grey_levels, dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
        data = self.labelled(images, torch.as_tensor(digits))
        test, validation, train = cut(data, self._test_size, self._validation_size, seed=self._seed)
        return Splits(train=train, validation=validation, test=test)


_SAMPLES = 1797
