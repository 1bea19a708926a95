"""What has been recorded, and how it is read: as tensors, as events, as arrays and tables of other libraries."""

import difflib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.structure.events import Events

__all__ = ["Recording", "nearest"]


@dataclass
class _Track:
    """What is kept of one variable."""

    pieces: list[Tensor] = field(default_factory=list)
    steps: int = 0
    """Steps that have passed."""
    entries: int = 0
    """How many of them were kept, those dropped since included."""
    axes: int | None = None
    """How many of the last axes count neurons; None where nobody said: all but time and one of samples."""
    neurons: Tensor | None = None
    """Which neurons were chosen, where not all."""
    shape: torch.Size | None = None
    """Shape of the population; None where nobody said."""
    events: list[Events] = field(default_factory=list)
    """What was kept as events, in place of the pieces."""


class Recording(Mapping[str, Tensor]):
    """What was recorded: ``recording["address.variable"]`` is ``(time, batch, *neurons)``.

    ``recording["variable"]`` will do where only one address has it. Calls of the same module are joined along time. A
    module that ran over time and batch together, as a Linear in a ``Sequential`` does, gives
    ``(time * batch, *features)``.

    Args:
        names: Every ``address.variable`` that is to be recorded; as a mapping, with the variable of each, which may
            have dots of its own.
        every: Keep the first of so many steps [1].
        last: Keep no more than the last so many of these; None for all [1].

    Raises:
        ValueError: ``every`` or ``last`` below 1.
        KeyError: At reading: a name that was not asked for, or one that several addresses have.
        RuntimeError: At reading: a module that has not run, or that ran with batches of unequal size.

    Example:
        >>> recording = Recording(["1.v"])
        >>> recording.append("1.v", torch.zeros(2, 1, 3))
        >>> recording.append("1.v", torch.ones(3, 1, 3))
        >>> recording["1.v"].shape, recording["v"].shape
        (torch.Size([5, 1, 3]), torch.Size([5, 1, 3]))
    """

    def __init__(self, names: Iterable[str] | Mapping[str, str], *, every: int = 1, last: int | None = None) -> None:
        for option, value in (("every", every), ("last", 1 if last is None else last)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Expected `{option}` to be a whole number of steps of at least 1 [1], got {value!r}.")
        self.every, self.last = every, last
        self._tracks: dict[str, _Track] = {name: _Track() for name in names}
        self._variables = names if isinstance(names, Mapping) else {n: n.rpartition(".")[2] for n in self._tracks}

    def append(
        self,
        name: str,
        piece: Tensor,
        *,
        axes: int | None = None,
        neurons: Tensor | None = None,
        shape: torch.Size | None = None,
    ) -> None:
        """Add what one call of a module gave.

        Args:
            name: ``address.variable``.
            piece: Its values at every step, time first.
            axes: How many of its last axes count neurons [1].
            neurons: Which neurons they are, where not all.
            shape: Shape of their population.
        """
        kept = piece[-self._tracks[name].steps % self.every :: self.every]
        if self.last is not None:
            kept = kept[-self.last :]
        kept = kept if len(kept) == len(piece) else kept.clone()  # a view would keep all of it in memory
        self.put(name, kept, steps=len(piece), axes=axes, neurons=neurons, shape=shape)

    def put(
        self,
        name: str,
        entries: Tensor | None,
        *,
        steps: int,
        axes: int | None = None,
        neurons: Tensor | None = None,
        shape: torch.Size | None = None,
    ) -> None:
        """Add what was kept of a stretch of time already: see :meth:`kept`.

        Args:
            name: ``address.variable``.
            entries: Values at the steps to be kept, or the last of them, time first; None for none.
            steps: Steps that have passed [1].
            axes: How many of the last axes count neurons [1].
            neurons: Which neurons they are, where not all.
            shape: Shape of their population.
        """
        track = self._tracks[name]
        track.entries += len(self.kept(name, steps))
        track.steps += steps
        track.axes, track.neurons, track.shape = axes, neurons, shape
        if entries is not None and len(entries):
            track.pieces.append(entries)
        if self.last is not None:
            held = sum(map(len, track.pieces))
            while track.pieces and held - len(track.pieces[0]) >= self.last:
                held -= len(track.pieces.pop(0))

    def put_events(self, name: str, events: Events) -> None:
        """Add the spikes of a stretch of time as events, all of them: ``every`` and ``last`` are not for these.

        Args:
            name: ``address.variable``.
            events: The spikes.
        """
        track = self._tracks[name]
        track.steps += events.steps
        track.axes, track.neurons = (len(events.shape) if events.neurons is None else 1), events.neurons
        track.events.append(events)

    def kept(self, name: str, steps: int) -> range:
        """Return which of the coming steps are to be kept, from 0 at the next one.

        Args:
            name: ``address.variable``.
            steps: How many come [1].
        """
        return range(-self._tracks[name].steps % self.every, steps, self.every)

    def _full(self, name: str) -> str:
        """Return the name with its address."""
        if name in self._tracks:
            return name
        found = [full for full, variable in self._variables.items() if variable == name]
        found = found or [full for full in self._tracks if full.endswith(f".{name}")]
        if len(found) > 1:
            raise KeyError(f"Expected a name with its address, got {name!r}, which is {', '.join(map(repr, found))}.")
        if not found:
            raise KeyError(f"Expected a name that was recorded, got {name!r}.{nearest(name, self._tracks)}")
        return found[0]

    @override
    def __getitem__(self, name: str) -> Tensor:
        name = self._full(name)
        track = self._tracks[name]
        if track.events:
            return self._joined(track).dense()
        if not track.pieces:
            raise RuntimeError(
                f"Expected {name!r} to have been recorded, got nothing: its module was not called inside the `with` "
                "block. Call the network there."
            )
        if any(piece.shape[1:] != track.pieces[0].shape[1:] for piece in track.pieces):
            shapes = ", ".join(str(tuple(piece.shape)) for piece in track.pieces)
            raise RuntimeError(
                f"Expected the calls of {name!r} to differ in time only, got {shapes}. Record one batch at a time."
            )
        if len(track.pieces) > 1:
            track.pieces = [torch.cat(track.pieces)]
        whole = track.pieces[0]
        return whole if self.last is None or len(whole) <= self.last else whole[-self.last :]

    def steps(self, name: str) -> Tensor:
        """Return at which steps the values of a variable were kept, from 0 at the first one recorded.

        Args:
            name: ``address.variable``.
        """
        name = self._full(name)
        track = self._tracks[name]
        if track.events:
            return torch.arange(track.steps)
        number, entries = len(self[name]), track.entries
        return torch.arange(entries - number, entries) * self.every

    def spacing(self, name: str) -> int:
        """Return how many steps it is from one that was kept to the next: 1 for events, of which all are kept.

        Args:
            name: ``address.variable``.
        """
        return 1 if self._tracks[self._full(name)].events else self.every

    def laid_out(self, name: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return the values as ``(time, sample, neuron)``, the steps that they are of, and the neurons' numbers.

        What belongs to no sample, such as a weight, is a single one.

        Args:
            name: ``address.variable``.

        Example:
            >>> recording = Recording(["1.v"])
            >>> recording.append("1.v", torch.zeros(2, 1, 3, 4))
            >>> [tuple(part.shape) for part in recording.laid_out("1.v")]
            [(2, 1, 12), (2,), (12,)]
        """
        name = self._full(name)
        values, track = self[name].detach(), self._tracks[name]
        axes = max(values.dim() - 2, 1) if track.axes is None else track.axes
        lead, shape = values.shape[1 : values.dim() - axes], values.shape[values.dim() - axes :]
        values = values.reshape(len(values), lead.numel(), shape.numel())
        chosen = track.neurons
        if chosen is None or len(chosen) != values.shape[2]:
            chosen = torch.arange(values.shape[2])
        return values, self.steps(name), chosen

    def events(self, address: str = "") -> Events:
        """Return the spikes of a population as triplets.

        Args:
            address: Of a population whose spikes were recorded; or the full name of anything that is 0 mostly.

        Raises:
            KeyError: It was not recorded.

        Example:
            >>> recording = Recording(["a.spikes"])
            >>> recording.append("a.spikes", torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]))
            >>> recording.events("a")
            Events(3 in 2 steps, shape=(2,), batch=(1,))
        """
        spikes = f"{address}.spikes".strip(".")
        name = self._full(address if address in self._tracks and spikes not in self._tracks else spikes)
        track = self._tracks[name]
        if track.events:
            return self._joined(track)
        values, steps = self[name], self.steps(name)
        axes = max(values.dim() - 2, 1) if track.axes is None else track.axes
        found = Events.of(values, axes=axes, shape=track.shape, neurons=track.neurons)
        begin, time = int(steps[0]), steps.to(torch.int32)[found.time]
        return replace(found, time=time, begin=begin, steps=int(steps[-1]) - begin + self.every)

    def _joined(self, track: _Track) -> Events:
        """Return all events of a variable, which are one piece from then on."""
        if len(track.events) > 1:
            track.events = [Events.joined(track.events)]
        return track.events[0]

    def to_numpy(self) -> dict[str, Any]:
        """Return every variable as an array, by its name.

        Example:
            >>> recording = Recording(["1.v"])
            >>> recording.append("1.v", torch.zeros(2, 1, 3))
            >>> recording.to_numpy()["1.v"].shape
            (2, 1, 3)
        """
        return {name: _array(values.detach()) for name, values in self.items()}

    def to_pandas(self, *, events: bool = False) -> Any:
        """Return one long table of all variables: ``name``, ``time`` [steps], ``sample``, ``neuron``, ``value``.

        Args:
            events: Leave out what is 0: of spikes, what is left are the events.

        Raises:
            ImportError: There is no pandas.
        """
        pandas, tables = _library("pandas"), []
        for name in self:
            if events and self._tracks[name].events:
                found = self._joined(self._tracks[name])
                columns = {key: _array(getattr(found, key).long()) for key in ("time", "sample", "neuron")}
                tables.append(pandas.DataFrame({"name": name, **columns, "value": 1.0}))
                continue
            values, steps, neurons = self.laid_out(name)
            chosen = (values != 0 if events else torch.ones_like(values, dtype=torch.bool)).nonzero().unbind(1)
            time, sample, neuron = (index.cpu() for index in chosen)
            columns = {"time": steps[time], "sample": sample, "neuron": neurons.cpu()[neuron], "value": values[chosen]}
            tables.append(pandas.DataFrame({"name": name, **{key: _array(column) for key, column in columns.items()}}))
        return pandas.concat(tables, ignore_index=True)

    def to_xarray(self) -> Any:
        """Return a ``Dataset``: each variable over ``time`` [steps], ``sample`` and the neurons of its address.

        Neurons are counted in the order of ``flatten``; what belongs to no sample, such as weights, has no such axis.

        Raises:
            ImportError: There is no xarray.
        """
        xarray, arrays = _library("xarray"), {}
        for name in self:
            values, steps, neurons = self.laid_out(name)
            track, address = self._tracks[name], name.removesuffix(self._variables[name])
            alone = track.axes is not None and track.axes == self[name].dim() - 1  # it belongs to no sample
            axis = f"{name}.index" if alone else f"{address}neuron"
            dims = ["time", axis] if alone else ["time", "sample", axis]
            arrays[name] = xarray.DataArray(
                _array(values.squeeze(1) if alone else values),
                dims=dims,
                coords={"time": _array(steps), axis: _array(neurons)},
            )
        return xarray.Dataset(arrays)

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._tracks

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._tracks)

    @override
    def __len__(self) -> int:
        return len(self._tracks)

    @override
    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"


def _array(tensor: Tensor) -> Any:
    """Return a tensor as an array of NumPy, which has no bfloat16."""
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).cpu().numpy()


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"Expected {name} to be installed, which conex_nn does without otherwise: `uv pip install {name}`. "
            "`to_numpy()` needs nothing."
        ) from error


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
