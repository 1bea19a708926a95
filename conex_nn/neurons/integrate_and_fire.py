"""The perfect integrate-and-fire neuron."""

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.functional import charge
from conex_nn.kernels import lif_sequence
from conex_nn.neurons.threshold import Coefficients, ThresholdNeuron, ThresholdState
from conex_nn.parameters import register
from conex_nn.surrogate import SpikeFunction

__all__ = ["IF"]


class IF(ThresholdNeuron):
    r"""Perfect integrate-and-fire neurons: :math:`C \dot v = I`, see :func:`if_step`.

    Args:
        v_rest: Potential where the state starts [mV].
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        capacitance: Membrane capacitance [nF].
        refractory_time: Absolute refractory time after a spike [ms].
        noise: Standard deviation of the membrane noise of 1 ms [mV/sqrt(ms)].
        spike_fn: Surrogate of :mod:`conex_nn.surrogate` or ``snntorch.surrogate``, or any callable; default ``atan()``.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Example:
        >>> spikes, state = IF()(torch.full((5, 1), 0.4))  # (time, neurons)
        >>> spikes.flatten()
        tensor([0., 0., 1., 0., 0.])

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 1.3 (the limit of an infinite membrane resistance).
    """

    v_rest: Tensor
    capacitance: Tensor

    def __init__(
        self,
        *,
        v_rest: float | Tensor = 0.0,
        v_threshold: float | Tensor = 1.0,
        v_reset: float | Tensor = 0.0,
        capacitance: float | Tensor = 1.0,
        refractory_time: float | Tensor = 0.0,
        noise: float | Tensor = 0.0,
        spike_fn: SpikeFunction | None = None,
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
        )
        register(self, "v_rest", v_rest, unit="mV")
        register(self, "capacitance", capacitance, unit="nF", positive=True)

    @override
    def initial_state(self, x: Tensor) -> ThresholdState:
        return self._start(x, self.v_rest)

    @override
    def _membrane(self, dt: float) -> Coefficients:
        gain = dt / self.capacitance
        return torch.ones_like(gain), gain, torch.zeros_like(gain)

    @override
    def _integrate(self, current: Tensor, state: ThresholdState, dt: float) -> Tensor:
        decay, gain, drive = self._coefficients(dt)
        current = self._shake(current, self._coefficients, dt)
        return charge(current, state.v, decay=decay, gain=gain, drive=drive)

    @override
    def fused(self, current: Tensor, state: ThresholdState, *, dt: float) -> tuple[Tensor, ThresholdState] | None:
        surrogate = self._surrogate(current)
        if surrogate is None:
            return None
        current = self._shake(current, self._coefficients, dt)
        rows = self._lif_rows(state.v.shape, dt)
        spikes, *after = lif_sequence(current, *state, rows, dt=dt, surrogate=surrogate, **self._switches())
        return spikes, ThresholdState(*after)
