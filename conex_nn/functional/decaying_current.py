"""What a current that decays within a step does to a membrane, as the constant current that does the same."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["held_factor", "mean_decay"]

_SMALL = 1e-3  # below it the series is exact to rounding, and its derivative too, where (1 - exp(-x)) / x loses digits


def held_factor(
    tau_syn: Float[Tensor, "..."], tau_mem: Float[Tensor, "..."] | None = None, *, dt: float
) -> Float[Tensor, "..."]:
    r"""Return which part of a decaying current, held constant over the step, does the same to the membrane.

    With :math:`a = dt/\tau_m`, :math:`b = dt/\tau_s` and :math:`\psi(x) = (1 - e^{-x}) / x` it is

    .. math:: e^{-\min(a, b)} \, \psi(|a - b|) \, / \, \psi(a),

    so that :math:`R (1 - e^{-a})` times it is the propagator :math:`P_{21}` from the synaptic current at the start of
    the step to the potential at its end, for :math:`\tau_m \dot v = -v + R I` and :math:`\tau_s \dot I = -I`. In this
    form nothing cancels and nothing overflows, whether the time constants are equal, nearly so, or far apart. Without a
    leak (:math:`a = 0`) it is :math:`\psi(b)`, the mean of the current over the step.

    Args:
        tau_syn: Time constant of the current [ms].
        tau_mem: Time constant of the membrane; None where it has no leak [ms].
        dt: Length of the step [ms].

    Returns:
        The factor [1].

    Example:
        >>> held_factor(torch.tensor([0.5, 10.0, 1e9]), torch.tensor([10.0]), dt=1.0)
        tensor([0.4256, 0.9508, 1.0000])

    References:
        Rotter and Diesmann, Biological Cybernetics 81 (1999), section 3.1.2 (exponential currents).
    """
    b = dt / tau_syn
    if tau_mem is None:
        return mean_decay(b)
    a = dt / tau_mem
    return torch.exp(-torch.minimum(a, b)) * mean_decay((a - b).abs()) / mean_decay(a)


def mean_decay(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    r"""Return :math:`(1 - e^{-x}) / x`, the mean of what decays as :math:`e^{-s}` for s from 0 to x.

    Args:
        x: Length of the decay, in time constants, 0 or more [1].

    Returns:
        The mean [1].

    Example:
        >>> mean_decay(torch.tensor([0.0, 1e-4, 2.0]))
        tensor([1.0000, 0.9999, 0.4323])
    """
    small = x < _SMALL
    far = torch.where(small, 1, x)  # no 0 / 0, whose gradient would be NaN in the other branch too
    return torch.where(small, 1 - x / 2 * (1 - x / 3 * (1 - x / 4)), -torch.expm1(-far) / far)
