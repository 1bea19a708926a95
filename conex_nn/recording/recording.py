"""What has been recorded."""

import difflib
from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor
from typing_extensions import override

__all__ = ["Recording", "nearest"]


class Recording(Mapping[str, Tensor]):
    """What :func:`record` has recorded: ``recording["address.variable"]`` is ``(time, batch, *neurons)``.

    Calls of the same module are joined along time. A module that ran over time and batch together, as a Linear in a
    ``Sequential`` does, gives ``(time * batch, *features)``.

    Args:
        names: Every ``address.variable`` that is to be recorded.

    Raises:
        KeyError: At reading: a name that was not asked for.
        RuntimeError: At reading: a module that has not run, or that ran with batches of unequal size.

    Example:
        >>> recording = Recording(["1.v"])
        >>> recording.append("1.v", torch.zeros(2, 1, 3))
        >>> recording.append("1.v", torch.ones(3, 1, 3))
        >>> recording["1.v"].shape
        torch.Size([5, 1, 3])
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._pieces: dict[str, list[Tensor]] = {name: [] for name in names}

    def append(self, name: str, piece: Tensor) -> None:
        """Add what one call of a module gave.

        Args:
            name: ``address.variable``.
            piece: Its values, time first.
        """
        self._pieces[name].append(piece)

    @override
    def __getitem__(self, name: str) -> Tensor:
        if name not in self._pieces:
            raise KeyError(f"Expected a name that was recorded, got {name!r}.{nearest(name, self._pieces)}")
        pieces = self._pieces[name]
        if not pieces:
            raise RuntimeError(
                f"Expected {name!r} to have been recorded, got nothing: its module was not called inside the `with` "
                "block. Call the network there."
            )
        if any(piece.shape[1:] != pieces[0].shape[1:] for piece in pieces):
            shapes = ", ".join(str(tuple(piece.shape)) for piece in pieces)
            raise RuntimeError(
                f"Expected the calls of {name!r} to differ in time only, got {shapes}. Record one batch at a time."
            )
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    @override
    def __len__(self) -> int:
        return len(self._pieces)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"


def nearest(name: str, names: Iterable[str]) -> str:
    """Name, for a message, the names that look like a wrong one, or else the first few.

    Args:
        name: What was given.
        names: What there is.

    Example:
        >>> nearest("v1.l4.exk", ["v1.l4.exc", "v1.l4.inh"])
        " Did you mean 'v1.l4.exc', 'v1.l4.inh'?"
    """
    names = list(names)
    close = difflib.get_close_matches(name, names, n=3)
    if close:
        return f" Did you mean {', '.join(map(repr, close))}?"
    return f" There is {', '.join(map(repr, names[:8]))}{' ...' if len(names) > 8 else ''}."
