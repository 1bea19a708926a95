"""A connection that learns while a network runs: what its rule sees of either side, and when."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor
from torch.utils._pytree import tree_structure

from conex_nn.structure.connection import Connection
from conex_nn.synapses import Delay

__all__ = ["Learner", "RuleState", "Seen"]


class RuleState(NamedTuple):
    """Fast state of a rule in a connection."""

    rule: Any
    """Of the rule itself, such as traces."""
    pre: Tensor | tuple[()]
    """Spikes of the source that it has yet to see, ``(steps, batch, *source)`` [1]; () without ``axon_delay``."""
    post: Tensor | tuple[()]
    """Those of the target, ``(steps, batch, *target)`` [1]; () without ``dendrite_delay``."""


class Seen(NamedTuple):
    """What a rule sees of a stretch of time."""

    pre: Tensor
    post: Tensor
    v: Tensor | None
    signals: dict[str, Tensor]


class Learner:
    """A connection that learns while a network runs once.

    Args:
        connection: The connection.
        modulators: Signals of the whole network, from the first step on.
        dt: Length of a step [ms].
    """

    def __init__(self, connection: Connection, modulators: Mapping[str, Tensor], dt: float) -> None:
        self.connection, self.modulators, self.dt = connection, modulators, dt
        self.rule: Any = connection.rule
        self.synapse: Any = connection.synapse
        self.axon, self.dendrite = _delay(connection.axon_delay), _delay(connection.dendrite_delay)
        self.time = 0
        """Steps seen so far."""

    def signals(self, steps: int) -> dict[str, Tensor]:
        """Return the modulators of the next steps."""
        begin, end = self.time, self.time + steps
        return {name: xs[begin:end] if xs.dim() and len(xs) > 1 else xs for name, xs in self.modulators.items()}

    def shaped(self, steps: int, batch: int) -> dict[str, Tensor] | None:
        """Return the modulators of the next steps, ``(time or 1, batch or 1)``; None where the step loop refuses one.

        Args:
            steps: Their number [1].
            batch: Number of samples [1].
        """
        shaped = {
            name: signal.reshape(-1, 1) if signal.dim() < 2 else signal for name, signal in self.signals(steps).items()
        }
        fits = all(len(xs) in (1, steps) and xs.shape[1] in (1, batch) for xs in shaped.values())
        return shaped if fits else None

    def stretch(self, pre: Tensor, post: Tensor, v: Tensor | None, state: RuleState | None) -> tuple[Seen, RuleState]:
        """Return what the rule sees of the next steps, delayed and with one batch axis, and the state of the delays."""
        source, target = self.synapse.source_shape, self.synapse.target_shape
        steps, (rule, *lines) = len(post), state or RuleState(None, (), ())
        if not self.connection.differentiable:
            pre, post = pre.detach(), post.detach()
        pre, post = pre.reshape(steps, -1, *source), post.reshape(steps, -1, *target)
        if v is not None:
            v = v.detach().reshape(steps, -1, *target)
        signals = self.signals(steps)
        self.time += steps
        if self.axon is not None:
            pre, lines[0] = self.axon(pre, lines[0] if isinstance(lines[0], Tensor) else None)
        if rule is not None and self.time == steps:
            self._check_state(rule, pre[0], post[0])
        if self.dendrite is not None:
            post, lines[1] = self.dendrite(post, lines[1] if isinstance(lines[1], Tensor) else None)
        return Seen(pre, post, v, signals), RuleState(rule, *lines)

    def _check_state(self, state: Any, pre: Tensor, post: Tensor) -> None:
        """Raise unless a state is that of such a rule."""
        if tree_structure(self.rule.initial_state(self.synapse, pre, post)) != tree_structure(state):
            raise ValueError(
                f"Expected `state` of a network whose connection {self.connection.source!r} -> "
                f"{self.connection.target!r} learns by {self.rule}, got another. Leave it out to start anew."
            )


def _delay(steps: int | Tensor) -> Delay | None:
    if isinstance(steps, int) and steps == 0:
        return None
    delay = Delay(steps)
    return delay if delay.maximum else None
