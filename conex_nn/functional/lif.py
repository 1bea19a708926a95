"""Leaky integrate-and-fire neurons."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.charge import charge
from conex_nn.functional.fire import fire
from conex_nn.functional.leak import Method, membrane_coefficients

__all__ = ["lif_step"]


def lif_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    refractory: Float[Tensor, "*batch neurons"] | None = None,
    *,
    tau_mem: Float[Tensor, "#neurons"],
    v_rest: Float[Tensor, "#neurons"],
    v_threshold: Float[Tensor, "#neurons"],
    v_reset: Float[Tensor, "#neurons"],
    resistance: Float[Tensor, "#neurons"],
    dt: float,
    spike_fn: Callable[[Tensor], Tensor],
    refractory_time: Float[Tensor, "#neurons"] | None = None,
    method: Method = "exact",
    soft_reset: bool = False,
    detach_reset: bool = True,
) -> tuple[Tensor, Tensor, Tensor | None]:
    r"""Advance leaky integrate-and-fire neurons by one step.

    Between spikes the membrane obeys

    .. math:: \tau_m \dot v = v_\mathrm{rest} - v + R I

    and is integrated exactly for a current held constant over the step. While a neuron is refractory its
    potential is held and its input ignored.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        refractory: Time left until the neuron may fire again [ms]; None without refractoriness.
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential [mV].
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        resistance: Membrane resistance [MOhm].
        dt: Length of the step [ms].
        spike_fn: Threshold with a surrogate gradient.
        refractory_time: Absolute refractory time after a spike [ms]; None for none.
        method: ``"exact"`` or ``"euler"``.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Returns:
        Spikes (0 or 1) [1], the potential after the step [mV], and the refractory time left [ms].

    Example:
        >>> one = torch.ones(1)
        >>> spikes, v, _ = lif_step(
        ...     torch.tensor([20.0, 20.0]), torch.tensor([9.9, 0.0]), tau_mem=10 * one, v_rest=0 * one,
        ...     v_threshold=10 * one, v_reset=0 * one, resistance=one, dt=1.0, spike_fn=lambda x: (x >= 0) * 1.0,
        ... )
        >>> spikes, v
        (tensor([1., 0.]), tensor([0.0000, 1.9033]))

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 1.3; exact integration: Rotter and Diesmann (1999).
    """
    decay, gain, drive = membrane_coefficients(tau_mem, v_rest, resistance, dt=dt, method=method)
    return fire(
        charge(current, v, decay=decay, gain=gain, drive=drive),
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
