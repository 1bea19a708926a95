"""Triplet-based spike-timing-dependent plasticity."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount, require_positive
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms
from conex_nn.plasticity.trace import trace

__all__ = ["TripletSTDP", "TripletState"]

_NAMES = ("a2_plus", "a3_plus", "a2_minus", "a3_minus", "tau_x", "tau_y")

# (nearest, minimal): tables 3 and 4 of the paper. A trace without an amount has no time constant there.
_VISUAL_CORTEX = {
    (False, False): (5e-10, 6.2e-3, 7e-3, 2.3e-4, 101.0, 125.0),
    (False, True): (0.0, 6.5e-3, 7.1e-3, 0.0, 101.0, 114.0),
    (True, False): (8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 714.0, 40.0),
    (True, True): (0.0, 5e-2, 8e-3, 0.0, 714.0, 40.0),
}
_HIPPOCAMPUS = {
    (False, False): (6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946.0, 27.0),
    (False, True): (5.3e-3, 8e-3, 3.5e-3, 0.0, 946.0, 40.0),
    (True, False): (4.6e-3, 9.1e-3, 3e-3, 7.5e-9, 575.0, 47.0),
    (True, True): (4.6e-3, 9.1e-3, 3e-3, 0.0, 575.0, 48.0),
}


class TripletState(NamedTuple):
    """Fast state of triplet STDP."""

    trace_pre: Tensor
    """Fast trace of the source, r1, ``(batch, *source)`` [1]."""
    slow_pre: Tensor
    """Slow trace of the source, r2 [1]."""
    trace_post: Tensor
    """Fast trace of the target, o1, ``(batch, *target)`` [1]."""
    slow_post: Tensor
    """Slow trace of the target, o2 [1]."""


class TripletSTDP(Rule):
    r"""Triplet STDP: pairs count by what either side did before, which explains the effect of the rate.

    At a spike of the target :math:`w` grows by :math:`r_1 [A_2^+ + A_3^+ o_2(t - \epsilon)]`, at one of the source it
    falls by :math:`o_1 [A_2^- + A_3^- r_2(t - \epsilon)]`. The slow traces are those just before the spike; the fast
    ones include the current step.

    Args:
        a2_plus: Growth by a pair [1].
        a3_plus: Growth by a triplet of target, source, target [1].
        a2_minus: Loss by a pair [1].
        a3_minus: Loss by a triplet of source, target, source [1].
        tau_plus: Time constant of the source's fast trace [ms].
        tau_minus: Time constant of the target's fast trace [ms].
        tau_x: Time constant of the source's slow trace [ms].
        tau_y: Time constant of the target's slow trace [ms].
        nearest: Traces are set to 1 by a spike instead of growing by 1.

    Raises:
        ValueError: A time constant that is not positive, an amount that is not finite.

    Example:
        >>> rule = TripletSTDP.visual_cortex()
        >>> pre, post = torch.zeros(2, 100, 1, 1)
        >>> pre[10::20], post[15::20] = 1, 1  # at 50 Hz, the source 5 ms ahead
        >>> rule.update(nn.Linear(1, 1), None, pre, post)[0] > 0
        tensor([[True]])

    References:
        Pfister and Gerstner, Journal of Neuroscience 26 (2006), equations 2 to 4.
    """

    a2_plus: float | Tensor
    a3_plus: float | Tensor
    a2_minus: float | Tensor
    a3_minus: float | Tensor

    def __init__(
        self,
        *,
        a2_plus: float | Tensor = 5e-10,
        a3_plus: float | Tensor = 6.2e-3,
        a2_minus: float | Tensor = 7e-3,
        a3_minus: float | Tensor = 2.3e-4,
        tau_plus: float = 16.8,
        tau_minus: float = 33.7,
        tau_x: float = 101.0,
        tau_y: float = 125.0,
        nearest: bool = False,
    ) -> None:
        super().__init__()
        amounts = {"a2_plus": a2_plus, "a3_plus": a3_plus, "a2_minus": a2_minus, "a3_minus": a3_minus}
        for name, amount in amounts.items():
            keep_amount(self, name, amount)
        self.tau_plus = require_positive("tau_plus", tau_plus, unit="ms")
        self.tau_minus = require_positive("tau_minus", tau_minus, unit="ms")
        self.tau_x = require_positive("tau_x", tau_x, unit="ms")
        self.tau_y = require_positive("tau_y", tau_y, unit="ms")
        self.nearest = nearest

    @classmethod
    def visual_cortex(cls, *, nearest: bool = False, minimal: bool = False) -> "TripletSTDP":
        """Return the rule fitted to slices of visual cortex (Sjöström et al. 2001).

        Args:
            nearest: The fit for nearest spikes, not for all.
            minimal: The fit without the terms that it can do without.
        """
        fit = dict(zip(_NAMES, _VISUAL_CORTEX[nearest, minimal], strict=True))
        return cls(**fit, tau_plus=16.8, tau_minus=33.7, nearest=nearest)

    @classmethod
    def hippocampus(cls, *, nearest: bool = False, minimal: bool = False) -> "TripletSTDP":
        """Return the rule fitted to cultures of hippocampus (Wang et al. 2005).

        Args:
            nearest: The fit for nearest spikes, not for all.
            minimal: The fit without the term that it can do without.
        """
        fit = dict(zip(_NAMES, _HIPPOCAMPUS[nearest, minimal], strict=True))
        return cls(**fit, tau_plus=16.8, tau_minus=33.7, nearest=nearest)

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> TripletState:
        zero_pre, zero_post = torch.zeros_like(pre), torch.zeros_like(post)
        return TripletState(zero_pre, zero_pre, zero_post, zero_post)

    @override
    def terms(self, seen: Activity, state: TripletState) -> tuple[Terms, TripletState]:
        dt, nearest = seen.dt, self.nearest
        r1, last_r1 = trace(seen.pre, state.trace_pre, tau=self.tau_plus, dt=dt, nearest=nearest)
        r2, last_r2 = trace(seen.pre, state.slow_pre, tau=self.tau_x, dt=dt, nearest=nearest)
        o1, last_o1 = trace(seen.post, state.trace_post, tau=self.tau_minus, dt=dt, nearest=nearest)
        o2, last_o2 = trace(seen.post, state.slow_post, tau=self.tau_y, dt=dt, nearest=nearest)
        before_o2 = _before(o2, state.slow_post, tau=self.tau_y, dt=dt)
        before_r2 = _before(r2, state.slow_pre, tau=self.tau_x, dt=dt)
        if all(isinstance(amount, float) for amount in (self.a2_plus, self.a3_plus, self.a2_minus, self.a3_minus)):
            terms = [
                Term(r1, seen.post * (self.a2_plus + self.a3_plus * before_o2)),
                Term(seen.pre * (self.a2_minus + self.a3_minus * before_r2), o1, -1),
            ]
        else:
            terms = [
                Term(r1, seen.post).times(self.a2_plus),
                Term(r1, seen.post * before_o2).times(self.a3_plus),
                Term(seen.pre, o1, -1).times(self.a2_minus),
                Term(seen.pre * before_r2, o1, -1).times(self.a3_minus),
            ]
        return terms, TripletState(last_r1, last_r2, last_o1, last_o2)


def _before(values: Tensor, start: Tensor, *, tau: float, dt: float) -> Tensor:
    """Return a trace just before the spikes of every step."""
    return torch.cat([start[None], values[:-1]]) * math.exp(-dt / tau)
