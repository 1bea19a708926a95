"""Whether populations can be advanced by events, and their translation for the kernel that does it.

It is for runs without gradients on the CPU, of integrate-and-fire populations that drive each other, among which the
best may fire, whose thresholds may adapt, and whose connections may learn at every step. The step loop of the engine is
the specification, and runs everything else.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from conex_nn.kernels import Cells, Learning, Link, lif_loop
from conex_nn.neurons import ThresholdState
from conex_nn.plasticity import weight_of
from conex_nn.structure.connection import Connection, ConnectionState
from conex_nn.structure.event_cells import adapt, cells_of, drives, plain
from conex_nn.structure.graph import Edge, Part
from conex_nn.structure.learning import RuleState, Steps
from conex_nn.structure.learning_by_events import LearningPlan
from conex_nn.structure.population import PopulationState
from conex_nn.synapses import Delay, Dense, OneToOne, Sparse

__all__ = ["EventLoop", "fires_little"]

_BUSIEST = 0.25
"""Fraction of neurons firing in a step from which dense products pay."""


class _Wire(NamedTuple):
    """A connection of a part."""

    edge: Edge
    connection: Connection
    plan: LearningPlan | None
    """How it learns; None where it does not."""
    learner: Steps | None
    """Who learns in the step loop."""

    @property
    def uniform(self) -> bool:
        """Whether all of its sources have the same delay."""
        return self.connection.axon.minimum == self.connection.axon.maximum


class _Made(NamedTuple):
    """A connection as the kernel is told of it, and what is needed afterwards."""

    link: Link
    learning: Learning | None
    weight: Tensor
    """The weight in the kernel's layout: the synapse's own memory, or a copy."""
    pre: Tensor | None
    """The source's spikes, where they are known before."""


class EventLoop:
    """A part of a network as the event kernel runs it.

    Args:
        part: What advances together.
        populations: Of the network, by address.
        wires: Its connections.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> from conex_nn.structure.population import Population
        >>> ring = Connection(OneToOne(2, 2), "a", "a")
        >>> part = Part(("a",), (Edge("ring", "a", "a", 1),), (), 1)
        >>> with torch.no_grad():
        ...     EventLoop.of(part, {"a": Population(2, LIF())}, {"ring": ring}, like=torch.zeros(1)) is not None
        True
    """

    def __init__(self, part: Part, populations: Mapping[str, Any], wires: list[_Wire]) -> None:
        self.part, self.wires = part, wires
        self.populations = [populations[path] for path in part.populations]

    @classmethod
    def of(
        cls,
        part: Part,
        populations: Mapping[str, Any],
        connections: Mapping[str, Connection],
        *,
        like: Tensor,
        learners: Mapping[str, Steps] | None = None,
    ) -> "EventLoop | None":
        """Return the loop of a part that can be run by events, else None.

        Args:
            part: What advances together.
            populations: Of the network, by address.
            connections: Of the network, by address.
            like: Something of the input's dtype and device.
            learners: Those that learn at every step, by the address of their connection.
        """
        if torch.is_grad_enabled() or like.device.type != "cpu" or like.dtype not in (torch.float32, torch.float64):
            return None
        if not all(plain(populations[path]) for path in part.populations):
            return None
        learners, wires = learners or {}, []
        if learners and dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
            return None  # processes agree on every step
        for edge in (*part.inner, *part.streamed):
            connection, learner = connections[edge.name], learners.get(edge.name)
            if not _simple(edge, connection, populations[edge.target], streamed=edge in part.streamed):
                return None
            plan = None
            if learner is not None:
                plan = LearningPlan.of(learner.rule, connection.synapse, magnitudes=connection.magnitudes)
                late = learner.dendrite
                if plan is None or (late is not None and late.minimum < late.maximum):
                    return None
            wires.append(_Wire(edge, connection, plan, learner))
        loop = cls(part, populations, wires)
        return loop if loop._dtypes() == {like.dtype} else None

    def _dtypes(self) -> set[torch.dtype]:
        """Return the dtypes of thresholds and weights; the kernel reads all as one."""
        neurons: list[Any] = [population.neuron for population in self.populations]
        synapses: list[Any] = [wire.connection.synapse for wire in self.wires]
        return {neuron.v_threshold.dtype for neuron in neurons} | {synapse.weight.dtype for synapse in synapses}

    def run(
        self,
        arrivals: Mapping[str, Mapping[str, Tensor]],
        states: Mapping[str, PopulationState],
        under_way: Mapping[str, ConnectionState],
        sequences: Mapping[str, Tensor] | None = None,
        *,
        steps: int,
        dt: float,
    ) -> tuple[dict[str, Tensor], dict[str, PopulationState], dict[str, ConnectionState]] | None:
        """Advance all populations, or return None where what arrives from outside needs the step loop.

        Args:
            arrivals: Currents from outside, by population and compartment [nA].
            states: State of each population.
            under_way: State of each connection.
            sequences: Spikes of the populations before, whose connections here learn at every step.
            steps: Number of steps [1].
            dt: Length of a step [ms].

        Returns:
            Spikes and state of each population, and the state of each of its connections.
        """
        names = self.part.populations
        for path, population in zip(names, self.populations, strict=True):
            if set(arrivals[path]) - set(drives(population)):
                return None
        first = states[names[0]].neuron.v
        given = _Given(sequences or {}, steps, first.numel() // self.populations[0].shape.numel(), first.dtype)
        made = [self._make(wire, under_way[wire.edge.name], given, dt) for wire in self.wires]
        if any(each is None for each in made):
            return None
        known: Any = made
        before = len(given.cells)  # of the populations that are only read
        own = [cells_of(m, arrivals[p], states[p], dt) for p, m in zip(names, self.populations, strict=True)]
        place = {path: before + i for i, path in enumerate(names)}
        links = [self._placed(wire, each, place) for wire, each in zip(self.wires, known, strict=True)]
        spikes, potentials, left = lif_loop([*given.cells, *own], links, steps=steps, dt=dt)
        outputs, after = {}, {}
        for i, path in enumerate(names):
            state = states[path]
            shape = state.neuron.v.shape
            outputs[path] = spikes[before + i].reshape(steps, *shape)
            neuron = ThresholdState(potentials[before + i].reshape(shape), left[before + i].reshape(shape))
            after[path] = PopulationState(neuron, state.dendrite, state.behaviors)
            adapt(self.populations[i], own[i])
        sent = {}
        for wire, each in zip(self.wires, known, strict=True):
            spikes_in = outputs[wire.edge.source] if each.pre is None else each.pre
            state = under_way[wire.edge.name]
            sent[wire.edge.name] = self._finish(wire, each, state, spikes_in, outputs[wire.edge.target])
        return outputs, after, sent

    def _placed(self, wire: _Wire, made: _Made, place: Mapping[str, int]) -> Link:
        """Return a link with the numbers of its populations."""
        source = made.link.source if made.pre is not None else place[wire.edge.source]
        fields = {name: getattr(made.link, name) for name in made.link.__dataclass_fields__}
        return Link(**{**fields, "source": source, "target": place[wire.edge.target]})

    def _make(self, wire: _Wire, state: ConnectionState, given: "_Given", dt: float) -> _Made | None:
        """Translate a connection; its populations are placed later, except for a source that is only read."""
        connection, synapse = wire.connection, wire.connection.synapse
        weight: Any = connection.weight if wire.plan is None else weight_of(synapse).detach()
        options: dict[str, Any] = {}
        if type(synapse) is Dense:
            weight = weight.t().contiguous()
        elif type(synapse) is Sparse:
            options = {"begins": synapse.indptr, "targets": synapse.target}
            weight = weight.expand(synapse.num_edges).contiguous()
        n = synapse.source_shape.numel()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
        history = state.axon.reshape(len(state.axon), given.batch, n)
        delay, source, pre, rule_source = connection.delay, -1, None, None
        if wire.edge.source in given.sequences and wire.edge in self.part.streamed:
            pre = given.sequences[wire.edge.source]
            if wire.uniform:
                source = given.add(wire.edge.source, pre)
            else:
                arrived, _ = connection.axon(pre, state.axon)
                source, delay, history = given.add(None, arrived), 0, history[:0]
        learning = None
        if wire.plan is not None and wire.learner is not None:
            if pre is not None and not wire.uniform:
                seen = (
                    pre if wire.learner.axon is None else wire.learner.axon(*_lined(wire, pre, state, given.batch))[0]
                )
                rule_source = given.add(None, seen)
            learning = self._learning(wire, state, given, dt, rule_source)
            if learning is None:
                return None
        if connection.dendrite.maximum:
            m = synapse.target_shape.numel()  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
            line = history.new_empty(connection.dendrite.maximum + given.steps, given.batch, m)
            line[: connection.dendrite.maximum] = state.dendrite.reshape(-1, given.batch, m)
            options["line"] = line
            if connection.dendrite.minimum < connection.dendrite.maximum:
                options["late"] = connection.dendrite.steps.expand(synapse.target_shape).reshape(-1)  # pyright: ignore
        link = Link(source, -1, delay, weight, history, connection.scale, learning=learning, **options)
        return _Made(link, learning, weight, pre)

    def _learning(
        self, wire: _Wire, state: ConnectionState, given: "_Given", dt: float, source: int | None
    ) -> Learning | None:
        """Return what the kernel is told of a rule; None where a modulator needs the step loop."""
        plan, learner, synapse = wire.plan, wire.learner, wire.connection.synapse
        if plan is None or learner is None:
            return None
        rule, before, after = state.rule or RuleState(None, (), ())
        shapes: Any = (synapse.source_shape.numel(), synapse.target_shape.numel())  # pyright: ignore
        pre, post = (torch.zeros(given.batch, n, dtype=given.dtype) for n in shapes)
        signals = learner.shaped(given.steps, given.batch)
        if signals is None:
            return None
        options: dict[str, Any] = {"source": source}
        if learner.axon is not None and source is None:
            options |= {"axon": learner.axon.maximum, "axon_history": _line(before, learner.axon, pre)}
        if learner.dendrite is not None:
            options |= {"dendrite": learner.dendrite.maximum, "dendrite_history": _line(after, learner.dendrite, post)}
        return plan.learning(rule, signals, pre=pre, post=post, steps=given.steps, dt=dt, **options)

    def _finish(self, wire: _Wire, made: _Made, state: ConnectionState, pre: Tensor, post: Tensor) -> ConnectionState:
        """Return the state of a connection after the run, and put what it learned where it belongs."""
        connection, synapse, steps = wire.connection, wire.connection.synapse, len(post)
        kept = len(state.axon)
        # A view would keep all of them in memory.
        pushed = pre[-kept:].clone() if 0 < kept <= steps else pre
        after = connection.push(pushed, state)
        if made.link.line is not None:
            line = made.link.line[steps:].clone()
            after = after._replace(dendrite=line.reshape(state.dendrite.shape))
        if wire.plan is None or wire.learner is None or made.learning is None:
            return after
        weight = weight_of(synapse)
        learned = made.weight.t() if type(synapse) is Dense else made.weight
        if learned.data_ptr() == weight.data_ptr():
            torch.autograd.graph.increment_version(weight)
        else:
            weight.copy_(learned)
        learner, before = wire.learner, state.rule or RuleState(None, (), ())
        batch = len(made.learning.trace_pre)
        shapes: Any = [(batch, *shape) for shape in (synapse.source_shape, synapse.target_shape)]  # pyright: ignore
        lines: list[Any] = []
        for spikes, delay, line, shape in zip(
            (pre, post), (learner.axon, learner.dendrite), before[1:], shapes, strict=True
        ):
            if delay is None:
                lines.append(line)
                continue
            start = line if isinstance(line, Tensor) else spikes.new_zeros(delay.maximum, *shape)
            lines.append(delay.push(spikes.reshape(steps, *shape), start))
        learner.time += steps
        return after._replace(rule=RuleState(wire.plan.state(made.learning, *shapes), *lines))


def fires_little(outputs: Mapping[str, Tensor]) -> bool:
    """Whether so few neurons fire that going on by events pays.

    Args:
        outputs: Spikes, by population [1].

    Example:
        >>> fires_little({"a": torch.tensor([0.0, 0.0, 0.0, 1.0])})
        True
    """
    fired = sum(int(torch.count_nonzero(spikes)) for spikes in outputs.values())
    return fired <= _BUSIEST * sum(spikes.numel() for spikes in outputs.values())


class _Given:
    """Spikes that are known before, as populations of the kernel."""

    def __init__(self, sequences: Mapping[str, Tensor], steps: int, batch: int, dtype: torch.dtype) -> None:
        self.sequences, self.steps, self.batch, self.dtype = sequences, steps, batch, dtype
        self.cells: list[Cells] = []
        self._numbers: dict[str, int] = {}

    def add(self, name: str | None, spikes: Tensor) -> int:
        """Return the number of a population with these spikes; those of one name are one."""
        if name is not None and name in self._numbers:
            return self._numbers[name]
        flat = spikes.reshape(self.steps, self.batch, spikes[0].numel() // self.batch)
        self.cells.append(Cells.source(flat.to(self.dtype)))
        number = len(self.cells) - 1
        if name is not None:
            self._numbers[name] = number
        return number


def _line(line: Any, delay: Delay, like: Tensor) -> Tensor:
    """Return what a delay holds, as the kernel reads it."""
    return line.reshape(-1, *like.shape) if isinstance(line, Tensor) else like.new_zeros(delay.maximum, *like.shape)


def _lined(wire: _Wire, pre: Tensor, state: ConnectionState, batch: int) -> tuple[Tensor, Tensor | None]:
    """Return the source's spikes with one batch axis, and those that its rule has yet to see."""
    shape: Any = wire.connection.synapse.source_shape
    line = (state.rule or RuleState(None, (), ())).pre
    return pre.reshape(len(pre), batch, *shape), line if isinstance(line, Tensor) else None


def _simple(edge: Edge, connection: Connection, target: Any, *, streamed: bool) -> bool:
    """Whether the kernel knows a connection."""
    synapse: Any = connection.synapse
    kinds = type(synapse) in (Dense, OneToOne) or (type(synapse) is Sparse and synapse.delay_bytes is None)
    straight = streamed or connection.axon.minimum == connection.axon.maximum
    return kinds and straight and connection.enabled and connection.compartment in drives(target)
