"""Images without their shape: blocks in disorder."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.looks import cell_size, check_grid


class Scramble(nn.Module):
    """Cut images into blocks and shuffle these, each sample in its own way: clutter with the statistics of a shape.

    Args:
        rows: Rows of blocks [1].
        columns: Columns of blocks [1].
        generator: Source of randomness, on the device of the input; torch's global one by default.

    Raises:
        ValueError: If a number is out of range; at its use: an image that the blocks do not divide.
        TypeError: If the input is no tensor.

    Example:
        >>> scrambled = Scramble(2, 2)(torch.arange(4.0).view(1, 2, 2))
        >>> scrambled.flatten().sort().values
        tensor([0., 1., 2., 3.])
    """

    def __init__(self, rows: int, columns: int, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        check_grid(rows, columns)
        self.rows = rows
        self.columns = columns
        self.generator = generator

    @override
    def forward(
        self, x: Shaped[Tensor, "*batch channels height width"]
    ) -> Shaped[Tensor, "*batch channels height width"]:
        height, width = cell_size(x, self.rows, self.columns)
        blocks = x.unfold(-2, height, height).unfold(-2, width, width).flatten(-4, -3)  # (*batch, channels, blocks, ..)
        shape = (*x.shape[:-3], blocks.shape[-3])
        order = torch.rand(shape, generator=self.generator, dtype=torch.float32, device=x.device).argsort(-1)
        blocks = torch.take_along_dim(blocks, order[..., None, :, None, None], dim=-3)
        return blocks.unflatten(-3, (self.rows, self.columns)).transpose(-3, -2).reshape(x.shape)

    @override
    def extra_repr(self) -> str:
        return f"{self.rows} x {self.columns}"
