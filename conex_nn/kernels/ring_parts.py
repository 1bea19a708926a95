"""Populations, their compartments and their connections, as the kernel of ring buffers is told of them."""

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from conex_nn.kernels.learning import Learning

__all__ = ["Arrivals", "Channel", "Fired", "Probe", "Projection", "RingCells", "listed"]


class Fired(NamedTuple):
    """Spikes as a list, in the order of their steps."""

    step: Tensor
    """Step of each [1]."""
    sample: Tensor
    """Sample of each [1]."""
    neuron: Tensor
    """Neuron of each [1]."""
    value: Tensor | None = None
    """Size of each; None where all are 1 [1]."""


def listed(spikes: Tensor) -> Fired:
    """Return a sequence as a list of what is not 0.

    Args:
        spikes: ``(time, batch, neurons)`` [1].

    Example:
        >>> listed(torch.tensor([[[0.0, 1.0]], [[2.0, 0.0]]]))
        Fired(step=tensor([0, 1]), sample=tensor([0, 0]), neuron=tensor([1, 0]), value=tensor([1., 2.]))
    """
    step, sample, neuron = spikes.nonzero(as_tuple=True)
    value = spikes[step, sample, neuron]
    return Fired(step, sample, neuron, None if bool((value == 1).all()) else value)


@dataclass(frozen=True)
class RingCells:
    """A population, as the kernel sees it.

    Args:
        n: Number of its neurons [1].
        model: ``"lif"`` with constants of ``lif_rows``, ``"exponential"`` with those of ``adaptive_rows``,
            ``"izhikevich"`` with rows a, b, c, d and peak, or ``"given"``, whose spikes are known.
        rows: Constants, one column or one per neuron.
        v: Potential, ``(batch, neurons)``; moved in place [mV].
        refractory: Refractory time left, likewise [ms].
        w: Adaptation currents ``(currents, batch, neurons)`` [nA], or Izhikevich's recovery ``(batch, neurons)`` [mV];
            moved in place.
        soft_reset: Subtract instead of setting.
        injected: Constant current into the membrane, one or one per neuron [nA].
        membrane: What an open conductance does to the potential, one column or one per neuron: dt over the time
            constant and over the capacitance, the conductance of the leak, v_rest, and what a step without conductances
            leaves of a current; None where nothing opens one, or its current is held for a step.
        before: Who fired in the steps before the first, which count from 0 to ``before``; of a given population also
            in those of the run, which follow.

    Example:
        >>> RingCells(2, "given").model
        'given'
    """

    n: int
    model: str
    rows: Tensor | None = None
    v: Tensor | None = None
    refractory: Tensor | None = None
    w: Tensor | None = None
    soft_reset: bool = False
    injected: Tensor | None = None
    membrane: Tensor | None = None
    before: Fired | None = None


@dataclass(frozen=True)
class Arrivals:
    """Poisson arrivals, the same numbers as those of ``functional.poisson_counts`` of ``functional.random_bits``.

    Args:
        seed: Of the stream [1].
        step: Number of the first step [1].
        samples: Number of each sample, ``(batch,)`` [1].
        thresholds: From ``functional.poisson_thresholds``, ``(means, counts)`` [1].
        weight: Current of an arrival, one or one per neuron [nA].
        row: Mean of each neuron, where there are several [1].

    Example:
        >>> Arrivals(0, 0, torch.tensor([0]), torch.tensor([[2**31]]), torch.ones(1)).row is None
        True
    """

    seed: int
    step: int
    samples: Tensor
    thresholds: Tensor
    weight: Tensor
    row: Tensor | None = None


@dataclass(frozen=True)
class Channel:
    """A compartment of a population, at which currents arrive.

    Args:
        cells: Number of the population [1].
        current: Synaptic current, ``(batch, neurons)``, where it decays; moved in place [nA].
        keep: What a step leaves of it, one or one per neuron [1].
        factor: Current into the membrane per synaptic current, likewise [1].
        outside: What arrives from outside, ``(time, batch, neurons)`` [nA].
        draws: What arrives at random.
        reversal: Potential toward which current flows, one or one per neuron, where what arrives opens a conductance,
            which decays; None where it is a current [mV].

    Example:
        >>> Channel(0).current is None
        True
    """

    cells: int
    current: Tensor | None = None
    keep: Tensor | None = None
    factor: Tensor | None = None
    outside: Tensor | None = None
    draws: tuple[Arrivals, ...] = ()
    reversal: Tensor | None = None


@dataclass(frozen=True)
class Projection:
    """A connection from a population to a channel.

    Args:
        source: Number of the population that sends [1].
        channel: Number of the channel [1].
        weight: ``(sources, targets)``; one per edge, with ``begins`` and ``targets``; one per neuron. Of edges and of
            single neurons it may be one number for all [nA].
        delay: Steps after which all of its spikes arrive; at least 1, or 0 from a given population [1].
        late: Further steps of each source [1].
        begins: Number of the first edge of each source, and of all edges, ``(sources + 1,)`` [1].
        targets: Target of each edge, ascending for each source, as uint16 or int32 [1].
        delays: Further steps of each edge, as uint8 or int16 [1].
        factor: Of its current, negative for inhibition [1].
        reach: The most that ``late`` and ``delays`` add together; None for what they hold [1].
        learning: How its weight, of edges, which is then changed in place, learns at every step, from who fires as it
            fires; its traces are ``(1, neurons)``, its eligibility one per edge, and ``by_target`` holds int64, int32
            and, as ``targets`` are, uint16 or int32. None for not at all.

    Example:
        >>> Projection(0, 0, torch.ones(3, 3), 1).kind
        0
    """

    source: int
    channel: int
    weight: Tensor
    delay: int
    late: Tensor | None = None
    begins: Tensor | None = None
    targets: Tensor | None = None
    delays: Tensor | None = None
    factor: float = 1.0
    reach: int | None = None
    learning: Learning | None = None

    @property
    def kind(self) -> int:
        """0 for a matrix, 1 for edges, 2 for one weight per neuron."""
        return 1 if self.begins is not None else 2 if self.weight.dim() == 1 else 0

    @property
    def longest(self) -> int:
        """The longest delay of its spikes [1]."""
        if self.reach is not None:
            return self.delay + self.reach
        parts = (each for each in (self.late, self.delays) if each is not None and each.numel())
        return self.delay + sum(int(each.max()) for each in parts)


@dataclass(frozen=True)
class Probe:
    """Neurons whose potential is looked at.

    Args:
        cells: Number of their population [1].
        neurons: Which of them [1].
        first: After which step first, counted from 0 [1].
        every: Then after each so many steps [1].

    Example:
        >>> Probe(0, torch.tensor([0])).every
        1
    """

    cells: int
    neurons: Tensor
    first: int = 0
    every: int = 1
