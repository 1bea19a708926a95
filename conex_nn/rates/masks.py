"""Random masks of synapses: by density, by the number of inputs of a neuron, by the number of its outputs."""

import torch
from torch import Tensor

__all__ = ["density_mask", "fan_in_mask", "fan_out_mask"]


def density_mask(post: int, pre: int, density: float, *, generator: torch.Generator | None = None) -> Tensor:
    """Return a mask in which each synapse exists with the same probability.

    Args:
        post: Number of target neurons.
        pre: Number of source neurons.
        density: The probability [1].
        generator: Source of randomness.

    Returns:
        A bool tensor, ``(post, pre)``.

    Raises:
        ValueError: A probability outside 0 to 1.

    Example:
        >>> density_mask(2, 3, 1.0)
        tensor([[True, True, True],
                [True, True, True]])
    """
    _check(density)
    return torch.rand(post, pre, generator=generator) < density


def fan_in_mask(
    post: int, pre: int, density: float, *, self_connections: bool = True, generator: torch.Generator | None = None
) -> Tensor:
    """Return a mask in which every neuron has the same number of inputs, chosen at random.

    Args:
        post: Number of target neurons.
        pre: Number of source neurons.
        density: Fraction of the sources that a neuron gets, rounded to whole ones [1].
        self_connections: Whether a neuron may choose the source of its own index.
        generator: Source of randomness.

    Returns:
        A bool tensor, ``(post, pre)``.

    Raises:
        ValueError: A fraction outside 0 to 1, or more than there are without self-connections.

    Example:
        >>> fan_in_mask(4, 10, 0.3).sum(1)
        tensor([3, 3, 3, 3])
    """
    _check(density)
    count = round(density * pre)
    order = torch.rand(post, pre, generator=generator)
    if not self_connections:
        order.fill_diagonal_(2.0)
        if count > pre - 1:
            raise ValueError(f"Expected `density` of at most {(pre - 1) / pre:g} without self-connections [1].")
    return torch.zeros(post, pre, dtype=torch.bool).scatter_(1, order.argsort(1)[:, :count], True)


def fan_out_mask(
    post: int, pre: int, density: float, *, self_connections: bool = True, generator: torch.Generator | None = None
) -> Tensor:
    """Return a mask in which every neuron has the same number of outputs, chosen at random.

    Args:
        post: Number of target neurons.
        pre: Number of source neurons.
        density: Fraction of the targets that a neuron reaches, rounded to whole ones [1].
        self_connections: Whether a neuron may choose the target of its own index.
        generator: Source of randomness.

    Returns:
        A bool tensor, ``(post, pre)``.

    Raises:
        ValueError: As for :func:`fan_in_mask`.

    Example:
        >>> fan_out_mask(10, 4, 0.3).sum(0)
        tensor([3, 3, 3, 3])
    """
    return fan_in_mask(pre, post, density, self_connections=self_connections, generator=generator).t().contiguous()


def _check(density: float) -> None:
    if not 0 <= density <= 1:
        raise ValueError(f"Expected `density` from 0 to 1 [1], got {density}.")
