"""Inhibitory plasticity that holds a neuron at a target rate."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount, require_positive
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms
from conex_nn.plasticity.stdp import STDPState
from conex_nn.plasticity.trace import trace

__all__ = ["ISTDP"]


class ISTDP(Rule):
    r"""Symmetric STDP with a constant depression, which brings a neuron to a target rate.

    .. math:: \Delta w = \eta \left[H(x_\mathrm{pre}, s_\mathrm{post})
        + H(s_\mathrm{pre}, x_\mathrm{post} - \alpha)\right], \qquad \alpha = 2 \rho \tau

    Weights are magnitudes of inhibition. On an excitatory synapse (``excitatory=True``) the sign of the second product
    is reversed. The equilibrium is at rho in the limit of small steps. In steps of dt a trace is larger by a part of
    about dt/(2 tau), and the rate is lower by as much.

    Args:
        rate: Change by a coincidence, eta [1].
        rho: Target rate [Hz].
        tau: Time constant of both traces [ms].
        excitatory: Whether the synapse is excitatory.

    Raises:
        ValueError: A rate or time constant that is not positive.

    Example:
        >>> rule = ISTDP(rate=0.01, rho=5.0, tau=20.0)
        >>> rule.alpha  # 2 * 0.005 per ms * 20 ms
        0.2
        >>> pre, post = torch.ones(1, 1, 1), torch.zeros(1, 1, 1)
        >>> rule.update(nn.Linear(1, 1), None, pre, post)[0]
        tensor([[-0.0020]])

    References:
        Vogels et al., Science 334 (2011), supplementary equations 7 to 9.
    """

    rate: float | Tensor

    def __init__(self, *, rate: float = 1e-3, rho: float = 5.0, tau: float = 20.0, excitatory: bool = False) -> None:
        super().__init__()
        keep_amount(self, "rate", rate)
        self.rho = require_positive("rho", rho, unit="Hz")
        self.tau = require_positive("tau", tau, unit="ms")
        self.excitatory = excitatory

    @property
    def alpha(self) -> float:
        """Trace of a target at its rate, twice [1]."""
        return 2 * (self.rho / 1000) * self.tau

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> STDPState:
        return STDPState(torch.zeros_like(pre), torch.zeros_like(post))

    @override
    def terms(self, seen: Activity, state: STDPState) -> tuple[Terms, STDPState]:
        x_pre, last_pre = trace(seen.pre, state.trace_pre, tau=self.tau, dt=seen.dt)
        x_post, last_post = trace(seen.post, state.trace_post, tau=self.tau, dt=seen.dt)
        sign = -1 if self.excitatory else 1
        terms = [
            Term(x_pre, seen.post),
            Term(seen.pre, x_post, sign),
            Term(seen.pre, torch.ones_like(x_post), -sign).times(self.alpha),
        ]
        return [term.times(self.rate) for term in terms], STDPState(last_pre, last_post)

    @override
    def extra_repr(self) -> str:
        kind = ", excitatory=True" if self.excitatory else ""
        return f"rate={self.rate:g}, rho={self.rho:g}, tau={self.tau:g}{kind}"
