"""Who listens to a network while it runs."""

from collections.abc import Callable, MutableMapping
from contextlib import ExitStack
from typing import Any

__all__ = ["Listeners", "join"]


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
