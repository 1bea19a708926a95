"""Spikes that a network returns, by address."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from conex_nn.structure.addresses import nearest

__all__ = ["Outputs"]


class Outputs(dict[str, Tensor]):
    """Spikes of populations by address, ``(time, *batch, *shape)``; an address that was not asked for is named.

    A port or a container that was asked for by its own address, and stands for one population, is an address as well.

    Args:
        spikes: By address of the population.
        aliases: Addresses of populations, by the address that was asked for.

    Example:
        >>> import torch
        >>> Outputs({"l4.exc": torch.ones(1)}, {"l4.output": ["l4.exc"]})["l4.output"]
        tensor([1.])
    """

    def __init__(self, spikes: Mapping[str, Tensor], aliases: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(spikes)
        self.aliases = dict(aliases or {})

    def __missing__(self, address: str) -> Tensor:
        paths = self.aliases.get(address, ())
        if len(paths) == 1:
            return self[paths[0]]
        if paths:
            raise KeyError(f"Behind {address!r} are several populations: {', '.join(paths)}. Name one of them.")
        raise KeyError(
            f"There is no output of {address!r} among {', '.join(self)}.{nearest(address, self)} "
            "Ask for it: `net(x, outputs=[...])`."
        )
