"""Rates of both sides, for rules that know no spikes."""

from typing import NamedTuple

from torch import Tensor

from conex_nn.plasticity.rule import Activity
from conex_nn.plasticity.trace import smooth

__all__ = ["RateState", "rates"]


class RateState(NamedTuple):
    """Fast state of a rate rule: the rates after the last step."""

    rate_pre: Tensor
    """Of the source, ``(batch, *source)`` [1/ms]."""
    rate_post: Tensor
    """Of the target, ``(batch, *target)`` [1/ms]."""


def rates(seen: Activity, state: RateState, *, tau: float | None) -> tuple[Tensor, Tensor, RateState]:
    """Return the rates of both sides at every step, and the state after the last.

    Args:
        seen: What the rule sees.
        state: The rates before the first step.
        tau: Time constant over which spikes are averaged [ms]; None where the signals are rates.

    Example:
        >>> ones = torch.ones(2, 1, 1)
        >>> seen = Activity(torch.nn.Linear(1, 1), torch.ones(1, 1), ones, ones, None, {}, 1.0, True)
        >>> rates(seen, RateState(ones[0], ones[0]), tau=None)[0].shape
        torch.Size([2, 1, 1])
    """
    if tau is None:
        return seen.pre, seen.post, state
    pre, last_pre = smooth(seen.pre / seen.dt, state.rate_pre, tau=tau, dt=seen.dt)
    post, last_post = smooth(seen.post / seen.dt, state.rate_post, tau=tau, dt=seen.dt)
    return pre, post, RateState(last_pre, last_post)
