"""Perfect (non-leaky) integrate-and-fire neurons."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.fire import fire

__all__ = ["if_step"]


def if_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    refractory: Float[Tensor, "*batch neurons"] | None = None,
    *,
    v_threshold: Float[Tensor, "#neurons"],
    v_reset: Float[Tensor, "#neurons"],
    capacitance: Float[Tensor, "#neurons"],
    dt: float,
    spike_fn: Callable[[Tensor], Tensor],
    refractory_time: Float[Tensor, "#neurons"] | None = None,
    soft_reset: bool = False,
    detach_reset: bool = True,
) -> tuple[Tensor, Tensor, Tensor | None]:
    r"""Advance perfect integrate-and-fire neurons by one step: :math:`C \dot v = I`.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        refractory: Time left until the neuron may fire again [ms]; None without refractoriness.
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        capacitance: Membrane capacitance, ms/MOhm [nF].
        dt: Length of the step [ms].
        spike_fn: Threshold with a surrogate gradient.
        refractory_time: Absolute refractory time after a spike [ms]; None for none.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Returns:
        Spikes (0 or 1) [1], the potential after the step [mV], and the refractory time left [ms].

    Example:
        >>> one = torch.ones(1)
        >>> if_step(0.6 * one, 0.5 * one, v_threshold=one, v_reset=0 * one, capacitance=one, dt=1.0,
        ...         spike_fn=lambda x: (x >= 0) * 1.0)
        (tensor([1.]), tensor([0.]), None)

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 1.3 (the limit of an infinite membrane resistance).
    """
    charged = v + dt / capacitance * current
    return fire(
        charged,
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
