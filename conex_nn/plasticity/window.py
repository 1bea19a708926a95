"""The window of a rule: what it does to a weight for a pair of spikes, measured and not assumed."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from conex_nn.plasticity.hebbian import weight_of
from conex_nn.plasticity.rule import Rule

__all__ = ["measure_window"]


def measure_window(
    rule: Rule,
    lags: Tensor | Sequence[float] | None = None,
    *,
    weight: float = 0.5,
    settle: float = 200.0,
    modulators: dict[str, float] | None = None,
    v: float | None = None,
    dt: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Measure how a rule changes a weight for one spike on each side, by how far apart they are.

    Each pair meets a synapse of one source and one target and a fresh copy of the rule; with the bounds of a chain, at
    the ``weight`` that is given. What a spike alone does, as in ``ISTDP``, is part of every change. Constraints are
    left out, since they concern many weights.

    Args:
        rule: The rule, or a chain.
        lags: Time of the target's spike less that of the source's; None for all from -60 to 60 ms [ms].
        weight: Weight of the synapse [1].
        settle: How long the rule runs after the later spike, for what it does with a delay [ms].
        modulators: Constant values of the signals that it waits for, such as ``{"dopamine": 1.0}``.
        v: Constant potential of the target, for rules that read it [mV].
        dt: Length of a step [ms].

    Returns:
        The lags in whole steps [ms], and the change at each [1].

    Raises:
        ValueError: No lag, or a rule that needs a signal that was not given.

    Example:
        >>> from conex_nn.plasticity import STDP
        >>> lags, changes = measure_window(STDP(a_plus=1.0, a_minus=0.5, tau_plus=10.0), [-5.0, 5.0])
        >>> changes  # -0.5 exp(-5/20), exp(-5/10)
        tensor([-0.3894,  0.6065])
    """
    apart = torch.as_tensor(torch.arange(-60, 61) if lags is None else lags, dtype=torch.float64)
    if apart.dim() != 1 or not len(apart):
        raise ValueError(f"Expected `lags` to be a row of at least one [ms], got shape {tuple(apart.shape)}.")
    steps = (apart / dt).round().long()
    reach = int(steps.abs().max())
    synapse = nn.utils.skip_init(nn.Linear, 1, 1, bias=False)  # draws nothing
    nn.init.constant_(weight_of(synapse), weight)
    found = []
    length = reach + 1 + round(settle / dt)
    for lag in steps.tolist():
        pre, post = torch.zeros(length, 1, 1), torch.zeros(length, 1, 1)
        pre[max(-lag, 0)], post[max(lag, 0)] = 1, 1
        potential = None if v is None else torch.full_like(post, v)
        change, _ = copy.deepcopy(rule).update(
            synapse, None, pre, post, modulators, v=potential, dt=dt, keep_state=False
        )
        found.append(change.detach().reshape(()))
    return (steps * dt).float(), torch.stack(found)
