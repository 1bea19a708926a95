"""A network as it is run: its populations, its connections, and who listens to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from torch import Tensor

from conex_nn.structure.by_ring import RingLoop
from conex_nn.structure.connection import Connection, ConnectionState
from conex_nn.structure.events import Events
from conex_nn.structure.graph import Part
from conex_nn.structure.listeners import Listeners
from conex_nn.structure.population import Population, PopulationState, Source, StepObserver
from conex_nn.structure.sampler import Sampler

__all__ = ["FEW", "Network", "NetworkState"]

FEW = 8
"""Samples up to which events always pay."""


class NetworkState(NamedTuple):
    """Fast state of a network."""

    populations: dict[str, PopulationState]
    """Of each population, by address."""
    connections: dict[str, ConnectionState]
    """What is under way in each connection, by address."""


@dataclass
class Network:
    """A network as it is run: flat, with addresses.

    Args:
        populations: By address.
        connections: By address.
        parts: What advances together, in order.
        observers: Who wants to see the steps of a population, by its address.
        listeners: Who wants to see the currents of a connection, by its address.
        spike_listeners: Who wants the spikes of a population, dense or as events, with the length of a step [ms], by
            its address.
        samplers: Who wants potentials of a population now and then, by its address.
        block: Most steps of a block, to force a smaller one than the loops allow [1].
        by_events: Whether loops run by events where they can; None for where it pays.

    Example:
        >>> Network({}, {}, []).parts
        []
    """

    populations: Mapping[str, Population | Source]
    connections: Mapping[str, Connection]
    parts: list[Part]
    observers: Mapping[str, StepObserver] = field(default_factory=dict)
    listeners: Mapping[str, Listeners] = field(default_factory=dict)
    spike_listeners: Mapping[str, Callable[[Tensor | Events, float], None]] = field(default_factory=dict)
    samplers: Mapping[str, Sequence[Sampler]] = field(default_factory=dict)
    block: int | None = None
    by_events: bool | None = None

    def keeps_events(self, like: Tensor) -> bool:
        """Whether a run without gradients makes lists of spikes rather than a number for each step and neuron.

        Args:
            like: Of the dtype and on the device of a run.
        """
        if self.by_events is False or self.block is not None or self.observers or self.listeners:
            return False
        if like[0].numel() > FEW and not self.by_events:
            return False
        parts = [part for part in self.parts if not isinstance(self.populations[part.populations[0]], Source)]
        return all(
            part.block is not None and RingLoop.of(part, self.populations, self.connections, like=like) is not None
            for part in parts
        )
