"""The root of a network: it knows the time step, takes input and runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from typing_extensions import override

from conex_nn.neurons import ActivityHomeostasis, AdaptiveThreshold, Homeostasis, VoltageHomeostasis
from conex_nn.scan import in_blocks
from conex_nn.structure.addresses import nearest, population_paths
from conex_nn.structure.container import Container
from conex_nn.structure.engine import Network, NetworkState, run
from conex_nn.structure.graph import Edge, arrange
from conex_nn.structure.inputs import by_address, check_inputs, check_state
from conex_nn.structure.learning import Learning
from conex_nn.structure.owned import owned
from conex_nn.structure.population import Population, Source
from conex_nn.structure.profile import Profile, profiled
from conex_nn.structure.recorder import Where, recording_of
from conex_nn.structure.recording import Recording

__all__ = ["Neocortex", "Outputs"]


class Outputs(dict[str, Tensor]):
    """Spikes of populations by address, ``(time, *batch, *shape)``; an address that was not asked for is named.

    A port or a container that was asked for by its own address, and stands for one population, is an address as well.

    Args:
        spikes: By address of the population.
        aliases: Addresses of populations, by the address that was asked for.

    Example:
        >>> Outputs({"l4.exc": torch.ones(1)}, {"l4.output": ["l4.exc"]})["l4.output"]
        tensor([1.])
    """

    def __init__(self, spikes: Mapping[str, Tensor], aliases: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(spikes)
        self.aliases = dict(aliases or {})

    def __missing__(self, address: str) -> Tensor:
        paths = self.aliases.get(address, ())
        if len(paths) == 1:
            return self[paths[0]]
        if paths:
            raise KeyError(f"Behind {address!r} are several populations: {', '.join(paths)}. Name one of them.")
        raise KeyError(
            f"There is no output of {address!r} among {', '.join(self)}.{nearest(address, self)} "
            "Ask for it: `net(x, outputs=[...])`."
        )


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
        self._learned: Learning | None = None

    def network(self) -> Network:
        """Return the flat graph as it is run: populations, connections and what advances together."""
        for container in (self, *(part for part in self.parts().values() if isinstance(part, Container))):
            container._bind()
        populations, connections = self.populations(), self.all_connections()
        key = (tuple(populations.items()), tuple((path, c, c.delay, _plastic(c)) for path, c in connections.items()))
        if self._network is None or self._network[0] != key:
            self._check_late()
            _check_once(populations)
            edges = [self._edge(path, connection, populations) for path, connection in connections.items()]
            self._network = (key, Network(populations, connections, arrange(list(populations), edges)))
        network = self._network[1]
        network.block, network.by_events = self.block, self.by_events
        network.observers, network.listeners = self._observers, self._listeners
        return network

    def _edge(self, path: str, connection: Any, populations: Mapping[str, nn.Module]) -> Edge:
        prefix = path[: path.rindex("connections.")]
        for end in (prefix + connection.source, prefix + connection.target):
            if end not in populations:
                group, name = path.rsplit(".", 2)[0], path.split(".")[-2]
                raise ValueError(
                    f"Expected populations at both ends of {path!r}, got none at {end!r}. Delete the connection too: "
                    f"`del net[{group!r}][{name!r}]`."
                )
        return Edge(
            path, prefix + connection.source, prefix + connection.target, connection.delay, _plastic(connection)
        )

    def _check_late(self) -> None:
        for path, module in [("", self), *self.parts().items()]:
            if waiting := getattr(module, "_late", None):
                raise ValueError(
                    f"Expected both ends of every connection, got {len(waiting)} in {path or 'the network'!r} made "
                    "with `late=True` that still wait for one."
                )

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_network": None, "_observers": {}, "_listeners": {}, "_learned": None}

    def initial_state(self, inputs: "Tensor | Mapping[str, Tensor]") -> NetworkState:
        """Return the state before the first step.

        Args:
            inputs: Input of one step, ``(*batch, *shape)``; by address where there are several.
        """
        network = self.network()
        path, x = next(iter(by_address(self, inputs).items()))
        batch = x.shape[: x.dim() - len(network.populations[path].shape)]

        def like(population: Any) -> Tensor:
            return x.new_zeros(()).expand(*batch, *population.shape)

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
        inputs: "Tensor | Mapping[str, Tensor]",
        state: NetworkState | None = None,
        *,
        dt: float | None = None,
        outputs: Iterable[str] | None = None,
        modulators: Mapping[str, Tensor | float] | None = None,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
    ) -> tuple[Outputs, NetworkState]:
        """Run over a sequence. In ``train()``, connections with a rule learn from it.

        Args:
            inputs: ``(time, *batch, *shape)`` of the input layer; by address where there are several.
            state: State before the first step; None for :meth:`initial_state`.
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
        network = self.network()
        for population in network.populations.values():
            population.refresh()
        sequences = by_address(self, inputs)
        check_inputs(sequences, network)
        if outputs is None:
            wanted = [path for path, module in network.populations.items() if not isinstance(module, Source)]
            aliases: dict[str, list[str]] = {}
        else:
            addresses = (outputs,) if isinstance(outputs, str) else tuple(outputs)
            aliases = {address: population_paths(self, address) for address in addresses}
            wanted = [path for paths in aliases.values() for path in paths]
        if checkpoint_every is not None:
            self._check_recomputable(network)
        step_length = self.dt if dt is None else dt
        if state is None:
            state = self.initial_state({path: xs[0] for path, xs in sequences.items()})
        else:
            check_state(state, network, next(iter(sequences.items())))

        learning = self._learning(network, modulators or {}, sequences, step_length)

        def stretch(block: dict[str, Tensor], state: NetworkState) -> tuple[dict[str, Tensor], NetworkState]:
            return run(network, block, state, dt=step_length, wanted=set(wanted), learning=learning)

        with torch.set_grad_enabled(torch.is_grad_enabled() and self._needs_graph(sequences, state)):
            ys, after = in_blocks(
                stretch, sequences, state, detach_every=detach_every, checkpoint_every=checkpoint_every
            )
            if learning is not None:
                learning.finish()
        found = Outputs({path: ys[path] for path in wanted}, aliases)
        return found, owned(after, [*sequences.values(), *found.values()])

    def record(
        self,
        address: "str | nn.Module",
        *names: str | Mapping[str, Callable[[Mapping[str, Tensor]], Tensor]],
        every: int = 1,
        last: int | None = None,
        where: Where | None = None,
        detach: bool = True,
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
            where: Which neurons: a bool mask, or a slice or indices in the order of ``flatten``. What is not of
                neurons, such as a constant that all share, is recorded whole.
            detach: Keep the values only; otherwise gradients pass through what is recorded.

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
        return recording_of(self, self._address(address), names, **options)

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
        self, network: Network, modulators: Mapping[str, Tensor | float], sequences: Mapping[str, Tensor], dt: float
    ) -> Learning | None:
        """Return what this call learns."""
        learning = {path: connection for path, connection in network.connections.items() if connection.learns}
        rules: list[Any] = [c.rule for c in network.connections.values() if c.rule is not None]
        if not learning:
            known = [name for rule in rules for name in rule.modulators()]  # a rule that is frozen needs none
            for name in modulators:
                if name not in known:
                    names = ", ".join(dict.fromkeys(known)) or "none, since no rule waits for one"
                    raise ValueError(f"Expected `modulators` to be of {names}, got {name!r}.{nearest(name, known)}")
            return None
        if waiting := self.waits_for():
            call = f"`net.learn({waiting[0]}=...)`"
            raise RuntimeError(
                f"Expected {call} after each sequence in train(), got another sequence while a rule still waits for "
                f"{', '.join(map(repr, waiting))}. Call it, or `net.discard()` what waits; or give `modulators` to the "
                "call itself."
            )
        found = Learning(learning, modulators, steps=len(next(iter(sequences.values()))), dt=dt)
        self._learned = found
        return found

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

    def _check_recomputable(self, network: Network) -> None:
        """Raise where a backward pass that computes steps again would find that the network has changed."""
        for path, connection in network.connections.items():
            if connection.learns:
                raise ValueError(
                    f"Expected `checkpoint_every` only where nothing is learned on the way, got {path!r} with a rule "
                    "in train(). Use `eval()`, `switch` the rule off, or `detach_every`."
                )
        slow = (ActivityHomeostasis, AdaptiveThreshold, VoltageHomeostasis, Homeostasis)
        for path, population in network.populations.items():
            learning = [m for m in population.modules() if isinstance(m, slow) and m.training and m.enabled]
            if learning:
                raise ValueError(
                    f"Expected `checkpoint_every` only where nothing is learned on the way, got {path!r} with "
                    f"{type(learning[0]).__name__} in train(). Use `eval()`, `switch` it off, or `detach_every`."
                )


def _plastic(connection: Any) -> bool:
    """Whether the weights of a connection change after every step."""
    return connection.learns and connection.when == "step"


def _check_once(populations: Mapping[str, nn.Module]) -> None:
    """Raise where one population is at two addresses: it would have one state for both."""
    seen: dict[int, str] = {}
    for path, population in populations.items():
        if (before := seen.setdefault(id(population), path)) != path:
            raise ValueError(
                f"Expected each population to be in a network once, got {before!r} again as {path!r}. "
                "Use `replicate()` for another of its kind."
            )
