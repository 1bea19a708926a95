"""What a sparse synapse checks of the edges and delays that it is given."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from conex_nn.synapses.distribution import Distribution

__all__ = ["AMOUNTS", "check_delay", "check_edges", "count_edges", "draw_delay", "narrow_delay", "require_one"]

AMOUNTS = ("density", "probability", "number", "in_degree", "out_degree")
"""Arguments that say how many edges to draw."""

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
    sizes: tuple[int, int], amounts: Mapping[str, Any], *, self_connections: bool = True, multapses: bool = False
) -> int:
    """Return how many edges will be drawn; with ``probability`` how many to expect.

    Args:
        sizes: How many sources and targets there are.
        amounts: One of ``density``, ``probability``, ``number``, ``in_degree`` and ``out_degree``; None for the others.
        self_connections: Whether neurons of the same index may be connected.
        multapses: Whether a pair may have several.

    Raises:
        ValueError: A number out of range, or too many edges.

    Example:
        >>> count_edges((10, 10), {"density": 0.5}, self_connections=False)
        45
    """
    sources, targets = (max(0, size - (not self_connections)) for size in sizes)
    name, amount = next((name, amount) for name, amount in amounts.items() if amount is not None)
    if name in ("density", "probability"):
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= 1:
            raise ValueError(f"Expected `{name}` from 0 to 1 [1], got {amount!r}.")
        if name == "probability" and multapses:
            raise ValueError("Expected `probability` without `multapses`: each pair is connected once or not at all.")
        number = round(amount * sizes[0] * targets)
    else:
        each = {"number": (1, sizes[0] * targets), "in_degree": (sizes[1], sources), "out_degree": (sizes[0], targets)}
        times, most = each[name]
        whole = isinstance(amount, int) and not isinstance(amount, bool) and amount >= 0
        if not whole or (amount > most and not (multapses and most)):
            choice = "the pairs" if name == "number" else "the neurons"
            limit = "at least 0" if multapses else f"from 0 to {most}, {choice} to choose from"
            hint = " With `multapses=True` a pair may have several." if whole and not multapses and most else ""
            raise ValueError(f"Expected `{name}` to be a whole number {limit}, got {amount!r}.{hint}")
        number = amount * times
    if number > _LIMIT:
        raise ValueError(f"Expected at most {_LIMIT} edges, got {number}. Split the population.")
    return number


def narrow_delay(steps: Tensor) -> Tensor:
    """Return delays in the narrowest of ``uint8``, ``int16`` and ``int32`` that holds them.

    Args:
        steps: Whole numbers of at least 0 [steps].

    Example:
        >>> narrow_delay(torch.tensor([3, 255])).dtype, narrow_delay(torch.tensor([256])).dtype
        (torch.uint8, torch.int16)
    """
    most = int(steps.max()) if steps.numel() and not steps.is_meta else 0
    return steps.to(torch.uint8 if most < 1 << 8 else torch.int16 if most < 1 << 15 else torch.int32)


def draw_delay(
    delay: Distribution,
    edges: int,
    *,
    generator: torch.Generator | None,
    device: torch.device,
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Draw a delay for every edge, rounded to whole steps.

    Args:
        delay: What to draw from [steps].
        edges: How many there are.
        generator: Source of randomness.
        device: Where to draw.
        advance: Told from time to time how many more have been drawn.

    Raises:
        ValueError: A negative one.

    Example:
        >>> from conex_nn.synapses.distribution import Uniform
        >>> draw_delay(Uniform(1, 3), 100, generator=None, device=torch.device("cpu")).unique()
        tensor([1, 2, 3], dtype=torch.uint8)
    """
    found = []
    for values in delay.pieces(edges, like=torch.empty(0, dtype=torch.float32, device=device), generator=generator):
        steps = values.round_()
        if steps.min() < 0 or steps.max() >= 1 << 31:
            raise ValueError(
                f"Expected `delay` of 0 up to 2147483647 [steps], got one of {float(steps.min()):g} to "
                f"{float(steps.max()):g} drawn from {delay}. Bound it: `low=1`."
            )
        found.append(narrow_delay(steps))
        if advance is not None:
            advance(len(steps))
    widest = max((each.dtype for each in found), key=lambda kind: kind.itemsize, default=torch.uint8)
    return torch.cat([each.to(widest) for each in found]) if found else torch.empty(0, dtype=widest, device=device)


def check_delay(delay: Any, edges: int, order: Tensor | None, device: torch.device) -> Tensor | None:
    """Return the delay of every edge, one that all have, or None for none.

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
        tensor([1, 3], dtype=torch.uint8)
    """
    if delay is None:
        return None
    steps = _whole(delay, name="delay", device=device)
    if steps.dim() and steps.shape != (edges,):
        raise ValueError(f"Expected `delay` to be one number or one per edge ({edges}), got {tuple(steps.shape)}.")
    if not steps.is_meta and steps.numel() and steps.min() < 0:
        raise ValueError(f"Expected `delay` to be whole numbers of at least 0 [steps], got {steps.min()}.")
    if not steps.dim():
        return steps.int().reshape(1)
    return narrow_delay(steps if order is None else steps[order])
