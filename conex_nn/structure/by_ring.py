"""Whether populations can be advanced by the kernel of ring buffers, and their translation for it.

It is for runs without gradients, on the CPU or a GPU, of parts of any size and with any delays, whose neurons are ours
and whose currents drive the membrane, decaying or not; on the CPU connections may learn from a single sample. The step
loop of the engine is the specification, and runs all else.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from conex_nn.functional.leak import decay_factor
from conex_nn.kernels import (
    Arrivals,
    Channel,
    Fired,
    Learning,
    Probe,
    Projection,
    RingCells,
    listed,
    mostly_zeros,
    ring_run,
)
from conex_nn.neurons import PoissonDrive
from conex_nn.structure.connection import Connection, ConnectionState
from conex_nn.structure.events import Events
from conex_nn.structure.graph import Edge, Part
from conex_nn.structure.learning import Steps
from conex_nn.structure.learning_by_events import LearningPlan
from conex_nn.structure.population import PopulationState
from conex_nn.structure.ring_learning import Lesson, plan_of
from conex_nn.structure.ring_parts import (
    MODELS,
    backgrounds,
    driven,
    dtypes_of,
    knows_cells,
    membrane_of,
    moved,
    objection,
    weights_of,
)
from conex_nn.structure.sampler import Samples
from conex_nn.structure.under_way import histories_of, sent_by
from conex_nn.synapses import Dense, OneToOne, Sparse

__all__ = ["RingLoop"]

_LONGEST = 1 << 30  # bytes of the ring: with longer delays the step loop needs less


class RingLoop:
    """A part of a network as the kernel of ring buffers runs it.

    Args:
        part: What advances together.
        populations: Of the network, by address.
        connections: Of the part, by edge.
        plans: How those of them learn that do.
        idle: Edges within the part that are switched off: spikes are under way in them all the same.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> from conex_nn.structure.population import Population
        >>> ring = Connection(OneToOne(2, 2), "a", "a")
        >>> part = Part(("a",), (Edge("ring", "a", "a", 1),), (), 1)
        >>> with torch.no_grad():
        ...     RingLoop.of(part, {"a": Population(2, LIF())}, {"ring": ring}, like=torch.zeros(1)) is not None
        True
    """

    def __init__(
        self,
        part: Part,
        populations: Mapping[str, Any],
        connections: Mapping[Edge, Connection],
        plans: Mapping[Edge, LearningPlan],
        idle: Sequence[Edge],
        real: torch.dtype,
    ) -> None:
        self.part, self.connections, self.plans, self.idle, self.real = part, dict(connections), plans, idle, real
        self.populations = {path: populations[path] for path in part.populations}

    @classmethod
    def of(
        cls, part: Part, populations: Mapping[str, Any], connections: Mapping[str, Connection], *, like: Tensor
    ) -> "RingLoop | None":
        """Return what :meth:`read` does where that is a loop, else None.

        Args:
            part: See there, as all others.
            populations: By address.
            connections: By address.
            like: Of the input's kind.
        """
        found = cls.read(part, populations, connections, like=like)
        return found if isinstance(found, RingLoop) else None

    @classmethod
    def read(
        cls, part: Part, populations: Mapping[str, Any], connections: Mapping[str, Connection], *, like: Tensor
    ) -> "RingLoop | str":
        """Return the loop of a part that can be run this way, else why it cannot.

        Args:
            part: What advances together.
            populations: Of the network, by address.
            connections: Of the network, by address.
            like: Something of the input's dtype, device and batch, ``(time, *batch)``.
        """
        known = like.device.type in ("cpu", "cuda") and like.dtype in (torch.float32, torch.float64)
        if torch.is_grad_enabled() or not known:
            return f"it is for runs without gradients, on a CPU or GPU, in float32 or float64, not {like.dtype}"
        if odd := [path for path in part.populations if not knows_cells(populations[path], on_gpu=like.is_cuda)]:
            return f"the neurons of {odd[0]!r}, their noise, behaviors or background are none that it knows"
        taken: dict[Edge, Connection] = {}
        plans: dict[Edge, LearningPlan] = {}
        idle: list[Edge] = []
        for edge in (*part.inner, *part.outer, *part.streamed):
            connection = connections[edge.name]
            why = objection(connection, populations[edge.target])
            if why is None and connection.learns:
                plan = plan_of(connection, like)
                why, plans = (plan, plans) if isinstance(plan, str) else (None, {**plans, edge: plan})
            known = connection.enabled and why is None
            if not connection.enabled and connection.dendrite.maximum == 0:
                idle += [edge] if edge in part.inner else []
            elif known and (edge not in part.inner or connection.delay > 0):
                taken[edge] = connection
            elif edge not in part.outer:
                return f"{edge.name!r} {why or 'has no delay, or is switched off'}"
        loop = cls(part, populations, taken, plans, idle, like.dtype)
        others = dtypes_of(loop.connections.values(), loop.populations.values()) - {like.dtype}
        return loop if not others else f"its constants and weights are of {others.pop()}, not all of {like.dtype}"

    def take(self, sequences: Mapping[str, Tensor]) -> set[Edge]:
        """Return the connections from parts before that are taken in: those of sources that fire little.

        Args:
            sequences: Spikes of the populations before.
        """
        outer = [edge for edge in self.part.outer if edge in self.connections]
        dense = [e for e in outer if not mostly_zeros(sequences[e.source].reshape(-1, sequences[e.source].shape[-1]))]
        for edge in dense:
            del self.connections[edge]
        return set(outer) - set(dense)

    @property
    def neurons(self) -> int:
        """Number of its neurons."""
        return sum(population.shape.numel() for population in self.populations.values())

    def run(
        self,
        arrivals: Mapping[str, Mapping[str, Tensor]],
        states: Mapping[str, PopulationState],
        under_way: Mapping[str, ConnectionState],
        sequences: Mapping[str, Tensor],
        samples: Mapping[str, Sequence[Samples]],
        learners: Mapping[str, Steps],
        *,
        steps: int,
        batch: torch.Size,
        dt: float,
    ) -> tuple[dict[str, Events], dict[str, PopulationState], dict[str, ConnectionState]] | None:
        """Advance all populations, or return None where what arrives or is under way needs the step loop.

        Args:
            arrivals: Currents from outside, by population and compartment [nA].
            states: State of each population.
            under_way: State of each connection.
            sequences: Spikes of the populations before.
            samples: Who wants potentials; they are given them.
            learners: Who learns at every step, by connection.
            steps: Number of steps [1].
            batch: Shape of the batch.
            dt: Length of a step [ms].

        Returns:
            Spikes of each population, its state, and the state of each connection that is taken in.
        """
        for path, population in self.populations.items():
            state = states[path]
            if not {*arrivals[path], *state.dendrite} <= set(driven(population)):
                return None
            if {x.dtype for x in (*state.neuron, *state.dendrite.values())} != {self.real}:
                return None  # the step loop says so, or goes on in the wider type
        if (count := batch.numel()) == 0:
            return None  # the step loop says so
        histories = histories_of(self.connections, under_way, count)
        if histories is None:
            return None
        before = max([0, *(len(each) for each in histories.values())])
        sources = [path for path in histories if path not in self.populations]
        cells = [self._given(histories[path], sequences[path], before, steps, count) for path in sources]
        cells += [
            self._cells(population, states[path], histories.get(path), before, count, dt)
            for path, population in self.populations.items()
        ]
        lessons = {edge: Lesson(plan, learners[edge.name], self.connections[edge]) for edge, plan in self.plans.items()}
        learnings = {edge: each.learning(under_way[edge.name], steps=steps, dt=dt) for edge, each in lessons.items()}
        graded = {
            path for path, each in zip(sources, cells, strict=False) if each.before and each.before.value is not None
        }
        if None in learnings.values() or graded & {edge.source for edge in lessons}:
            return None  # the step loop says so, or learns from spikes of several sizes
        place = {path: number for number, path in enumerate([*sources, *self.populations])}
        channels, where = self._channels(arrivals, states, place, count, dt)
        projections = [
            self._projection(e, c, place[e.source], where[e.target, c.compartment], lessons.get(e), learnings.get(e))
            for e, c in self.connections.items()
        ]
        slots = max([1, *(each.longest for each in projections)]) + 1
        if slots * count * sum(cells[each.cells].n for each in channels) * 4 > _LONGEST:
            return None
        lookers = [(path, each) for path in self.populations for each in samples.get(path, ()) if len(each.kept)]
        probes = [_probe(place[path], self.populations[path].shape.numel(), each) for path, each in lookers]
        fired, potentials = ring_run(
            cells, channels, projections, steps=steps, batch=count, dt=dt, real=self.real, before=before, probes=probes
        )
        for (_, each), v in zip(lookers, potentials, strict=True):
            each.values = v.reshape(len(v), *batch, v.shape[2])
        who = {path: fired[place[path]] for path in self.populations}
        after = {}
        for path, population in self.populations.items():
            currents = {name: channels[number].current for (owner, name), number in where.items() if owner == path}
            after[path] = moved(population, states[path], cells[place[path]], currents, steps)
        edges = (*self.connections, *self.idle)
        sent = sent_by(edges, under_way, histories, who, sequences, steps=steps, batch=count)
        sent |= {edge.name: each.finish(sent[edge.name], steps) for edge, each in lessons.items()}
        events = {
            path: Events(step, sample, neuron, steps, self.populations[path].shape, batch, dt=dt)
            for path, (step, sample, neuron, _) in who.items()
        }
        return events, after, sent

    def _given(self, history: Tensor, spikes: Tensor, before: int, steps: int, batch: int) -> RingCells:
        """Return a population whose spikes are known."""
        flat = torch.cat([history, spikes.reshape(steps, batch, -1).to(history.dtype)])
        return RingCells(flat.shape[2], "given", before=_later(listed(flat), before - len(history)))

    def _cells(
        self, population: Any, state: PopulationState, history: Tensor | None, before: int, batch: int, dt: float
    ) -> RingCells:
        n, neuron, cells = population.shape.numel(), population.neuron, state.neuron
        model = MODELS[type(neuron)]
        fired = None if history is None else _later(listed(history), before - len(history))
        flat = {"v": _flat(cells.v, batch)}
        if "u" in cells._fields:
            flat["w"] = cells.u.reshape(1, batch, n).clone(memory_format=torch.contiguous_format)
        rows = neuron._lif_rows(cells.v.shape, dt) if model == "lif" else neuron._rows(cells.v.shape, dt)
        if 1 < rows.shape[1] < n:  # constants of the last axes alone
            rows = rows.repeat(1, n // rows.shape[1])
        if "refractory" in cells._fields:
            left = cells.refractory if neuron._pauses else torch.zeros_like(cells.refractory)
            flat["refractory"] = _flat(left, batch)
        if "w" in cells._fields:
            flat["w"] = cells.w.reshape(-1, batch, n).clone(memory_format=torch.contiguous_format)
        injected: list[Tensor] = [each.current for each in backgrounds(population) if each.compartment is None]
        if injected:
            flat["injected"] = _spread(sum(injected[1:], injected[0]).detach().to(self.real), population.shape)  # pyright: ignore
        soft = getattr(neuron, "soft_reset", False)
        if (membrane := membrane_of(population, dt)) is not None:
            flat["membrane"] = membrane.to(self.real)
        return RingCells(n, model, rows[:, :n], soft_reset=soft, before=fired, **flat)

    def _channels(
        self,
        arrivals: Mapping[str, Mapping[str, Tensor]],
        states: Mapping[str, PopulationState],
        place: Mapping[str, int],
        batch: int,
        dt: float,
    ) -> tuple[list[Channel], dict[tuple[str, str], int]]:
        """Return the compartments at which something arrives, and their numbers."""
        channels: list[Channel] = []
        where: dict[tuple[str, str], int] = {}
        for path, population in self.populations.items():
            reached = {c.compartment for edge, c in self.connections.items() if edge.target == path}
            reached |= {*arrivals[path], *states[path].dendrite}
            reached |= {each.compartment for each in backgrounds(population)} - {None}
            for name in population.dendrite.names:
                if name not in reached:
                    continue
                where[path, name] = len(channels)
                channels.append(
                    self._channel(population, name, states[path], arrivals[path].get(name), place[path], batch, dt)
                )
        return channels, where

    def _channel(
        self,
        population: Any,
        name: str,
        state: PopulationState,
        outside: Tensor | None,
        place: int,
        batch: int,
        dt: float,
    ) -> Channel:
        n, compartment = population.shape.numel(), population.dendrite.compartments[name]
        if outside is not None:
            constant = outside.stride(0) == 0
            outside = (outside[:1] if constant else outside).reshape(-1, batch, n).expand(len(outside), batch, n)
        draws: list[Arrivals] = []
        for each, drawn in zip(population.background.values(), state.background, strict=True):
            if not each.enabled or each.compartment != name:
                continue
            if type(each) is PoissonDrive:
                draws.append(self._arrivals(each, drawn, population.shape, dt))
            else:
                current = each.current.detach().to(self.real).expand(population.shape).reshape(1, 1, n)
                outside = current.expand(2, batch, n) if outside is None else outside + current
        if compartment.tau_syn is None:
            return Channel(place, outside=outside, draws=tuple(draws))
        current = state.dendrite.get(name)
        start = torch.zeros(batch, n, dtype=self.real) if current is None else _flat(current.to(self.real), batch)
        factor = compartment.factor(population.neuron, dt=dt)
        constants = decay_factor(compartment.tau_syn, dt=dt), factor, getattr(compartment, "reversal", None)
        keep, factor, reversal = (
            None if each is None else _spread(each.to(self.real), population.shape) for each in constants
        )
        return Channel(place, start, keep, factor, outside=outside, draws=tuple(draws), reversal=reversal)

    def _arrivals(self, drive: PoissonDrive, state: Any, shape: torch.Size, dt: float) -> Arrivals:
        table, row = drive.thresholds(dt=dt)
        weight = _spread(drive.weight.detach().to(self.real), shape)
        rows = None if len(table) == 1 else row.expand(shape).reshape(-1)
        return Arrivals(int(state.seed), int(state.step), state.sample.reshape(-1), table, weight, rows)

    def _projection(
        self,
        edge: Edge,
        connection: Connection,
        source: int,
        channel: int,
        lesson: Lesson | None,
        learning: Learning | None,
    ) -> Projection:
        """Translate a connection."""
        synapse: Any = connection.synapse
        weight = weights_of(connection) if lesson is None else lesson.edges.weight
        axon, steps = connection.axon, connection.axon.steps
        reach = axon.maximum - axon.minimum
        delay, late = axon.minimum, None
        if axon.minimum < axon.maximum:
            shape: Any = synapse.source_shape
            late = (steps - delay).expand(shape).reshape(-1)
        options: dict[str, Any] = {"factor": connection.scale, "reach": reach}
        if lesson is not None:
            options["learning"] = learning
        if lesson is not None and type(synapse) is not Sparse:
            return Projection(
                source, channel, weight, delay, late, lesson.edges.begins, lesson.edges.targets, **options
            )
        if type(synapse) is Dense:
            return Projection(source, channel, weight.t().contiguous(), delay, late, **options)
        if type(synapse) is OneToOne:
            return Projection(source, channel, weight.reshape(-1), delay, late, **options)
        delays = synapse.stored_delay
        if delays is not None and delays.numel() > 1:
            delay -= connection._first
            options["reach"] += connection._first + connection._reach
            delays = delays.to(torch.int16) if delays.dtype == torch.int32 else delays
        else:
            delays = None
        return Projection(
            source, channel, weight, delay, late, synapse.indptr, synapse.stored_target, delays, **options
        )


def _probe(place: int, n: int, samples: Samples) -> Probe:
    """Return what the kernel is told of a sampler."""
    neurons = torch.arange(n) if samples.sampler.neurons is None else samples.sampler.neurons
    return Probe(place, neurons, samples.kept.start, samples.kept.step)


def _graded(cells: RingCells) -> bool:
    """Whether the spikes of a given population are of several sizes."""
    return cells.before is not None and cells.before.value is not None


def _flat(value: Tensor, batch: int) -> Tensor:
    """Return a copy with one batch axis and one of neurons, for the kernel to write to."""
    return value.reshape(batch, -1).clone(memory_format=torch.contiguous_format)


def _spread(value: Tensor, shape: torch.Size) -> Tensor:
    """Return a constant of a compartment, one or one per neuron."""
    return value.reshape(1) if value.numel() == 1 else value.expand(shape).reshape(-1)


def _later(fired: Fired, steps: int) -> Fired:
    return fired if steps == 0 else fired._replace(step=fired.step + steps)
