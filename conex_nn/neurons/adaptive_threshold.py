"""A threshold that rises with every spike and falls slowly: intrinsic plasticity."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.functional.leak import rise_factor
from conex_nn.neurons.behavior import Behavior, constant
from conex_nn.neurons.slow_state import learning, mean_over_batch, one_per_neuron
from conex_nn.parameters import register

__all__ = ["AdaptiveThreshold"]


class AdaptiveThreshold(Behavior):
    r"""Raise the threshold of each neuron with each of its spikes, so that no neuron wins all the time.

    .. math::
        \theta \leftarrow \theta e^{-dt/\tau} + \Delta\, \bar s, \qquad
        v_\mathrm{threshold} = v_\mathrm{threshold}(0) + \theta

    after firing, with the mean :math:`\bar s` of the spikes over the batch. The neurons' own ``v_threshold`` is what
    moves, one per neuron, so whatever reads it sees the threshold in force. ``theta`` and the threshold are slow state:
    both are in the ``state_dict``, last from sample to sample, move in ``train()`` mode and act always.

    In float32, what decays by less than about 1e-7 of itself in a step stops decaying: ``tau`` can be up to some 1e7
    steps.

    Args:
        increment: Rise of the threshold by a spike, one value or one per neuron [mV].
        tau: Time constant with which it falls back [ms].

    Raises:
        TypeError: A trainable threshold, or neurons without one, where a population binds it.
        ValueError: A negative increment, a time constant that is not positive; and, where a population binds it, one of
            another shape.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> neuron, adaptive = LIF(), AdaptiveThreshold(increment=0.5, tau=1e3)
        >>> adaptive.bind(torch.Size([2]), neuron)
        >>> for _ in range(3):
        ...     spikes, _ = adaptive.spikes(torch.tensor([1.0, 0.0]), (), neuron, dt=1.0)
        >>> neuron.v_threshold
        tensor([2.4985, 1.0000])

    References:
        Diehl and Cook, Frontiers in Computational Neuroscience 9 (2015), section 2.3.
    """

    theta: Tensor
    """How far the threshold of each neuron has risen [mV]."""
    start: Tensor
    """The threshold from which it rises [mV]."""
    increment: Tensor
    tau: Tensor

    def __init__(self, increment: float | Tensor = 0.05, tau: float | Tensor = 1e7) -> None:
        super().__init__()
        register(self, "increment", increment, unit="mV", not_negative=True)
        register(self, "tau", tau, unit="ms", positive=True)

    @override
    def bind(self, shape: torch.Size, neuron: nn.Module) -> None:
        for name in ("increment", "tau"):
            value: Tensor = getattr(self, name)
            ends = zip(reversed(value.shape), reversed(shape), strict=False)
            if value.dim() > len(shape) or not all(own in (1, axis) for own, axis in ends):
                raise ValueError(
                    f"Expected `{name}` to fit the population's shape {tuple(shape)}, got {tuple(value.shape)}."
                )
        super().bind(shape, neuron)
        threshold = one_per_neuron(self, neuron, "v_threshold", shape)
        if "theta" not in self._buffers:
            self.register_buffer("theta", torch.zeros_like(threshold))
            self.register_buffer("start", threshold.clone(), persistent=False)

    @override
    def spikes(self, spikes: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        if not self.training:
            return spikes, state
        with learning(self):
            fired = mean_over_batch(self, spikes, self.theta)
            theta = self.theta - rise_factor(self.tau, dt=dt) * self.theta + self.increment * fired
            # By the difference of sums, not of thetas: roundings do not add up, and others may move the constant too.
            change = (self.start + theta) - (self.start + self.theta)
            neuron.v_threshold = constant(neuron, "v_threshold") + change
            self.theta = theta
        return spikes, state

    @override
    def extra_repr(self) -> str:
        shown = []
        for name in ("increment", "tau"):
            value: Tensor = getattr(self, name)
            shape = "x".join(map(str, value.shape))
            shown.append(
                f"{name}={value.item():g}" if value.numel() == 1 and not value.is_meta else f"{name}=<{shape}>"
            )
        return ", ".join(shown)
