"""The adaptive exponential leaky integrate-and-fire neuron."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.functional import adapt, decay_factor, exponential_charge, membrane_coefficients
from conex_nn.functional.leak import Method, rise_factor
from conex_nn.kept import kept
from conex_nn.kernels import adaptive_rows, adaptive_sequence
from conex_nn.neurons.threshold import Coefficients, ThresholdNeuron
from conex_nn.parameters import register
from conex_nn.surrogate import SpikeFunction

__all__ = ["AELIF", "AELIFState"]


class AELIFState(NamedTuple):
    """Fast state of adaptive exponential neurons."""

    v: Tensor
    """Membrane potential [mV]."""
    w: Tensor
    """Adaptation currents, ``(currents, *batch, *neurons)`` [nA]."""
    refractory: Tensor
    """Time left until the neuron may fire again [ms]."""


class AELIF(ThresholdNeuron):
    r"""Exponential integrate-and-fire neurons with any number of adaptation currents, see :func:`aelif_step`.

    .. math::
        \tau_m \dot v &= v_\mathrm{rest} - v + \Delta_T e^{(v - v_\mathrm{rh}) / \Delta_T} + R (I - \sum_k w_k) \\
        \tau_{w,k} \dot w_k &= a_k (v - v_\mathrm{rest}) - w_k, \qquad w_k \leftarrow w_k + b_k \text{ at a spike}

    Args:
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential, where the state starts [mV].
        v_threshold: Potential at which a spike is cut off [mV].
        v_reset: Potential after a spike [mV].
        resistance: Membrane resistance [MOhm].
        delta_t: Sharpness of the upstroke [mV].
        v_rh: Rheobase threshold, where the upstroke begins [mV].
        tau_w: Adaptation time constants: a number, one per current, or ``(currents, *neurons)`` [ms].
        a: Coupling of the adaptation currents to the potential, likewise [1/MOhm].
        b: Jump of the adaptation currents at a spike, likewise [nA].
        refractory_time: Absolute refractory time after a spike [ms].
        noise: Standard deviation of the membrane noise of 1 ms [mV/sqrt(ms)].
        spike_fn: Surrogate of :mod:`conex_nn.surrogate` or ``snntorch.surrogate``, or any callable; default ``atan()``.
        method: ``"exact"`` or ``"euler"`` integration of the linear parts.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset of the potential into the spikes.

    Example:
        >>> spikes, state = AELIF(tau_w=[50.0, 200.0], b=[0.2, 0.1])(torch.full((40, 1), 1.5))  # (time, neurons)
        >>> spikes.flatten().nonzero().flatten(), state.w.shape
        (tensor([10, 24]), torch.Size([2, 1]))

    References:
        Brette and Gerstner, J. Neurophysiology 94 (2005), equations 2-3; Gerstner et al. (2014), equations 6.1-6.3.
    """

    State = AELIFState
    tau_mem: Tensor
    v_rest: Tensor
    resistance: Tensor
    delta_t: Tensor
    v_rh: Tensor
    tau_w: Tensor
    a: Tensor
    b: Tensor

    def __init__(
        self,
        *,
        tau_mem: float | Tensor = 10.0,
        v_rest: float | Tensor = 0.0,
        v_threshold: float | Tensor = 1.0,
        v_reset: float | Tensor = 0.0,
        resistance: float | Tensor = 1.0,
        delta_t: float | Tensor = 0.1,
        v_rh: float | Tensor = 0.8,
        tau_w: float | Sequence[float] | Tensor = 100.0,
        a: float | Sequence[float] | Tensor = 0.0,
        b: float | Sequence[float] | Tensor = 0.1,
        refractory_time: float | Tensor = 0.0,
        noise: float | Tensor = 0.0,
        spike_fn: SpikeFunction | None = None,
        method: Method = "exact",
        soft_reset: bool = False,
        detach_reset: bool = True,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=v_reset,
            refractory_time=refractory_time,
            noise=noise,
            spike_fn=spike_fn,
            soft_reset=soft_reset,
            detach_reset=detach_reset,
            method=method,
        )
        register(self, "tau_mem", tau_mem, unit="ms", positive=True)
        register(self, "v_rest", v_rest, unit="mV")
        register(self, "resistance", resistance, unit="MOhm", positive=True)
        register(self, "delta_t", delta_t, unit="mV", positive=True)
        register(self, "v_rh", v_rh, unit="mV")
        rows = {"tau_w": _rows(tau_w), "a": _rows(a), "b": _rows(b)}
        self.currents = max(len(value) for value in rows.values())
        for name, value in rows.items():
            if len(value) not in (1, self.currents):
                raise ValueError(
                    f"Expected `{name}` to have 1 or {self.currents} rows, one for each adaptation current, "
                    f"got {len(value)}."
                )
            unit = {"tau_w": "ms", "a": "1/MOhm", "b": "nA"}[name]
            register(self, name, value, unit=unit, positive=name == "tau_w")

    @override
    def _neuron_shapes(self) -> dict[str, torch.Size]:
        shapes = super()._neuron_shapes()
        return {name: shape[1:] if name in ("tau_w", "a", "b") else shape for name, shape in shapes.items()}

    @override
    def initial_state(self, x: Tensor) -> AELIFState:
        v, refractory = self._start(x, self.v_rest)
        return AELIFState(v, v.new_zeros(self.currents, *v.shape), refractory)

    @override
    def _membrane(self, dt: float) -> Coefficients:
        return membrane_coefficients(self.tau_mem, self.v_rest, self.resistance, dt=dt, method=self.method)

    def _spread(self, rows: Tensor, axes: int) -> Tensor:
        """Give rows of the adaptation currents so many axes behind the first: (currents, 1 ..., *neurons)."""
        rows = rows.reshape(len(rows), *[1] * (axes + 1 - rows.dim()), *rows.shape[1:])
        return rows.expand(self.currents, *rows.shape[1:])

    @override
    def _integrate(self, current: Tensor, state: AELIFState, dt: float) -> Tensor:
        decay, gain, drive = self._coefficients(dt)
        return exponential_charge(
            self._shake(current, self._coefficients, dt) - state.w.sum(0),
            state.v,
            decay=decay,
            gain=gain,
            drive=drive,
            sharpness=rise_factor(self.tau_mem, dt=dt, method=self.method) * self.delta_t,
            delta_t=self.delta_t,
            v_rh=self.v_rh,
        )

    @override
    def fire(self, v: Tensor, state: AELIFState, *, dt: float = 1.0) -> tuple[Tensor, AELIFState]:
        spikes, v, refractory = self._fire(v, state, dt)
        w = adapt(
            state.w,
            v,
            spikes,
            v_rest=self.v_rest,
            tau_w=self._spread(self.tau_w, state.v.dim()),
            a=self._spread(self.a, state.v.dim()),
            b=self._spread(self.b, state.v.dim()),
            dt=dt,
            method=self.method,
        )
        return spikes, AELIFState(v, w, refractory)

    @override
    def fused(self, current: Tensor, state: AELIFState, *, dt: float) -> tuple[Tensor, AELIFState] | None:
        surrogate = self._surrogate(current)
        if surrogate is None:
            return None
        neurons = state.v.shape

        def make() -> Tensor:
            decay, gain, drive = self._membrane(dt)
            axes = max(rows.dim() for rows in (self.tau_w, self.a, self.b)) - 1
            tau_w, a, b = (self._spread(rows, axes) for rows in (self.tau_w, self.a, self.b))
            return adaptive_rows(
                neurons,
                decay=decay,
                gain=gain,
                drive=drive,
                sharpness=rise_factor(self.tau_mem, dt=dt, method=self.method) * self.delta_t,
                inverse_delta=1 / self.delta_t,
                v_rh=self.v_rh,
                v_rest=self.v_rest,
                decay_w=decay_factor(tau_w, dt=dt, method=self.method),
                coupling=rise_factor(tau_w, dt=dt, method=self.method) * a,
                jump=b,
                **self._jump(),
            )

        rows = kept(self, "rows", (dt, self.method, self._pauses, neurons), make)
        current = self._shake(current, self._coefficients, dt)
        spikes, *after = adaptive_sequence(current, *state, rows, dt=dt, surrogate=surrogate, **self._switches())
        return spikes, AELIFState(*after)


def _rows(value: float | Sequence[float] | Tensor) -> Tensor:
    """Return one row for each adaptation current."""
    if isinstance(value, Tensor):
        if value.dim():
            return value
        return nn.Parameter(value.detach().reshape(1)) if isinstance(value, nn.Parameter) else value.reshape(1)
    rows = torch.as_tensor(value, dtype=torch.get_default_dtype())
    return rows if rows.dim() else rows.reshape(1)
