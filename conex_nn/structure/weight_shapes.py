"""What shape the weight of a synapse will have, before it is made: sizes in a file are only claims."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from conex_nn.synapses import AvgPool2d, Conv2d, Dense, Lateral, Local2d, OneToOne, Sparse
from conex_nn.synapses.check_edges import AMOUNTS, count_edges
from conex_nn.synapses.images import pair

__all__ = ["has_shape", "weight_shape"]

_Ends = tuple[torch.Size, torch.Size]


def _sparse(ends: _Ends, values: Mapping[str, Any]) -> tuple[int, ...]:
    if "edges" in values:
        number = len(values["edges"][0])
    else:
        allowed = {name: values[name] for name in ("self_connections", "multapses") if name in values}
        number = count_edges((ends[0].numel(), ends[1].numel()), {k: values.get(k) for k in AMOUNTS}, **allowed)
    return (1 if values.get("shared") else number,)


def _kernel(values: Mapping[str, Any]) -> tuple[int, int]:
    return pair(values["kernel_size"], name="kernel_size", least=1)


def _lateral(ends: _Ends, values: Mapping[str, Any]) -> tuple[int, ...]:
    size = values["kernel_size"]
    return (size,) * 3 if isinstance(size, int) else tuple(size)


def _local(ends: _Ends, values: Mapping[str, Any]) -> tuple[int, ...]:
    field = torch.Size((ends[0][0], *_kernel(values))).numel()
    return (ends[1][0], ends[1][1:].numel(), field)


_SHAPES: dict[type, Callable[[_Ends, Mapping[str, Any]], tuple[int, ...] | None]] = {
    AvgPool2d: lambda ends, values: None,
    Conv2d: lambda ends, values: (ends[1][0], ends[0][0], *_kernel(values)),
    Dense: lambda ends, values: (ends[1].numel(), ends[0].numel()),
    Lateral: _lateral,
    Local2d: _local,
    OneToOne: lambda ends, values: (ends[0].numel(),),
    Sparse: _sparse,
}


def has_shape(cls: type) -> bool:
    """Whether the shape of a class's weight can be told: of ours, not of a user's.

    Args:
        cls: Class of a synapse.

    Example:
        >>> has_shape(Dense), has_shape(type("MyDense", (Dense,), {}))
        (True, False)
    """
    return cls in _SHAPES


def weight_shape(cls: type, source: torch.Size, target: torch.Size, values: Mapping[str, Any]) -> torch.Size | None:
    """Return the shape of a synapse's weight, or None where it has none.

    Args:
        cls: Class of the synapse.
        source: Shape of the population that sends.
        target: Shape of the population that receives.
        values: Its other arguments.

    Example:
        >>> weight_shape(Conv2d, torch.Size((1, 8, 8)), torch.Size((4, 6, 6)), {"kernel_size": 3})
        torch.Size([4, 1, 3, 3])
    """
    shape = _SHAPES[cls]((source, target), values)
    return None if shape is None else torch.Size(shape)
