"""The leaky integrate-and-fire neuron."""

from torch import Tensor
from typing_extensions import override

from conex_nn.functional import charge, membrane_coefficients
from conex_nn.functional.leak import Method
from conex_nn.kernels import lif_sequence
from conex_nn.neurons.threshold import Coefficients, ThresholdNeuron, ThresholdState
from conex_nn.parameters import register
from conex_nn.surrogate import SpikeFunction

__all__ = ["LIF"]


class LIF(ThresholdNeuron):
    r"""Leaky integrate-and-fire neurons: :math:`\tau_m \dot v = v_\mathrm{rest} - v + R I`, see :func:`lif_step`.

    Every constant is a number or one value per neuron; pass an ``nn.Parameter`` to make it trainable. Its value is then
    copied: a positive constant ``x`` is trained as ``log_x``, its logarithm.

    Args:
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential, where the state starts [mV].
        v_threshold: Potential at which a spike is emitted [mV].
        v_reset: Potential after a spike [mV].
        resistance: Membrane resistance [MOhm].
        refractory_time: Absolute refractory time after a spike [ms].
        noise: Standard deviation of the membrane noise of 1 ms [mV/sqrt(ms)].
        spike_fn: Surrogate of :mod:`conex_nn.surrogate` or ``snntorch.surrogate``, or any callable; default ``atan()``.
        method: ``"exact"`` or ``"euler"`` integration of the leak.
        soft_reset: Subtract ``v_threshold - v_reset`` at a spike instead of setting ``v_reset``.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Example:
        >>> spikes, state = LIF(tau_mem=10.0)(torch.full((12, 1), 2.0))  # (time, neurons)
        >>> int(spikes.argmax()), state.v
        (6, tensor([0.7869]))

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 1.3.
    """

    tau_mem: Tensor
    v_rest: Tensor
    resistance: Tensor

    def __init__(
        self,
        *,
        tau_mem: float | Tensor = 10.0,
        v_rest: float | Tensor = 0.0,
        v_threshold: float | Tensor = 1.0,
        v_reset: float | Tensor = 0.0,
        resistance: float | Tensor = 1.0,
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

    @classmethod
    def cortical(cls, **changes: float | Tensor) -> "LIF":
        """Make a cortical pyramidal cell in biological units: 10 ms, -65 mV at rest, threshold -50 mV, 40 MOhm.

        Args:
            changes: Constants that shall differ, by name.

        Example:
            >>> LIF.cortical(tau_mem=20.0).v_threshold
            tensor([-50.])

        References:
            Potjans and Diesmann, Cerebral Cortex 24 (2014), table 5 (10 ms, 250 pF, so 40 MOhm; 2 ms refractory).
        """
        preset = {
            "tau_mem": 10.0, "v_rest": -65.0, "v_threshold": -50.0, "v_reset": -65.0, "resistance": 40.0,
            "refractory_time": 2.0,
        }  # fmt: skip
        return cls(**{**preset, **changes})  # pyright: ignore[reportArgumentType]

    @override
    def initial_state(self, x: Tensor) -> ThresholdState:
        return self._start(x, self.v_rest)

    @override
    def _membrane(self, dt: float) -> Coefficients:
        return membrane_coefficients(self.tau_mem, self.v_rest, self.resistance, dt=dt, method=self.method)

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
