"""Spikes as a list of events: what is kept of runs too long or too large for a number for each step and neuron."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from conex_nn.durations import in_steps

__all__ = ["Events"]


@dataclass(frozen=True, eq=False)
class Events:
    """Spikes of a population in a stretch of time: when which neuron of which sample fired, in the order of time.

    Args:
        time: Step of each event [1].
        sample: Its place in the batch, counted in the order of ``flatten``; 0 where there is none [1].
        neuron: Which neuron of the population, counted in the order of ``flatten`` [1].
        steps: How many steps the stretch has [1].
        shape: Shape of the population.
        batch: Shape of the batch.
        begin: First step of the stretch [1].
        dt: Length of a step [ms]; None where nobody said.
        neurons: Which neurons were looked at, where not all [1].

    Raises:
        TypeError: ``time``, ``sample`` or ``neuron`` that are no integers.
        ValueError: They are of unequal length, not in the order of time, or beyond the stretch, batch or population.

    Example:
        >>> events = Events.of(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), dt=0.1)
        >>> events.time.tolist(), events.neuron.tolist(), len(events)
        ([0, 1, 1], [1, 0, 1], 3)
        >>> events.dense()
        tensor([[0., 1.],
                [1., 1.]])
    """

    time: Tensor
    sample: Tensor
    neuron: Tensor
    steps: int
    shape: torch.Size
    batch: torch.Size = torch.Size()  # noqa: RUF009 - it cannot be changed
    begin: int = 0
    dt: float | None = None
    neurons: Tensor | None = None

    def __post_init__(self) -> None:
        shape, batch = torch.Size(self.shape), torch.Size(self.batch)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "batch", batch)
        bounds = {
            "time": (self.begin, self.begin + self.steps),
            "sample": (0, batch.numel()),
            "neuron": (0, shape.numel()),
        }
        for name, (low, high) in bounds.items():
            values: Tensor = getattr(self, name)
            if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
                raise TypeError(f"Expected `{name}` of events to be integers, got {values.dtype}.")
            if values.shape != (len(self.time),):
                raise ValueError(
                    f"Expected `{name}` of shape ({len(self.time)},), one of each event, got {tuple(values.shape)}."
                )
            if len(values) and not (low <= int(values.min()) and int(values.max()) < high):
                raise ValueError(
                    f"Expected `{name}` of events from {low} to {high - 1} [1], got {int(values.min())} to "
                    f"{int(values.max())}."
                )
        if bool((self.time[1:] < self.time[:-1]).any()):
            raise ValueError("Expected events in the order of `time` [1], got one before another of an earlier step.")

    @classmethod
    def of(
        cls,
        spikes: Tensor,
        *,
        axes: int = 1,
        dt: float | None = None,
        shape: Sequence[int] | None = None,
        neurons: Tensor | None = None,
    ) -> "Events":
        """Return spikes as events.

        Args:
            spikes: ``(time, *batch, *neurons)``; whatever is not 0 is an event.
            axes: How many of the last axes count neurons [1].
            dt: Length of a step [ms].
            shape: Shape of the population, where not all of its neurons are there.
            neurons: Which are there, in the order of the last axis; None for all [1].
        """
        lead = spikes.shape[1 : spikes.dim() - axes]
        own = spikes.shape[spikes.dim() - axes :]
        flat = spikes.detach().reshape(len(spikes), lead.numel(), own.numel())
        time, sample, neuron = flat.nonzero().to("cpu", torch.int32).unbind(1)
        if neurons is not None:
            neuron = neurons.to("cpu", torch.int32)[neuron]
        return cls(
            time, sample, neuron, len(spikes), torch.Size(own if shape is None else shape), lead, dt=dt, neurons=neurons
        )

    @classmethod
    def joined(cls, pieces: "Sequence[Events]") -> "Events":
        """Return the events of stretches that follow each other as those of one.

        Args:
            pieces: At least one, of the same neurons and samples.

        Raises:
            ValueError: They are of others.
        """
        first = pieces[0]
        starts = [first.begin]
        for piece in pieces:
            like, got = ((tuple(each.shape), tuple(each.batch), each.dt) for each in (first, piece))
            if like != got:
                raise ValueError(f"Expected events of one shape, batch and `dt`, {like}, got {got}.")
            starts.append(starts[-1] + piece.steps)
        time = torch.cat([piece.time + (start - piece.begin) for piece, start in zip(pieces, starts, strict=False)])
        sample, neuron = (torch.cat([getattr(piece, name) for piece in pieces]) for name in ("sample", "neuron"))
        return replace(first, time=time, sample=sample, neuron=neuron, steps=starts[-1] - first.begin)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def train_shape(self) -> torch.Size:
        """Shape of all spike trains: ``(*batch, *shape)``, or ``(*batch, neurons)`` where not all were looked at."""
        own = self.shape if self.neurons is None else torch.Size((len(self.neurons),))
        return torch.Size((*self.batch, *own))

    @property
    def train(self) -> Tensor:
        """Which spike train each event is of: its place in :attr:`train_shape`, in the order of ``flatten`` [1]."""
        place = self.neuron.long()
        if self.neurons is not None:
            places = torch.full((self.shape.numel(),), -1, dtype=torch.long)
            places[self.neurons.cpu()] = torch.arange(len(self.neurons))
            place = places.to(place.device)[place]
        return self.sample.long() * (self.train_shape.numel() // max(1, self.batch.numel())) + place

    def between(self, begin: int | str = 0, end: int | str | None = None) -> "Events":
        """Return the events of a part of the stretch; their times stay what they are.

        Args:
            begin: Its first step [1], or such a time as ``"100 ms"``.
            end: The step after its last [1], or such a time; None for the end.

        Raises:
            ValueError: A part that is empty or not inside the stretch, or a time where ``dt`` is not known.

        Example:
            >>> events = Events.of(torch.ones(10, 2), dt=0.5)
            >>> len(events.between("1 ms", "2.5 ms")), len(events.between(8))
            (6, 4)
        """
        last = self.begin + self.steps
        first, stop = self._step(begin, "begin"), last if end is None else self._step(end, "end")
        if not self.begin <= first < stop <= last:
            raise ValueError(
                f"Expected `begin` below `end`, both from {self.begin} to {last} steps [1], got {first} and {stop}."
            )
        low, high = torch.searchsorted(self.time, self.time.new_tensor([first, stop])).tolist()
        time, sample, neuron = (each[low:high] for each in (self.time, self.sample, self.neuron))
        return replace(self, time=time, sample=sample, neuron=neuron, steps=stop - first, begin=first)

    def only(self, neurons: Tensor) -> "Events":
        """Return the events of some neurons.

        Args:
            neurons: Which, counted in the order of ``flatten`` [1].

        Example:
            >>> Events.of(torch.ones(10, 3)).only(torch.tensor([2, 0])).train_shape
            torch.Size([2])
        """
        wanted = torch.zeros(self.shape.numel(), dtype=torch.bool)
        wanted[neurons.cpu()] = True
        return replace(self._where(wanted.to(self.neuron.device)[self.neuron.long()]), neurons=neurons)

    def in_sample(self, sample: int) -> "Events":
        """Return the events of one sample, without a batch.

        Args:
            sample: Its place in the batch, counted in the order of ``flatten`` [1].

        Raises:
            ValueError: There is no such sample.

        Example:
            >>> Events.of(torch.ones(10, 4, 3)).in_sample(1)
            Events(30 in 10 steps, shape=(3,), batch=())
        """
        samples = self.batch.numel()
        if not -samples <= sample < samples:
            raise ValueError(f"Expected `sample` to be one of {samples}, from 0 to {samples - 1} [1], got {sample}.")
        found = self._where(self.sample == sample % samples)
        return replace(found, sample=torch.zeros_like(found.sample), batch=torch.Size(()))

    def _where(self, kept: Tensor) -> "Events":
        time, sample, neuron = (each[kept] for each in (self.time, self.sample, self.neuron))
        return replace(self, time=time, sample=sample, neuron=neuron)

    def _step(self, when: int | str, name: str) -> int:
        if isinstance(when, str) and self.dt is None:
            raise ValueError(f"Expected `{name}` in steps [1], since nobody said how long one is, got {when!r}.")
        return in_steps(when, dt=self.dt or 1.0, name=name)

    def counts(self, width: int = 1) -> Tensor:
        """Return how many neurons of each sample fired in bins of time; a last bin that is not whole is left out.

        Args:
            width: Steps of a bin [1].

        Returns:
            Counts ``(bins, *batch)`` [1].

        Example:
            >>> Events.of(torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]])).counts(2)
            tensor([3])
        """
        bins, samples = self.steps // width, self.batch.numel()
        place = (self.time.long() - self.begin) // width * samples + self.sample
        found = torch.bincount(place, minlength=-(-self.steps // width) * samples)
        return found[: bins * samples].reshape(bins, *self.batch)

    def dense(self, dtype: torch.dtype = torch.float32, device: torch.device | None = None) -> Tensor:
        """Return the spikes as a tensor, 0 or 1: one number for each step and train, which can be a great many.

        Args:
            dtype: Of the numbers.
            device: Where to make it; None for where the events are.

        Returns:
            ``(time, *train_shape)``.
        """
        trains = self.train_shape.numel()
        found = torch.zeros(self.steps * trains, dtype=dtype, device=self.time.device if device is None else device)
        found[((self.time.long() - self.begin) * trains + self.train).to(found.device)] = 1
        return found.reshape(self.steps, *self.train_shape)

    def __repr__(self) -> str:
        where = f" of {len(self.neurons)} neurons" if self.neurons is not None else ""
        return f"Events({len(self)} in {self.steps} steps{where}, shape={tuple(self.shape)}, batch={tuple(self.batch)})"
