"""Izhikevich's simple model."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

__all__ = ["izhikevich_step"]


def izhikevich_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    u: Float[Tensor, "*batch neurons"],
    *,
    a: Float[Tensor, "#neurons"],
    b: Float[Tensor, "#neurons"],
    c: Float[Tensor, "#neurons"],
    d: Float[Tensor, "#neurons"],
    v_peak: Float[Tensor, "#neurons"],
    dt: float,
    spike_fn: Callable[[Tensor], Tensor],
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Advance Izhikevich neurons by one step of Euler's method.

    .. math:: \dot v = 0.04 v^2 + 5 v + 140 - u + I, \qquad \dot u = a (b v - u)

    At ``v >= v_peak`` a spike is fired, ``v`` is set to ``c`` and ``u`` grows by ``d``. The reset of ``v`` lets no
    gradient pass into the spikes; the jump of ``u`` does.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        u: Recovery variable at the start of the step [mV].
        a: Rate of recovery [1/ms].
        b: Sensitivity of recovery to the potential [1].
        c: Potential after a spike [mV].
        d: Jump of the recovery variable at a spike [mV].
        v_peak: Potential at which a spike is cut off [mV].
        dt: Length of the step [ms].
        spike_fn: Threshold with a surrogate gradient.

    Returns:
        Spikes (0 or 1) [1], the potential [mV] and the recovery variable [mV] after the step.

    Example:
        >>> import torch
        >>> one = torch.ones(1)
        >>> izhikevich_step(0 * one, -65 * one, -13 * one, a=0.02 * one, b=0.2 * one, c=-65 * one, d=8 * one,
        ...                 v_peak=30 * one, dt=0.5, spike_fn=lambda x: (x >= 0) * 1.0)
        (tensor([0.]), tensor([-66.5000]), tensor([-13.]))

    References:
        Izhikevich, IEEE Trans. Neural Networks 14 (2003), equations 1-3.
    """
    dv = 0.04 * v * v + 5 * v + 140 - u + current
    du = a * (b * v - u)
    v, u = v + dt * dv, u + dt * du
    spikes = spike_fn(v - v_peak)
    fired = spikes.detach()
    return spikes, (1 - fired) * v + fired * c, u + d * spikes
