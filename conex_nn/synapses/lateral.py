"""Neighbours within one population."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.synapse import Synapse

__all__ = ["Lateral"]


class Lateral(Synapse):
    """Synapses of every neuron from its neighbours, the same kernel around each: a 3-D convolution of one channel.

    Args:
        source_shape: (depth, height, width) of the population.
        target_shape: The same: the population connects to itself, or to one like it.
        kernel_size: Odd depth, height and width of the neighbourhood, or one number for all three.
        centre: False leaves out the entry amid the kernel, the connection of a neuron to itself.
        init: Fills the weight ``(kernel depth, kernel height, kernel width)``; default uniform within
            1/sqrt(sources of a target).
        weight: Its values, in place of ``init``.

    Raises:
        ValueError: Unequal shapes, or an even kernel, which has no middle.

    Example:
        >>> synapse = Lateral((1, 3, 3), (1, 3, 3), kernel_size=(1, 3, 3), centre=False, init=torch.nn.init.ones_)
        >>> synapse(torch.ones(1, 3, 3))  # how many neighbours each has
        tensor([[[3., 5., 3.],
                 [5., 8., 5.],
                 [3., 5., 3.]]], grad_fn=<...>)
    """

    def __init__(
        self,
        source_shape: int | Sequence[int],
        target_shape: int | Sequence[int],
        *,
        kernel_size: int | tuple[int, int, int],
        centre: bool = True,
        init: Initialiser | None = None,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(source_shape, target_shape)
        self.init = init
        if len(self.source_shape) != 3 or self.source_shape != self.target_shape:
            raise ValueError(
                "Expected `source_shape` and `target_shape` to be the same (depth, height, width), got "
                f"{tuple(self.source_shape)} and {tuple(self.target_shape)}."
            )
        sizes = (kernel_size,) * 3 if isinstance(kernel_size, int) else tuple(kernel_size)
        if len(sizes) != 3 or not all(isinstance(size, int) and size > 0 and size % 2 for size in sizes):
            raise ValueError(
                "Expected `kernel_size` to be an odd whole number, or three (depth, height, width), got "
                f"{kernel_size!r}: an even kernel has no middle."
            )
        mask = None
        if not centre:
            mask = torch.ones(sizes, dtype=torch.bool)
            mask[tuple(size // 2 for size in sizes)] = False
        fan_in = torch.Size(sizes).numel() - (not centre)
        self.weight = initial_weight(sizes, init=init, weight=weight, fan_in=fan_in, mask=mask)
        self.mask = None if mask is None else mask.to(self.weight.device)

    @override
    def project(self, spikes: Tensor, weight: Tensor) -> Tensor:
        images = spikes.reshape(spikes.shape[:-3].numel(), 1, *self.source_shape)
        padding = [size // 2 for size in weight.shape]
        return F.conv3d(images, weight[None, None], padding=padding).reshape(spikes.shape)

    @override
    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kernel_size={tuple(self.weight.shape)}"
