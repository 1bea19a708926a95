"""Izhikevich's simple model."""

from typing import NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.functional import izhikevich_charge, izhikevich_fire
from conex_nn.kernels import stack_rows
from conex_nn.neurons.threshold import Coefficients, MembraneNeuron
from conex_nn.parameters import register, require_above
from conex_nn.surrogate import SpikeFunction, fast_sigmoid, from_snntorch

__all__ = ["Izhikevich", "IzhikevichState"]


class IzhikevichState(NamedTuple):
    """Fast state of Izhikevich neurons."""

    v: Tensor
    """Membrane potential [mV]."""
    u: Tensor
    """Recovery variable [mV]."""


class Izhikevich(MembraneNeuron):
    r"""Izhikevich neurons, see :func:`izhikevich_step`; the defaults are a regular-spiking cell.

    Its potential is in mV, from rest near -65 to a peak at 30; a step of 0.5 ms or less keeps it accurate.

    Args:
        a: Rate of recovery [1/ms].
        b: Sensitivity of recovery to the potential [1].
        c: Potential after a spike [mV].
        d: Jump of the recovery variable at a spike [mV].
        v_peak: Potential at which a spike is cut off [mV].
        v_init: Potential where the state starts [mV].
        noise: Standard deviation of the membrane noise of 1 ms [mV/sqrt(ms)].
        spike_fn: Surrogate of :mod:`conex_nn.surrogate` or ``snntorch.surrogate``, or any callable; default
            ``fast_sigmoid(slope=0.1)``, wide enough for millivolts.

    Example:
        >>> spikes, state = Izhikevich()(torch.full((200, 1), 10.0), dt=0.5)  # (time, neurons)
        >>> int(spikes.sum())
        3

    References:
        Izhikevich, IEEE Trans. Neural Networks 14 (2003), equations 1-3 and figure 2.
    """

    State = IzhikevichState
    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor
    v_peak: Tensor
    v_init: Tensor

    def __init__(
        self,
        *,
        a: float | Tensor = 0.02,
        b: float | Tensor = 0.2,
        c: float | Tensor = -65.0,
        d: float | Tensor = 8.0,
        v_peak: float | Tensor = 30.0,
        v_init: float | Tensor = -65.0,
        noise: float | Tensor = 0.0,
        spike_fn: SpikeFunction | None = None,
    ) -> None:
        super().__init__(noise=noise, method="euler")
        register(self, "a", a, unit="1/ms", positive=True)
        register(self, "b", b, unit="1")
        register(self, "c", c, unit="mV")
        register(self, "d", d, unit="mV")
        register(self, "v_peak", v_peak, unit="mV")
        require_above(self.v_peak, self.c, names=("v_peak", "c"), unit="mV")
        register(self, "v_init", v_init, unit="mV")
        self.spike_fn = fast_sigmoid(slope=0.1) if spike_fn is None else from_snntorch(spike_fn)

    @classmethod
    def fast_spiking(cls, **changes: float | Tensor) -> "Izhikevich":
        """Make a fast-spiking interneuron.

        Args:
            changes: Constants that shall differ, by name.

        Example:
            >>> Izhikevich.fast_spiking().a
            tensor([0.1000])

        References:
            Izhikevich (2003), figure 2.
        """
        return cls(**{"a": 0.1, "b": 0.2, "c": -65.0, "d": 2.0, **changes})  # pyright: ignore[reportArgumentType]

    @override
    def initial_state(self, x: Tensor) -> IzhikevichState:
        v = self._like(x, self.v_init)
        return IzhikevichState(v, self.b * v)

    @override
    def _membrane(self, dt: float) -> Coefficients:
        gain = torch.full_like(self.a, dt)
        return torch.ones_like(gain), gain, torch.zeros_like(gain)

    def _rows(self, neurons: torch.Size, dt: float) -> Tensor:
        """Return the constants as the kernel of events reads them."""
        return stack_rows([self.a, self.b, self.c, self.d, self.v_peak], neurons)

    @property
    def v_threshold(self) -> Tensor:
        """The potential at which a spike is cut off, ``v_peak``, under the name that other models have for it [mV]."""
        return self.v_peak

    @v_threshold.setter
    def v_threshold(self, value: Tensor) -> None:
        self.v_peak = value

    @property
    def v_reset(self) -> Tensor:
        """The potential after a spike, ``c``, under the name that other models have for it [mV]."""
        return self.c

    def charge(self, current: Tensor, state: IzhikevichState, *, dt: float = 1.0) -> Tensor:
        """Return the potential after integration and membrane noise, before firing: the first half of a step.

        Args:
            current: Input current, ``(*batch, *neurons)`` [nA].
            state: State before the step.
            dt: Length of the step [ms].
        """
        return izhikevich_charge(self._shake(current, self._coefficients, dt), *state, dt=dt)

    def fire(self, v: Tensor, state: IzhikevichState, *, dt: float = 1.0) -> tuple[Tensor, IzhikevichState]:
        """Fire, reset and recover: the second half of a step.

        Args:
            v: Charged potential, ``(*batch, *neurons)``: of :meth:`charge`, possibly changed since [mV].
            state: State before the step.
            dt: Length of the step [ms].

        Returns:
            Spikes, and the state after the step.
        """
        spikes, v, u = izhikevich_fire(
            v,
            *state,
            a=self.a,
            b=self.b,
            c=self.c,
            d=self.d,
            v_peak=self.v_peak,
            dt=dt,
            spike_fn=self.spike_fn,
        )
        return spikes, IzhikevichState(v, u)

    @override
    def step(self, current: Tensor, state: IzhikevichState, *, dt: float = 1.0) -> tuple[Tensor, IzhikevichState]:
        spikes, state = self.fire(self.charge(current, state, dt=dt), state, dt=dt)
        return spikes.to(current.dtype), state
