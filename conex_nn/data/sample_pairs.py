"""Take samples and labels as users have them: arrays, lists, or a torch data set of pairs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_samples", "as_tensors", "same_shape"]


def as_tensors(samples: Any, labels: Any) -> tuple[Tensor | list[Tensor], Tensor]:
    """Return samples and labels as tensors; samples that come one by one as a list.

    Args:
        samples: An array or a tensor ``(samples, ...)``; a sequence of such, one for each sample; or a data set of
            ``(sample, label)``, which is read once.
        labels: One class index per sample; None where `samples` is a data set of pairs [1].

    Returns:
        Samples, and labels ``(samples,)`` [1].

    Raises:
        ValueError: Samples without labels, or labels twice.
        TypeError: Samples that are no arrays, or labels that are no integers.

    Example:
        >>> samples, labels = as_tensors([(np.zeros((2, 2)), 1), (np.ones((2, 2)), 0)], None)
        >>> len(samples), labels
        (2, tensor([1, 0]))
    """
    if labels is not None:
        labels = labels if isinstance(labels, Tensor) else np.asarray(labels)
        if isinstance(labels, np.ndarray) and labels.dtype.kind in "OSU":
            raise TypeError(
                "Expected `labels` to be integers, one class index per sample, got names. Number them: "
                "`class_names, labels = numpy.unique(labels, return_inverse=True)`."
            )
        return as_samples(samples), torch.as_tensor(labels)
    if isinstance(samples, Tensor | np.ndarray) or not (
        hasattr(samples, "__getitem__") and hasattr(samples, "__len__")
    ):
        raise ValueError(
            f"Expected `labels` beside samples as a {type(samples).__name__}, got None. Only a data set of "
            "(sample, label) has its own."
        )
    pairs = [samples[index] for index in range(len(samples))]
    if any(not isinstance(pair, tuple | list) or len(pair) != 2 for pair in pairs):
        raise ValueError("Expected `labels`, or a data set of (sample, label), got one of something else.")
    return [_as_tensor(sample) for sample, _ in pairs], torch.tensor(
        [_as_class(label) for _, label in pairs], dtype=torch.long
    )


def as_samples(samples: Any) -> Tensor | list[Tensor]:
    """Return an array as a tensor, and a sequence of arrays as a list of tensors.

    Args:
        samples: What a user has.

    Raises:
        TypeError: Neither.

    Example:
        >>> as_samples([np.zeros(2), np.zeros(3)])[1].shape
        torch.Size([3])
    """
    if isinstance(samples, Tensor):
        return samples
    if isinstance(samples, np.ndarray) and samples.dtype != object:
        return torch.as_tensor(samples)
    return [_as_tensor(sample) for sample in samples]


def same_shape(samples: Tensor | Sequence[Tensor]) -> Tensor:
    """Return samples as one tensor, or raise.

    Args:
        samples: A tensor, or one for each sample.

    Raises:
        ValueError: Samples of different shapes.

    Example:
        >>> same_shape([torch.zeros(2), torch.ones(2)])
        tensor([[0., 0.],
                [1., 1.]])
    """
    if isinstance(samples, Tensor):
        return samples
    shapes = sorted({tuple(sample.shape) for sample in samples})
    if len(shapes) > 1:
        raise ValueError(
            f"Expected `images` of one shape, got {shapes[0]} and {shapes[-1]}. For sequences of unequal length use "
            "`SeriesDataModule`: it pads them, and their lengths come along."
        )
    return torch.stack(list(samples)) if samples else torch.empty(0, 0)


def _as_class(label: Any) -> int:
    found = np.asarray(label)
    if found.size != 1 or found.dtype.kind not in "iu":
        raise TypeError(f"Expected the label of each pair to be an integer, its class from 0, got {label!r}.")
    return int(found.item())


def _as_tensor(sample: Any) -> Tensor:
    if isinstance(sample, Tensor):
        return sample
    if isinstance(sample, np.ndarray | list | tuple):
        return torch.as_tensor(np.asarray(sample))
    raise TypeError(
        f"Expected samples as tensors or arrays, got {type(sample).__name__}. For pictures give the data set "
        "`transform=torchvision.transforms.v2.ToImage()`."
    )
