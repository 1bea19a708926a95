"""Izhikevich's simple model."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

__all__ = ["izhikevich_charge", "izhikevich_fire", "izhikevich_step"]


def izhikevich_charge(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    u: Float[Tensor, "*batch neurons"],
    *,
    dt: float,
) -> Float[Tensor, "*batch neurons"]:
    """Integrate Izhikevich's potential over one step, before it fires: the first part of :func:`izhikevich_step`.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        u: Recovery variable at the start of the step [mV].
        dt: Length of the step [ms].

    Returns:
        The charged potential [mV].

    Example:
        >>> import torch
        >>> izhikevich_charge(torch.zeros(1), torch.full((1,), -65.0), torch.full((1,), -13.0), dt=0.5)
        tensor([-66.5000])
    """
    return v + dt * (0.04 * v * v + 5 * v + 140 - u + current)


def izhikevich_fire(
    charged: Float[Tensor, "*batch neurons"],
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
    """Fire where the charged membrane has reached the peak, and recover: the second part of :func:`izhikevich_step`.

    Args:
        charged: Membrane potential with this step's input, before firing [mV].
        v: Membrane potential at the start of the step, which recovery follows [mV].
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
        >>> izhikevich_fire(31 * one, 0 * one, 0 * one, a=0.02 * one, b=0.2 * one, c=-65 * one, d=8 * one,
        ...                 v_peak=30 * one, dt=0.5, spike_fn=lambda x: (x >= 0) * 1.0)
        (tensor([1.]), tensor([-65.]), tensor([8.]))
    """
    u = u + dt * (a * (b * v - u))
    spikes = spike_fn(charged - v_peak)
    fired = spikes.detach()
    return spikes, (1 - fired) * charged + fired * c, u + d * spikes


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
    charged = izhikevich_charge(current, v, u, dt=dt)
    return izhikevich_fire(charged, v, u, a=a, b=b, c=c, d=d, v_peak=v_peak, dt=dt, spike_fn=spike_fn)
