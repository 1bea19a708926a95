"""Any arrays as a data module."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.data.image_data_module import ImageDataModule, Splits
from conex_nn.data.in_memory_data_module import EncodeOn
from conex_nn.data.labelled_images import LabelledImages, check_labels
from conex_nn.data.sample_pairs import as_tensors, same_shape
from conex_nn.data.splitting import cut, sample_count


class TensorDataModule(ImageDataModule):
    """Train on your own arrays, images or any other features, and labels.

    The split is stratified and depends on `seed` alone.

    Args:
        images: Intensities ``(samples, *features)``, floating point in [0, 1] or ``uint8``, or, to `scale`, any
            numbers, as an array, a list of arrays of one shape, or a data set of ``(image, label)``, which is read
            once [1].
        labels: One class index, from 0, per sample; None for a data set of pairs [1].
        test: Samples to keep for testing: a number [1], a fraction [1], a pair ``(images, labels)`` of their own, or a
            data set.
        validation: Samples to keep for validation: a number or a fraction of what is not for testing [1].
        class_names: Name of each class; by default their indices, up to the largest in `labels`.
        encoder: Maps intensities ``(*features)`` to ``(time, *features)``; see :class:`ImageDataModule`.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`ImageDataModule`.
        batch_size: Samples per batch [1].
        augment: Applied to training batches on the device, before encoding.
        num_workers: Processes that read batches [1].
        scale: Whether each feature is brought to [0, 1] by its range in the training part; what lies outside that in
            the other parts is clipped.
        seed: Seed of the split [1].

    Raises:
        ValueError: If shapes, values or sizes do not fit.
        TypeError: If images or labels are of an unsuitable type.

    Example:
        >>> data = TensorDataModule(torch.rand(100, 3), torch.arange(100) % 5, test=0.2, validation=10)
        >>> data.num_classes, data.feature_shape
        (5, (3,))
        >>> data.setup()
        >>> len(data.train_dataloader().dataset)
        70
    """

    def __init__(
        self,
        images: Any,
        labels: Any = None,
        *,
        test: Any = 0.2,
        validation: int | float = 0.1,
        class_names: Sequence[str] | None = None,
        encoder: Callable[[Tensor], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Tensor], Any] | None = None,
        num_workers: int = 0,
        scale: bool = False,
        seed: int = 0,
    ) -> None:
        samples, labels = as_tensors(images, labels)
        images = same_shape(samples)
        check_labels(labels, samples=len(images))
        if class_names is None:
            class_names = [str(label) for label in range(int(labels.max()) + 1 if len(labels) else 0)]
        super().__init__(
            class_names=class_names,
            feature_shape=images.shape[1:],
            encoder=encoder,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        kept = isinstance(test, int | float)
        test_size = sample_count("test", test, total=len(images)) if kept else 0
        sizes = (test_size, sample_count("validation", validation, total=len(images) - test_size))
        self._range: tuple[Tensor, Tensor] | None = None
        if scale:
            known = cut(self.labelled(torch.zeros(len(images), 1), labels), *sizes, seed=seed)[-1]
            self._range = _range_of(images[torch.as_tensor(list(known.indices))])
        data = self.labelled(self._scaled(images), labels)
        test_part, validation_part, train_part = cut(data, *sizes, seed=seed)
        if not kept:
            test_part = self._labelled_test(*(test if isinstance(test, tuple) else (test, None)))
        self._ready = Splits(train=train_part, validation=validation_part, test=test_part)

    @override
    def splits(self) -> Splits:
        return self._ready

    def _labelled_test(self, images: Any, labels: Any) -> LabelledImages:
        samples, labels = as_tensors(images, labels)
        images = same_shape(samples)
        if images.shape[1:] != self.feature_shape:
            raise ValueError(
                f"Expected `test` to have images of the shape {self.feature_shape}, got {tuple(images.shape[1:])}."
            )
        return self.labelled(self._scaled(images), labels)

    def _scaled(self, images: Tensor) -> Tensor:
        if self._range is None:
            return images
        low, high = self._range
        return ((images.double() - low) / (high - low).where(high > low, 1.0)).clamp(0, 1).to(torch.get_default_dtype())


def _range_of(images: Tensor) -> tuple[Tensor, Tensor]:
    images = images.double()
    if not bool(torch.isfinite(images).all()):
        raise ValueError("Expected `images` to be finite, got NaN or infinity.")
    return images.amin(0), images.amax(0)
