"""Exponential leaky integrate-and-fire neurons."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.charge import charge
from conex_nn.functional.fire import fire
from conex_nn.functional.leak import Method, membrane_coefficients, rise_factor

__all__ = ["EXPONENT_CAP", "elif_step", "exponential_charge", "upstroke"]

EXPONENT_CAP = 20.0
"""Largest exponent of the upstroke [1]: e^20 times delta_t in one step is a spike for any threshold in use."""


def upstroke(
    v: Float[Tensor, "*batch neurons"], *, delta_t: Float[Tensor, "#neurons"], v_rh: Float[Tensor, "#neurons"]
) -> Float[Tensor, "*batch neurons"]:
    r"""Return :math:`e^{(v - v_\mathrm{rh}) / \Delta_T}`, its exponent capped at `EXPONENT_CAP`.

    Args:
        v: Membrane potential [mV].
        delta_t: Sharpness of the upstroke [mV].
        v_rh: Rheobase threshold [mV].

    Returns:
        The exponential [1].

    Example:
        >>> upstroke(torch.tensor([0.0, 1e6]), delta_t=torch.ones(1), v_rh=torch.zeros(1))
        tensor([1.0000e+00, 4.8517e+08])
    """
    return torch.exp(((v - v_rh) * (1 / delta_t)).clamp(max=EXPONENT_CAP))


def exponential_charge(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    *,
    decay: Float[Tensor, "#neurons"],
    gain: Float[Tensor, "#neurons"],
    drive: Float[Tensor, "#neurons"],
    sharpness: Float[Tensor, "#neurons"],
    delta_t: Float[Tensor, "#neurons"],
    v_rh: Float[Tensor, "#neurons"],
) -> Float[Tensor, "*batch neurons"]:
    """Integrate an exponential membrane over one step, before it fires: :func:`charge` and the upstroke.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        decay: What a step leaves of the potential [1].
        gain: Potential that a step adds per current [MOhm].
        drive: Potential that a step adds by itself [mV].
        sharpness: Potential that a step adds per upstroke, ``rise_factor(tau_mem) * delta_t`` [mV].
        delta_t: Sharpness of the upstroke [mV].
        v_rh: Rheobase threshold, where the upstroke begins [mV].

    Returns:
        The charged potential [mV].

    Example:
        >>> one = torch.ones(1)
        >>> exponential_charge(0 * one, one, decay=0.5 * one, gain=one, drive=0 * one, sharpness=0.1 * one,
        ...                    delta_t=one, v_rh=one)
        tensor([0.6000])
    """
    return charge(current, v, decay=decay, gain=gain, drive=drive) + sharpness * upstroke(v, delta_t=delta_t, v_rh=v_rh)


def elif_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    refractory: Float[Tensor, "*batch neurons"] | None = None,
    *,
    tau_mem: Float[Tensor, "#neurons"],
    v_rest: Float[Tensor, "#neurons"],
    v_threshold: Float[Tensor, "#neurons"],
    v_reset: Float[Tensor, "#neurons"],
    resistance: Float[Tensor, "#neurons"],
    delta_t: Float[Tensor, "#neurons"],
    v_rh: Float[Tensor, "#neurons"],
    dt: float,
    spike_fn: Callable[[Tensor], Tensor],
    refractory_time: Float[Tensor, "#neurons"] | None = None,
    method: Method = "exact",
    soft_reset: bool = False,
    detach_reset: bool = True,
) -> tuple[Tensor, Tensor, Tensor | None]:
    r"""Advance exponential integrate-and-fire neurons by one step.

    .. math:: \tau_m \dot v = v_\mathrm{rest} - v + \Delta_T e^{(v - v_\mathrm{rh}) / \Delta_T} + R I

    The linear part is integrated exactly, the exponential is held over the step (exponential Euler, first order).

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        refractory: Time left until the neuron may fire again [ms]; None without refractoriness.
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential [mV].
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        resistance: Membrane resistance [MOhm].
        delta_t: Sharpness of the upstroke [mV].
        v_rh: Rheobase threshold, where the upstroke begins [mV].
        dt: Length of the step [ms].
        spike_fn: Threshold with a surrogate gradient.
        refractory_time: Absolute refractory time after a spike [ms]; None for none.
        method: ``"exact"`` or ``"euler"`` for the linear part.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Returns:
        Spikes (0 or 1) [1], the potential after the step [mV], and the refractory time left [ms].

    Example:
        >>> one = torch.ones(1)
        >>> _, v, _ = elif_step(0 * one, 0.5 * one, tau_mem=10 * one, v_rest=0 * one, v_threshold=one, v_reset=0 * one,
        ...                     resistance=one, delta_t=0.1 * one, v_rh=0.5 * one, dt=1.0,
        ...                     spike_fn=lambda x: (x >= 0) * 1.0)
        >>> v
        tensor([0.4619])

    References:
        Fourcaud-Trocme et al., J. Neuroscience 23 (2003), equation 3; Gerstner et al. (2014), equation 5.6.
    """
    decay, gain, drive = membrane_coefficients(tau_mem, v_rest, resistance, dt=dt, method=method)
    sharpness = rise_factor(tau_mem, dt=dt, method=method) * delta_t
    return fire(
        exponential_charge(
            current, v, decay=decay, gain=gain, drive=drive, sharpness=sharpness, delta_t=delta_t, v_rh=v_rh
        ),
        v,
        refractory,
        v_threshold=v_threshold,
        v_reset=v_reset,
        dt=dt,
        spike_fn=spike_fn,
        refractory_time=refractory_time,
        soft_reset=soft_reset,
        detach_reset=detach_reset,
    )
