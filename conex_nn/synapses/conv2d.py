"""A kernel shared by all positions of a grid."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn import grad as conv_grad
from typing_extensions import override

from conex_nn.synapses.images import window
from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.synapse import Synapse, leading_axes

__all__ = ["Conv2d"]


class Conv2d(Synapse):
    """Convolution of a grid of channels, as ``nn.Conv2d`` without bias.

    Args:
        source_shape: (channels, height, width) of the population that sends.
        target_shape: That of the population that receives.
        kernel_size: Height and width of the kernel, or one number for both.
        stride: Steps of the kernel along both.
        padding: Rows and columns of zeros around the source.
        init: Fills the weight ``(out, in, kernel height, kernel width)``; default uniform within
            1/sqrt(sources of a target), as ``nn.Conv2d``.
        weight: Its values, in place of ``init``.

    Raises:
        ValueError: Shapes that do not fit; the message says which would.

    Example:
        >>> synapse = Conv2d((1, 28, 28), (8, 24, 24), kernel_size=5)
        >>> synapse(torch.ones(10, 32, 1, 28, 28)).shape  # (time, batch, *source_shape)
        torch.Size([10, 32, 8, 24, 24])
    """

    def __init__(
        self,
        source_shape: int | Sequence[int],
        target_shape: int | Sequence[int],
        *,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        init: Initialiser | None = None,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(source_shape, target_shape)
        self.init = init
        self.kernel_size, self.stride, self.padding = window(
            self.source_shape, self.target_shape, kernel_size=kernel_size, stride=stride, padding=padding
        )
        shape = (self.target_shape[0], self.source_shape[0], *self.kernel_size)
        self.weight = initial_weight(shape, init=init, weight=weight, fan_in=torch.Size(shape[1:]).numel())

    @override
    def project(self, spikes: Tensor, weight: Tensor) -> Tensor:
        lead = spikes.shape[:-3]
        images = spikes.reshape(lead.numel(), *self.source_shape)
        current = F.conv2d(images, weight, stride=self.stride, padding=self.padding)
        return current.reshape(*lead, *self.target_shape)

    @override
    @torch.no_grad()
    def hebbian(self, pre: Tensor, post: Tensor) -> Tensor:
        self._check_pair(pre, post)
        product = conv_grad.conv2d_weight(
            pre.reshape(pre.shape[:-3].numel(), *self.source_shape),
            self.weight.shape,
            post.reshape(post.shape[:-3].numel(), *self.target_shape),
            stride=self.stride,  # pyright: ignore[reportArgumentType]
            padding=self.padding,  # pyright: ignore[reportArgumentType]
        )
        return self._masked(product)

    @override
    @torch.no_grad()
    def backproject(self, grad: Tensor, weight: Tensor) -> Tensor:
        lead = leading_axes(grad, self.target_shape, name="grad")
        spikes = conv_grad.conv2d_input(
            (lead.numel(), *self.source_shape),
            weight,
            grad.reshape(lead.numel(), *self.target_shape),
            stride=self.stride,  # pyright: ignore[reportArgumentType]
            padding=self.padding,  # pyright: ignore[reportArgumentType]
        )
        return spikes.reshape(*lead, *self.source_shape)

    @override
    def extra_repr(self) -> str:
        options = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        return f"{super().extra_repr()}, {options}"
