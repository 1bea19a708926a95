"""The exponential leaky integrate-and-fire neuron."""

from torch import Tensor
from typing_extensions import override

from conex_nn.functional import exponential_charge, membrane_coefficients
from conex_nn.functional.leak import Method, rise_factor
from conex_nn.kept import kept
from conex_nn.kernels import adaptive_rows, adaptive_sequence
from conex_nn.neurons.threshold import Coefficients, ThresholdNeuron, ThresholdState
from conex_nn.parameters import register
from conex_nn.surrogate import SpikeFunction

__all__ = ["ELIF"]


class ELIF(ThresholdNeuron):
    r"""Exponential integrate-and-fire neurons, see :func:`elif_step`.

    .. math:: \tau_m \dot v = v_\mathrm{rest} - v + \Delta_T e^{(v - v_\mathrm{rh}) / \Delta_T} + R I

    Args:
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential, where the state starts [mV].
        v_threshold: Potential at which a spike is cut off [mV].
        v_reset: Potential after a spike [mV].
        resistance: Membrane resistance [MOhm].
        delta_t: Sharpness of the upstroke [mV].
        v_rh: Rheobase threshold, where the upstroke begins [mV].
        refractory_time: Absolute refractory time after a spike [ms].
        noise: Standard deviation of the membrane noise of 1 ms [mV/sqrt(ms)].
        spike_fn: Surrogate of :mod:`conex_nn.surrogate` or ``snntorch.surrogate``, or any callable; default ``atan()``.
        method: ``"exact"`` or ``"euler"`` integration of the linear part.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Example:
        >>> spikes, state = ELIF(tau_mem=10.0)(torch.full((40, 1), 1.2))  # (time, neurons)
        >>> int(spikes.argmax())
        14

    References:
        Fourcaud-Trocme et al., J. Neuroscience 23 (2003), equation 3; Gerstner et al. (2014), equation 5.6.
    """

    tau_mem: Tensor
    v_rest: Tensor
    resistance: Tensor
    delta_t: Tensor
    v_rh: Tensor

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

    @override
    def initial_state(self, x: Tensor) -> ThresholdState:
        return self._start(x, self.v_rest)

    @override
    def _membrane(self, dt: float) -> Coefficients:
        return membrane_coefficients(self.tau_mem, self.v_rest, self.resistance, dt=dt, method=self.method)

    @override
    def _integrate(self, current: Tensor, state: ThresholdState, dt: float) -> Tensor:
        decay, gain, drive = self._coefficients(dt)
        return exponential_charge(
            self._shake(current, self._coefficients, dt),
            state.v,
            decay=decay,
            gain=gain,
            drive=drive,
            sharpness=rise_factor(self.tau_mem, dt=dt, method=self.method) * self.delta_t,
            delta_t=self.delta_t,
            v_rh=self.v_rh,
        )

    @override
    def fused(self, current: Tensor, state: ThresholdState, *, dt: float) -> tuple[Tensor, ThresholdState] | None:
        surrogate = self._surrogate(current)
        if surrogate is None:
            return None
        neurons, none = state.v.shape, state.v.new_empty(0, *state.v.shape)

        def make() -> Tensor:
            decay, gain, drive = self._membrane(dt)
            return adaptive_rows(
                neurons,
                decay=decay,
                gain=gain,
                drive=drive,
                sharpness=rise_factor(self.tau_mem, dt=dt, method=self.method) * self.delta_t,
                inverse_delta=1 / self.delta_t,
                v_rh=self.v_rh,
                v_rest=self.v_rest,
                decay_w=none,
                coupling=none,
                jump=none,
                **self._jump(),
            )

        rows = kept(self, "rows", (dt, self.method, self._pauses, neurons), make)
        current = self._shake(current, self._coefficients, dt)
        spikes, v, _, refractory = adaptive_sequence(
            current, state.v, none, state.refractory, rows, dt=dt, surrogate=surrogate, **self._switches()
        )
        return spikes, ThresholdState(v, refractory)
