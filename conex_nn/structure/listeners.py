"""Who listens to a network while it runs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from typing import Any

from torch import Tensor

__all__ = ["Listeners", "WeightWatch", "join"]


class Listeners(list[Callable[..., None]]):
    """Listeners at one place, each of which hears everything.

    Example:
        >>> heard = []
        >>> Listeners([heard.append, heard.append])("spike")
        >>> heard
        ['spike', 'spike']
    """

    def __call__(self, *heard: Any) -> None:
        """Tell everyone."""
        for listener in self:
            listener(*heard)


class WeightWatch(ABC):
    """A listener to a connection that keeps its weight now and then, and needs none of its currents.

    Example:
        >>> isinstance(print, WeightWatch)
        False
    """

    @abstractmethod
    def until_next(self) -> int:
        """Return the steps from the coming one to the next one after it at which the weight is kept [1]."""

    @abstractmethod
    def due(self) -> Tensor | None:
        """Return a copy of the weight if the coming step is one at which it is kept."""

    @abstractmethod
    def keep(self, weight: Tensor | None, steps: int) -> None:
        """Go on to a later step.

        Args:
            weight: What was due at the coming one.
            steps: How many steps to go on, at most :meth:`until_next` [1].
        """

    @abstractmethod
    def __call__(self, current: Tensor) -> None:
        """Go on by a block of currents."""


def join(places: MutableMapping[str, Any], path: str, listener: Any, stack: ExitStack) -> None:
    """Listen at a place, beside those who do already, until a stack unwinds.

    Args:
        places: Listeners by place.
        path: The place.
        listener: Who is to hear, or whatever stands there for someone.
        stack: At its end the listener leaves; a place without listeners is no more.

    Example:
        >>> places, heard = {}, []
        >>> with ExitStack() as stack:
        ...     join(places, "v1", heard.append, stack)
        ...     places["v1"]("spike")
        >>> heard, places
        (['spike'], {})
    """
    several = places.setdefault(path, Listeners())
    several.append(listener)

    def leave() -> None:
        del several[next(i for i, other in enumerate(several) if other is listener)]
        if not several:
            places.pop(path, None)

    stack.callback(leave)
