"""Refractoriness, firing and reset: the part of a step that all threshold models share."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["fire", "is_refractory"]


def is_refractory(refractory: Float[Tensor, "*batch neurons"], *, dt: float) -> Bool[Tensor, "*batch neurons"]:
    """Return which neurons cannot fire in this step.

    Args:
        refractory: Time left until the neuron may fire again [ms].
        dt: Length of the step [ms].

    Example:
        >>> is_refractory(torch.tensor([0.0, 0.4, 0.6]), dt=1.0)
        tensor([False, False,  True])
    """
    return refractory > dt / 2


def fire(
    charged: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    refractory: Float[Tensor, "*batch neurons"] | None = None,
    *,
    v_threshold: Float[Tensor, "#neurons"],
    v_reset: Float[Tensor, "#neurons"],
    dt: float,
    spike_fn: Callable[[Tensor], Tensor],
    refractory_time: Float[Tensor, "#neurons"] | None = None,
    soft_reset: bool = False,
    detach_reset: bool = True,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Fire where the charged membrane has reached the threshold, and reset there.

    A hard reset sets ``v = v_reset``; a soft one takes ``v_threshold - v_reset`` off. A refractory neuron keeps
    the potential it had and does not fire.

    Args:
        charged: Membrane potential with this step's input, before firing [mV].
        v: Membrane potential at the start of the step, kept while refractory [mV].
        refractory: Time left until the neuron may fire again [ms]; None without refractoriness.
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        dt: Length of the step [ms].
        spike_fn: Threshold with a surrogate gradient.
        refractory_time: Absolute refractory time after a spike [ms]; None for none.
        soft_reset: Subtract instead of setting.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Returns:
        Spikes (0 or 1) [1], the potential after the reset [mV], and the refractory time left [ms].

    Example:
        >>> one = torch.ones(1)
        >>> fire(torch.tensor([0.5, 1.25]), one, v_threshold=one, v_reset=0 * one, dt=1.0,
        ...      spike_fn=lambda x: (x >= 0) * 1.0)
        (tensor([0., 1.]), tensor([0.5000, 0.0000]), None)
    """
    if refractory is None:
        spikes = spike_fn(charged - v_threshold)
    else:
        held = is_refractory(refractory, dt=dt)
        charged = torch.where(held, v, charged)
        spikes = torch.where(held, 0, spike_fn(charged - v_threshold))
    fired = spikes.detach() if detach_reset else spikes
    if soft_reset:
        v = charged - fired * (v_threshold - v_reset)
    elif detach_reset:
        v = torch.where(fired > 0, v_reset, charged)
    else:
        v = charged + fired * (v_reset - charged)
    if refractory is not None and refractory_time is not None:
        refractory = torch.where(spikes.detach() > 0, refractory_time, (refractory - dt).clamp(min=0))
    return spikes, v, refractory
