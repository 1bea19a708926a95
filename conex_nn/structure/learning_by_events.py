"""Which rules the kernels can learn by, step by step or from a whole sequence, and their translation for them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels import Learning
from conex_nn.plasticity import (
    ISTDP,
    STDP,
    Chain,
    Clip,
    Dale,
    LearningRate,
    Modulated,
    Normalise,
    Product,
    Rule,
    Soft,
    STDPState,
    anticausal,
)
from conex_nn.synapses import Dense, OneToOne, Sparse

__all__ = ["LearningPlan"]

_OPEN = (-math.inf, math.inf)


@dataclass
class _Found:
    """What a chain says, as far as it was read."""

    plus: float
    minus: float
    taus: tuple[float, float]
    shift: float = 0.0
    bound: Soft | Product | None = None
    plus_up: bool = True
    minus_up: bool = False
    by: tuple[str, ...] = ()
    memory: tuple[int, Modulated] | None = None
    before: tuple[float, float] = _OPEN
    normalise: Normalise | None = None
    after: tuple[float, float] = _OPEN
    options: dict[str, Any] = field(default_factory=dict)


class LearningPlan:
    """A rule on a synapse as the kernels carry it out.

    Args:
        rule: The rule, or a chain.
        synapse: What learns.

    Example:
        >>> LearningPlan.of(STDP(), Dense(3, 2)) is not None
        True
        >>> from conex_nn.plasticity import BCM
        >>> LearningPlan.of(BCM(), Dense(3, 2)) is None
        True
    """

    def __init__(self, rule: Rule, synapse: Any, found: _Found) -> None:
        self.rule, self.synapse, self._found = rule, synapse, found

    @classmethod
    def of(cls, rule: Rule, synapse: Any, *, magnitudes: bool = False, delays: bool = False) -> "LearningPlan | None":
        """Return the plan of a rule, else None.

        Args:
            rule: The rule, or a chain.
            synapse: What learns.
            magnitudes: Whether weights stop at 0, because their sign is the source's.
            delays: Whether edges may have delays, which a rule does not see.
        """
        if type(synapse) not in (Dense, OneToOne, Sparse):
            return None
        if type(synapse) is Sparse and synapse.delay_bytes is not None and not delays:
            return None
        if type(synapse) is Sparse and synapse.shared:
            return None
        links = list(rule.links) if type(rule) is Chain else [rule]
        found = _read_rule(links[0])
        if found is None or not all(_read_link(found, number, link) for number, link in enumerate(links) if number):
            return None
        if type(synapse) is OneToOne and found.normalise is not None:
            return None
        if magnitudes:
            if bool((synapse.weight.detach() < 0).any()):
                return None
            _clip(found, (0.0, math.inf))
        if found.bound is not None and found.shift:
            return None  # what is taken off at each spike slows down towards the other end
        if found.by and found.memory is not None:
            return None
        plan = cls(rule, synapse, found)
        return plan if synapse.mask is None or plan._keeps_to_mask() else None

    def _keeps_to_mask(self) -> bool:
        """Whether what the mask leaves out is 0, and stays so."""
        inside = all(low <= 0 <= high for low, high in (self._found.before, self._found.after))
        weight, mask = self.synapse.weight.detach(), self.synapse.mask
        return inside and not bool((weight * ~mask).any())

    @property
    def normalises(self) -> bool:
        """Whether a constraint follows each change that concerns all weights of a neuron."""
        return self._found.normalise is not None

    def names(self) -> tuple[str, ...]:
        """Return the names of the modulators that it reads."""
        return self._found.by if self._found.memory is None else self._found.memory[1].by

    def learning(
        self,
        state: Any,
        modulators: Mapping[str, Tensor],
        *,
        pre: Tensor,
        post: Tensor,
        steps: int,
        dt: float,
        **options: Any,
    ) -> Learning | None:
        """Return what the kernel is told, or None where a modulator needs the step loop.

        Args:
            state: State of the rule before the first step; None to begin.
            modulators: Signals of the whole network, each ``(time or 1, batch or 1)``.
            pre: Anything of the shape ``(batch, sources)``, and of the dtype of the weight.
            post: Likewise ``(batch, targets)``.
            steps: Number of steps [1].
            dt: Length of a step [ms].
            options: Of :class:`conex_nn.kernels.Learning`: the delays, and what they hold.
        """
        found = self._found
        if self.names():
            signal = pre.new_ones(1, 1)
            for name in self.names():
                if name not in modulators:
                    return None  # the step loop says so
                signal = signal * modulators[name].to(pre.dtype)
            if found.memory is not None and signal.shape[1] > 1:
                return None
            options["modulator"] = signal.expand(steps, len(pre)).contiguous()
        states = list(state) if state is not None and type(self.rule) is Chain else [state]
        if found.memory is not None:
            number, modulated = found.memory
            before = states[number] if len(states) > number else None
            weight = _by_source(self.synapse, self.synapse.weight.detach())
            options["eligibility"] = (
                torch.zeros_like(weight) if before is None else _by_source(self.synapse, before).clone()
            ).contiguous()
            options["keep_eligibility"] = math.exp(-dt / (modulated.tau or math.inf))
        if self.synapse.mask is not None:
            options["mask"] = self.synapse.mask.t().to(pre.dtype).contiguous()
        if type(self.synapse) is Sparse and "by_target" not in options:
            wiring = self.synapse.wiring()
            options["by_target"] = (wiring.target_indptr, wiring.by_target, wiring.source_by_target)
        if found.normalise is not None:
            options |= {"normalise": found.normalise.per, "total": found.normalise.total}
            options |= {"low_after": found.after[0], "high_after": found.after[1]}
        options |= {"low": found.before[0], "high": found.before[1]}
        return self.pairs(state, pre=pre, post=post, dt=dt, **options)

    def signal(self, modulators: Mapping[str, Tensor], *, steps: int, batch: int, dt: float) -> Tensor | None:
        """Return how much each change of a sequence counts, ``(time, batch)``; None where no modulator says so.

        With an eligibility trace, that is what comes of a change until the sequence ends; none is kept.

        Args:
            modulators: All of :meth:`names`, over the whole sequence: ``(time, batch)``, ``(time,)`` or numbers.
            steps: Number of steps [1].
            batch: Number of samples [1].
            dt: Length of a step [ms].
        """
        if not self.names():
            return None
        dtype = self.synapse.weight.dtype
        signal = torch.ones(1, 1, dtype=dtype)
        for name in self.names():
            given = modulators[name].to(dtype)
            signal = signal * (given.reshape(-1, 1) if given.dim() < 2 else given)
        signal = signal.expand(steps, -1)
        if self._found.memory is not None:
            signal = anticausal(signal * dt, tau=self._found.memory[1].tau or math.inf, dt=dt)
        return signal.expand(steps, batch).contiguous()

    def pairs(self, state: Any, *, pre: Tensor, post: Tensor, dt: float, **options: Any) -> Learning:
        """Return the pair rule with its bound and its traces, which are copies, and no more.

        Args:
            state: State of the rule before the first step; None to begin.
            pre: Anything of the shape ``(batch, sources)``, and of the dtype of the weight.
            post: Likewise ``(batch, targets)``.
            dt: Length of a step [ms].
            options: Of :class:`conex_nn.kernels.Learning`: what else there is to say.
        """
        found = self._found
        traces = state[0] if state is not None and type(self.rule) is Chain else state
        if traces is None:
            traces = STDPState(torch.zeros_like(pre), torch.zeros_like(post))
        if found.bound is not None:
            options |= {
                "bound": "soft" if isinstance(found.bound, Soft) else "product",
                "w_min": found.bound.w_min,
                "w_max": found.bound.w_max,
                "mu": getattr(found.bound, "mu", 1.0),
                "plus_up": found.plus_up,
                "minus_up": found.minus_up,
            }
        return Learning(
            traces.trace_pre.reshape(pre.shape).to(pre.dtype).clone(memory_format=torch.contiguous_format),
            traces.trace_post.reshape(post.shape).to(pre.dtype).clone(memory_format=torch.contiguous_format),
            keep_pre=math.exp(-dt / found.taus[0]),
            keep_post=math.exp(-dt / found.taus[1]),
            plus=found.plus,
            minus=found.minus,
            shift=found.shift,
            **found.options,
            **options,
        )

    def state(self, learning: Learning, pre: torch.Size, post: torch.Size) -> Any:
        """Return the state of the rule after the last step.

        Args:
            learning: What the kernel was told.
            pre: Shape of one step of the source, ``(*batch, *source)``.
            post: Shape of one step of the target, ``(*batch, *target)``.
        """
        traces = STDPState(learning.trace_pre.reshape(pre), learning.trace_post.reshape(post))
        if type(self.rule) is not Chain:
            return traces
        states: list[Any] = [traces] + [None] * (len(self.rule.links) - 1)
        if self._found.memory is not None and learning.eligibility is not None:
            states[self._found.memory[0]] = _by_source(self.synapse, learning.eligibility)
        return tuple(states)


def _by_source(synapse: Any, weight: Any) -> Tensor:
    """Return something of a weight's shape as the kernel sees it, or the other way."""
    return weight.mT if type(synapse) is Dense else weight


def _read_rule(rule: Any) -> _Found | None:
    """Return what a rule without its links does."""
    if type(rule) is STDP and isinstance(rule.a_plus, float) and isinstance(rule.a_minus, float):
        return _Found(
            rule.a_plus,
            -rule.a_minus,
            (rule.tau_plus, rule.tau_minus),
            plus_up=rule.a_plus >= 0,
            minus_up=rule.a_minus < 0,
            options={"nearest": rule.nearest},
        )
    if type(rule) is ISTDP and isinstance(rule.rate, float):
        sign = -1 if rule.excitatory else 1
        return _Found(rule.rate, sign * rule.rate, (rule.tau, rule.tau), shift=-rule.alpha)
    return None


def _read_link(found: _Found, number: int, link: Any) -> bool:
    """Note what a link does; return whether that is known."""
    if type(link) in (Soft, Product) and found.bound is None:
        found.bound = link
    elif type(link) is LearningRate and isinstance(link.rate, float):
        if found.memory is not None:
            return False
        found.plus, found.minus = found.plus * link.rate, found.minus * link.rate
        if found.bound is None and link.rate < 0:
            found.plus_up, found.minus_up = not found.plus_up, not found.minus_up
    elif type(link) is Modulated and found.memory is None:
        if link.tau is None:
            found.by += link.by
        else:
            found.memory = (number, link)
    elif type(link) is Normalise and (link.late or found.normalise is None):
        found.normalise = found.normalise if link.late else link
    elif type(link) is Clip or (type(link) is Dale and not isinstance(link.sign, Tensor)):
        _clip(found, _ends(link))
    else:
        return False
    return True


def _clip(found: _Found, ends: tuple[float, float]) -> None:
    """Note that weights are clipped, before they are normalised or after it."""
    if found.normalise is None:
        found.before = _both(found.before, ends)
    else:
        found.after = _both(found.after, ends)


def _ends(link: Any) -> tuple[float, float]:
    if isinstance(link, Dale):
        return (0.0, math.inf) if link.sign > 0 else (-math.inf, 0.0)
    return (-math.inf if link.w_min is None else link.w_min, math.inf if link.w_max is None else link.w_max)


def _both(first: tuple[float, float], then: tuple[float, float]) -> tuple[float, float]:
    """Return the range that two ranges, applied one after the other, come to."""
    low, high = (min(max(end, then[0]), then[1]) for end in first)
    return low, high
