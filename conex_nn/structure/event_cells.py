"""Which populations the kernel of events knows, and their translation for it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from conex_nn.dendrites import Drive
from conex_nn.functional.leak import rise_factor
from conex_nn.kernels import Cells
from conex_nn.neurons import IF, LIF, AdaptiveThreshold, KWinners
from conex_nn.structure.population import PopulationState
from conex_nn.surrogate import Surrogate

__all__ = ["adapt", "cells_of", "competes", "drives", "plain"]


def cells_of(population: Any, arrivals: Mapping[str, Tensor], state: PopulationState, dt: float) -> Cells:
    """Translate a population for the kernel.

    Args:
        population: The population.
        arrivals: Currents from outside, by compartment [nA].
        state: Its state.
        dt: Length of a step [ms].

    Example:
        >>> from conex_nn.structure.population import Population
        >>> population = Population(3, LIF(), winners=KWinners(2))
        >>> cells_of(population, {}, population.initial_state(torch.zeros(1, 3)), 1.0).winners
        2
    """
    n, neuron = population.shape.numel(), population.neuron
    current = None
    for xs in arrivals.values():
        current = xs if current is None else current + xs
    if current is not None and not (current.stride(0) == 0 and current.numel() == 0):
        current = current.flatten(1).reshape(len(current), -1, n) if current.stride(0) else _constant(current, n)
    rows = neuron._lif_rows(state.neuron.v.shape, dt)
    if 1 < rows.shape[1] < n:  # constants of the last axes alone
        rows = rows.repeat(1, n // rows.shape[1])
    elif rows.shape[1] > n:  # they were asked for with a batch
        rows = rows[:, :n]
    winners, threshold = _competition(population)
    moving: dict[str, Tensor] = {}
    if threshold is not None and threshold.training:
        theta = threshold.theta.reshape(-1)
        rows = rows.expand(-1, n).clone()
        rows[3] -= theta
        fall = rise_factor(threshold.tau, dt=dt).to(theta.dtype).expand(population.shape).reshape(-1)
        rise = threshold.increment.to(theta.dtype).expand(population.shape).reshape(-1)
        moving = {"theta": theta.clone(), "increment": rise.contiguous(), "fall": fall.contiguous()}
    return Cells(
        rows,
        state.neuron.v.reshape(-1, n),
        state.neuron.refractory.reshape(-1, n),
        current,
        neuron._pauses,
        neuron.soft_reset,
        winners=0 if winners is None else winners.k,
        **moving,
    )


def _constant(current: Tensor, n: int) -> Tensor:
    """Flatten currents that are the same at each step, so that they stay so."""
    return current[0].reshape(-1, n).expand(len(current), -1, -1)


def adapt(population: Any, cells: Cells) -> None:
    """Move the threshold of a population to where the kernel has moved it.

    Args:
        population: The population.
        cells: What the kernel was told of it.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> population = Population(3, LIF())
        >>> adapt(population, cells_of(population, {}, population.initial_state(torch.zeros(1, 3)), 1.0))
    """
    _, threshold = _competition(population)
    if cells.theta is None or threshold is None:
        return
    with torch.inference_mode(False):
        theta = cells.theta.reshape(threshold.theta.shape)
        change = (threshold.start + theta) - (threshold.start + threshold.theta)
        population.neuron.v_threshold = population.neuron.v_threshold + change
        threshold.theta = theta


def drives(population: Any) -> list[str]:
    """Return the compartments whose current goes straight into the membrane.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> drives(Population(3, LIF()))
        ['proximal']
    """
    return [
        name
        for name, compartment in population.dendrite.compartments.items()
        if type(compartment) is Drive and compartment.tau_syn is None
    ]


def _competition(population: Any) -> tuple[KWinners | None, AdaptiveThreshold | None]:
    """Return who lets few win and what moves the threshold, where they are switched on."""
    found = [b for _, b in population._named_behaviors() if b.enabled]
    winners = next((b for b in found if type(b) is KWinners), None)
    return winners, next((b for b in found if type(b) is AdaptiveThreshold), None)


def _active(population: Any) -> list[Any]:
    """Return the behaviors that are switched on and do something."""
    return [behavior for each in population._active().values() for _, behavior in each]


def competes(population: Any) -> bool:
    """Whether a population has behaviors, all of which the event kernel knows.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> competes(Population(3, LIF(), winners=KWinners(1))), competes(Population(3, LIF()))
        (True, False)
    """
    behaviors = _active(population)
    kinds = [type(behavior) for behavior in behaviors]
    alone = all(b.axis is None or len(population.shape) == 1 for b in behaviors if type(b) is KWinners)
    return bool(kinds) and alone and sorted(kinds, key=id) == sorted(set(kinds) & {KWinners, AdaptiveThreshold}, key=id)


def plain(population: Any) -> bool:
    """Whether a population is of neurons that the kernel knows, to which nothing that it does not know happens.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> plain(Population(3, LIF())), plain(Population(3, LIF(noise=1.0)))
        (True, False)
    """
    if population.background:
        return False
    neuron = population.neuron
    known = type(neuron) in (LIF, IF) and isinstance(neuron.spike_fn, Surrogate) and not neuron._noisy
    return known and (not population._active() or competes(population)) and bool(drives(population))
