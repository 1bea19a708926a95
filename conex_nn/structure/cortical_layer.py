"""A layer of cortex."""

from collections.abc import Sequence

from torch import nn

from conex_nn.structure.container import Container

__all__ = ["CorticalLayer"]


class CorticalLayer(Container):
    """A layer of cortex: excitatory and inhibitory populations, or any others, by name.

    Args:
        tags: Names by which it can be found.
        parts: Populations, by name; ``exc`` and ``inh`` by custom.

    Example:
        >>> import conex_nn as cx
        >>> l4 = CorticalLayer(exc=cx.Population((4, 8, 8), cx.LIF()), inh=cx.Population(64, cx.LIF(), inhibitory=True))
        >>> _ = l4.connect("exc", "inh", cx.Dense), l4.connect("inh", "exc", cx.Dense)
        >>> sorted(l4.populations())
        ['exc', 'inh']
    """

    def __init__(self, *, tags: Sequence[str] = (), **parts: nn.Module) -> None:
        super().__init__(parts, tags=tags)
