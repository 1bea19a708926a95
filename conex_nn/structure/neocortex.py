"""The root of a network: it knows the time step, takes input and runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from typing_extensions import override

from conex_nn.durations import in_steps
from conex_nn.scan import in_blocks
from conex_nn.structure.addresses import population_paths
from conex_nn.structure.container import Container
from conex_nn.structure.engine import Network, NetworkState, run
from conex_nn.structure.feed import Inputs
from conex_nn.structure.flat import flat
from conex_nn.structure.inputs import by_address, check_inputs, check_state, clock_of
from conex_nn.structure.learning import Learning
from conex_nn.structure.learning_call import learning_of
from conex_nn.structure.outputs import Outputs
from conex_nn.structure.owned import owned
from conex_nn.structure.population import Population, Source
from conex_nn.structure.profile import Profile, profiled
from conex_nn.structure.recomputable import check_recomputable
from conex_nn.structure.recorder import recording_of
from conex_nn.structure.recording import Recording
from conex_nn.structure.simulate import Record, simulated
from conex_nn.structure.simulation import Simulation
from conex_nn.structure.where import Where

__all__ = ["Neocortex"]


class Neocortex(Container):
    """A whole network: parts by name, connections among them, and the time step.

    Input enters through input layers. A single one takes the tensor itself; several, or one with a location, take
    tensors by address. Strongly connected populations advance together in blocks no longer than their loops allow,
    all others see whole sequences; what comes out does not depend on that. State is a value: ``net(x, state)`` goes on
    where the state was returned.

    Args:
        dt: Length of a step [ms].
        tags: Names by which it can be found.
        parts: Populations and containers, by name.

    Example:
        >>> import conex_nn as cx
        >>> net = Neocortex(
        ...     retina=cx.InputLayer(4),
        ...     v1=cx.CorticalLayer(exc=cx.Population(8, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True)))
        >>> for source, target in [("retina", "v1.exc"), ("v1.exc", "v1.inh"), ("v1.inh", "v1.exc")]:
        ...     _ = net.connect(source, target, cx.Dense)
        >>> out, state = net(torch.ones(10, 3, 4))  # (time, batch, *shape)
        >>> out["v1.exc"].shape
        torch.Size([10, 3, 8])
        >>> more, state = net(torch.ones(5, 3, 4), state)
    """

    block: int | None = None
    """Most steps of a block of populations in a loop [1]; None for as many as the loops allow."""
    by_events: bool | None = None
    """Whether loops run by events where they can, without gradients; None for where it pays."""

    def __init__(self, *, dt: float = 1.0, tags: Sequence[str] = (), **parts: nn.Module) -> None:
        if not dt > 0:
            raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
        super().__init__(parts, tags=tags)
        self.dt = dt
        self._network: tuple[Any, Network] | None = None
        self._observers: dict[str, Any] = {}
        self._listeners: dict[str, Any] = {}
        self._spike_listeners: dict[str, Any] = {}
        self._samplers: dict[str, Any] = {}
        self._starters: dict[str, Any] = {}
        self._learned: Learning | None = None

    def network(self) -> Network:
        """Return the flat graph as it is run: populations, connections and what advances together."""
        self._network = flat(self, self._network)
        network = self._network[1]
        network.block, network.by_events = self.block, self.by_events
        network.observers, network.listeners = self._observers, self._listeners
        network.spike_listeners, network.samplers = self._spike_listeners, self._samplers
        return network

    def _ready(self) -> Network:
        """Return the flat graph for a run that begins now."""
        network = self.network()
        for population in network.populations.values():
            population.refresh()
        for starter in self._starters.values():
            starter()
        return network

    @override
    def __getstate__(self) -> dict[str, Any]:
        places = ("_observers", "_listeners", "_spike_listeners", "_samplers", "_starters")
        heard: dict[str, Any] = {place: {} for place in places}
        return {**self.__dict__, **heard, "_network": None, "_learned": None}

    def initial_state(
        self, inputs: "Tensor | Mapping[str, Tensor] | None" = None, *, batch: int | Sequence[int] | None = None
    ) -> NetworkState:
        """Return the state before the first step.

        Args:
            inputs: Input of one step, ``(*batch, *shape)``; by address where there are several; None where no input
                comes from outside.
            batch: Number of samples, or their shape, where no input says it; default none [1].
        """
        network = self.network()
        sequences = {path: x[None] for path, x in by_address(self, inputs).items()}
        x = clock_of(network, sequences, steps=1, batch=batch)[0]

        def like(population: Any) -> Tensor:
            return x.new_zeros(()).expand(*x.shape, *population.shape)

        edges = [edge for part in network.parts for edge in (*part.inner, *part.outer, *part.streamed)]
        populations: dict[str, Any] = {path: p for path, p in network.populations.items() if not p.takes_input}
        reached: dict[str, set[str]] = {path: set() for path, p in populations.items() if isinstance(p, Population)}
        for edge in edges:
            reached[edge.target].add(network.connections[edge.name].compartment)
        return NetworkState(
            {
                path: population.initial_state(like(population), *([reached[path]] if path in reached else []))
                for path, population in populations.items()
            },
            {e.name: network.connections[e.name].initial_state(like(network.populations[e.source])) for e in edges},
        )

    @override
    def forward(
        self,
        inputs: "Tensor | Mapping[str, Tensor] | None" = None,
        state: NetworkState | None = None,
        *,
        steps: int | str | None = None,
        batch: int | Sequence[int] | None = None,
        dt: float | None = None,
        outputs: Iterable[str] | None = None,
        modulators: Mapping[str, Tensor | float] | None = None,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Outputs, NetworkState]:
        """Run over a sequence. In ``train()``, connections with a rule learn from it.

        Args:
            inputs: ``(time, *batch, *shape)`` of the input layer; by address where there are several; None where no
                input comes from outside.
            state: State before the first step; None for :meth:`initial_state`.
            steps: How long to run where no input says it: in steps [1], or such as ``"500 ms"``.
            batch: Number of samples, or their shape, where neither input nor state says it; default none [1].
            dt: Length of a step [ms]; None for the network's own.
            outputs: Addresses of populations, ports or containers whose spikes are returned; None for all populations.
            modulators: Signals of the whole network for rules that wait for one, by name: ``(time, batch)``, or
                ``(time,)`` or a number that all samples share. Those that are known only later go to :meth:`learn`.
            detach_every: Steps after which gradients stop (truncated back-propagation through time) [1].
            checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept [1].

        Returns:
            Spikes by address, and the state after the last step.

        Raises:
            ValueError: An input that is missing, unknown, or of another shape or length; an output that does not
                exist; a loop without delay.
            TypeError: An input that is no floating tensor.
        """
        network = self._ready()
        step_length = self.dt if dt is None else dt
        sequences = by_address(self, inputs)
        check_inputs(sequences, network)
        number = None if steps is None else in_steps(steps, dt=step_length, name="steps")
        clock = clock_of(network, sequences, steps=number, batch=batch, state=state)
        if outputs is None:
            wanted = [path for path, module in network.populations.items() if not isinstance(module, Source)]
            aliases: dict[str, list[str]] = {}
        else:
            addresses = (outputs,) if isinstance(outputs, str) else tuple(outputs)
            aliases = {address: population_paths(self, address) for address in addresses}
            wanted = [path for paths in aliases.values() for path in paths]
        if checkpoint_every is not None:
            check_recomputable(network)
        state = self._state(network, state, sequences, clock)
        learning = self._learning(network, modulators or {}, len(clock), step_length)

        def stretch(block: Any, state: NetworkState) -> tuple[dict[str, Tensor], NetworkState]:
            clock, inputs = block
            return run(network, inputs, state, clock=clock, dt=step_length, wanted=set(wanted), learning=learning)

        with torch.set_grad_enabled(torch.is_grad_enabled() and self._needs_graph(sequences, state)):
            ys, after = in_blocks(
                stretch, (clock, sequences), state, detach_every=detach_every, checkpoint_every=checkpoint_every
            )
            if learning is not None:
                learning.finish()
        found = Outputs({path: ys[path] for path in wanted}, aliases)
        return found, owned(after, [*sequences.values(), *found.values()])

    def _state(
        self, network: Network, state: NetworkState | None, sequences: Mapping[str, Tensor], clock: Tensor
    ) -> NetworkState:
        """Return the state before the first step, checked."""
        if state is None:
            return self.initial_state({path: xs[0] for path, xs in sequences.items()}, batch=clock.shape[1:])
        check_state(state, network, clock.shape[1:])
        return state

    def record(
        self,
        address: "str | nn.Module",
        *names: str | Mapping[str, Callable[[Mapping[str, Tensor]], Tensor]],
        every: int = 1,
        last: int | None = None,
        where: Where | int | None = None,
        detach: bool = True,
        events: bool = False,
    ) -> AbstractContextManager[Recording]:
        """Record variables while the block runs, call after call; results stay what they are.

        Of a population: ``spikes``; the state of its neurons, such as ``v``; ``current``, into the membrane; what
        arrives at a compartment, by its name; ``synaptic.<compartment>`` where that decays; state and buffers of a
        behavior, such as ``activity_homeostasis.activity``; a constant of the neurons, such as ``v_threshold``. Of a
        connection: ``current``, as it is delivered, and ``weight``. For spikes and connections the network runs as
        ever; populations of which anything else is recorded run step by step.

        Args:
            address: Of a population, a connection or a behavior; or a port, a container, a tag or a pattern, for those
                of its populations and connections that have the variables.
            names: Variables; or functions of them by name, ``{"excess": lambda step: step["v"] - 1}``.
            every: Keep the first of so many steps [1].
            last: Keep no more than the last so many of these; None for all [1].
            where: Which neurons: so many, evenly spaced; a bool mask; or a slice or indices in the order of
                ``flatten``. What is not of neurons, such as a constant that all share, is recorded whole.
            detach: Keep the values only; otherwise gradients pass through what is recorded.
            events: Keep ``spikes`` as events, those of all steps whatever ``every`` says: memory then grows with what
                fires, not with time. ``recording.events(address)`` returns them.

        Returns:
            A context with a :class:`Recording`: ``recording["v1.exc.v"]``, or ``recording["v"]`` where one has it.

        Raises:
            ValueError: In the ``with`` statement: an address or a variable that does not exist, a number below 1,
                ``where`` that does not fit.

        Example:
            >>> import conex_nn as cx
            >>> net = Neocortex(retina=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()))
            >>> _ = net.connect("retina", "v1", cx.Dense)
            >>> with net.record("v1", "spikes", "v", every=2) as recording:
            ...     out, state = net(torch.ones(10, 3, 4))
            >>> recording["v"].shape, recording["v1.spikes"].shape
            (torch.Size([5, 3, 8]), torch.Size([5, 3, 8]))
        """
        options: dict[str, Any] = {"every": every, "last": last, "where": where, "detach": detach}
        return recording_of(self, {self._address(address): names}, events=events, **options)

    def simulate(
        self,
        duration: int | str,
        inputs: Inputs | None = None,
        state: NetworkState | None = None,
        *,
        record: Record | None = None,
        every: int | str = 1,
        where: Where | int | None = None,
        batch: int | Sequence[int] | None = None,
        dt: float | None = None,
        modulators: Mapping[str, Tensor | float] | None = None,
        chunk: int | str | None = None,
        seed: int | None = None,
        progress: bool | None = None,
    ) -> Simulation:
        """Run for as long as you like, without gradients; keep events and samples instead of whole sequences.

        Time goes by in stretches, of which nothing stays but what is recorded; how long they are changes no result.
        As in a call, connections with a rule learn in ``train()``, once at the end where their ``when`` is
        ``"sequence"``. An interrupt from the keyboard ends the run after the stretch under way: what was simulated is
        returned, with a warning, and goes on from its ``state``; a second one breaks off.

        Args:
            duration: How long: in steps [1], or as such as ``"500 ms"`` or ``"1.5 s"``.
            inputs: Of the input layers, one or by address: a tensor ``(time, *batch, *shape)``; a function that returns
                that for the steps from ``begin`` up to ``end``; or an iterable of blocks ``(time, *batch, *shape)``
                that follow each other. A function is asked for the first step beforehand.
            state: State before the first step; None for :meth:`initial_state`.
            record: Addresses whose spikes are kept as events, or variables by address, ``{"l4.exc": ["spikes", "v"]}``;
                None for the spikes of every population.
            every: Keep the first of so many steps, or of such a time, of variables other than spikes.
            where: Of which neurons such variables are kept: so many, or as :meth:`record` takes them.
            batch: Number of samples, or their shape, where neither input nor state says it; default none [1].
            dt: Length of a step [ms]; None for the network's own.
            modulators: Signals for rules, as in a call, of the whole duration.
            chunk: Length of a stretch, in steps [1] or as a time; None for what memory and speed suggest.
            seed: Of what is drawn during this run only; None to draw from torch's generator as it is.
            progress: Whether to show how far it is; None for after two seconds on a terminal.

        Returns:
            Events by address, rates, sampled variables, the state after the last step, and how long it took.

        Raises:
            ValueError: A duration that is no whole number of steps; an input that is missing or does not fit; rules
                that wait for modulators which are not given.

        Example:
            >>> import conex_nn as cx
            >>> net = Neocortex(retina=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()), dt=0.5)
            >>> _ = net.connect("retina", "v1", cx.Dense, init=nn.init.ones_)
            >>> found = net.simulate("1 s", torch.ones(2000, 4), record={"v1": ["spikes", "v"]})
            >>> found.rates(), len(found.events["v1"].between("500 ms"))
            ({'v1': 333.0}, 1336)
            >>> found["v"].shape  # (time, *shape)
            torch.Size([2000, 8])
        """
        options: dict[str, Any] = {"record": record, "every": every, "where": where, "batch": batch, "seed": seed}
        options |= {"modulators": modulators, "chunk": chunk, "progress": progress}
        return simulated(self, duration, inputs, state, dt=self.dt if dt is None else dt, **options)

    def profile(self) -> AbstractContextManager[Profile]:
        """Measure what each population, connection and rule costs while the block runs, backward passes included.

        Returns:
            A context with a :class:`Profile`, whose ``print`` is a table when the block has ended.

        Example:
            >>> import conex_nn as cx
            >>> net = Neocortex(retina=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()))
            >>> _ = net.connect("retina", "v1", cx.Dense)
            >>> with net.profile() as profile:
            ...     out, state = net(torch.rand(10, 3, 4))
            >>> len(profile.largest(1.0)) >= 2
            True
        """
        return profiled(self)

    def _needs_graph(self, sequences: Mapping[str, Tensor], state: NetworkState) -> bool:
        """Whether gradients can come to anything."""
        leaves = (x for x in (*sequences.values(), *tree_leaves(state)) if isinstance(x, Tensor))
        return any(x.requires_grad for x in (*self.parameters(), *leaves))

    def _learning(
        self, network: Network, modulators: Mapping[str, Tensor | float], steps: int, dt: float
    ) -> Learning | None:
        """Return what this call learns."""
        learning = learning_of(network, modulators, steps=steps, dt=dt, waiting=self.waits_for())
        self._learned = learning or self._learned
        return learning

    def waits_for(self) -> list[str]:
        """Return the names of the modulators for which rules wait since the last call, to go on in :meth:`learn`."""
        return [] if self._learned is None else self._learned.waits_for()

    def discard(self) -> None:
        """Forget the last sequence instead of learning from it."""
        self._learned = None

    def learn(self, **modulators: Tensor | float) -> None:
        """Let rules that wait for modulators learn from the last sequence, now that these are known.

        Eligibility does not go on into the next sequence; for that, give ``modulators`` to the call itself.

        Args:
            modulators: By name, each ``(time, batch)``, or ``(time,)`` or a number where all samples share it [1].

        Raises:
            RuntimeError: No rule waits.
            ValueError: A modulator that is missing, unknown, or of another shape.

        Example:
            >>> import conex_nn as cx
            >>> net = Neocortex(retina=cx.InputLayer(4), v1=cx.Population(2, cx.LIF()))
            >>> _ = net.connect("retina", "v1", cx.Dense, rule=cx.RSTDP())
            >>> out, state = net(torch.ones(10, 3, 4))
            >>> net.waits_for()
            ['dopamine']
            >>> net.learn(dopamine=torch.rand(10, 3))
        """
        if not self.waits_for():
            raise RuntimeError(
                "Expected rules that wait for modulators, got none: run a sequence in train() first, and call `learn` "
                "once."
            )
        learned: Any = self._learned
        learned.learn(modulators)
