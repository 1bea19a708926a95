"""Put saved tensors into a structure, and tell what does not fit."""

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.structure.addresses import nearest
from conex_nn.structure.build import Builder, require_memory
from conex_nn.structure.describe import PARTS, derived, state_of
from conex_nn.structure.population import Population
from conex_nn.structure.registry import REGISTERED

__all__ = ["default_dtype", "rehearse", "restore", "tie"]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Make floating tensors of a dtype for a while, so that numbers become again what they were.

    Args:
        dtype: The dtype.

    Example:
        >>> with default_dtype(torch.float64):
        ...     torch.tensor(0.1).dtype
        torch.float64
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def rehearse(
    tree: Any, tensors: Mapping[str, Tensor], *, dtype: torch.dtype, tied: Collection[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what of a file will not fit, without making a synapse: sizes in a file are only claims.

    Args:
        tree: The structure as plain values.
        tensors: By address.
        dtype: That of what is floating.
        tied: Addresses of parameters that are the same as another.

    Returns:
        What will be made anew, by address, and the addresses of tensors that nothing takes.

    Raises:
        ValueError: The tree describes no population and no container, or one that cannot be, or cannot be held.

    Example:
        >>> rehearse({"class": "conex_nn.Source", "shape": [10**12]}, {}, dtype=torch.float32, tied=())
        ({}, ())
    """
    with default_dtype(dtype):
        builder = Builder(REGISTERED, tensors, sketch=True)
        if not issubclass(cls := builder.class_of(tree, ""), PARTS):
            raise ValueError(f"Expected a container or a population at the top, got {cls.__name__}.")
        builder.module(tree, "")
    populations = {path: module for path, module in builder.made.items() if isinstance(module, Population)}
    expected = state_of(populations.get("", _Together(populations)))
    shapes = {f"{path}.weight": shape for path, shape in builder.weights.items() if shape is not None}
    require_memory(sum(math.prod(shape) for shape in shapes.values()) * dtype.itemsize)
    expected |= {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}
    expected = {key: t for key, t in expected.items() if key not in builder.decided and key not in tied}
    drawn, unused = _differences(expected, tensors, builder)
    return drawn, tuple(key for key in unused if not builder.unsure(key))


class _Together(nn.Module):
    """Populations at their addresses, whose state is asked for as one."""

    def __init__(self, populations: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self._modules.update(populations)


def restore(
    part: nn.Module, builder: Builder, tensors: Mapping[str, Tensor], *, tied: Collection[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Load the state of a structure that was just made.

    Args:
        part: The structure.
        builder: What made it.
        tensors: By address.
        tied: Addresses of parameters that are the same as another.

    Returns:
        What was made anew, by address, and the addresses of tensors that nothing took.

    Example:
        >>> import conex_nn as cx
        >>> builder = Builder(REGISTERED, {})
        >>> lif = builder.module({"class": "conex_nn.LIF", "tau_mem": {"trainable": 10.0}}, "")
        >>> restore(lif, builder, {"lost": torch.ones(1)}, tied=())
        ({}, ('lost',))
    """
    skipped = {*derived(part), *builder.decided, *tied}
    expected = {key: t for key, t in state_of(part).items() if key not in skipped}
    drawn, unused = _differences(expected, tensors, builder)
    fitting = {key: tensors[key] for key in expected if key not in drawn}
    # Copied, so that a weight keeps its layout in memory; only another dtype takes the place of what is there.
    other = {key: tensor for key, tensor in fitting.items() if tensor.dtype != expected[key].dtype}
    part.load_state_dict({key: tensor for key, tensor in fitting.items() if key not in other}, strict=False)
    part.load_state_dict(other, strict=False, assign=True)
    return drawn, unused


def tie(part: nn.Module, *, tied: Mapping[str, str], frozen: Collection[str]) -> None:
    """Make parameters one and the same again, and stop the training of others.

    Args:
        part: The structure.
        tied: The address of what a parameter is the same as, by its own.
        frozen: Addresses of parameters that are not trained.

    Raises:
        ValueError: There is no such parameter, or two that shall be the same have different shapes.

    Example:
        >>> pair = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        >>> tie(pair, tied={"1.weight": "0.weight"}, frozen=["0.bias"])
        >>> pair[0].weight is pair[1].weight, pair[0].bias.requires_grad
        (True, False)
    """
    parameters = dict(part.named_parameters(remove_duplicate=False))
    for address in (*tied, *tied.values(), *frozen):
        if address not in parameters:
            raise ValueError(f"Expected an address of a parameter, got {address!r}.{nearest(address, parameters)}")
    for address, first in tied.items():
        if parameters[address].shape != parameters[first].shape:
            shapes = tuple(parameters[address].shape), tuple(parameters[first].shape)
            raise ValueError(
                f"Expected {address!r} and {first!r}, which are tied, of one shape, got {shapes[0]} and {shapes[1]}. "
                "Take the first out of `tied`."
            )
        owner, _, name = address.rpartition(".")
        setattr(part.get_submodule(owner), name, parameters[first])
    for address in frozen:
        parameters[address].requires_grad_(False)


def _differences(
    expected: Mapping[str, Tensor], have: Mapping[str, Tensor], builder: Builder
) -> tuple[dict[str, str], tuple[str, ...]]:
    drawn = dict(builder.changed)
    for key, tensor in expected.items():
        if key not in have:
            why = "missing"
        elif have[key].shape != tensor.shape:
            why = f"of shape {tuple(have[key].shape)}, now {tuple(tensor.shape)}"
        elif key in builder.stale:
            why = "of edges that are drawn anew"
        elif have[key].is_floating_point() != tensor.is_floating_point():
            why = f"{have[key].dtype}, not {tensor.dtype}"
        else:
            continue
        unnamed = builder.unnamed.get(key.removesuffix(".weight"))
        how = f" by the default, since what drew it, {unnamed}, has no name in a file" if unnamed else ""
        drawn[key] = f"{why}: made anew{how}"
    return drawn, tuple(key for key in have if key not in expected and key not in builder.used)
