"""Linear decay over one step, exact or by Euler's method."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Method", "decay_factor", "membrane_coefficients", "noise_factor", "rise_factor"]

Method = Literal["exact", "euler"]


def decay_factor(tau: Float[Tensor, "..."], *, dt: float, method: Method = "exact") -> Float[Tensor, "..."]:
    r"""Return the factor by which a quantity with :math:`\tau \dot x = -x` shrinks in one step.

    Args:
        tau: Time constant [ms].
        dt: Length of the step [ms].
        method: ``"exact"`` for exp(-dt/tau), ``"euler"`` for 1 - dt/tau.

    Returns:
        The factor [1].

    Example:
        >>> decay_factor(torch.tensor([10.0]), dt=1.0), decay_factor(torch.tensor([10.0]), dt=1.0, method="euler")
        (tensor([0.9048]), tensor([0.9000]))
    """
    return torch.exp(-dt / tau) if method == "exact" else 1 - dt / tau


def rise_factor(tau: Float[Tensor, "..."], *, dt: float, method: Method = "exact") -> Float[Tensor, "..."]:
    r"""Return what :func:`decay_factor` lacks to 1, without the rounding of that difference where tau is long.

    Args:
        tau: Time constant [ms].
        dt: Length of the step [ms].
        method: ``"exact"`` for 1 - exp(-dt/tau), ``"euler"`` for dt/tau.

    Returns:
        The factor [1].

    Example:
        >>> rise_factor(torch.tensor([10.0, 1e9]), dt=1.0)
        tensor([9.5163e-02, 1.0000e-09])
    """
    return -torch.expm1(-dt / tau) if method == "exact" else dt / tau


def noise_factor(tau: Float[Tensor, "..."], *, dt: float, method: Method = "exact") -> Float[Tensor, "..."]:
    r"""Return the spread that white noise of unit strength gives a leaky membrane in one step.

    The exact step of :math:`\tau \mathrm{d}v = -v\,\mathrm{d}t + \tau\,\mathrm{d}W` has the variance
    :math:`\tau (1 - e^{-2 dt/\tau}) / 2`, so that what it adds up to does not depend on ``dt``.

    Args:
        tau: Membrane time constant [ms].
        dt: Length of the step [ms].
        method: ``"exact"``, or ``"euler"`` for sqrt(dt).

    Returns:
        Standard deviation for a noise of 1 mV/sqrt(ms) [mV].

    Example:
        >>> noise_factor(torch.tensor([1.0, 1e9]), dt=1.0)
        tensor([0.6575, 1.0000])

    References:
        Gillespie, Physical Review E 54 (1996): exact update of the Ornstein-Uhlenbeck process.
    """
    return (tau * rise_factor(tau, dt=2 * dt) / 2).sqrt() if method == "exact" else torch.full_like(tau, dt**0.5)


def membrane_coefficients(
    tau_mem: Float[Tensor, "#neurons"],
    v_rest: Float[Tensor, "#neurons"],
    resistance: Float[Tensor, "#neurons"],
    *,
    dt: float,
    method: Method = "exact",
) -> tuple[Float[Tensor, "#neurons"], Float[Tensor, "#neurons"], Float[Tensor, "#neurons"]]:
    r"""Return what a step of the membrane needs: ``v <- decay * v + (gain * current + drive)``.

    It solves :math:`\tau_m \dot v = v_\mathrm{rest} - v + R I` for a current held constant over the step.

    Args:
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential [mV].
        resistance: Membrane resistance [MOhm].
        dt: Length of the step [ms].
        method: ``"exact"`` or ``"euler"``.

    Returns:
        ``decay`` [1], ``gain`` [MOhm] and ``drive`` [mV].

    Example:
        >>> one = torch.ones(1)
        >>> membrane_coefficients(10 * one, 0 * one, 2 * one, dt=1.0, method="euler")
        (tensor([0.9000]), tensor([0.2000]), tensor([0.]))
    """
    rise = rise_factor(tau_mem, dt=dt, method=method)
    return decay_factor(tau_mem, dt=dt, method=method), rise * resistance, rise * v_rest
