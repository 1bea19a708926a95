"""Any arrays as a data module."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from typing_extensions import override

from conex_nn.data.image_data_module import ImageDataModule, Splits
from conex_nn.data.in_memory_data_module import EncodeOn
from conex_nn.data.labelled_images import LabelledImages, check_labels
from conex_nn.data.sample_pairs import as_tensors, same_shape
from conex_nn.data.splitting import cut, sample_count


class TensorDataModule(ImageDataModule):
    """Train on your own images and labels.

    The split is stratified and depends on `seed` alone.

    Args:
        images: Intensities ``(samples, *features)``, floating point in [0, 1] or ``uint8``, as an array, a list of
            arrays of one shape, or a data set of ``(image, label)``, which is read once [1].
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
        encoder: Callable[[Tensor], Tensor] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Tensor], Tensor] | None = None,
        num_workers: int = 0,
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
        data = self.labelled(images, labels)
        kept = isinstance(test, int | float)
        test_size = sample_count("test", test, total=len(data)) if kept else 0
        validation_size = sample_count("validation", validation, total=len(data) - test_size)
        test_part, validation_part, train_part = cut(data, test_size, validation_size, seed=seed)
        if not kept:
            test_part = self._labelled_test(*(test if isinstance(test, tuple) else (test, None)))
        self._ready = Splits(train=train_part, validation=validation_part, test=test_part)

    @override
    def splits(self) -> Splits:
        return self._ready

    def _labelled_test(self, images: Any, labels: Any) -> LabelledImages:
        samples, labels = as_tensors(images, labels)
        data = self.labelled(same_shape(samples), labels)
        if data.images.shape[1:] != self.feature_shape:
            raise ValueError(
                f"Expected `test` to have images of the shape {self.feature_shape}, got {tuple(data.images.shape[1:])}."
            )
        return data
