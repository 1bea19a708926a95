"""What the integrate-and-fire models share: potential, threshold, reset, refractoriness, noise."""

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.functional import fire, is_refractory
from conex_nn.functional.leak import Method, noise_factor
from conex_nn.kept import kept
from conex_nn.kernels import lif_rows
from conex_nn.kernels.direct import plain
from conex_nn.neurons.neuron import Neuron
from conex_nn.parameters import register, require_above
from conex_nn.surrogate import SpikeFunction, Surrogate, atan, from_snntorch

__all__ = ["MembraneNeuron", "ThresholdNeuron", "ThresholdState"]

Coefficients = tuple[Tensor, Tensor, Tensor]
"""Decay [1], gain [MOhm] and drive [mV] of a step of the membrane."""


class MembraneNeuron(Neuron):
    """Base of the models with a noisy membrane; not a model by itself."""

    noise: Tensor

    def __init__(self, *, noise: float | Tensor, method: Method) -> None:
        super().__init__()
        register(self, "noise", noise, unit="mV/sqrt(ms)", not_negative=True)
        if method not in get_args(Method):
            raise ValueError(f"Expected `method` to be one of {get_args(Method)}, got {method!r}.")
        self.method: Method = method
        self._read_switches()

    def _read_switches(self) -> None:
        """Note once what a step has to do, so that no step asks the device."""
        self._read = [(constant, _version(constant)) for constant in self._switched()]
        self._noisy = isinstance(self.noise, nn.Parameter) or _any_positive(self.noise)

    @override
    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._read_switches()

    def _switched(self) -> tuple[Tensor | None, Tensor | None]:
        """Return the constants behind the switches."""
        return self._buffers.get("noise"), self._buffers.get("refractory_time")

    def refresh(self) -> None:
        """Note again what a step has to do, if constants that decide it were changed."""
        if not torch.compiler.is_compiling() and not self._is_read():
            self._read_switches()

    def _is_read(self) -> bool:
        """Whether these have been neither replaced nor written to since they were read."""
        return all(
            now is then and _version(now) == version
            for now, (then, version) in zip(self._switched(), self._read, strict=True)
        )

    def _neuron_shapes(self) -> dict[str, torch.Size]:
        """Return the shape that each constant has for one sample, where it has one value per neuron."""
        constants = (*self._buffers.items(), *self._parameters.items())
        several = [(name, p) for name, p in constants if p is not None and (p.numel() > 1 or p.dim() > 1)]
        return {name.removeprefix("log_"): p.shape for name, p in several}

    def _like(self, x: Tensor, v: Tensor) -> Tensor:
        """Return ``v`` in the shape of one step's input ``x``, having checked that the constants fit it."""
        if plain(x):
            self.refresh()
        kept(self, "fits", (x.shape, x.dtype, x.device), lambda: self._check_input(x, v))
        return v.expand(x.shape).clone()

    def _check_input(self, x: Tensor, v: Tensor) -> None:
        """Raise unless the constants, of which ``v`` is one, fit an input of a step."""
        if x.dtype != v.dtype and torch.promote_types(x.dtype, v.dtype) != v.dtype:
            raise TypeError(
                f"Expected `current` to be {v.dtype}, the dtype of the neuron's parameters, got {x.dtype}. "
                f"Convert one of them: `neuron.to({x.dtype})`."
            )
        if x.device != v.device:
            raise TypeError(
                f"Expected `current` on {v.device}, where the neuron's parameters are, got {x.device}. "
                f"Move one of them: `neuron.to({str(x.device)!r})`."
            )
        for name, shape in self._neuron_shapes().items():
            ends = zip(reversed(shape), reversed(x.shape), strict=False)
            if len(shape) > x.dim() or not all(own in (1, axis) for own, axis in ends):
                raise ValueError(
                    f"Expected `current` to end in axes that fit `{name}` of shape {tuple(shape)}, "
                    f"got (*batch, *neurons) = {tuple(x.shape)}. The layer before it has another number of neurons, "
                    "or the input is not time-first, (time, *batch, *neurons)."
                )

    def _has_kernel(self, current: Tensor) -> bool:
        """Whether the kernels run on this device, in the dtype of the state."""
        return current.device.type in ("cpu", "cuda") and self.noise.dtype in (torch.float32, torch.float64)

    def _membrane(self, dt: float) -> Coefficients:
        """Compute what a step of the membrane needs."""
        raise TypeError(f"Expected {type(self).__name__} to define `_membrane(self, dt)`.")

    def _coefficients(self, dt: float) -> Coefficients:
        """Return what a step of the membrane needs."""
        return kept(self, "coefficients", (dt, self.method), lambda: self._membrane(dt))

    def _shake(self, current: Tensor, coefficients: Callable[[float], Coefficients], dt: float) -> Tensor:
        """Add the membrane noise of a step, as the current that causes it."""
        if not self._noisy:
            return current

        def make() -> Tensor:
            _, gain, _ = coefficients(dt)
            tau = getattr(self, "tau_mem", None)  # none without a leak
            return self.noise * (dt**0.5 if tau is None else noise_factor(tau, dt=dt, method=self.method)) / gain

        spread = kept(self, "noise", (dt, self.method), make)
        return current + (spread * torch.randn_like(current)).to(current.dtype)

    @override
    def extra_repr(self) -> str:
        shown = []
        for key in [*self._buffers, *self._parameters]:
            name = key.removeprefix("log_")
            value = getattr(self, name)
            known = value.numel() == 1 and not value.is_meta
            text = f"{value.item():g}" if known else f"<{'x'.join(map(str, value.shape))}>"
            shown.append(f"{name}={text}" + (" (trainable)" if key in self._parameters else ""))
        return ", ".join(shown + ([f"method={self.method!r}"] if self.method != "exact" else []))


def _version(constant: Tensor | None) -> int:
    """Return how often a constant has been written to, where that is counted."""
    return -1 if constant is None or constant.is_inference() else constant._version


def _any_positive(constant: Tensor) -> bool:
    """Whether a constant is above 0 somewhere; on the meta device, where nobody knows, it may be."""
    return constant.is_meta or bool((constant > 0).any())


class ThresholdState(NamedTuple):
    """Fast state of neurons with a threshold."""

    v: Tensor
    """Membrane potential [mV]."""
    refractory: Tensor
    """Time left until the neuron may fire again [ms]."""


class ThresholdNeuron(MembraneNeuron):
    """Base of the integrate-and-fire models; not a model by itself."""

    State = ThresholdState
    v_threshold: Tensor
    v_reset: Tensor
    refractory_time: Tensor

    def __init__(
        self,
        *,
        v_threshold: float | Tensor,
        v_reset: float | Tensor,
        refractory_time: float | Tensor,
        noise: float | Tensor,
        spike_fn: SpikeFunction | None,
        soft_reset: bool,
        detach_reset: bool,
        method: Method = "exact",
    ) -> None:
        if isinstance(refractory_time, nn.Parameter):
            raise TypeError("Expected `refractory_time` to be fixed [ms]: the number of steps has no gradient.")
        super().__init__(noise=noise, method=method)
        register(self, "refractory_time", refractory_time, unit="ms", not_negative=True)
        register(self, "v_threshold", v_threshold, unit="mV")
        register(self, "v_reset", v_reset, unit="mV")
        require_above(self.v_threshold, self.v_reset, names=("v_threshold", "v_reset"), unit="mV")
        self.spike_fn = atan() if spike_fn is None else from_snntorch(spike_fn)
        self.soft_reset = soft_reset
        self.detach_reset = detach_reset
        self._read_switches()

    @override
    def _read_switches(self) -> None:
        super()._read_switches()
        self._pauses = "refractory_time" in self._buffers and _any_positive(self.refractory_time)

    def _start(self, x: Tensor, v: Tensor) -> ThresholdState:
        """Return the state with the potential at ``v`` for an input like ``x``."""
        v = self._like(x, v)
        return ThresholdState(v, torch.zeros_like(v))

    def _surrogate(self, current: Tensor) -> Surrogate | None:
        """Return the spike function if the kernels know it and run on this device, else None."""
        spike_fn = self.spike_fn
        if isinstance(spike_fn, Surrogate) and spike_fn.code is not None and self._has_kernel(current):
            return spike_fn
        return None

    def _lif_rows(self, neurons: torch.Size, dt: float) -> Tensor:
        """Return the constants as the kernel of linear membranes reads them."""

        def make() -> Tensor:
            decay, gain, drive = self._membrane(dt)
            return lif_rows(neurons, decay=decay, gain=gain, drive=drive, **self._jump())

        return kept(self, "rows", (dt, self.method, self._pauses, neurons), make)

    def _switches(self) -> dict[str, bool]:
        """Return what every kernel of a threshold model is told."""
        return {"pauses": self._pauses, "soft_reset": self.soft_reset, "detach_reset": self.detach_reset}

    def _jump(self) -> dict[str, Any]:
        """Return the constants of a spike."""
        return {
            "v_threshold": self.v_threshold,
            "v_reset": self.v_reset,
            "refractory_time": self.refractory_time if self._pauses else None,
        }

    def _firing(self) -> dict[str, Any]:
        """Return what every step of a threshold model is told."""
        return {
            **self._jump(),
            "soft_reset": self.soft_reset,
            "detach_reset": self.detach_reset,
        }

    def _integrate(self, current: Tensor, state: Any, dt: float) -> Tensor:
        """Return the potential after integration and noise, as if no neuron were refractory."""
        raise TypeError(f"Expected {type(self).__name__} to define `_integrate(self, current, state, dt)`.")

    def _fire(self, v: Tensor, state: Any, dt: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return spikes, and potential and refractory time after them."""
        pause = state.refractory if self._pauses else None
        spikes, v, pause = fire(v, state.v, pause, dt=dt, spike_fn=self.spike_fn, **self._firing())
        return spikes, v, state.refractory if pause is None else pause

    def charge(self, current: Tensor, state: Any, *, dt: float = 1.0) -> Tensor:
        """Return the potential after integration and membrane noise, before firing: the first half of a step.

        A refractory neuron shows the potential that it keeps.

        Args:
            current: Input current, ``(*batch, *neurons)`` [nA].
            state: State before the step.
            dt: Length of the step [ms].
        """
        v = self._integrate(current, state, dt)
        return torch.where(is_refractory(state.refractory, dt=dt), state.v, v) if self._pauses else v

    def fire(self, v: Tensor, state: Any, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        """Fire and reset: the second half of a step.

        A refractory neuron does not fire and keeps the potential of ``state``, whatever ``v`` says.

        Args:
            v: Charged potential, ``(*batch, *neurons)``: of :meth:`charge`, possibly changed since [mV].
            state: State before the step.
            dt: Length of the step [ms].

        Returns:
            Spikes, and the state after the step.
        """
        spikes, v, refractory = self._fire(v, state, dt)
        return spikes, ThresholdState(v, refractory)

    @override
    def step(self, current: Tensor, state: Any, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        spikes, state = self.fire(self.charge(current, state, dt=dt), state, dt=dt)
        return spikes.to(current.dtype), state

    @override
    def extra_repr(self) -> str:
        shown = [super().extra_repr()]
        if isinstance(self.spike_fn, Surrogate):
            shown.append(f"spike_fn={self.spike_fn.kind}({', '.join(map(str, self.spike_fn.params))})")
        return ", ".join(shown + (["soft_reset=True"] if self.soft_reset else []))
