"""Networks that keep themselves going, after Vogels and Abbott: CUBA with currents, COBA with conductances."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

import conex_nn as cx

__all__ = ["BENCHMARKS", "Coba", "Cuba", "coba", "cuba"]


@dataclass(frozen=True, kw_only=True)
class Cuba:
    """The CUBA benchmark: cells with currents as synapses that decay, and a rest above the threshold.

    References:
        Brette et al., J Comput Neurosci 23 (2007), benchmark 2, as Brian2's documentation has it.
    """

    excitatory: int = 3200
    """Excitatory cells [1]."""
    inhibitory: int = 800
    """Inhibitory cells [1]."""
    connected: float = 0.02
    """Probability that a pair is connected [1]."""
    weights: tuple[float, float] = (1.62, 9.0)
    """Of excitatory and of inhibitory synapses, as what they add to the potential that is aimed at [mV]."""
    tau_syn: tuple[float, float] = (5.0, 10.0)
    """Time constants of their currents [ms]."""
    tau_mem: float = 20.0
    """Time constant of the membrane [ms]."""
    v_rest: float = -49.0
    """Potential at rest [mV]."""
    v_threshold: float = -50.0
    """Potential at which a cell fires [mV]."""
    v_reset: float = -60.0
    """Potential after a spike [mV]."""
    refractory: float = 5.0
    """For how long a cell stays there [ms]."""


@dataclass(frozen=True, kw_only=True)
class Coba:
    """The COBA benchmark: cells with synapses that open conductances, which keep each other firing.

    Of this size it goes on for seconds with most seeds; with some it falls silent before the first 100 ms are over.

    References:
        Vogels and Abbott, J Neurosci 25 (2005); Brette et al., J Comput Neurosci 23 (2007), benchmark 1, and where it
        begins as in the program for Brian that comes with it.
    """

    excitatory: int = 3200
    """Excitatory cells [1]."""
    inhibitory: int = 800
    """Inhibitory cells [1]."""
    connected: float = 0.02
    """Probability that a pair is connected [1]."""
    weights: tuple[float, float] = (0.006, 0.067)
    """Of excitatory and of inhibitory synapses [uS]."""
    reversals: tuple[float, float] = (0.0, -80.0)
    """Their reversal potentials [mV]."""
    tau_syn: tuple[float, float] = (5.0, 10.0)
    """Time constants of their conductances [ms]."""
    tau_mem: float = 20.0
    """Time constant of the membrane [ms]."""
    resistance: float = 100.0
    """Of the membrane [MOhm]."""
    v_rest: float = -60.0
    """Potential at rest, and after a spike [mV]."""
    v_threshold: float = -50.0
    """Potential at which a cell fires [mV]."""
    refractory: float = 5.0
    """For how long a cell stays there [ms]."""
    first_potential: tuple[float, float] = (-65.0, 5.0)
    """Mean and standard deviation of the potentials at the beginning [mV]."""
    first_conductances: tuple[tuple[float, float], tuple[float, float]] = ((0.04, 0.015), (0.2, 0.12))
    """Of the conductances, excitatory and inhibitory; what is drawn below 0 is 0 [uS]."""


BENCHMARKS = ("CUBA", "COBA")
"""Networks of one size."""


def cuba(numbers: Cuba, *, dt: float = 0.1) -> tuple[cx.Neocortex, cx.structure.NetworkState]:
    """Build the CUBA benchmark; what is drawn is drawn from torch's generator.

    Args:
        numbers: Its numbers.
        dt: Length of a step [ms].

    Returns:
        The network, and a state to begin with: potentials between reset and threshold.
    """
    membrane = cx.LIF(
        tau_mem=numbers.tau_mem,
        v_rest=numbers.v_rest,
        v_threshold=numbers.v_threshold,
        v_reset=numbers.v_reset,
        refractory_time=numbers.refractory,
    )
    net = _decaying(numbers, membrane, [cx.Drive(tau_syn=tau) for tau in numbers.tau_syn], dt=dt)

    def first(cells: Any) -> Any:
        v = cells.neuron.v
        spread = torch.rand(v.shape) * (numbers.v_threshold - numbers.v_reset)
        return cells._replace(neuron=cells.neuron._replace(v=(numbers.v_reset + spread).to(v)))

    return net, _beginning(net, first)


def coba(numbers: Coba, *, dt: float = 0.1) -> tuple[cx.Neocortex, cx.structure.NetworkState]:
    """Build the COBA benchmark; what is drawn is drawn from torch's generator.

    Args:
        numbers: Its numbers.
        dt: Length of a step [ms].

    Returns:
        The network, and a state to begin with: conductances that let it go on by itself.
    """
    membrane = cx.LIF(
        tau_mem=numbers.tau_mem,
        resistance=numbers.resistance,
        v_rest=numbers.v_rest,
        v_threshold=numbers.v_threshold,
        v_reset=numbers.v_rest,
        refractory_time=numbers.refractory,
    )
    kinds = zip(numbers.reversals, numbers.tau_syn, strict=True)
    net = _decaying(numbers, membrane, [cx.Conductance(reversal, tau_syn=tau) for reversal, tau in kinds], dt=dt)

    def first(cells: Any) -> Any:
        def drawn(mean: float, spread: float) -> torch.Tensor:
            return (mean + spread * torch.randn(cells.neuron.v.shape)).to(cells.neuron.v)

        open_at_first = (drawn(*each).clamp(min=0) for each in numbers.first_conductances)
        return cells._replace(
            neuron=cells.neuron._replace(v=drawn(*numbers.first_potential)),
            dendrite=dict(zip(("exc", "inh"), open_at_first, strict=True)),
        )

    return net, _beginning(net, first)


def _decaying(
    numbers: Cuba | Coba, membrane: cx.LIF, compartments: Sequence[cx.Compartment], *, dt: float
) -> cx.Neocortex:
    """Build a network in which both kinds of cells have a compartment for each."""

    def cells(number: int, *, inhibitory: bool) -> cx.Population:
        exc, inh = copy.deepcopy(compartments)
        dendrite = cx.Dendrite({"exc": exc, "inh": inh})
        return cx.Population(number, copy.deepcopy(membrane), dendrite=dendrite, inhibitory=inhibitory)

    layer = cx.CorticalLayer(
        exc=cells(numbers.excitatory, inhibitory=False), inh=cells(numbers.inhibitory, inhibitory=True)
    )
    for source, weight in zip(("exc", "inh"), numbers.weights, strict=True):
        for target in ("exc", "inh"):
            options: dict[str, Any] = {"probability": numbers.connected, "weight": weight, "compartment": source}
            layer.connect(source, target, cx.Sparse, **options)
    return cx.Neocortex(layer=layer, dt=dt)


def _beginning(net: cx.Neocortex, first: Callable[[Any], Any]) -> cx.structure.NetworkState:
    """Return a state of a network in which its cells are as they are to begin with."""
    state = net.initial_state()
    return state._replace(populations={path: first(cells) for path, cells in state.populations.items()})
