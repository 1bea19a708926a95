"""Another one of the same structure."""

import copy
from typing import TypeVar

import torch
from torch import nn

from conex_nn.structure.build import Builder
from conex_nn.structure.describe import check_late, describe
from conex_nn.structure.registry import Names
from conex_nn.structure.restore import default_dtype, tie

__all__ = ["replicate"]

_Part = TypeVar("_Part", bound=nn.Module)


def replicate(part: _Part, *, weights: bool = False) -> _Part:
    """Make another one of the same structure, that shares nothing with the first.

    Args:
        part: A population or a container.
        weights: Copy the weights and all else that is learned; otherwise weights are drawn anew.

    Raises:
        ValueError: Connections still wait for an end, or something cannot be made again.

    Example:
        >>> import conex_nn as cx
        >>> layer = cx.CorticalLayer(exc=cx.Population(4, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
        >>> first, second = layer.connect("exc", "inh", cx.Dense), replicate(layer).connections["exc_to_inh"]
        >>> first.only.weight.shape == second.only.weight.shape, torch.equal(first.only.weight, second.only.weight)
        (True, False)
    """
    check_late(part)
    if weights:
        return copy.deepcopy(part)
    names = Names()
    described = describe(part, names)
    with default_dtype(getattr(torch, described.extras["dtype"])):
        replica = Builder(names, described.arguments).module(described.tree, "")
    tie(replica, tied=described.extras["tied"], frozen=described.extras["frozen"])
    devices = {tensor.device for tensor in (*part.parameters(), *part.buffers())}
    if len(devices) == 1:
        replica.to(devices.pop())
    return replica.train(part.training)
