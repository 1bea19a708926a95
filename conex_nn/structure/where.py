"""Which neurons of a population are looked at."""

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Where", "neurons_at"]

Where = Tensor | slice | Sequence[int]
"""Neurons of a population: indices or a slice in the order of ``flatten``, or a bool mask."""


def neurons_at(where: Where | int, shape: torch.Size, path: str) -> Tensor:
    """Return which neurons were asked for, in the order of ``flatten``.

    Args:
        where: Them, or how many, evenly chosen.
        shape: Shape of the population.
        path: Its address, for messages.

    Raises:
        ValueError: Such neurons are not there.

    Example:
        >>> neurons_at(3, torch.Size([2, 5]), "v1"), neurons_at([-1], torch.Size([4]), "v1")
        (tensor([0, 3, 6]), tensor([3]))
    """
    n = shape.numel()
    if isinstance(where, int) and not isinstance(where, bool):
        if where < 1:
            raise ValueError(f"Expected `where` to be a number of neurons of at least 1 [1], got {where}.")
        number = min(where, n)
        return torch.arange(number) * n // number
    if isinstance(where, slice):
        return torch.arange(n)[where]
    index = torch.as_tensor(where)
    if index.dtype == torch.bool:
        if index.shape not in (shape, (n,)):
            raise ValueError(
                f"Expected a mask `where` of shape {tuple(shape)}, that of {path!r}, got {tuple(index.shape)}."
            )
        return index.flatten().nonzero().flatten().cpu()
    if index.is_floating_point() or index.dim() != 1 or bool(((index < -n) | (index >= n)).any()):
        raise ValueError(
            f"Expected `where` to be a slice, a bool mask, or a row of indices below {n}, the neurons of {path!r}, "
            f"got {where!r}."
        )
    return torch.arange(n)[index.cpu()]
