"""STDP between neighbouring steps."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.constants import keep_amount
from conex_nn.plasticity.rule import Activity, Rule, Term, Terms

__all__ = ["ShiftSTDP", "ShiftState"]


class ShiftState(NamedTuple):
    """Fast state of STDP by time shift: the last step."""

    pre: Tensor
    """Spikes of the source, ``(batch, *source)`` [1]."""
    post: Tensor
    """Spikes of the target, ``(batch, *target)`` [1]."""


class ShiftSTDP(Rule):
    r"""Additive STDP by time shift: a step of one side against the step before of the other.

    .. math:: \Delta w = \eta \left[H(s_\mathrm{pre}(t-1), s_\mathrm{post}(t))
        - H(s_\mathrm{pre}(t), s_\mathrm{post}(t-1)) + H(s_\mathrm{pre}(t), s_\mathrm{post}(t))\right]

    Its window is one step wide, whatever ``dt`` is.

    Args:
        rate: Change by a pair, eta [1].
        simultaneous: Whether spikes at the same step strengthen, the last product.

    Raises:
        ValueError: A rate that is not finite.

    Example:
        >>> pre, post = torch.tensor([1.0, 0.0]).reshape(2, 1, 1), torch.tensor([0.0, 1.0]).reshape(2, 1, 1)
        >>> rule = ShiftSTDP(rate=0.5)
        >>> rule.update(nn.Linear(1, 1), None, pre, post)[0], rule.update(nn.Linear(1, 1), None, post, pre)[0]
        (tensor([[0.5000]]), tensor([[-0.5000]]))

    References:
        PymoNNto (github.com/trieschlab/PymoNNto), docs/Complex_Tutorial/STDP.md.
    """

    rate: float | Tensor

    def __init__(self, *, rate: float | Tensor = 1.5e-4, simultaneous: bool = True) -> None:
        super().__init__()
        keep_amount(self, "rate", rate)
        self.simultaneous = simultaneous

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> ShiftState:
        return ShiftState(torch.zeros_like(pre), torch.zeros_like(post))

    @override
    def terms(self, seen: Activity, state: ShiftState) -> tuple[Terms, ShiftState]:
        earlier_pre = torch.cat([state.pre[None], seen.pre[:-1]])
        earlier_post = torch.cat([state.post[None], seen.post[:-1]])
        causes = earlier_pre + seen.pre if self.simultaneous else earlier_pre
        terms = [Term(causes, seen.post).times(self.rate), Term(seen.pre, earlier_post, sign=-1).times(self.rate)]
        return terms, ShiftState(seen.pre[-1].clone(), seen.post[-1].clone())
