"""Areas of a rate network: which neurons they have, which synapses exist, who receives input and who is read out."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Areas", "Blocks"]


class Blocks(NamedTuple):
    """What a picture of areas shows."""

    matrix: Tensor
    """0 where there is no synapse, else the sign of its source, ``(post, pre)``, neurons sorted by area [1]."""
    names: tuple[str, ...]
    """The areas, in the order of the matrix."""
    edges: tuple[int, ...]
    """Where each area begins, and the number of neurons."""


class Areas:
    """A rate network's areas: named sets of neurons, and the synapses among them, from the input, to the readout.

    :class:`MultiArea`, :class:`MultiAreaEI` and :class:`RandomInput` draw one; give it to a :class:`CTRNN`, which takes
    over masks and signs. Everything that is passed in is copied.

    Args:
        neurons: The neurons of each area, by its name.
        recurrent: Which synapses exist, ``(post, pre)``; None for all.
        receives: Which neurons receive the input, ``(neurons,)``; None for all.
        read: Which neurons are read out, ``(neurons,)``; None for all.
        signs: +1 for excitatory, -1 for inhibitory neurons; None for neurons without a sign [1].

    Raises:
        TypeError: Neurons that are no whole numbers, masks or signs that are no tensors.
        ValueError: Areas without neurons, indices below 0 or twice in an area, tensors that do not cover the neurons,
            masks with values other than 0 and 1, signs other than +1 and -1.

    Example:
        >>> areas = Areas({"v1": range(3), "pfc": range(3, 5)})
        >>> areas.names, len(areas), areas.index("pfc")
        (('v1', 'pfc'), 5, tensor([3, 4]))
    """

    def __init__(
        self,
        neurons: Mapping[str, Sequence[int] | Tensor],
        *,
        recurrent: Tensor | None = None,
        receives: Tensor | None = None,
        read: Tensor | None = None,
        signs: Tensor | None = None,
    ) -> None:
        places = {name: _indices(name, index) for name, index in neurons.items()}
        if not places or any(not len(index) for index in places.values()):
            raise ValueError("Expected `neurons` with at least one area of at least one neuron.")
        self._places = places
        if not next(iter(places.values())).is_meta:
            self._check_cover()
        size = len(self)
        for name, value, shape in (
            ("recurrent", recurrent, (size, size)),
            ("receives", receives, (size,)),
            ("read", read, (size,)),
            ("signs", signs, (size,)),
        ):
            if value is not None:
                _check(name, value, shape)
        self.recurrent = None if recurrent is None else recurrent.bool().clone()
        self.receives = None if receives is None else receives.bool().clone()
        self.read = None if read is None else read.bool().clone()
        self.signs = None if signs is None else signs.clone()

    def _check_cover(self) -> None:
        for name, index in self._places.items():
            if len(index.unique()) != len(index):
                raise ValueError(f"Expected each neuron once in the area {name!r}, got some twice.")
        every = torch.cat(list(self._places.values()))
        if every.min() < 0:
            raise ValueError(f"Expected `neurons` to be indices of at least 0, got {int(every.min())}.")
        missing = torch.ones(int(every.max()) + 1, dtype=torch.bool)
        missing[every] = False
        if missing.any():
            raise ValueError(
                f"Expected the areas to cover all neurons up to {int(every.max())}, but none has "
                f"{missing.nonzero().flatten()[:10].tolist()}. Put those into an area of their own."
            )

    def __len__(self) -> int:
        """Return the number of neurons."""
        return max(int(index.max()) if not index.is_meta else len(index) for index in self._places.values()) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """The areas' names."""
        return tuple(self._places)

    def index(self, name: str) -> Tensor:
        """Return the neurons of an area.

        Args:
            name: The area's name, or ``"excitatory"``, ``"inhibitory"``, ``"input"`` or ``"readout"`` for all that
                have that sign or place; a sign within an area is ``"v1.excitatory"``.

        Raises:
            KeyError: No such area.

        Example:
            >>> areas = Areas({"v1": range(2), "pfc": range(2, 4)}, signs=torch.tensor([1, -1, 1, -1]))
            >>> areas.index("inhibitory"), areas.index("pfc.excitatory")
            (tensor([1, 3]), tensor([2]))
        """
        if name in self._places:
            return self._places[name].clone()
        area, _, kind = name.rpartition(".")
        chosen = self._kind(kind) if not area or area in self._places else None
        if chosen is None:
            signs = "" if self.signs is None else ", excitatory, inhibitory"
            raise KeyError(f"Expected an area among {', '.join(self.names)}, input, readout{signs}, got {name!r}.")
        if not area:
            return chosen.nonzero().flatten()
        place = self._places[area]
        return place[chosen[place]]

    def _kind(self, kind: str) -> Tensor | None:
        """Return which neurons are of a kind, or None if there is no such kind."""
        every = torch.ones(len(self), dtype=torch.bool)
        if kind in ("input", "readout"):
            chosen = self.receives if kind == "input" else self.read
            return every if chosen is None else chosen
        if self.signs is not None and kind in ("excitatory", "inhibitory"):
            return self.signs > 0 if kind == "excitatory" else self.signs < 0
        return None

    def area_of(self) -> Tensor:
        """Return the number of each neuron's area, in the order of :attr:`names`.

        Raises:
            ValueError: Areas that share neurons.

        Example:
            >>> Areas({"v1": range(2), "pfc": range(2, 3)}).area_of()
            tensor([0, 0, 1])
        """
        numbers = torch.full((len(self),), -1, dtype=torch.long)
        for number, (name, index) in enumerate(self._places.items()):
            if not numbers.is_meta and (numbers[index] >= 0).any():
                raise ValueError(f"Expected areas that share no neuron, but {name!r} has some of another's.")
            numbers[index] = number
        return numbers

    def per_area(self, values: Mapping[str, float]) -> Tensor:
        """Return one value for each area, in the order of :attr:`names`.

        Args:
            values: The value of each area, by its name, in any unit, such as [ms].

        Raises:
            ValueError: Not one value for every area.

        Example:
            >>> Areas({"v1": range(2), "pfc": range(2, 3)}).per_area({"pfc": 100.0, "v1": 10.0})
            tensor([ 10., 100.])
        """
        if set(values) != set(self.names):
            raise ValueError(
                f"Expected one value for each area, {', '.join(self.names)}, got {', '.join(values) or 'none'}."
            )
        return torch.tensor([float(values[name]) for name in self.names])

    def input_mask(self, inputs: int) -> Tensor:
        """Return which input synapses exist, ``(neurons, inputs)``.

        Args:
            inputs: Number of inputs.

        Example:
            >>> Areas({"v1": range(2)}, receives=torch.tensor([True, False])).input_mask(2)
            tensor([[ True,  True],
                    [False, False]])
        """
        rows = torch.ones(len(self), dtype=torch.bool) if self.receives is None else self.receives
        return rows[:, None].expand(-1, inputs).clone()

    def readout_mask(self, outputs: int) -> Tensor:
        """Return which readout synapses exist, ``(outputs, neurons)``.

        Args:
            outputs: Number of outputs.

        Example:
            >>> Areas({"v1": range(2)}, read=torch.tensor([True, False])).readout_mask(1)
            tensor([[ True, False]])
        """
        columns = torch.ones(len(self), dtype=torch.bool) if self.read is None else self.read
        return columns.expand(outputs, -1).clone()

    def blocks(self) -> Blocks:
        """Return what :func:`conex_nn.plots.areas` draws.

        Example:
            >>> Areas({"v1": range(1, 2), "pfc": range(1)}, signs=torch.tensor([1, -1])).blocks()
            Blocks(matrix=tensor([[-1.,  1.],
                    [-1.,  1.]]), names=('v1', 'pfc'), edges=(0, 1, 2))
        """
        order = self.area_of().argsort(stable=True)
        signs = torch.ones(len(self)) if self.signs is None else self.signs.float()
        mask = torch.ones(len(self), len(self)) if self.recurrent is None else self.recurrent
        matrix = (mask * signs)[order][:, order]
        sizes = torch.tensor([0, *(len(index) for index in self._places.values())])
        return Blocks(matrix, self.names, tuple(sizes.cumsum(0).tolist()))

    def __repr__(self) -> str:
        places = ", ".join(f"{name}: {len(index)}" for name, index in self._places.items())
        return f"{type(self).__name__}({places})"


def _indices(name: str, index: Sequence[int] | Tensor) -> Tensor:
    """Return the neurons of an area as a tensor of its own."""
    given = torch.as_tensor(index.tolist() if isinstance(index, Tensor) else list(index))
    if given.numel() and (given.dtype == torch.bool or given.is_floating_point() or given.is_complex()):
        raise TypeError(
            f"Expected the neurons of {name!r} as whole numbers, got {given.dtype}. A mask becomes numbers by "
            "`mask.nonzero().flatten()`."
        )
    return given.long().flatten()


def _check(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    """Raise unless a mask or signs fit the neurons and mean something."""
    if not isinstance(value, Tensor):
        raise TypeError(f"Expected `{name}` to be a tensor, got {type(value).__name__}.")
    if tuple(value.shape) != shape:
        raise ValueError(
            f"Expected `{name}` of shape {shape} for areas of {shape[0]} neurons, got {tuple(value.shape)}."
        )
    if value.is_meta:
        return
    allowed = (1, -1) if name == "signs" else (0, 1)
    if (odd := value[(value != allowed[0]) & (value != allowed[1])]).numel():
        raise ValueError(
            f"Expected `{name}` with values {allowed[0]} and {allowed[1]} [1], got {odd[0].item():g} among them."
        )
