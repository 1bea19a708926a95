"""Where input enters a network."""

from collections.abc import Sequence

from conex_nn.structure.container import Container
from conex_nn.structure.population import Source

__all__ = ["InputLayer"]


class InputLayer(Container):
    """The populations through which input enters: ``sensory``, and ``location`` for where it was seen.

    A connection from the layer itself is one from ``sensory``; ``"retina.location"`` is the other.

    Args:
        shape: Shape of what is sensed: a number of neurons, or ``depth, height, width`` [1].
        location: Shape of the location; None for no such population [1].
        tags: Names by which it can be found.

    Example:
        >>> retina = InputLayer(1, 28, 28, location=(4, 4))
        >>> {path: tuple(population.shape) for path, population in retina.populations().items()}
        {'sensory': (1, 28, 28), 'location': (4, 4)}
    """

    stands_for = ("sensory",)

    def __init__(self, *shape: int, location: int | Sequence[int] | None = None, tags: Sequence[str] = ()) -> None:
        if not shape:
            raise ValueError("Expected the shape of what is sensed [1], e.g. `InputLayer(1, 28, 28)`, got none.")
        parts = {"sensory": Source(shape, tags=["sensory"])}
        if location is not None:
            parts["location"] = Source(location, tags=["location"])
        super().__init__(dict(parts), tags=tags)
