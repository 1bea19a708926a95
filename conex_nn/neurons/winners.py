"""Competition: of the neurons that would fire, only the best may."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.neurons.behavior import Behavior, constant

__all__ = ["KWinners"]


class KWinners(Behavior):
    """Let at most k neurons fire in a step.

    Of the neurons at or above their threshold, the k farthest above it win; the others are set to ``v_reset`` and do
    not fire. Of equals, as many win as there is room for. Samples of a batch compete each for itself.

    With ``soft_reset`` a neuron can be above its threshold while it is refractory; it then takes a winner's place.

    Args:
        k: Number of winners [1].
        axis: Axis of the population's shape along which neurons compete; None for all of them.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> winners = KWinners(2)
        >>> winners.bind(torch.Size([4]), LIF())
        >>> v, _ = winners.membrane(torch.tensor([1.5, 0.9, 3.0, 1.2]), (), LIF(), dt=1.0)
        >>> v
        tensor([1.5000, 0.9000, 3.0000, 0.0000])
    """

    def __init__(self, k: int, axis: int | None = None) -> None:
        super().__init__()
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise ValueError(f"Expected `k` to be a positive whole number of winners [1], got {k!r}.")
        if axis is not None and not isinstance(axis, int):
            raise TypeError(f"Expected `axis` to be an axis of the population's shape, or None, got {axis!r}.")
        self.k, self.axis = k, axis

    @override
    def bind(self, shape: torch.Size, neuron: nn.Module) -> None:
        if self.axis is not None and not 0 <= self.axis < len(shape):
            raise ValueError(
                f"Expected `axis` to be one of the population's {len(shape)} axes, 0 to {len(shape) - 1}, "
                f"got {self.axis}."
            )
        rivals = shape.numel() if self.axis is None else shape[self.axis]
        if self.k > rivals:
            along = "in the population" if self.axis is None else f"along axis {self.axis}"
            raise ValueError(
                f"Expected `k` to be at most {rivals}, the neurons {along} of shape {tuple(shape)}, got {self.k}."
            )
        for name in ("v_threshold", "v_reset"):
            constant(neuron, name)  # raises where there is none
        super().bind(shape, neuron)

    @override
    def membrane(self, v: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        if self.shape is None:
            raise RuntimeError("Expected KWinners to belong to a population: call `bind(shape, neuron)` first.")
        margin = (v - constant(neuron, "v_threshold")).detach()
        axes = len(self.shape)
        rivals = margin.flatten(-axes) if self.axis is None else margin.movedim(self.axis - axes, -1)
        best = rivals.topk(self.k, dim=-1, sorted=False).indices
        loses = (rivals >= 0).scatter(-1, best, value=False)
        loses = loses.view(v.shape) if self.axis is None else loses.movedim(-1, self.axis - axes)
        return torch.where(loses, constant(neuron, "v_reset"), v), state

    @override
    def extra_repr(self) -> str:
        return f"k={self.k}" + ("" if self.axis is None else f", axis={self.axis}")
