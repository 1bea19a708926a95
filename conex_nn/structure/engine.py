"""Run the flat graph of a network over time, part by part."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from conex_nn.structure.by_events import EventLoop, fires_little
from conex_nn.structure.by_ring import RingLoop
from conex_nn.structure.by_steps import say_by_steps
from conex_nn.structure.connection import Projector
from conex_nn.structure.event_cells import competes
from conex_nn.structure.events import Events
from conex_nn.structure.graph import Edge, Part
from conex_nn.structure.learning import Learning, Steps
from conex_nn.structure.listeners import Listeners, WeightWatch
from conex_nn.structure.network import FEW, Network, NetworkState
from conex_nn.structure.on_the_way import read_on_the_way
from conex_nn.structure.population import Population, Source, StepObserver
from conex_nn.structure.profile import loop_mark
from conex_nn.structure.sampler import Samples

__all__ = ["Network", "NetworkState", "run"]

_ROWS = 4096
"""Rows, time by batch, that a chunk of a run without gradients has at least: enough to keep matrix products busy."""

_MANY = 4000
"""Neurons from which a part is run by the kernel that divides a sample among threads, where both can."""
_TRIAL = 32
"""Steps after which a run of more samples looks how much fires."""


def run(
    network: Network,
    inputs: Mapping[str, Tensor],
    state: NetworkState,
    *,
    clock: Tensor,
    dt: float,
    wanted: set[str],
    learning: Learning | None = None,
) -> tuple[dict[str, Tensor], NetworkState]:
    """Run a network over a sequence.

    With gradients every part sees the whole sequence; without, the sequence goes through all parts in chunks, so that
    nothing but the wanted outputs is kept.

    Args:
        network: What to run.
        inputs: Of each input population, ``(time, *batch, *shape)``.
        state: State before the first step.
        clock: Whatever has the run's dtype and device and the shape ``(time, *batch)``.
        dt: Length of a step [ms].
        wanted: Addresses of the populations whose spikes are returned.
        learning: What its connections learn on the way.

    Returns:
        Spikes of the wanted populations, ``(time, *batch, *shape)``, and the state after the last step.

    Example:
        >>> run(Network({}, {}, []), {}, NetworkState({}, {}), clock=torch.zeros(3), dt=1.0, wanted=set())
        ({}, NetworkState(populations={}, connections={}))
    """
    steps = len(clock)
    if torch.is_grad_enabled():
        return _run_chunk(network, inputs, state, clock=clock, dt=dt, wanted=wanted, learning=learning)
    network = replace(network, parts=[read_on_the_way(part, network, inputs, learning) for part in network.parts])
    whole = _all_is_kept(network, wanted) or (not inputs and network.keeps_events(clock))
    chunk = steps if whole else _chunk(network, clock)
    outputs: dict[str, Tensor] = {}
    for begin in range(0, steps, chunk):
        piece = {path: xs[begin : begin + chunk] for path, xs in inputs.items()}
        here = clock[begin : begin + chunk]
        ys, state = _run_chunk(network, piece, state, clock=here, dt=dt, wanted=wanted, learning=learning)
        if chunk >= steps:
            return ys, state
        y: Tensor | None = None
        for path, y in ys.items():
            if path not in outputs:
                outputs[path] = y.new_empty(steps, *y.shape[1:])
            outputs[path][begin : begin + chunk] = y
        del ys, y  # before the next are made
    return outputs, state


def _all_is_kept(network: Network, wanted: set[str]) -> bool:
    """Whether chunks would save no memory: all spikes are wanted, and no current is made ahead of its step."""
    parts = [part for part in network.parts if not isinstance(network.populations[part.populations[0]], Source)]
    return bool(parts) and not any(part.outer or set(part.populations) - wanted for part in parts)


def _chunk(network: Network, clock: Tensor) -> int:
    """Return how many steps go through the network at a time."""
    blocks = [part.block or 1 for part in network.parts]
    return max(-(-_ROWS // max(1, clock[0].numel())), *blocks, 1)


def _run_chunk(
    network: Network,
    inputs: Mapping[str, Tensor],
    state: NetworkState,
    *,
    clock: Tensor,
    dt: float,
    wanted: set[str],
    learning: Learning | None,
) -> tuple[dict[str, Tensor], NetworkState]:
    last_use = {edge.source: i for i, part in enumerate(network.parts) for edge in (*part.outer, *part.streamed)}
    chunk = _Chunk(
        network, dict(inputs), state, clock, dt, learning or Learning({}, {}, steps=0, dt=dt), wanted | set(last_use)
    )
    outputs = {}
    for i, part in enumerate(network.parts):
        with torch.set_grad_enabled(torch.is_grad_enabled() and chunk.needs_graph(part)):
            chunk.advance(part)
        for each in (each for path in part.populations for each in chunk.samples.get(path, ())):
            each.hand_over()
        for path in part.populations:
            if path in wanted:
                outputs[path] = chunk.sequences[path]
            if (listener := network.spike_listeners.get(path)) is not None:
                listener(chunk.events[path] if path in chunk.events else chunk.sequences[path], dt)
        for path in [p for p in chunk.sequences if last_use.get(p, -1) <= i and p not in inputs]:
            del chunk.sequences[path]  # nobody reads it any more
    return outputs, NetworkState(chunk.populations, chunk.connections)


class _Chunk:
    """One pass of a stretch of time through all parts."""

    def __init__(
        self,
        network: Network,
        inputs: dict[str, Tensor],
        state: NetworkState,
        clock: Tensor,
        dt: float,
        learning: Learning,
        wanted: set[str],
    ) -> None:
        self.network, self.dt, self.learning, self.wanted = network, dt, learning, wanted
        self.sequences = inputs
        self.populations, self.connections = dict(state.populations), dict(state.connections)
        self.clock, self.steps = clock, len(clock)
        self.potentials: dict[str, list[Tensor]] = {}
        self.events: dict[str, Events] = {}
        """Spikes of populations that were run by events."""
        self.samples = {path: [Samples(each, self.steps) for each in found] for path, found in network.samplers.items()}

    def needs_graph(self, part: Part) -> bool:
        """Whether gradients can pass through a part."""
        edges = (*part.inner, *part.outer, *part.streamed)
        modules = [self.network.populations[path] for path in part.populations]
        modules += [self.network.connections[edge.name] for edge in edges]
        if any(p.requires_grad for module in modules for p in module.parameters()):
            return True
        known = [
            self.sequences[path] for path in (*part.populations, *(e.source for e in edges)) if path in self.sequences
        ]
        states = [self.populations.get(path) for path in part.populations]
        states += [self.connections.get(edge.name) for edge in edges]
        return any(isinstance(x, Tensor) and x.requires_grad for x in (*known, *tree_leaves(states)))

    def advance(self, part: Part) -> None:
        """Run all steps of a part."""
        first = self.network.populations[part.populations[0]]
        if isinstance(first, Source):
            path = part.populations[0]
            if not first.takes_input:
                generator: Any = first
                xs, self.populations[path] = generator.spikes(self.populations[path], self.steps, dt=self.dt)
                self.sequences[path] = xs.to(self.clock.dtype)
            xs = self.sequences[path]
            self.sequences[path] = first.axon(xs if first.enabled else torch.zeros_like(xs))
            return
        arrivals: dict[str, dict[str, Tensor]] = {path: {} for path in part.populations}
        ring = self._ring(part)
        taken = set() if ring is None else ring.take(self.sequences)
        self._arrive(set(part.outer) - taken, part, arrivals)
        if ring is not None and self._by_ring(ring, arrivals):
            return
        self._arrive(taken, part, arrivals)
        path = part.populations[0]
        if part.block is None and not competes(self.network.populations[path]):
            spikes = self._population(path, arrivals[path], self.steps)
            self.sequences[path] = self.network.populations[path].axon(spikes)
        else:
            self._loop(part, arrivals)
        for edge in (*part.outer, *part.inner, *part.streamed):
            if (learner := self.learning.sequences.get(edge.name)) is not None:
                pre, post = self.sequences[edge.source], self.sequences[edge.target]
                v = torch.stack(self.potentials[edge.target]) if learner.rule.reads_v else None
                self.connections[edge.name] = learner.see(pre, post, v, self.connections[edge.name])

    def _arrive(self, edges: set[Edge], part: Part, arrivals: dict[str, dict[str, Tensor]]) -> None:
        """Make the currents of some connections from the parts before."""
        for edge in part.outer:
            if edge not in edges:
                continue
            connection = self.network.connections[edge.name]
            current, self.connections[edge.name] = connection(
                self.sequences[edge.source], self.connections[edge.name], connection.projector()
            )
            self._deliver(arrivals[edge.target], edge.name, current)

    def _ring(self, part: Part) -> RingLoop | None:
        """Return the kernel of ring buffers for a part, where it is the better choice."""
        network, edges = self.network, (*part.inner, *part.outer, *part.streamed)
        seen = (network.observers.keys() | self.learning.reads_v) & set(part.populations)
        if network.by_events is False or network.block is not None or seen or part.block is None:
            return None
        busy = {*network.listeners, *self.learning.sequences} & {edge.name for edge in edges}
        if busy or (self.clock[0].numel() > FEW and not network.by_events):
            return None
        ring = RingLoop.of(part, network.populations, network.connections, like=self.clock)
        sampled = network.samplers.keys() & set(part.populations)
        if ring is None or ring.neurons >= _MANY or sampled or not (part.inner or ring.plans):
            return ring
        learners = self._learners(edges)
        other = EventLoop.of(part, network.populations, network.connections, like=self.clock, learners=learners)
        return ring if other is None else None

    def _learners(self, edges: Iterable[Edge]) -> dict[str, Steps]:
        """Return who learns at every step, by connection."""
        return {e.name: self.learning.steps[e.name] for e in edges if e.name in self.learning.steps}

    def _by_ring(self, ring: RingLoop, arrivals: dict[str, dict[str, Tensor]]) -> bool:
        """Advance a part by the kernel of ring buffers; return whether that was possible."""
        with loop_mark(ring.part.populations):
            done = ring.run(
                arrivals, self.populations, self.connections, self.sequences, self.samples, self.learning.steps,
                steps=self.steps, batch=self.clock.shape[1:], dt=self.dt,
            )  # fmt: skip
        if done is None:
            return False
        fired, states, sent = done
        self.populations |= states
        self.connections |= sent
        for path, events in fired.items():
            axon = self.network.populations[path].axon
            hooked = bool(axon._forward_hooks or axon._forward_pre_hooks)
            if not hooked:  # who hooks onto the spikes may change them
                self.events[path] = events
            if hooked or path in self.wanted:
                self.sequences[path] = axon(events.dense(self.clock.dtype, self.clock.device))
        return True

    def _loop(self, part: Part, arrivals: dict[str, dict[str, Tensor]]) -> None:
        """Advance populations that depend on each other, block by block."""
        pieces: dict[str, list[Tensor]] = {path: [] for path in part.populations}
        if (begin := self._by_events(part, arrivals, pieces)) < self.steps:
            self._by_steps(part, arrivals, pieces, begin)
        for path, spikes in pieces.items():
            whole = spikes[0] if len(spikes) == 1 else torch.cat(spikes)
            self.sequences[path] = self.network.populations[path].axon(whole)

    def _by_events(self, part: Part, arrivals: dict[str, dict[str, Tensor]], pieces: dict[str, list[Tensor]]) -> int:
        """Advance a loop by events as far as that pays, and return how many steps that were."""
        network = self.network
        edges = (*part.inner, *part.streamed)
        watched = network.observers.keys() | network.samplers.keys() | self.learning.reads_v
        heard = [each for edge in edges for each in network.listeners.get(edge.name, ())]
        watches = [each for each in heard if isinstance(each, WeightWatch)]
        seen = bool(watched & set(part.populations)) or len(watches) < len(heard)
        if network.by_events is False or network.block is not None or seen:
            return 0
        learners = self._learners(edges)
        loop = EventLoop.of(part, network.populations, network.connections, like=self.clock, learners=learners)
        if loop is None:
            return 0
        samples = self.clock[0].numel()
        under_way = {edge.name: self.connections[edge.name].axon for edge in part.inner}
        always = network.by_events or bool(learners) or not part.inner or samples <= FEW
        if not always and not fires_little(under_way):
            return 0
        begin, size = 0, self.steps if always else _TRIAL
        while begin < self.steps:
            steps = min(size, self.steps - begin, *(each.until_next() for each in watches))
            here = {p: {c: xs[begin : begin + steps] for c, xs in arrivals[p].items()} for p in part.populations}
            known = {edge.source: self.sequences[edge.source][begin : begin + steps] for edge in part.streamed}
            weights = [each.due() for each in watches]
            with loop_mark(part.populations):
                done = loop.run(here, self.populations, self.connections, known, steps=steps, dt=self.dt)
            if done is None:
                return begin
            outputs, states, sent = done
            self.populations |= states
            self.connections |= sent
            for watch, weight in zip(watches, weights, strict=True):
                watch.keep(weight, steps)
            for p, spikes in outputs.items():
                pieces[p].append(spikes)
            begin += steps
            if begin < self.steps and not always and not fires_little(outputs):
                return begin
        return self.steps

    def _by_steps(
        self, part: Part, arrivals: dict[str, dict[str, Tensor]], pieces: dict[str, list[Tensor]], first: int
    ) -> None:
        """Advance a loop block by block, from a step on."""
        if self.network.by_events and not torch.is_grad_enabled():
            say_by_steps(part, self.network, like=self.clock)
        size, waiting = min(part.block or self.steps, self.network.block or self.steps), self.learning.steps
        learners = {e: waiting[e.name] for e in (*part.inner, *part.streamed) if e.name in waiting}
        fixed = [e.name for e in part.inner if e not in learners]
        projectors = {name: self.network.connections[name].projector(by_steps=True) for name in fixed}
        place = {path: i for i, path in enumerate(part.populations)}
        back = [e for e in part.inner if place[e.source] >= place[e.target]]
        # All blocks are cut at once: the gradient of a cut alone would be as long as the sequence.
        cut = {p: {c: iter(xs[first:].split(size)) for c, xs in arrivals[p].items()} for p in part.populations}
        for begin in range(first, self.steps, size):
            steps = min(size, self.steps - begin)
            here = {p: {c: next(blocks) for c, blocks in cut[p].items()} for p in part.populations}
            projectors |= {edge.name: learner.projector() for edge, learner in learners.items()}
            for edge in part.streamed:
                known = self.sequences[edge.source][begin : begin + steps]
                self._send(edge.name, known, projectors[edge.name], here[edge.target])
            for edge in back:
                self._read(edge.name, steps, projectors[edge.name], here[edge.target])
            for path in part.populations:
                spikes = self._population(path, here[path], steps)
                pieces[path].append(spikes)
                for edge in part.inner:
                    if edge.source != path:
                        continue
                    if edge in back:
                        self._push(edge.name, spikes)
                    else:
                        self._send(edge.name, spikes, projectors[edge.name], here[edge.target])
            for edge, learner in learners.items():
                pre = self.sequences[edge.source][begin : begin + steps] if edge in part.streamed else None
                pre = pieces[edge.source][-1] if pre is None else pre
                v = self.potentials[edge.target][-1][None] if learner.rule.reads_v else None
                state = learner.see(pre, pieces[edge.target][-1], v, self.connections[edge.name])
                self.connections[edge.name] = state

    def _read(self, name: str, steps: int, project: Projector, arrivals: dict[str, Tensor]) -> None:
        current, self.connections[name] = self.network.connections[name].read(self.connections[name], steps, project)
        self._deliver(arrivals, name, current)

    def _push(self, name: str, spikes: Tensor) -> None:
        self.connections[name] = self.network.connections[name].push(spikes, self.connections[name])

    def _send(self, name: str, spikes: Tensor, project: Projector, arrivals: dict[str, Tensor]) -> None:
        connection = self.network.connections[name]
        current, self.connections[name] = connection(spikes, self.connections[name], project)
        self._deliver(arrivals, name, current)

    def _deliver(self, arrivals: dict[str, Tensor], name: str, current: Tensor) -> None:
        """Add a connection's current to those of its compartment."""
        connection = self.network.connections[name]
        if (listener := self.network.listeners.get(name)) is not None:
            listener(connection.scale * current if connection.enabled else torch.zeros_like(current))
        if not connection.enabled:
            return
        before = arrivals.get(connection.compartment)
        if before is not None:
            arrivals[connection.compartment] = torch.add(before, current, alpha=connection.scale)
        else:
            arrivals[connection.compartment] = current if connection.scale == 1 else connection.scale * current

    def _population(self, path: str, arrivals: dict[str, Tensor], steps: int) -> Tensor:
        """Advance a population by a block."""
        population: Any = self.network.populations[path]
        if not arrivals:
            where = next((each.compartment for each in population.background.values() if each.compartment), None)
            arrivals = {where or population.dendrite.names[0]: self._silence(population, steps)}
        observe = self.network.observers.get(path)
        if path in self.samples:
            observe = Listeners([*([] if observe is None else [observe]), *(each.look for each in self.samples[path])])
        if path in self.learning.reads_v:
            observe = self._watch(path, observe)
        spikes, self.populations[path] = population.advance(
            arrivals, self.populations[path], dt=self.dt, observe=observe
        )
        return spikes

    def _watch(self, path: str, other: StepObserver | None) -> StepObserver:
        """Return what keeps the potentials of a population, for rules that read them."""
        kept = self.potentials.setdefault(path, [])

        def observe(step: Mapping[str, Any]) -> None:
            kept.append(step["state"].neuron.v.detach())
            if other is not None:
                other(step)

        return observe

    def _silence(self, population: Population, steps: int) -> Tensor:
        """Return no current at all, in the shape of what a population would be given."""
        return self.clock.new_zeros(()).expand(steps, *self.clock.shape[1:], *population.shape)
