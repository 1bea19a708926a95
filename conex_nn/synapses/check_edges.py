"""What a sparse synapse checks of the edges and delays that it is given."""

from typing import Any

import torch
from torch import Tensor

__all__ = ["check_delay", "check_edges", "count_edges", "require_one"]

_LIMIT = 2**31 - 1  # edges are counted in 32 bits, as MKL does


def _whole(value: Any, *, name: str, device: torch.device) -> Tensor:
    tensor = torch.as_tensor(value, device=device)
    if tensor.numel() and (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool):
        raise TypeError(f"Expected `{name}` to hold whole numbers, got {tensor.dtype}.")
    return tensor.long()


def require_one(**amounts: Any) -> None:
    """Raise unless exactly one of several arguments is given.

    Args:
        amounts: They, by name.

    Raises:
        ValueError: None is, or more than one.

    Example:
        >>> require_one(density=0.1, in_degree=None)
    """
    given = [f"`{name}`" for name, amount in amounts.items() if amount is not None]
    if len(given) != 1:
        names = ", ".join(f"`{name}`" for name in amounts)
        raise ValueError(f"Expected exactly one of {names}, got {' and '.join(given) or 'none'}.")


def check_edges(
    edges: tuple[Any, Any], sizes: tuple[int, int], *, self_connections: bool, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the source and the target of every edge as tensors.

    Args:
        edges: Both, as tensors or sequences.
        sizes: How many sources and targets there are.
        self_connections: Whether one may be the other.
        device: Where to put them.

    Raises:
        TypeError: They are no whole numbers.
        ValueError: They are no pair, not as many, or out of range.

    Example:
        >>> check_edges(([0, 1], [1, 0]), (2, 2), self_connections=False, device=torch.device("cpu"))
        (tensor([0, 1]), tensor([1, 0]))
    """
    if len(edges) != 2:
        raise ValueError(f"Expected `edges` to be a pair (source_index, target_index), got {len(edges)} parts.")
    source, target = (_whole(index, name="edges", device=device) for index in edges)
    if source.dim() != 1 or source.shape != target.shape:
        raise ValueError(
            "Expected `edges` of one source and one target each, got shapes "
            f"{tuple(source.shape)} and {tuple(target.shape)}."
        )
    if source.is_meta:
        return source, target
    for name, index, size in (("source", source, sizes[0]), ("target", target, sizes[1])):
        if len(index) and (index.min() < 0 or index.max() >= size):
            raise ValueError(
                f"Expected `edges` with {name} indices from 0 to {size - 1}, got {index.min()} to {index.max()}."
            )
    if not self_connections and (source == target).any():
        raise ValueError(
            "Expected `edges` without self-connections, as `self_connections=False` says, got "
            f"{int((source == target).sum())} of them."
        )
    return source, target


def count_edges(
    sizes: tuple[int, int],
    density: float | None,
    in_degree: int | None,
    out_degree: int | None,
    *,
    self_connections: bool,
) -> int:
    """Return how many edges will be drawn.

    Args:
        sizes: How many sources and targets there are.
        density: Part of all allowed pairs that are connected [1].
        in_degree: How many sources each target has.
        out_degree: How many targets each source has.
        self_connections: Whether neurons of the same index may be connected.

    Raises:
        ValueError: A number out of range, or too many edges.

    Example:
        >>> count_edges((10, 10), 0.5, None, None, self_connections=False)
        45
    """
    sources, targets = (size - (not self_connections) for size in sizes)
    if density is not None:
        if not 0 <= density <= 1:
            raise ValueError(f"Expected `density` from 0 to 1 [1], got {density}.")
        number = round(density * sizes[0] * targets)
    else:
        choice = ("out_degree", out_degree, sizes[0], targets), ("in_degree", in_degree, sizes[1], sources)
        name, degree, rows, most = choice[in_degree is not None]
        if not isinstance(degree, int) or isinstance(degree, bool) or not 0 <= degree <= most:
            raise ValueError(
                f"Expected `{name}` to be a whole number from 0 to {most}, the neurons to choose from, got {degree!r}."
            )
        number = degree * rows
    if number > _LIMIT:
        raise ValueError(f"Expected at most {_LIMIT} edges, got {number}. Split the population.")
    return number


def check_delay(delay: Any, edges: int, order: Tensor | None, device: torch.device) -> Tensor | None:
    """Return the delay of every edge, or None for none.

    Args:
        delay: One whole number for all, or one per edge [steps].
        edges: How many there are.
        order: How the edges were sorted.
        device: Where to put it.

    Raises:
        TypeError: It is no whole number.
        ValueError: Not one per edge, or a negative one.

    Example:
        >>> check_delay(torch.tensor([3, 1]), 2, torch.tensor([1, 0]), torch.device("cpu"))
        tensor([1, 3], dtype=torch.int32)
    """
    if delay is None:
        return None
    steps = _whole(delay, name="delay", device=device)
    if steps.dim() and steps.shape != (edges,):
        raise ValueError(f"Expected `delay` to be one number or one per edge ({edges}), got {tuple(steps.shape)}.")
    if not steps.is_meta and steps.numel() and steps.min() < 0:
        raise ValueError(f"Expected `delay` to be whole numbers of at least 0 [steps], got {steps.min()}.")
    if steps.dim() and order is not None:
        steps = steps[order]
    return steps.expand(edges).int().contiguous()
