"""What keeps firing rates where they should be. Any callable of this kind will do."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.recording import nearest

__all__ = ["RateLimit", "RateTarget", "Regulariser"]

Regulariser = Callable[[Mapping[str, Tensor], float], Tensor]
"""``regulariser(spikes, dt)``: a loss, from the spikes ``(time, batch, *neurons)`` of each layer and the step [ms]."""


class _OnRates(ABC):
    """Penalise the firing probability per step of each neuron, averaged over time and batch."""

    def __init__(self, weight: float, layers: Sequence[str] | None) -> None:
        if not weight >= 0:
            raise ValueError(f"Expected `weight` to be 0 or more [1], got {weight}.")
        self.weight = weight
        self.layers = None if layers is None else tuple(layers)

    @abstractmethod
    def _excess(self, probability: Tensor, dt: float) -> Tensor:
        """Return by how much each neuron is off."""

    def __call__(self, spikes: Mapping[str, Tensor], dt: float) -> Tensor:
        """Return the penalty, a mean over neurons and then over layers."""
        for layer in self.layers or ():
            if layer not in spikes:
                raise ValueError(f"Expected `layers` to be spiking layers, got {layer!r}.{nearest(layer, spikes)}")
        chosen = [spikes[layer] for layer in self.layers or spikes]
        penalties = [self._excess(layer.mean((0, 1), dtype=torch.float32), dt).square().mean() for layer in chosen]
        return self.weight * torch.stack(penalties).mean()


def _check_rate(name: str, rate: float) -> None:
    if not rate >= 0:
        raise ValueError(f"Expected `{name}` to be 0 or more [Hz], got {rate}.")


class RateTarget(_OnRates):
    r"""Pull every neuron's firing rate to one value.

    .. math:: w \left\langle (p_i - r \Delta t)^2 \right\rangle_i

    where :math:`p_i` is the mean number of spikes of neuron i per step, over time and batch.

    Args:
        rate: Firing rate to reach [Hz].
        weight: Weight beside the loss [1].
        layers: Addresses of spiking layers; all of them by default.

    Raises:
        ValueError: A negative rate or weight; at the call, an unknown layer.

    Example:
        >>> regulariser = RateTarget(rate=100.0, weight=10.0)
        >>> regulariser({"1": torch.zeros(20, 4, 8)}, 1.0)  # silent: 10 * 0.1^2
        tensor(0.1000)
    """

    def __init__(self, *, rate: float, weight: float = 1.0, layers: Sequence[str] | None = None) -> None:
        super().__init__(weight, layers)
        _check_rate("rate", rate)
        self.rate = rate

    @override
    def _excess(self, probability: Tensor, dt: float) -> Tensor:
        return probability - self.rate * dt / 1000

    @override
    def __repr__(self) -> str:
        return f"RateTarget(rate={self.rate} Hz, weight={self.weight})"


class RateLimit(_OnRates):
    r"""Keep every neuron's firing rate between two values, and leave it alone there.

    .. math:: w \left\langle \max(0, r_\text{low} \Delta t - p_i, p_i - r_\text{high} \Delta t)^2 \right\rangle_i

    where :math:`p_i` is the mean number of spikes of neuron i per step, over time and batch.

    Args:
        lower: Lowest rate without penalty [Hz].
        upper: Highest rate without penalty [Hz].
        weight: Weight beside the loss [1].
        layers: Addresses of spiking layers; all of them by default.

    Raises:
        ValueError: Negative or crossed limits, a negative weight; at the call, an unknown layer.

    Example:
        >>> regulariser = RateLimit(lower=1.0, upper=500.0)
        >>> regulariser({"1": torch.ones(20, 4, 8)}, 1.0)  # 1000 Hz: 0.5^2
        tensor(0.2500)
    """

    def __init__(
        self, *, lower: float = 0.0, upper: float, weight: float = 1.0, layers: Sequence[str] | None = None
    ) -> None:
        super().__init__(weight, layers)
        _check_rate("lower", lower)
        if not upper >= lower:
            raise ValueError(f"Expected `upper` to be at least `lower`, {lower} [Hz], got {upper}.")
        self.lower = lower
        self.upper = upper

    @override
    def _excess(self, probability: Tensor, dt: float) -> Tensor:
        low, high = self.lower * dt / 1000, self.upper * dt / 1000
        return (low - probability).clamp(min=0) + (probability - high).clamp(min=0)

    @override
    def __repr__(self) -> str:
        return f"RateLimit(lower={self.lower} Hz, upper={self.upper} Hz, weight={self.weight})"
