"""The rule of Bienenstock, Cooper and Munro."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount, require_positive
from conex_nn.plasticity.processes import mean_over_processes
from conex_nn.plasticity.rates import RateState, rates
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms
from conex_nn.plasticity.trace import smooth

__all__ = ["BCM"]


class BCM(Rule):
    r"""Weakens below and strengthens above a threshold that slides with the target's own activity.

    .. math:: \dot w = \eta\, x\, y\, (y - \theta), \qquad \tau_\theta \dot\theta = y^2 / y_0 - \theta

    The threshold is slow state, one per target neuron: it is in the ``state_dict``, moves in ``train()`` by the mean
    over the batch, and so goes on from sequence to sequence. A rule with one serves one synapse.

    Args:
        rate: Learning rate, eta [1/ms], with rates of both sides x and y as the signals are, or in [1/ms].
        target: Rate at which threshold and rate meet, y_0, in the unit of the rates [1] or [1/ms].
        tau_theta: Time constant of the threshold [ms].
        tau: Time constant over which spikes are averaged to rates [ms]; None where the signals are rates.

    Raises:
        ValueError: A time constant or target that is not positive; another synapse than before.

    Example:
        >>> rule, layer = BCM(rate=0.1), nn.Linear(1, 1)
        >>> rate = torch.full((1, 1, 1), 2.0)
        >>> rule.update(layer, None, rate, rate)[0] > 0, rule.theta
        (tensor([[True]]), tensor([0.0040]))

    References:
        Bienenstock, Cooper and Munro, Journal of Neuroscience 2 (1982); with the threshold of Intrator and Cooper,
        Neural Networks 5 (1992).
    """

    theta: Tensor | None
    """Sliding threshold, ``(*target)``, in the unit of the rates; None before the first sequence."""

    rate: float | Tensor

    def __init__(
        self,
        *,
        rate: float | Tensor = 1e-3,
        target: float = 1.0,
        tau_theta: float = 1000.0,
        tau: float | None = None,
    ) -> None:
        super().__init__()
        keep_amount(self, "rate", rate, unit="1/ms")
        self.target = require_positive("target", target, unit="1")
        self.tau_theta = require_positive("tau_theta", tau_theta, unit="ms")
        self.tau = None if tau is None else require_positive("tau", tau, unit="ms")
        self.register_buffer("theta", None)

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> RateState:
        return RateState(torch.zeros_like(pre), torch.zeros_like(post))

    @override
    def terms(self, seen: Activity, state: RateState) -> tuple[Terms, RateState]:
        x, y, state = rates(seen, state, tau=self.tau)
        neurons = y.shape[2:]
        theta = y.new_zeros(neurons) if self.theta is None else self.theta
        if theta.shape != neurons:
            raise ValueError(
                f"Expected `theta` for a target of shape {tuple(neurons)}, got {tuple(theta.shape)}: the rule has "
                "learned another synapse. Give each synapse a rule of its own."
            )
        path, last = smooth(
            y.square() / self.target, theta.expand_as(y[0]).contiguous(), tau=self.tau_theta, dt=seen.dt
        )
        if self.training:
            self.theta = mean_over_processes(last.mean(0), seen.batch)
        drive = y * (y - path) * seen.dt
        terms = [Term(x, drive.clamp_min(0)).times(self.rate), Term(x, -drive.clamp_max(0), sign=-1).times(self.rate)]
        return terms, state

    @override
    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        if self.theta is None and (saved := state_dict.get(f"{prefix}theta")) is not None:
            self.theta = torch.empty_like(saved)
        super()._load_from_state_dict(state_dict, prefix, *args)
