"""Voltage-based spike-timing-dependent plasticity."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount, require_positive
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms
from conex_nn.plasticity.trace import smooth, trace

__all__ = ["Clopath", "ClopathState"]


class ClopathState(NamedTuple):
    """Fast state of voltage-based STDP."""

    trace_pre: Tensor
    """Averaged spikes of the source, ``(batch, *source)`` [1/ms]."""
    v_minus: Tensor
    """Averaged potential for depression, ``(batch, *target)`` [mV]."""
    v_plus: Tensor
    """Averaged potential for potentiation [mV]."""
    coming_minus: Tensor
    """Averages for depression that are yet to count, ``(steps, batch, *target)`` [mV]; none before the first step."""
    coming_plus: Tensor
    """Those for potentiation [mV]."""


class Clopath(Rule):
    r"""Voltage-based STDP: sources weaken by the target's recent potential, and strengthen while it is depolarised.

    .. math:: \dot w = -A_- s_\mathrm{pre} [\bar u_-(t - d) - \theta_-]^+
        + A_+ \bar x [u - \theta_+]^+ [\bar u_+(t - d) - \theta_-]^+

    with :math:`\tau_\pm \dot{\bar u}_\pm = u - \bar u_\pm`, :math:`\tau_x \dot{\bar x} = s_\mathrm{pre} - \bar x`. The
    delay d of the averages is longer than a spike, so that it does not count as its own past. The homeostatic change of
    :math:`A_-` is left to the caller. It needs potentials that show spikes: those of a neuron that is reset before its
    potential is read stay below :math:`\theta_+`.

    Args:
        a_minus: Amount of depression [1/mV].
        a_plus: Amount of potentiation [1/mV^2].
        theta_minus: Potential above which the averages count, where they also start [mV].
        theta_plus: Potential above which the target strengthens [mV].
        tau_minus: Time constant of the average for depression [ms].
        tau_plus: Time constant of that for potentiation [ms].
        tau_x: Time constant of the source's average [ms].
        delay: Time after which averages of the potential count, rounded to steps [ms].

    Raises:
        ValueError: A time constant that is not positive, an amount that is not finite, a negative delay.

    Example:
        >>> pre, post, v = torch.zeros(3, 9, 1, 1)
        >>> pre[0], v[:] = 1, 0.0  # strongly depolarised throughout
        >>> Clopath().update(nn.Linear(1, 1), None, pre, post, v=v)[0] > 0
        tensor([[True]])

    References:
        Clopath et al., Nature Neuroscience 13 (2010), equations 1 to 3 and table 1b (visual cortex); NEST 3
        (nest-simulator.org), clopath_synapse, for the delay.
    """

    reads_v = True
    a_minus: float | Tensor
    a_plus: float | Tensor

    def __init__(
        self,
        *,
        a_minus: float | Tensor = 14e-5,
        a_plus: float | Tensor = 8e-5,
        theta_minus: float = -70.6,
        theta_plus: float = -45.3,
        tau_minus: float = 10.0,
        tau_plus: float = 7.0,
        tau_x: float = 15.0,
        delay: float = 5.0,
    ) -> None:
        super().__init__()
        keep_amount(self, "a_minus", a_minus, unit="1/mV")
        keep_amount(self, "a_plus", a_plus, unit="1/mV^2")
        self.theta_minus, self.theta_plus = theta_minus, theta_plus
        self.tau_minus = require_positive("tau_minus", tau_minus, unit="ms")
        self.tau_plus = require_positive("tau_plus", tau_plus, unit="ms")
        self.tau_x = require_positive("tau_x", tau_x, unit="ms")
        if not 0 <= delay < math.inf:
            raise ValueError(f"Expected `delay` to be 0 or more [ms], got {delay}.")
        self.delay = delay

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> ClopathState:
        rest = torch.full_like(post, self.theta_minus)
        return ClopathState(torch.zeros_like(pre), rest, rest, rest[None][:0], rest[None][:0])

    @override
    def terms(self, seen: Activity, state: ClopathState) -> tuple[Terms, ClopathState]:
        v, dt = seen.v, seen.dt
        assert v is not None  # noqa: S101  `update` has seen to it
        x, last_x = trace(seen.pre, state.trace_pre, tau=self.tau_x, dt=dt, gain=1 / self.tau_x)
        v_minus, last_minus = smooth(v, state.v_minus, tau=self.tau_minus, dt=dt)
        v_plus, last_plus = smooth(v, state.v_plus, tau=self.tau_plus, dt=dt)
        past_minus, coming_minus = self._late(v_minus, state.coming_minus, dt)
        past_plus, coming_plus = self._late(v_plus, state.coming_plus, dt)
        pulled = (v - self.theta_plus).clamp_min_(0) * past_plus
        terms = [
            Term(x, pulled.mul_(dt)).times(self.a_plus),
            Term(seen.pre, past_minus, sign=-1).times(self.a_minus),
        ]
        return terms, ClopathState(last_x, last_minus, last_plus, coming_minus, coming_plus)

    def _late(self, average: Tensor, coming: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        """Return by how much an average is above its threshold, delayed, and what is yet to count."""
        steps = round(self.delay / dt)
        if len(coming) != steps:
            coming = average.new_full((steps, *average.shape[1:]), self.theta_minus)
        course = torch.cat([coming, average]) if steps else average
        return (course[: len(average)] - self.theta_minus).clamp_min_(0), course[len(average) :].clone()
