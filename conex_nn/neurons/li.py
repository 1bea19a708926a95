"""The leaky integrator, a readout that does not spike."""

from typing import NamedTuple

from torch import Tensor
from typing_extensions import override

from conex_nn.functional import li_step, membrane_coefficients
from conex_nn.functional.leak import Method
from conex_nn.kept import kept
from conex_nn.kernels import li_rows, li_sequence
from conex_nn.neurons.threshold import Coefficients, MembraneNeuron
from conex_nn.parameters import register

__all__ = ["LI", "LIState"]


class LIState(NamedTuple):
    """Fast state of leaky integrators."""

    v: Tensor
    """Membrane potential [mV]."""


class LI(MembraneNeuron):
    r"""Leaky integrators: :math:`\tau_m \dot v = v_\mathrm{rest} - v + R I`. Their output is their potential.

    Args:
        tau_mem: Membrane time constant [ms].
        v_rest: Resting potential, where the state starts [mV].
        resistance: Membrane resistance [MOhm].
        noise: Standard deviation of the membrane noise of 1 ms [mV/sqrt(ms)].
        method: ``"exact"`` or ``"euler"`` integration of the leak.

    Example:
        >>> v, state = LI(tau_mem=10.0)(torch.ones(3, 1))  # (time, neurons)
        >>> v.flatten()
        tensor([0.0952, 0.1813, 0.2592])

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 1.3.
    """

    State = LIState
    tau_mem: Tensor
    v_rest: Tensor
    resistance: Tensor

    def __init__(
        self,
        *,
        tau_mem: float | Tensor = 10.0,
        v_rest: float | Tensor = 0.0,
        resistance: float | Tensor = 1.0,
        noise: float | Tensor = 0.0,
        method: Method = "exact",
    ) -> None:
        super().__init__(noise=noise, method=method)
        register(self, "tau_mem", tau_mem, unit="ms", positive=True)
        register(self, "v_rest", v_rest, unit="mV")
        register(self, "resistance", resistance, unit="MOhm", positive=True)

    @override
    def initial_state(self, x: Tensor) -> LIState:
        return LIState(self._like(x, self.v_rest))

    @override
    def _membrane(self, dt: float) -> Coefficients:
        return membrane_coefficients(self.tau_mem, self.v_rest, self.resistance, dt=dt, method=self.method)

    @override
    def step(self, current: Tensor, state: LIState, *, dt: float = 1.0) -> tuple[Tensor, LIState]:
        v = li_step(
            self._shake(current, self._coefficients, dt),
            state.v,
            tau_mem=self.tau_mem,
            v_rest=self.v_rest,
            resistance=self.resistance,
            dt=dt,
            method=self.method,
        )
        return v, LIState(v)

    @override
    def fused(self, current: Tensor, state: LIState, *, dt: float) -> tuple[Tensor, LIState] | None:
        if not self._has_kernel(current):
            return None
        neurons = state.v.shape

        def make() -> Tensor:
            decay, gain, drive = self._membrane(dt)
            return li_rows(neurons, decay=decay, gain=gain, drive=drive)

        rows = kept(self, "rows", (dt, self.method, neurons), make)
        v = li_sequence(self._shake(current, self._coefficients, dt), state.v, rows)
        return v, LIState(v[-1].clone())  # a view would keep the whole sequence in memory
