"""Leaky integrators that do not spike."""

from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.charge import charge
from conex_nn.functional.leak import Method, membrane_coefficients

__all__ = ["li_step"]


def li_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    *,
    tau_mem: Float[Tensor, "#neurons"],
    v_rest: Float[Tensor, "#neurons"],
    resistance: Float[Tensor, "#neurons"],
    dt: float,
    method: Method = "exact",
) -> Float[Tensor, "*batch neurons"]:
    r"""Advance leaky integrators by one step: :math:`\tau_m \dot v = v_\mathrm{rest} - v + R I`.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential [mV].
        resistance: Membrane resistance [MOhm].
        dt: Length of the step [ms].
        method: ``"exact"`` or ``"euler"``.

    Returns:
        The potential after the step [mV].

    Example:
        >>> import torch
        >>> one = torch.ones(1)
        >>> li_step(one, 0 * one, tau_mem=10 * one, v_rest=0 * one, resistance=one, dt=1.0)
        tensor([0.0952])

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 1.3.
    """
    decay, gain, drive = membrane_coefficients(tau_mem, v_rest, resistance, dt=dt, method=method)
    return charge(current, v, decay=decay, gain=gain, drive=drive)
