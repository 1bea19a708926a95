"""Whether populations in a loop can be advanced by events, and their translation for the kernel that does it.

It is for runs without gradients on the CPU, of integrate-and-fire populations that only drive each other. The step loop
of the engine is the specification, and runs everything else.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from conex_nn.dendrites import Drive
from conex_nn.kernels import Cells, Link, lif_loop
from conex_nn.neurons import IF, LIF, ThresholdState
from conex_nn.structure.connection import Connection, ConnectionState
from conex_nn.structure.graph import Part
from conex_nn.structure.population import PopulationState
from conex_nn.surrogate import Surrogate
from conex_nn.synapses import Dense, OneToOne, Sparse

__all__ = ["EventLoop"]


class EventLoop:
    """A part of a network as the event kernel runs it.

    Args:
        part: What advances together.
        populations: Of the network, by address.
        connections: Of the network, by address.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> from conex_nn.structure.graph import Edge
        >>> from conex_nn.structure.population import Population
        >>> ring = Connection(OneToOne(2, 2), "a", "a")
        >>> part = Part(("a",), (Edge("ring", "a", "a", 1),), (), 1)
        >>> with torch.no_grad():
        ...     EventLoop.of(part, {"a": Population(2, LIF())}, {"ring": ring}, like=torch.zeros(1)) is not None
        True
    """

    def __init__(self, part: Part, populations: Mapping[str, Any], connections: Mapping[str, Connection]) -> None:
        self.part = part
        self.populations = [populations[path] for path in part.populations]
        self.links = [(edge, connections[edge.name]) for edge in part.inner]

    @classmethod
    def of(
        cls, part: Part, populations: Mapping[str, Any], connections: Mapping[str, Connection], *, like: Tensor
    ) -> "EventLoop | None":
        """Return the loop of a part that can be run by events, else None.

        Args:
            part: What advances together.
            populations: Of the network, by address.
            connections: Of the network, by address.
            like: Something of the input's dtype and device.
        """
        loop = cls(part, populations, connections)
        able = (
            not torch.is_grad_enabled() and like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64)
        )
        able = able and all(map(_plain, loop.populations)) and all(map(loop._simple, loop.links))
        return loop if able and loop._dtypes() == {like.dtype} else None

    def _dtypes(self) -> set[torch.dtype]:
        """Return the dtypes of thresholds and weights; the kernel reads all as one."""
        neurons: list[Any] = [population.neuron for population in self.populations]
        synapses: list[Any] = [connection.synapse for _, connection in self.links]
        return {neuron.v_threshold.dtype for neuron in neurons} | {synapse.weight.dtype for synapse in synapses}

    def _simple(self, link: tuple[Any, Connection]) -> bool:
        """Whether the kernel knows a connection."""
        edge, connection = link
        synapse: Any = connection.synapse
        kinds = type(synapse) in (Dense, OneToOne) or (type(synapse) is Sparse and synapse.delay is None)
        target = self.populations[self.part.populations.index(edge.target)]
        straight = connection.axon.minimum == connection.axon.maximum and connection.dendrite.maximum == 0
        return kinds and straight and connection.enabled and connection.compartment in _drives(target)

    def run(
        self,
        arrivals: Mapping[str, Mapping[str, Tensor]],
        states: Mapping[str, PopulationState],
        under_way: Mapping[str, ConnectionState],
        *,
        steps: int,
        dt: float,
    ) -> tuple[dict[str, Tensor], dict[str, PopulationState]] | None:
        """Advance all populations, or return None where what arrives from outside needs the step loop.

        Args:
            arrivals: Currents from outside, by population and compartment [nA].
            states: State of each population.
            under_way: State of each connection.
            steps: Number of steps [1].
            dt: Length of a step [ms].

        Returns:
            Spikes and state of each population.
        """
        names = self.part.populations
        for path, population in zip(names, self.populations, strict=True):
            if set(arrivals[path]) - set(_drives(population)):
                return None
        cells = [self._cells(p, m, arrivals[p], states[p], dt) for p, m in zip(names, self.populations, strict=True)]
        links = [self._link(edge, connection, under_way[edge.name]) for edge, connection in self.links]
        spikes, potentials, left = lif_loop(cells, links, steps=steps, dt=dt)
        outputs, after = {}, {}
        for i, path in enumerate(names):
            before = states[path]
            shape = before.neuron.v.shape
            outputs[path] = spikes[i].reshape(steps, *shape)
            neuron = ThresholdState(potentials[i].reshape(shape), left[i].reshape(shape))
            after[path] = PopulationState(neuron, before.dendrite, before.behaviors)
        return outputs, after

    def _cells(
        self, path: str, population: Any, arrivals: Mapping[str, Tensor], state: PopulationState, dt: float
    ) -> Cells:
        n, neuron = population.shape.numel(), population.neuron
        current = None
        for xs in arrivals.values():
            current = xs if current is None else current + xs
        if current is not None and not (current.stride(0) == 0 and current.numel() == 0):
            current = current.flatten(1).reshape(len(current), -1, n) if current.stride(0) else _constant(current, n)
        rows = neuron._lif_rows(state.neuron.v.shape, dt)
        if 1 < rows.shape[1] < n:  # constants of the last axes alone
            rows = rows.repeat(1, n // rows.shape[1])
        return Cells(
            rows,
            state.neuron.v.reshape(-1, n),
            state.neuron.refractory.reshape(-1, n),
            current,
            neuron._pauses,
            neuron.soft_reset,
        )

    def _link(self, edge: Any, connection: Connection, state: ConnectionState) -> Link:
        synapse: Any = connection.synapse
        weight: Any = connection.weight
        names = self.part.populations
        options: dict[str, Tensor] = {}
        if type(synapse) is Dense:
            weight = weight.t()
        elif type(synapse) is Sparse:
            options = {"begins": synapse.indptr, "targets": synapse.target}
        axes = state.axon.dim() - len(synapse.source_shape)
        return Link(
            names.index(edge.source),
            names.index(edge.target),
            connection.delay,
            weight,
            state.axon.reshape(len(state.axon), state.axon.shape[1:axes].numel(), synapse.source_shape.numel()),
            connection.scale,
            **options,
        )


def _constant(current: Tensor, n: int) -> Tensor:
    """Flatten currents that are the same at each step, so that they stay so."""
    return current[0].reshape(-1, n).expand(len(current), -1, -1)


def _drives(population: Any) -> list[str]:
    """Return the compartments whose current goes straight into the membrane."""
    return [
        name
        for name, compartment in population.dendrite.compartments.items()
        if type(compartment) is Drive and compartment.tau_syn is None
    ]


def _plain(population: Any) -> bool:
    """Whether a population is of neurons that the kernel knows, to which nothing else happens."""
    neuron = population.neuron
    known = type(neuron) in (LIF, IF) and isinstance(neuron.spike_fn, Surrogate) and not neuron._noisy
    return known and not population._active() and bool(_drives(population))
