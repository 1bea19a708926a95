"""A data set that is one tensor in memory."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch.utils.data import Dataset
from typing_extensions import override


class LabelledImages(Dataset[tuple[Tensor, Tensor]]):
    """Hold images and labels as two tensors and give out whole batches of them.

    A ``DataLoader`` asks for a batch at once (``__getitems__``), so a batch is one ``index_select`` and no Python runs
    per sample. Such a batch needs no collating: pass ``collate_fn=LabelledImages.collate``. :class:`Encoded` encodes
    each sample as it is read.

    Args:
        images: Intensities ``(samples, *features)``: floating point in [0, 1] [1], or ``torch.uint8`` in 0..255, which
            stays compact until :func:`to_intensity`.
        labels: One class index, from 0, per sample [1].

    Raises:
        ValueError: If the lengths differ, an intensity is outside [0, 1] or a label is negative.
        TypeError: If images are neither floating point nor ``torch.uint8``, or labels are not integers.

    Example:
        >>> data = LabelledImages(torch.eye(4), torch.arange(4))
        >>> loader = torch.utils.data.DataLoader(data, batch_size=2, collate_fn=LabelledImages.collate)
        >>> next(iter(loader))
        [tensor([[1., 0., 0., 0.],
                [0., 1., 0., 0.]]), tensor([0, 1])]
    """

    def __init__(self, images: Shaped[Tensor, " samples *features"], labels: Shaped[Tensor, "*_"]) -> None:
        images, labels = torch.as_tensor(images), torch.as_tensor(labels)
        _check_images(images)
        check_labels(labels, samples=len(images))
        self.images = images
        self.labels = labels.long()

    def __len__(self) -> int:
        return len(self.labels)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        x, labels = self.__getitems__([range(len(self))[index]])  # an index from the back, too
        return x[0], labels[0]

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, Int64[Tensor, " batch"]]:
        """Read a batch; ``DataLoader`` calls this.

        Args:
            indices: Which samples [1].

        Returns:
            Images and labels, both with the batch first [1].

        Example:
            >>> data = LabelledImages(torch.eye(4), torch.arange(4))
            >>> data.__getitems__([3, 1])[1]
            tensor([3, 1])
        """
        index = torch.as_tensor(indices)
        return self.images.index_select(0, index), self.labels.index_select(0, index)

    @staticmethod
    def collate(batch: Sequence[Tensor]) -> list[Tensor]:
        """Hand a batch on as it is, for ``DataLoader(collate_fn=...)``.

        Args:
            batch: What ``__getitems__`` returned [1].

        Returns:
            Images and labels [1].

        Example:
            >>> LabelledImages.collate((torch.zeros(2, 3), torch.tensor([0, 1])))
            [tensor([[0., 0., 0.],
                    [0., 0., 0.]]), tensor([0, 1])]
        """
        return list(batch)


def to_intensity(x: Shaped[Tensor, "*shape"], *, dtype: torch.dtype | None = None) -> Shaped[Tensor, "*shape"]:
    """Scale bytes 0..255 to [0, 1]; floating point intensities only change their type.

    Args:
        x: Bytes or intensities [1].
        dtype: Floating type of the result; torch's default by default.

    Returns:
        Intensities in [0, 1] [1].

    Example:
        >>> to_intensity(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([0.0000, 0.2000, 1.0000])
    """
    scaled = x.to(dtype or torch.get_default_dtype())
    return scaled if x.is_floating_point() else scaled / 255


def check_labels(labels: Shaped[Tensor, "*shape"], *, samples: int) -> None:
    """Raise unless `labels` has one class index per sample.

    Args:
        labels: Class indices [1].
        samples: Number of samples [1].

    Raises:
        TypeError: If they are not integers.
        ValueError: If there are too few or too many, or one is negative.

    Example:
        >>> check_labels(torch.tensor([0, 2, 1]), samples=3)
    """
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"Expected `labels` to be integers, one class index per sample, got {labels.dtype}.")
    if labels.ndim != 1 or len(labels) != samples:
        raise ValueError(
            f"Expected `labels` to have one label for each of {samples} samples, got the shape {tuple(labels.shape)}."
        )
    if len(labels) and int(labels.min()) < 0:
        raise ValueError(f"Expected `labels` to be class indices from 0, got {int(labels.min())}.")


def _check_images(images: Tensor) -> None:
    if images.ndim < 2:
        raise ValueError(f"Expected `images` to have the shape (samples, *features), got {tuple(images.shape)}.")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise TypeError(f"Expected `images` to be floating point in [0, 1] or torch.uint8, got {images.dtype}.")
    if images.numel() == 0:
        return
    low, high = torch.stack(torch.aminmax(images)).tolist()
    if not (low >= 0 and high <= 1):  # NaN fails both comparisons
        raise ValueError(f"Expected `images` to have values in [0, 1], got values from {low:g} to {high:g}.")
