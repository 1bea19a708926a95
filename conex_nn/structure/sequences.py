"""Connections whose weights change once, after a sequence."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from conex_nn.plasticity import apply_change, mean_over_processes, weight_of
from conex_nn.plasticity.processes import not_shared
from conex_nn.structure.connection import Connection, ConnectionState
from conex_nn.structure.learner import Learner, Seen
from conex_nn.structure.packed_sides import PackedSides

__all__ = ["Sequences"]

_BLOCK = 1 << 22
"""Numbers on both sides of a connection, of all samples, that a rule sees at a time."""


class Sequences(Learner):
    """A connection whose weight changes once, after a sequence.

    Args:
        connection: The connection.
        modulators: Signals of the whole network, from the first step on.
        dt: Length of a step [ms].

    Example:
        >>> from conex_nn.plasticity import STDP
        >>> from conex_nn.synapses import Dense
        >>> connection = Connection(Dense(2, 1), "a", "b", rule=STDP(a_plus=1.0, a_minus=0.0))
        >>> learner = Sequences(connection, {}, 1.0)
        >>> pre, post = torch.ones(1, 3, 2), torch.ones(1, 3, 1)
        >>> state = learner.see(pre, post, None, connection.initial_state(pre[0]))
        >>> learner.change
        tensor([[1., 1.]])
    """

    def __init__(self, connection: Connection, modulators: Mapping[str, Tensor], dt: float) -> None:
        super().__init__(connection, modulators, dt)
        self.change: Tensor | None = None
        self.samples = 1
        self.missing = [name for name in self.rule.modulators() if name not in modulators]
        self.waiting: list[Seen] = []
        self.whole = any(part._buffers for part in self.rule.modules())
        """Whether the rule may keep something that depends on how much of a sequence it sees at once, as BCM does."""
        remembers = bool(getattr(self.rule, "remembers", False))
        self.later = remembers and any(xs.dim() == 2 and xs.shape[1] > 1 for xs in modulators.values())
        """Whether each sample has an eligibility of its own: none goes on after the sequence."""
        carries_on = remembers and not self.missing and not self.later
        self.packed = None if carries_on else PackedSides.of(self.rule, self.synapse, dt=dt)
        """What it learns from where the rule and both sides are such as a kernel knows; None where they are not."""

    @property
    def waits(self) -> bool:
        """Whether it has seen what it has not learned from."""
        return bool(self.waiting) or (self.packed is not None and len(self.packed) > 0)

    def see(self, pre: Tensor, post: Tensor, v: Tensor | None, state: ConnectionState) -> ConnectionState:
        """Take in a stretch of the sequence.

        Args:
            pre: Spikes of the source, ``(time, *batch, *source)`` [1].
            post: Those of the target, ``(time, *batch, *target)`` [1].
            v: Potential of the target [mV], where the rule reads it.
            state: State of the connection before it.

        Returns:
            The state after it.
        """
        straight = self.packed is not None and self.axon is None and self.dendrite is None  # nothing is copied
        size = len(post) if straight else self._block(pre, post)
        for begin in range(0, len(post), size):
            here = slice(begin, begin + size)
            seen, before = self.stretch(pre[here], post[here], None if v is None else v[here], state.rule)
            state = state._replace(rule=before._replace(rule=self._take(seen, before.rule)))
        return state

    def _block(self, pre: Tensor, post: Tensor) -> int:
        """Return so few steps that what a rule makes of them stays in a cache and takes little memory."""
        return len(post) if self.whole else max(1, _BLOCK // max(1, pre[0].numel() + post[0].numel()))

    def _take(self, seen: Seen, state: Any) -> Any:
        """Take in some steps, and return the state of the rule after them."""
        self.samples, afresh = seen.post.shape[1], bool(self.missing) or self.later
        if self.packed is not None:
            fits = all(xs.dim() < 2 or xs.shape[1] in (1, self.samples) for xs in seen.signals.values())
            after = self.packed.take(seen.pre, seen.post, None if afresh else state) if fits else None
            if after is not None:
                return state if afresh else after
            self._unpack()
        if afresh:
            self.waiting.append(seen)
            return state
        size = self._block(seen.pre, seen.post)
        for begin in range(0, len(seen.post), size):
            pre, post, v = (None if xs is None else xs[begin : begin + size] for xs in seen[:3])
            signals = {name: xs[begin : begin + size] if len(xs) > 1 else xs for name, xs in seen.signals.items()}
            change, state = self.rule.update(self.synapse, state, pre, post, signals, v=v, dt=self.dt)
            self.change = change if self.change is None else self.change.add_(change)
        return state

    def _unpack(self) -> None:
        """Take in what was packed as that of any other rule."""
        packed, self.packed = self.packed, None
        if packed is None:
            return
        state, time, self.time = packed.state, self.time, 0
        for pre, post in packed.unpacked():
            signals = self.signals(len(post))
            self.time += len(post)
            state = self._take(Seen(pre, post, None, signals), state)
        self.time = time

    def learn(self, modulators: Mapping[str, Tensor], *, in_place: bool) -> None:
        """Change the weight, or its gradient, by what was seen.

        Args:
            modulators: Those that the rule waited for, over the whole sequence.
            in_place: Whether no graph holds the weight.
        """
        given, in_place = {**self.modulators, **modulators}, in_place and not self.connection.graph_holds
        if self.packed is not None and len(self.packed):
            if self._learn_packed(self.packed, given, in_place=in_place):
                self.packed = None
            else:
                self._unpack()
        if self.waiting:
            pre, post = (torch.cat([getattr(seen, side) for seen in self.waiting]) for side in ("pre", "post"))
            v = None if self.waiting[0].v is None else torch.cat([seen.v for seen in self.waiting])  # pyright: ignore
            self.waiting = []
            self.change, _ = self.rule.update(self.synapse, None, pre, post, given, v=v, dt=self.dt, keep_state=False)
        if self.change is None:
            return
        change, self.change = mean_over_processes(self.change, self.samples), None
        if self.connection.into == "grad":
            self.connection.to_gradient.add(change)
        else:
            apply_change(self.rule, self.synapse, change, in_place=in_place)
            self.connection.keep_magnitudes()

    def _learn_packed(self, packed: PackedSides, modulators: Mapping[str, Tensor], *, in_place: bool) -> bool:
        """Learn from both sides as they were packed; return whether that is the faster way."""
        weight, alone = weight_of(self.synapse), not_shared()
        if not (in_place and alone and self.connection.into == "weight" and packed.adds_onto(weight)):
            self.change = packed.change(modulators)
            return self.change is not None
        if packed.change(modulators, weight.detach()) is None:
            return False
        torch.autograd.graph.increment_version(weight)
        self.connection.constrain()
        return True
