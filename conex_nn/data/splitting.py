"""Cut a data set into parts that hold the classes in equal proportions."""

from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import Subset

from conex_nn.data.labelled_events import LabelledEvents
from conex_nn.data.labelled_images import LabelledImages
from conex_nn.data.labelled_series import LabelledSeries


def stratified_order(labels: Int64[Tensor, " samples"], *, seed: int) -> Int64[Tensor, " samples"]:
    """Order samples at random so that every stretch holds the classes in proportion.

    The i-th of the n samples of a class, counted in random order, goes to the fraction (i + 1/2) / n of the whole. A
    stretch therefore holds each class in its proportion, give or take one sample: any way of cutting the order into
    consecutive parts is a stratified split.

    Args:
        labels: Class indices from 0 [1].
        seed: Seed of the order [1]; the global generator is not used.

    Returns:
        A permutation of the sample indices [1].

    Example:
        >>> labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1])
        >>> order = stratified_order(labels, seed=0)
        >>> labels[order[:4]].bincount()
        tensor([2, 2])
    """
    shuffled = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    classes = labels[shuffled]
    counts = torch.bincount(classes)
    by_class = torch.argsort(classes, stable=True)
    first = (counts.cumsum(0) - counts)[classes[by_class]]
    rank = torch.empty_like(shuffled)
    rank[by_class] = torch.arange(len(labels)) - first
    place = (rank + 0.5) / counts[classes]
    return shuffled[torch.argsort(place, stable=True)]


def sample_count(name: str, size: int | float, *, total: int) -> int:
    """Turn a number or a fraction of samples into a number.

    Args:
        name: Name of the argument, for the message.
        size: A number of samples (int) [1] or a fraction of `total` in [0, 1) (float) [1].
        total: Number of samples there are [1].

    Returns:
        Number of samples [1].

    Raises:
        TypeError: If `size` is neither an int nor a float.
        ValueError: If it is negative, or a fraction of 1 or more.

    Example:
        >>> sample_count("test", 0.2, total=1797), sample_count("test", 300, total=1797)
        (359, 300)
    """
    if isinstance(size, bool) or not isinstance(size, int | float):
        raise TypeError(f"Expected `{name}` to be a number of samples (int) or a fraction (float), got {size!r}.")
    if isinstance(size, float) and not 0.0 <= size < 1.0:
        raise ValueError(f"Expected `{name}` to be a fraction in [0, 1) if it is a float, got {size}.")
    if size < 0:
        raise ValueError(f"Expected `{name}` to be 0 or more samples, got {size}.")
    return size if isinstance(size, int) else round(size * total)


def cut(data: LabelledImages | LabelledSeries | LabelledEvents, *sizes: int, seed: int) -> list[Subset[Any]]:
    """Cut a data set into stratified parts of the given sizes, and the rest.

    Args:
        data: What to cut.
        sizes: Samples in each part but the last [1].
        seed: Seed of the cut [1].

    Returns:
        One part per size, then the rest, each in the order of `data`.

    Raises:
        ValueError: If nothing is left for the rest.

    Example:
        >>> data = LabelledImages(torch.zeros(10, 4), torch.arange(10) % 2)
        >>> [len(part) for part in cut(data, 2, 4, seed=0)]
        [2, 4, 4]
    """
    if sum(sizes) >= len(data):
        raise ValueError(
            f"Expected `validation` and `test` to leave samples to train on, got {sum(sizes)} of {len(data)}."
        )
    order = stratified_order(data.labels, seed=seed)
    parts = order.split([*sizes, len(data) - sum(sizes)])
    return [Subset(data, part.sort().values.tolist()) for part in parts]
