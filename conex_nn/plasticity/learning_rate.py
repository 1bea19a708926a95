"""How fast a rule learns: one rate for all synapses, one for each, or a schedule."""

from collections.abc import Callable

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.plasticity.chain import Link
from conex_nn.plasticity.constants import keep_amount
from conex_nn.plasticity.rule import Activity, Terms

__all__ = ["LearningRate"]


class LearningRate(Link):
    """Scales what a rule does.

    Args:
        rate: A factor; a tensor that broadcasts to the weight, such as a mask of the synapses that learn; or a callable
            of the number of updates so far (a 0-dimensional tensor) that returns either [1]. A negative number makes
            the rule anti-Hebbian.

    Raises:
        TypeError: Neither number nor real tensor nor callable.
        ValueError: A rate that is not finite.

    Example:
        >>> from conex_nn.plasticity import STDP, chain
        >>> rule = chain(STDP(a_plus=1.0), LearningRate(lambda updates: 0.5**updates))
        >>> spikes, layer = torch.ones(1, 1, 1), torch.nn.Linear(1, 1)
        >>> [rule.update(layer, None, spikes, spikes)[0].item() > 0.3 for _ in range(3)]
        [True, True, False]
    """

    updates: Tensor
    """Updates so far, with a schedule [1]."""
    rate: float | Tensor | Callable[[Tensor], Tensor | float]

    def __init__(self, rate: float | Tensor | Callable[[Tensor], Tensor | float]) -> None:
        super().__init__()
        if callable(rate) and not isinstance(rate, Tensor):
            self.rate = rate
            self.register_buffer("updates", torch.zeros((), dtype=torch.long))
        else:
            keep_amount(self, "rate", rate)

    @override
    def terms(self, terms: Terms, seen: Activity, state: None) -> tuple[Terms, None]:
        rate = self.rate
        if callable(rate) and not isinstance(rate, Tensor):
            rate = rate(self.updates.clone())
            if self.training:
                self.updates += 1
        return [term * rate if isinstance(term, Tensor) else term.times(rate) for term in terms], state

    @override
    def extra_repr(self) -> str:
        return f"{self.rate:g}" if isinstance(self.rate, float) else type(self.rate).__name__
