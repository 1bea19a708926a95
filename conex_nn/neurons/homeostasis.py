"""Slow regulation of neurons: towards a rate of firing, a range of potentials, or a range of anything measured."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.functional import decay_factor
from conex_nn.neurons.behavior import Behavior, constant
from conex_nn.neurons.slow_state import learning, mean_over_batch, one_per_neuron, unbound
from conex_nn.parameters import register

__all__ = ["ActivityHomeostasis", "Homeostasis", "VoltageHomeostasis"]


class ActivityHomeostasis(Behavior):
    r"""Move each neuron's threshold until it fires at a given rate.

    With a target of a spikes in a window of n steps, every step counts :math:`+1` if the neuron fires and
    :math:`-a / (n - a)` if it does not, which adds up to 0 at the target. At the end of a window the threshold moves by
    the count times ``updating_rate``, the count starts anew, and ``updating_rate`` is multiplied by ``decay_rate``.

    The thresholds become one per neuron. They move in ``train()`` mode only, by the mean over the batch; they, the
    count, the place in the window and the current ``updating_rate`` are in the ``state_dict``.

    Args:
        activity_rate: Spikes per window at which a threshold stays [1].
        window_size: Length of a window [ms].
        updating_rate: Change of the threshold per counted spike [mV].
        decay_rate: Factor of ``updating_rate`` from window to window [1].

    Example:
        >>> from conex_nn.neurons import LIF
        >>> neuron, homeostasis = LIF(), ActivityHomeostasis(activity_rate=1, window_size=5, updating_rate=0.1)
        >>> homeostasis.bind(torch.Size([2]), neuron)
        >>> for _ in range(5):
        ...     spikes, _ = homeostasis.spikes(torch.tensor([1.0, 0.0]), (), neuron, dt=1.0)
        >>> neuron.v_threshold
        tensor([1.5000, 0.8750])

    References:
        CoNeX 0.1.5 (github.com/cnrl/CoNeX), ActivityBaseHomeostasis.
    """

    activity: Tensor
    """Count of the current window [1]."""
    steps: Tensor
    """Steps since the window began [1]."""
    updating_rate: Tensor
    decay_rate: Tensor

    def __init__(
        self, *, activity_rate: float, window_size: float, updating_rate: float, decay_rate: float = 1.0
    ) -> None:
        super().__init__()
        if not 0 < activity_rate < window_size:
            raise ValueError(
                f"Expected `activity_rate` to be above 0 and below `window_size`, the spikes that fit into a window "
                f"of {window_size} ms at one per ms [1], got {activity_rate}."
            )
        self.activity_rate, self.window_size = activity_rate, window_size
        register(self, "updating_rate", updating_rate, unit="mV", positive=True)
        register(self, "decay_rate", decay_rate, unit="1", positive=True)
        self.first_rate = self.updating_rate.clone()  # for another of its kind
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    @override
    def bind(self, shape: torch.Size, neuron: nn.Module) -> None:
        super().bind(shape, neuron)
        threshold = one_per_neuron(self, neuron, "v_threshold", shape)
        if "activity" not in self._buffers:
            self.register_buffer("activity", torch.zeros_like(threshold))

    @override
    def spikes(self, spikes: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        if not self.training:
            return spikes, state
        window = round(self.window_size / dt)
        if not self.activity_rate < window:
            raise ValueError(
                f"Expected `dt` to leave more steps in a window of {self.window_size} ms than the {self.activity_rate} "
                f"spikes that shall be in it [ms], got {dt}."
            )
        with learning(self):
            fired = mean_over_batch(self, spikes, self.activity)
            activity = self.activity + fired - (1 - fired) * (self.activity_rate / (window - self.activity_rate))
            steps = self.steps + 1
            over = steps >= window  # a tensor: the device is not asked
            neuron.v_threshold = constant(neuron, "v_threshold") + torch.where(over, activity * self.updating_rate, 0)
            self.activity = torch.where(over, 0, activity)
            self.steps = torch.where(over, 0, steps)
            self.updating_rate = torch.where(over, self.updating_rate * self.decay_rate, self.updating_rate)
        return spikes, state

    @override
    def extra_repr(self) -> str:
        return f"activity_rate={self.activity_rate:g}, window_size={self.window_size:g}"


class VoltageHomeostasis(Behavior):
    r"""Hold each neuron's potential in a range by an exhaustion that integrates how far it is outside.

    .. math::
        \dot e = \eta \left((v - v_\mathrm{max})^+ - (v_\mathrm{min} - v)^+\right), \qquad \dot v = \dots - e

    The exhaustion is learned in ``train()`` mode only, from the mean over the batch, and acts always.

    Args:
        target_voltage: Both ends of the range, where they are not given by themselves [mV].
        v_max: Potential above which exhaustion grows [mV].
        v_min: Potential below which exhaustion falls [mV].
        rate: How fast it does [1/ms^2].
        limit: Largest exhaustion of either sign; None for none [mV/ms].

    Example:
        >>> homeostasis = VoltageHomeostasis(v_max=1.0, v_min=-1.0, rate=0.5)
        >>> homeostasis.bind(torch.Size([3]), torch.nn.Identity())
        >>> homeostasis.membrane(torch.tensor([3.0, 0.0, -2.0]), (), torch.nn.Identity(), dt=1.0)
        (tensor([ 2.0000,  0.0000, -1.5000]), ())

    References:
        CoNeX 0.1.5 (github.com/cnrl/CoNeX), VoltageBaseHomeostasis.
    """

    exhaustion: Tensor
    """What each neuron's potential loses [mV/ms]."""
    v_max: Tensor
    v_min: Tensor
    rate: Tensor

    def __init__(
        self,
        target_voltage: float | Tensor | None = None,
        *,
        v_max: float | Tensor | None = None,
        v_min: float | Tensor | None = None,
        rate: float = 0.001,
        limit: float | None = None,
    ) -> None:
        super().__init__()
        for name, end in (("v_max", v_max), ("v_min", v_min)):
            if (value := target_voltage if end is None else end) is None:
                raise ValueError(f"Expected `target_voltage`, or `v_max` and `v_min` [mV], got no `{name}`.")
            register(self, name, value, unit="mV")
        if not self.v_max.is_meta and not (self.v_max >= self.v_min).all():
            raise ValueError(f"Expected `v_max` not to be below `v_min` [mV], got {self.v_max} against {self.v_min}.")
        if limit is not None and not limit > 0:
            raise ValueError(f"Expected `limit` to be positive [mV/ms], or None, got {limit}.")
        register(self, "rate", rate, unit="1/ms^2", positive=True)
        self.limit = limit

    @override
    def bind(self, shape: torch.Size, neuron: nn.Module) -> None:
        super().bind(shape, neuron)
        if "exhaustion" not in self._buffers:
            like = next((b for b in neuron.buffers() if b.is_floating_point()), self.v_max)
            self.register_buffer("exhaustion", like.new_zeros(shape))

    @override
    def membrane(self, v: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        if self.training:
            with learning(self):
                x = v.detach()
                outside = (x - self.v_max).clamp(min=0) - (self.v_min - x).clamp(min=0)
                outside = mean_over_batch(self, outside, self.exhaustion)
                exhaustion = self.exhaustion + self.rate * dt * outside
                self.exhaustion = exhaustion if self.limit is None else exhaustion.clamp(-self.limit, self.limit)
        elif self.shape is None:
            raise unbound(self)
        return v - (self.exhaustion * dt).to(v.dtype), state


class Homeostasis(Behavior):
    r"""Move a constant of the neurons, each its own, until something measured lies in a range.

    .. math:: \dot c = \eta \left((m - \mathrm{high})^+ - (\mathrm{low} - m)^+\right)

    The constant rises where the measure is too high and falls where it is too low; a negative ``rate`` turns that
    round. It moves in ``train()`` mode only, by the mean over the batch.

    Args:
        constant: Name of the constant, such as ``"v_threshold"``.
        measure: ``(v, spikes) -> m`` of a step's charged potentials [mV] and spikes [1], ``(*batch, *neurons)`` all.
        low: Lower end of the range, in the unit of the measure [1].
        high: Upper end [1].
        rate: How fast the constant moves, in its unit per that of the measure and ms [1/ms].
        smoothing: Time constant of a running mean of the measure; 0 for none [ms].
        minimum: Least value of the constant, in its unit; None for none [1].
        maximum: Largest value, likewise [1].

    Example:
        >>> from conex_nn.neurons import LIF
        >>> neuron = LIF()
        >>> homeostasis = Homeostasis("resistance", lambda v, spikes: v, low=-0.5, high=0.5, rate=-0.1, minimum=0.1)
        >>> homeostasis.bind(torch.Size([2]), neuron)
        >>> v, state = homeostasis.membrane(torch.tensor([1.5, 0.0]), (), neuron, dt=1.0)
        >>> spikes, state = homeostasis.spikes(torch.tensor([1.0, 0.0]), state, neuron, dt=1.0)
        >>> neuron.resistance
        tensor([0.9000, 1.0000])

    References:
        PymoNNto (Vieth et al., Frontiers in Neuroinformatics 15, 2021), Instant_Homeostasis and
        Time_Integration_Homeostasis.
    """

    average: Tensor
    """Running mean of the measure, in its unit [1]."""
    weight: Tensor
    """What the running mean has seen, 1 in the long run [1]."""

    def __init__(
        self,
        constant: str,
        measure: Callable[[Tensor, Tensor], Tensor],
        *,
        low: float,
        high: float,
        rate: float,
        smoothing: float = 0.0,
        minimum: float | None = None,
        maximum: float | None = None,
    ) -> None:
        super().__init__()
        if not callable(measure):
            raise TypeError(f"Expected `measure` to be a callable of potentials and spikes, got {measure!r}.")
        if not low <= high:
            raise ValueError(f"Expected `low` not to be above `high` [1], got {low} against {high}.")
        if not smoothing >= 0:
            raise ValueError(f"Expected `smoothing` not to be negative [ms], got {smoothing}.")
        self.constant, self.measure, self.low, self.high, self.rate = constant, measure, low, high, rate
        self.smoothing, self.minimum, self.maximum = smoothing, minimum, maximum

    @override
    def bind(self, shape: torch.Size, neuron: nn.Module) -> None:
        super().bind(shape, neuron)
        value = one_per_neuron(self, neuron, self.constant, shape)
        if "average" not in self._buffers:
            self.register_buffer("average", torch.zeros_like(value))
            self.register_buffer("weight", value.new_zeros(()))

    @override
    def initial_state(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    @override
    def membrane(self, v: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Tensor]:
        return v, v.detach()  # until the spikes are known

    @override
    def spikes(self, spikes: Tensor, state: Tensor, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Tensor]:
        if not self.training:
            return spikes, state
        with learning(self):
            measured = self.measure(state, spikes.detach()).expand_as(spikes)
            measured = mean_over_batch(self, measured, self.average)
            tau = self.weight.new_tensor(self.smoothing)
            keep = decay_factor(tau, dt=dt)  # 0 without smoothing
            self.average = keep * self.average + (1 - keep) * measured
            self.weight = keep * self.weight + (1 - keep)
            mean = self.average / self.weight
            move = (mean - self.high).clamp(min=0) - (self.low - mean).clamp(min=0)
            value = constant(neuron, self.constant) + self.rate * dt * move
            if self.minimum is not None or self.maximum is not None:
                value = value.clamp(self.minimum, self.maximum)
            setattr(neuron, self.constant, value)
        return spikes, state

    @override
    def extra_repr(self) -> str:
        return f"{self.constant!r}, low={self.low:g}, high={self.high:g}, rate={self.rate:g}"
