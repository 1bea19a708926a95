"""A kernel of its own for every position of a grid."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from conex_nn.synapses.images import window
from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.synapse import Synapse

__all__ = ["Local2d"]


class Local2d(Synapse):
    """Local receptive fields: a convolution whose kernel is not shared between positions.

    Args:
        source_shape: (channels, height, width) of the population that sends.
        target_shape: That of the population that receives.
        kernel_size: Height and width of a receptive field, or one number for both.
        stride: Steps between receptive fields along both.
        padding: Rows and columns of zeros around the source.
        init: Fills the weight ``(out, positions, in * kernel height * kernel width)``; default uniform within
            1/sqrt(sources of a target).
        weight: Its values, in place of ``init``.

    Raises:
        ValueError: Shapes that do not fit; the message says which would.

    Example:
        >>> synapse = Local2d((1, 28, 28), (8, 24, 24), kernel_size=5)
        >>> synapse.weight.shape, synapse(torch.ones(32, 1, 28, 28)).shape
        (torch.Size([8, 576, 25]), torch.Size([32, 8, 24, 24]))
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
        field = torch.Size((self.source_shape[0], *self.kernel_size)).numel()
        shape = (self.target_shape[0], self.target_shape[1:].numel(), field)
        self.weight = initial_weight(shape, init=init, weight=weight, fan_in=field)

    @override
    def project(self, spikes: Tensor, weight: Tensor) -> Tensor:
        lead = spikes.shape[:-3]
        images = spikes.reshape(lead.numel(), *self.source_shape)
        fields = F.unfold(images, self.kernel_size, padding=self.padding, stride=self.stride)
        return torch.einsum("lfp,opf->lop", fields, weight).reshape(*lead, *self.target_shape)

    @override
    def extra_repr(self) -> str:
        options = f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
        return f"{super().extra_repr()}, {options}"
