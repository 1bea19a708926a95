"""Adaptive exponential leaky integrate-and-fire neurons with any number of adaptation currents."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.exponential_lif import elif_step
from conex_nn.functional.leak import Method, decay_factor, rise_factor

__all__ = ["adapt", "aelif_step"]


def adapt(
    w: Float[Tensor, "currents *batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    spikes: Float[Tensor, "*batch neurons"],
    *,
    v_rest: Float[Tensor, "#neurons"],
    tau_w: Float[Tensor, "currents ..."],
    a: Float[Tensor, "currents ..."],
    b: Float[Tensor, "currents ..."],
    dt: float,
    method: Method = "exact",
) -> Float[Tensor, "currents *batch neurons"]:
    r"""Advance adaptation currents by one step, after firing and reset.

    .. math:: \tau_{w,k} \dot w_k = a_k (v - v_\mathrm{rest}) - w_k, \qquad w_k \leftarrow w_k + b_k \text{ at a spike}

    Args:
        w: Adaptation currents at the start of the step, one row each [nA].
        v: Membrane potential after the reset [mV].
        spikes: Spikes of the step (0 or 1) [1].
        v_rest: Resting potential [mV].
        tau_w: Adaptation time constants, shape ``(currents, *broadcast to batch and neurons)`` [ms].
        a: Coupling of each adaptation current to the potential [1/MOhm].
        b: Jump of each adaptation current at a spike [nA].
        dt: Length of the step [ms].
        method: ``"exact"`` or ``"euler"``.

    Returns:
        The adaptation currents after the step [nA].

    Example:
        >>> import torch
        >>> row = torch.ones(1, 1)
        >>> adapt(row, torch.zeros(1), torch.ones(1), v_rest=torch.zeros(1), tau_w=10 * row, a=row, b=0.5 * row, dt=1.0)
        tensor([[1.4048]])

    References:
        Gerstner et al., Neuronal Dynamics (2014), equation 6.2.
    """
    coupling = rise_factor(tau_w, dt=dt, method=method) * a
    return decay_factor(tau_w, dt=dt, method=method) * w + (coupling * (v - v_rest) + b * spikes)


def aelif_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    w: Float[Tensor, "currents *batch neurons"],
    refractory: Float[Tensor, "*batch neurons"] | None = None,
    *,
    tau_mem: Float[Tensor, "#neurons"],
    v_rest: Float[Tensor, "#neurons"],
    v_threshold: Float[Tensor, "#neurons"],
    v_reset: Float[Tensor, "#neurons"],
    resistance: Float[Tensor, "#neurons"],
    delta_t: Float[Tensor, "#neurons"],
    v_rh: Float[Tensor, "#neurons"],
    tau_w: Float[Tensor, "currents ..."],
    a: Float[Tensor, "currents ..."],
    b: Float[Tensor, "currents ..."],
    dt: float,
    spike_fn: Callable[[Tensor], Tensor],
    refractory_time: Float[Tensor, "#neurons"] | None = None,
    method: Method = "exact",
    soft_reset: bool = False,
    detach_reset: bool = True,
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    r"""Advance adaptive exponential integrate-and-fire neurons by one step.

    .. math::
        \tau_m \dot v &= v_\mathrm{rest} - v + \Delta_T e^{(v - v_\mathrm{rh}) / \Delta_T} + R (I - \sum_k w_k) \\
        \tau_{w,k} \dot w_k &= a_k (v - v_\mathrm{rest}) - w_k, \qquad w_k \leftarrow w_k + b_k \text{ at a spike}

    The adaptation currents follow the potential after the reset; their jump does not depend on ``dt``. The spikes
    stay in the graph through the jump also when ``detach_reset`` is set.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        w: Adaptation currents at the start of the step, one row each [nA].
        refractory: Time left until the neuron may fire again [ms]; None without refractoriness.
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential [mV].
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        resistance: Membrane resistance [MOhm].
        delta_t: Sharpness of the upstroke [mV].
        v_rh: Rheobase threshold, where the upstroke begins [mV].
        tau_w: Adaptation time constants, shape ``(currents, *broadcast to batch and neurons)`` [ms].
        a: Coupling of each adaptation current to the potential [1/MOhm].
        b: Jump of each adaptation current at a spike [nA].
        dt: Length of the step [ms].
        spike_fn: Threshold with a surrogate gradient.
        refractory_time: Absolute refractory time after a spike [ms]; None for none.
        method: ``"exact"`` or ``"euler"`` for the linear parts.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset of the potential into the spikes.

    Returns:
        Spikes (0 or 1) [1], the potential [mV], the adaptation currents [nA], and the refractory time left [ms].

    Example:
        >>> import torch
        >>> one = torch.ones(1)
        >>> spikes, v, w, _ = aelif_step(
        ...     30 * one, 0.9 * one, torch.zeros(1, 1), tau_mem=10 * one, v_rest=0 * one, v_threshold=one,
        ...     v_reset=0 * one, resistance=one, delta_t=0.1 * one, v_rh=one, tau_w=torch.full((1, 1), 100.0),
        ...     a=torch.zeros(1, 1), b=torch.full((1, 1), 0.5), dt=1.0, spike_fn=lambda x: (x >= 0) * 1.0)
        >>> spikes, w
        (tensor([1.]), tensor([[0.5000]]))

    References:
        Brette and Gerstner, J. Neurophysiology 94 (2005), equations 2-3; Gerstner et al. (2014), equations 6.1-6.3.
    """
    spikes, v, refractory = elif_step(
        current - w.sum(0),
        v,
        refractory,
        tau_mem=tau_mem,
        v_rest=v_rest,
        v_threshold=v_threshold,
        v_reset=v_reset,
        resistance=resistance,
        delta_t=delta_t,
        v_rh=v_rh,
        dt=dt,
        spike_fn=spike_fn,
        refractory_time=refractory_time,
        method=method,
        soft_reset=soft_reset,
        detach_reset=detach_reset,
    )
    w = adapt(w, v, spikes, v_rest=v_rest, tau_w=tau_w, a=a, b=b, dt=dt, method=method)
    return spikes, v, w, refractory
