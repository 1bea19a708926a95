"""Oja's rule."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount, require_positive
from conex_nn.plasticity.rates import RateState, rates
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms

__all__ = ["Oja"]


class Oja(Rule):
    r"""Hebbian growth with a decay that keeps weights finite: :math:`\dot w = \eta\,(x y - y^2 w)`.

    The weights onto a linear neuron become the first principal component of its input, of length 1.

    Args:
        rate: Learning rate, eta [1/ms], with rates of both sides x and y as the signals are, or in [1/ms].
        tau: Time constant over which spikes are averaged to rates [ms]; None where the signals are rates.

    Raises:
        ValueError: A time constant that is not positive, a rate that is not finite.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> rule, x = Oja(rate=0.01), torch.tensor([[[3.0, 4.0]]])
        >>> for _ in range(100):
        ...     change, _ = rule.update(layer, None, x, layer(x) - layer.bias)
        ...     _ = layer.weight.data.add_(change)
        >>> layer.weight.data.abs()
        tensor([[0.6000, 0.8000]])

    References:
        Oja, Journal of Mathematical Biology 15 (1982), equation 3.
    """

    rate: float | Tensor

    def __init__(self, *, rate: float | Tensor = 1e-3, tau: float | None = None) -> None:
        super().__init__()
        keep_amount(self, "rate", rate, unit="1/ms")
        self.tau = None if tau is None else require_positive("tau", tau, unit="ms")

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> RateState:
        return RateState(torch.zeros_like(pre), torch.zeros_like(post))

    @override
    def terms(self, seen: Activity, state: RateState) -> tuple[Terms, RateState]:
        x, y, state = rates(seen, state, tau=self.tau)
        grow = Term(x, y * seen.dt).times(self.rate)
        decay = Term(torch.ones_like(x), y.square() * seen.dt, sign=0, amount=-1.0, factors=(seen.weight,)).times(
            self.rate
        )
        return [grow, decay], state
