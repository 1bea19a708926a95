"""What the rules of connections learn while a network runs."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from conex_nn.plasticity import apply_change, mean_over_processes, weight_of
from conex_nn.structure.addresses import nearest
from conex_nn.structure.connection import Connection, ConnectionState, Projector
from conex_nn.structure.learner import Learner, RuleState
from conex_nn.structure.sequences import Sequences

__all__ = ["Learning", "RuleState", "Sequences", "Steps"]


class Steps(Learner):
    """A connection whose weight changes after every step.

    Args:
        connection: The connection.
        modulators: Signals of the whole network, from the first step on.
        dt: Length of a step [ms].

    Example:
        >>> from conex_nn.plasticity import STDP
        >>> from conex_nn.synapses import Dense
        >>> connection = Connection(Dense(2, 1), "a", "b", rule=STDP(a_plus=1.0, a_minus=0.0), when="step")
        >>> learner, state = Steps(connection, {}, 1.0), connection.initial_state(torch.ones(3, 2))
        >>> before = connection.synapse.weight.clone()
        >>> state = learner.see(torch.ones(1, 3, 2), torch.ones(1, 3, 1), None, state)
        >>> connection.synapse.weight - before
        tensor([[1., 1.]])
    """

    def __init__(self, connection: Connection, modulators: Mapping[str, Tensor], dt: float) -> None:
        super().__init__(connection, modulators, dt)
        if missing := [name for name in self.rule.modulators() if name not in modulators]:
            raise ValueError(
                f"Expected `modulators` for the rule of {connection.source!r} -> {connection.target!r}, which learns "
                f"at every step in train(), got none called {', '.join(map(repr, missing))}. Give them to the call, "
                f"`modulators={{{missing[0]!r}: 1.0}}`, or run without learning, in `net.eval()`; with "
                '`when="sequence"` they can come later, to `net.learn(...)`.'
            )
        self.anchor: Tensor | None = None
        """The weight at the start as a graph sees it; None where there is none."""
        self.start: Tensor | None = None
        self.current: Tensor | None = None
        """The weight in force as a graph sees it."""

    def projector(self) -> Projector:
        """Return what takes spikes to currents with the weights in force now."""
        connection = self.connection
        if not torch.is_grad_enabled():
            return connection.projector()
        if self.anchor is None or self.start is None:
            self.anchor = connection.in_force()
            self.start = self.anchor.detach()
        if self.current is None:
            self.current = self.anchor
        if not connection.differentiable:
            self.current = self.anchor + (weight_of(self.synapse).detach() - self.start)
        return connection.projector(weight=self.current)

    def see(self, pre: Tensor, post: Tensor, v: Tensor | None, state: ConnectionState) -> ConnectionState:
        """Learn from one step.

        Args:
            pre: Spikes of the source, ``(1, *batch, *source)`` [1].
            post: Those of the target, ``(1, *batch, *target)`` [1].
            v: Potential of the target [mV], where the rule reads it.
            state: State of the connection before it.

        Returns:
            The state after it.
        """
        seen, rule_state = self.stretch(pre, post, v, state.rule)
        before = self.current if self.connection.differentiable else None
        change, after = self.rule.update(
            self.synapse, rule_state.rule, seen.pre, seen.post, seen.signals, v=seen.v, dt=self.dt,
            weight=before, differentiable=before is not None,
        )  # fmt: skip
        if before is not None:
            after_change = before + change
            self.rule.constrain_(after_change, self.synapse)
            self.current = after_change = after_change.clamp(min=0) if self.connection.magnitudes else after_change
            with torch.no_grad():
                weight_of(self.synapse).data = after_change.detach()
            return state._replace(rule=rule_state._replace(rule=after))
        change = mean_over_processes(change, seen.post.shape[1])
        apply_change(self.rule, self.synapse, change, in_place=not torch.is_grad_enabled(), last=False)
        self.connection.keep_magnitudes()
        return state._replace(rule=rule_state._replace(rule=after))

    def finish(self) -> None:
        """Apply the constraints that wait for the end of a sequence."""
        weight = weight_of(self.synapse)
        with torch.no_grad():
            if self.anchor is not None:
                weight.data = weight.data.clone()  # a graph may hold what is there
            self.rule.finish_(weight.data, self.synapse)


class Learning:
    """What all connections of a network learn in one call.

    Args:
        connections: Those that learn, by address.
        modulators: Signals of the whole network by name: ``(time, batch)``, ``(time,)`` or a number.
        steps: Length of the sequence [1].
        dt: Length of a step [ms].

    Raises:
        ValueError: A modulator that no rule waits for, or of another length; or one that is missing where a weight
            changes at every step.

    Example:
        >>> Learning({}, {}, steps=10, dt=1.0).waits_for()
        []
    """

    def __init__(
        self,
        connections: Mapping[str, Connection],
        modulators: Mapping[str, Tensor | float],
        *,
        steps: int,
        dt: float,
    ) -> None:
        known = [name for connection in connections.values() for name in connection.rule.modulators()]  # pyright: ignore
        signals = {name: _signal(name, value, known, steps) for name, value in modulators.items()}
        self.length = steps
        self.graph = torch.is_grad_enabled()
        self.reads_v = {_target(path, c) for path, c in connections.items() if c.rule.reads_v}  # pyright: ignore
        """Addresses of the populations whose potentials are read."""
        self.steps: dict[str, Steps] = {}
        self.sequences: dict[str, Sequences] = {}
        for path, connection in connections.items():
            if weight_of(connection.synapse).requires_grad:
                _ = connection.to_gradient  # an optimizer's step is followed by the constraints
            if connection.when == "step":
                self.steps[path] = Steps(connection, signals, dt)
            else:
                self.sequences[path] = Sequences(connection, signals, dt)

    def finish(self) -> None:
        """Apply what was learned of the sequence."""
        for step in self.steps.values():
            step.finish()
        for sequence in self.sequences.values():
            sequence.connection.graph_holds |= self.graph
            if not sequence.missing:
                sequence.learn({}, in_place=not self.graph)

    def waits_for(self) -> list[str]:
        """Return the names of the modulators for which rules still wait."""
        missing = [name for each in self.sequences.values() if each.waits for name in each.missing]  # in order
        return list(dict.fromkeys(missing))

    def learn(self, modulators: Mapping[str, Tensor | float]) -> None:
        """Learn from what waited.

        Args:
            modulators: By name.

        Raises:
            ValueError: One is missing, or none waits for it.
        """
        names = self.waits_for()
        if missing := [name for name in names if name not in modulators]:
            raise ValueError(f"Expected modulators {', '.join(names)}, got none called {', '.join(missing)}.")
        if odd := [name for name in modulators if name not in names]:
            raise ValueError(f"Expected modulators {', '.join(names)}, got {odd[0]!r}.{nearest(odd[0], names)}")
        signals = {name: _signal(name, value, names, self.length) for name, value in modulators.items()}
        waiting = [sequence for sequence in self.sequences.values() if sequence.waits]
        for name, signal in signals.items():
            samples = waiting[0].samples
            if signal.dim() == 2 and signal.shape[1] not in (1, samples):
                raise ValueError(
                    f"Expected modulator {name!r} of shape (time, batch) with {samples} samples, got "
                    f"{tuple(signal.shape)}."
                )
        for sequence in waiting:
            sequence.learn({name: signals[name] for name in sequence.missing}, in_place=not self.graph)


def _target(path: str, connection: Connection) -> str:
    return path[: path.rindex("connections.")] + connection.target


def _signal(name: str, value: Tensor | float, known: Iterable[str], steps: int) -> Tensor:
    """Return a modulator as a tensor, checked."""
    if name not in (known := list(known)):
        names = ", ".join(dict.fromkeys(known)) or "none, since no rule waits for one"
        raise ValueError(f"Expected `modulators` to be of {names}, got {name!r}.{nearest(name, known)}")
    signal = torch.as_tensor(value).detach()
    if not signal.is_meta and not torch.isfinite(signal).all():
        raise ValueError(f"Expected modulator {name!r} to be finite [1], got a value that is not.")
    if signal.dim() > 2 or (signal.dim() and len(signal) not in (1, steps)):
        raise ValueError(
            f"Expected modulator {name!r} of shape (time, batch) or (time,) with {steps} steps, or a number, got "
            f"{tuple(signal.shape)}."
        )
    return signal
