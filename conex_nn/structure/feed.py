"""Input of a long run, stretch by stretch: whole tensors, functions of time, or blocks one after another."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from conex_nn.structure.container import Container
from conex_nn.structure.inputs import by_address

__all__ = ["Feed", "Inputs"]

Given = Tensor | Callable[[int, int], Any] | Iterable[Any]
"""A tensor, a function of the first step of a stretch and of the one after its last, or blocks in a row."""
Inputs = Given | Mapping[str, Given]
"""Input of a network: one, or such by address. Functions and blocks may give tensors by address themselves."""


class _Spring(Protocol):
    """Gives one input, or several by address."""

    def first(self) -> Any:
        """Return the first step, ``(1, *batch, *shape)``, without taking it away."""

    def take(self, begin: int, end: int) -> Any:
        """Return the steps of a stretch."""


class Feed:
    """What gives a network its input, one stretch of time after the other.

    Args:
        net: The network.
        inputs: Tensors ``(time, *batch, *shape)``; functions that make one from ``begin`` and ``end``; or iterables of
            blocks ``(time, *batch, *shape)``, each as long as it likes, that follow each other; None where no input
            comes from outside.
        steps: Length of the run [1].

    Raises:
        TypeError: Something else.
        ValueError: A tensor of another length; later, a function that gives another number of steps than was asked
            for, or blocks that end too early.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(2))
        >>> blocks = Feed(net, (torch.ones(3, 2) for _ in range(2)), steps=5)
        >>> blocks.take(0, 2)["retina.sensory"].shape, blocks.take(2, 5)["retina.sensory"].shape
        (torch.Size([2, 2]), torch.Size([3, 2]))
    """

    def __init__(self, net: Container, inputs: Inputs | None, *, steps: int) -> None:
        self.net = net
        if inputs is None or isinstance(inputs, Mapping):
            self._springs = {
                path: _spring(given, steps, f"input of {path!r}") for path, given in (inputs or {}).items()
            }
        else:
            self._springs = {"": _spring(inputs, steps, "`inputs`")}

    def first(self) -> dict[str, Tensor]:
        """Return the first step by the addresses of populations, ``(1, *batch, *shape)``, without taking it away."""
        return self._by_address({path: spring.first() for path, spring in self._springs.items()})

    def take(self, begin: int, end: int) -> dict[str, Tensor]:
        """Return the input of a stretch by the addresses of populations; stretches are taken in order, each once.

        Args:
            begin: Its first step [1].
            end: The step after its last [1].
        """
        return self._by_address({path: spring.take(begin, end) for path, spring in self._springs.items()})

    def _by_address(self, found: dict[str, Any]) -> dict[str, Tensor]:
        return by_address(self.net, found.get("", found))


def _spring(given: Any, steps: int, name: str) -> _Spring:
    """Return what gives the stretches of one input."""
    if isinstance(given, Tensor):
        if given.dim() == 0 or len(given) != steps:
            got = len(given) if given.dim() else "a single number"
            raise ValueError(f"Expected {name} of {steps} steps, as many as are run [1], got {got}.")
        return _Whole(given)
    if callable(given):
        return _Function(given, name)
    if isinstance(given, Iterable) and not isinstance(given, str):
        return _Blocks(iter(given), name)
    raise TypeError(
        f"Expected {name} to be a tensor, a function of the first step and the one after the last, or an iterable of "
        f"blocks, got {type(given).__name__}."
    )


class _Whole:
    """All steps in one tensor."""

    def __init__(self, xs: Tensor) -> None:
        self.xs = xs

    def first(self) -> Tensor:
        return self.xs[:1]

    def take(self, begin: int, end: int) -> Tensor:
        return self.xs[begin:end]


class _Function:
    """A function that makes the steps of a stretch."""

    def __init__(self, function: Callable[[int, int], Any], name: str) -> None:
        self.function, self.name = function, name

    def first(self) -> Any:
        return self.take(0, 1)

    def take(self, begin: int, end: int) -> Any:
        found = self.function(begin, end)
        for x in found.values() if isinstance(found, Mapping) else [found]:
            if not isinstance(x, Tensor) or x.dim() == 0 or len(x) != end - begin:
                got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
                raise ValueError(
                    f"Expected the function that gives {self.name} to return (time, *batch, *shape) with {end - begin} "
                    f"steps for {begin} to {end} [1], got {got}."
                )
        return found


class _Blocks:
    """Blocks that follow each other, cut anew."""

    def __init__(self, blocks: Iterator[Any], name: str) -> None:
        self.blocks, self.name = blocks, name
        self.left: dict[str, Tensor] = {}
        """What is left of the last block, by address; a lone tensor has none."""

    def first(self) -> Any:
        self.left = self.left or self._next(0)
        return self._lone({address: xs[:1] for address, xs in self.left.items()})

    def take(self, begin: int, end: int) -> Any:
        pieces: list[dict[str, Tensor]] = []
        missing = end - begin
        while missing:
            self.left = self.left or self._next(end - missing)
            pieces.append({address: xs[:missing] for address, xs in self.left.items()})
            self.left = {address: xs[missing:] for address, xs in self.left.items() if len(xs) > missing}
            missing -= len(next(iter(pieces[-1].values())))
        return self._lone({address: torch.cat([piece[address] for piece in pieces]) for address in pieces[0]})

    def _lone(self, found: dict[str, Tensor]) -> Any:
        return found.get("", found)

    def _next(self, reached: int) -> dict[str, Tensor]:
        """Return the next block that has a step."""
        for block in self.blocks:
            found = dict(block) if isinstance(block, Mapping) else {"": block}
            shapes = [tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__ for x in found.values()]
            if not found or not all(isinstance(x, Tensor) and x.dim() for x in found.values()):
                raise TypeError(f"Expected blocks of {self.name} as tensors (time, *batch, *shape), got {shapes}.")
            if len({len(x) for x in found.values()}) > 1:
                raise ValueError(f"Expected blocks of {self.name} of one length for all addresses, got {shapes}.")
            if len(next(iter(found.values()))):
                return found
        raise ValueError(f"Expected blocks of {self.name} for all steps, got none after {reached} steps [1].")
