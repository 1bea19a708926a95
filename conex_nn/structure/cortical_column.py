"""A column of cortex."""

from collections.abc import Sequence

from torch import nn

from conex_nn.structure.container import Container

__all__ = ["CorticalColumn"]


class CorticalColumn(Container):
    """A column of cortex: layers by name, and connections among them.

    Args:
        tags: Names by which it can be found.
        parts: Layers, by name; ``l23``, ``l4``, ``l5``, ``l6`` by custom.

    Example:
        >>> import conex_nn as cx
        >>> column = CorticalColumn(
        ...     l4=cx.CorticalLayer(exc=cx.Population(8, cx.LIF())),
        ...     l23=cx.CorticalLayer(exc=cx.Population(8, cx.LIF())))
        >>> len(column.connect("l4", "l23", cx.OneToOne))
        1
    """

    def __init__(self, *, tags: Sequence[str] = (), **parts: nn.Module) -> None:
        super().__init__(parts, tags=tags)
