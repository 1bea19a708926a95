"""Pair-based spike-timing-dependent plasticity."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount, require_positive
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms
from conex_nn.plasticity.trace import trace

__all__ = ["STDP", "STDPState"]


class STDPState(NamedTuple):
    """Fast state of pair STDP."""

    trace_pre: Tensor
    """Trace of the source, ``(batch, *source)`` [1]."""
    trace_post: Tensor
    """Trace of the target, ``(batch, *target)`` [1]."""


class STDP(Rule):
    r"""Pair STDP: strengthens what fired before its target, weakens what fired after it.

    .. math:: \Delta w = A_+ B_+(w)\, H(x_\mathrm{pre}, s_\mathrm{post})
        - A_- B_-(w)\, H(s_\mathrm{pre}, x_\mathrm{post})

    with traces :math:`x \leftarrow x e^{-dt/\tau} + s` that include the current step, the Hebbian product H of the
    synapse, and the bounds B of the chain, if any. A pair k steps apart changes the weight by
    :math:`A_+ e^{-k\,dt/\tau_+}`, or by :math:`-A_- e^{-k\,dt/\tau_-}`; one at the same step by the difference.

    Args:
        a_plus: Change by a pair of spikes, source first [1].
        a_minus: That of the target first, taken off [1]; it does not follow ``a_plus``. Negative amounts are
            anti-Hebbian.
        tau_plus: Time constant of the source's trace [ms].
        tau_minus: Time constant of the target's trace [ms].
        nearest: A spike pairs with the last one of the other side only, not with all.

    Raises:
        ValueError: A time constant that is not positive, an amount that is not finite.

    Example:
        >>> pre, post = torch.zeros(2, 4, 1, 1)  # (time, batch, neurons) each
        >>> pre[0], post[3] = 1, 1
        >>> change, state = STDP(a_plus=1.0, tau_plus=10.0).update(nn.Linear(1, 1), None, pre, post)
        >>> change  # exp(-3 / 10)
        tensor([[0.7408]])

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 19.2.2, equations 19.10 to 19.13; Morrison, Diesmann and
        Gerstner, Biological Cybernetics 98 (2008), section 4.1 for the pairing.
    """

    a_plus: float | Tensor
    a_minus: float | Tensor

    def __init__(
        self,
        *,
        a_plus: float | Tensor = 0.01,
        a_minus: float | Tensor = 0.012,
        tau_plus: float = 20.0,
        tau_minus: float = 20.0,
        nearest: bool = False,
    ) -> None:
        super().__init__()
        keep_amount(self, "a_plus", a_plus)
        keep_amount(self, "a_minus", a_minus)
        self.tau_plus = require_positive("tau_plus", tau_plus, unit="ms")
        self.tau_minus = require_positive("tau_minus", tau_minus, unit="ms")
        self.nearest = nearest

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> STDPState:
        return STDPState(torch.zeros_like(pre), torch.zeros_like(post))

    @override
    def terms(self, seen: Activity, state: STDPState) -> tuple[Terms, STDPState]:
        x_pre, last_pre = trace(seen.pre, state.trace_pre, tau=self.tau_plus, dt=seen.dt, nearest=self.nearest)
        x_post, last_post = trace(seen.post, state.trace_post, tau=self.tau_minus, dt=seen.dt, nearest=self.nearest)
        terms = [Term(x_pre, seen.post).times(self.a_plus), Term(seen.pre, x_post, sign=-1).times(self.a_minus)]
        return terms, STDPState(last_pre, last_post)

    @override
    def extra_repr(self) -> str:
        amounts = [f"{name}={a:g}" for name in ("a_plus", "a_minus") if isinstance(a := getattr(self, name), float)]
        times = [f"{name}={getattr(self, name):g}" for name in ("tau_plus", "tau_minus")]
        return ", ".join([*amounts, *times, *(["nearest=True"] if self.nearest else [])])
