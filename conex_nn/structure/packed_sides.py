"""What a connection that learns from whole sequences keeps of them: both its sides, one bit a spike."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from conex_nn.kernels import Learning, PackedSpikes, mostly_zeros, pair_change
from conex_nn.kernels.direct import plain
from conex_nn.plasticity import weight_of
from conex_nn.structure.learning_by_events import LearningPlan
from conex_nn.synapses import Dense

__all__ = ["PackedSides"]


class PackedSides:
    """Both sides of a connection over a sequence, from which a pair rule learns at its end.

    The weight does not change meanwhile, so what the rule says is worked out once, at the cost of the side that spikes
    less; no trace of the length of the sequence is made.

    Args:
        plan: How the rule learns.
        dt: Length of a step [ms].

    Example:
        >>> from conex_nn.plasticity import STDP
        >>> sides = PackedSides.of(STDP(a_plus=1.0, a_minus=0.0), Dense(20, 1), dt=1.0)
        >>> state = sides.take(torch.eye(20)[:2, None], torch.ones(2, 1, 1), None)
        >>> sides.change({})[0, :3]
        tensor([1.9512, 1.0000, 0.0000])
    """

    def __init__(self, plan: LearningPlan, dt: float) -> None:
        self.plan, self.dt = plan, dt
        self.state: Any = None
        """State of the rule before the first step."""
        self._rule: Learning | None = None
        self._before: tuple[Tensor, Tensor] | None = None
        """Traces before the first step; None for none."""
        self._pieces: list[tuple[PackedSpikes, PackedSpikes]] = []

    @classmethod
    def of(cls, rule: Any, synapse: Any, *, dt: float) -> "PackedSides | None":
        """Return what a rule learns from; None where the kernel does not know it.

        Args:
            rule: The rule, or a chain.
            synapse: What learns.
            dt: Length of a step [ms].
        """
        if type(synapse) is not Dense or weight_of(synapse).device.type != "cpu":
            return None
        plan = LearningPlan.of(rule, synapse)
        return None if plan is None else cls(plan, dt)

    def __len__(self) -> int:
        """Return how many stretches of time it holds."""
        return len(self._pieces)

    def take(self, pre: Tensor, post: Tensor, state: Any) -> Any:
        """Take in a stretch of the sequence.

        Args:
            pre: Spikes of the source, ``(time, batch, *source)`` [1].
            post: Those of the target, ``(time, batch, *target)`` [1].
            state: State of the rule before it; None to begin.

        Returns:
            The state after it; None where it cannot be kept as bits, or neither side is mostly zeros.
        """
        sides, like = [side.flatten(2) for side in (pre, post)], weight_of(self.plan.synapse)
        if not all(side.device.type == "cpu" and plain(side) for side in sides):
            return None
        if not len(self) and not any(mostly_zeros(side.flatten(0, 1)) for side in sides):
            return None
        steps = [side[0].to(like.dtype) for side in sides]
        rule = self.plan.pairs(state, pre=steps[0], post=steps[1], dt=self.dt)
        if not len(self):
            self.state, self._rule = state, rule
            if state is not None:
                self._before = rule.trace_pre.clone(), rule.trace_post.clone()
        options = {"nearest": rule.nearest}
        source = PackedSpikes.of(sides[0], rule.trace_pre, keep=rule.keep_pre, **options)
        target = PackedSpikes.of(sides[1], rule.trace_post, keep=rule.keep_post, **options)
        if source is None or target is None:
            return None
        self._pieces.append((source, target))
        return self.plan.state(rule, pre.shape[1:], post.shape[1:])

    def adds_onto(self, weight: Tensor) -> bool:
        """Whether a change can be added to a weight as it lies in memory."""
        return self.plan.synapse.mask is None and weight.mT.is_contiguous()

    def change(self, modulators: Mapping[str, Tensor], out: Tensor | None = None) -> Tensor | None:
        """Return what was learned; None where so much spikes on either side that dense products are faster.

        Args:
            modulators: Signals of the whole network over the whole sequence, ``(time, batch)``, ``(time,)`` or numbers.
            out: What to add it to, laid out by source: the weight itself, or something of its shape.
        """
        pre, post = (PackedSpikes.joined(side) for side in zip(*self._pieces, strict=True))
        if self._rule is None or not (pre.is_sparse or post.is_sparse):
            return None
        synapse: Any = self.plan.synapse
        weight = weight_of(synapse).detach().mT.contiguous()
        signal = self.plan.signal(modulators, steps=pre.steps, batch=pre.batch, dt=self.dt)
        start = self._before or [trace.new_zeros(1) for trace in (self._rule.trace_pre, self._rule.trace_post)]
        rule = replace(self._rule, trace_pre=start[0], trace_post=start[1], modulator=signal)
        change = pair_change(weight, pre, post, rule, None if out is None else out.mT)
        return change.mT if synapse.mask is None else change.mT.mul_(synapse.mask)

    def unpacked(self) -> list[tuple[Tensor, Tensor]]:
        """Return all stretches as they were taken in: spikes of the source, and of the target."""
        synapse: Any = self.plan.synapse
        dtype = weight_of(synapse).dtype
        return [
            (
                pre.spikes(dtype).unflatten(2, synapse.source_shape),
                post.spikes(dtype).unflatten(2, synapse.target_shape),
            )
            for pre, post in self._pieces
        ]
