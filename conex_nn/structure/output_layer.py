"""Where a network's results are read."""

from collections.abc import Sequence

from conex_nn.structure.container import Container
from conex_nn.structure.population import Population

__all__ = ["OutputLayer"]


class OutputLayer(Container):
    """The populations in which results are read: ``representation``, and ``motor`` for what is done about it.

    Args:
        representation: Population that stands for what was recognised.
        motor: Population that stands for an action.
        tags: Names by which it can be found.

    Example:
        >>> import conex_nn as cx
        >>> list(OutputLayer(representation=cx.Population(10, cx.LI())).populations())
        ['representation']
    """

    def __init__(
        self,
        *,
        representation: Population | None = None,
        motor: Population | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        parts = {"representation": representation, "motor": motor}
        present = {name: part for name, part in parts.items() if part is not None}
        if not present:
            raise ValueError("Expected a population for `representation` or `motor`, got neither.")
        super().__init__(dict(present), tags=tags)
        self.stands_for = tuple(present)[:1]
