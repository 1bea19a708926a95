"""Look at an image cell by cell: erase, keep, or crop one cell of a grid in each look."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.looks import Looks, cell_size, check_grid, in_grid


class _GridMask(nn.Module, ABC):
    """A grid on an image, and the order in which its cells are looked at."""

    def __init__(
        self,
        rows: int,
        columns: int,
        *,
        gap: int | Sequence[int] = 0,
        looks: int | None = None,
        shuffle: bool = False,
        fill: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_grid(rows, columns)
        gaps = tuple(gap) if isinstance(gap, Sequence) else (gap,) * 4
        if len(gaps) != 4 or not all(isinstance(each, int) for each in gaps):
            raise ValueError(
                f"Expected `gap` to be a whole number, or four: left, right, top, bottom [pixels], got {gap!r}."
            )
        cells = rows * columns
        if looks is not None and not 1 <= looks <= cells:
            raise ValueError(f"Expected `looks` to be from 1 to {cells}, the cells of the grid [1], got {looks}.")
        self.rows = rows
        self.columns = columns
        self.gap = gaps
        self.looks = cells if looks is None else looks
        self.shuffle = shuffle
        self.fill = fill
        self.generator = generator

    @override
    def forward(self, x: Shaped[Tensor, "*batch channels height width"]) -> Looks:
        height, width = cell_size(x, self.rows, self.columns)
        left, right, top, bottom = self.gap
        if height - top - bottom < 1 or width - left - right < 1:
            raise ValueError(
                f"Expected `gap` to leave something of cells of {height} x {width} pixels, got left {left}, right "
                f"{right}, top {top}, bottom {bottom}."
            )
        order = self._order(x.shape[:-3], x.device)
        return Looks(self._images(x, order), in_grid(order, self.rows, self.columns))

    @abstractmethod
    def _images(self, x: Tensor, order: Tensor) -> Tensor:
        """Return what is seen of `x` when cells are looked at in an order, ``(looks, *batch)``."""

    def _order(self, batch: torch.Size, device: torch.device) -> Int64[Tensor, " looks *batch"]:
        cells = self.rows * self.columns
        if self.shuffle:
            draw = torch.rand((cells, *batch), generator=self.generator, dtype=torch.float32, device=device)
            return draw.argsort(0)[: self.looks]
        return torch.arange(self.looks, device=device).view(-1, *[1] * len(batch)).expand(self.looks, *batch)

    def _regions(self, x: Tensor, order: Tensor) -> Bool[Tensor, "looks *batch 1 height width"]:
        """Return the pixels of each cell, less its gaps, that are in the image."""
        height, width = cell_size(x, self.rows, self.columns)
        left, right, top, bottom = self.gap
        rows = _intervals(self.rows, height, top, bottom, x.device)
        columns = _intervals(self.columns, width, left, right, x.device)
        regions = rows[:, None, :, None] & columns[None, :, None, :]
        return regions.flatten(0, 1)[order].unsqueeze(-3)

    @override
    def extra_repr(self) -> str:
        order = ", shuffle=True" if self.shuffle else ""
        return f"{self.rows} x {self.columns}, gap={self.gap}, looks={self.looks}{order}"


class GridErase(_GridMask):
    """Erase one cell of a grid in each look.

    Args:
        rows: Rows of the grid [1].
        columns: Columns of the grid [1].
        gap: What is left out of a cell at its left, right, top and bottom [pixels]; one number for all four. What is
            negative reaches beyond the cell, up to the image's border.
        looks: How many cells, the first in their order [1]; None for all.
        shuffle: Look in a random order, another for each sample; otherwise row by row.
        fill: What is put in place of erased pixels [1].
        generator: Source of randomness, on the device of the input; torch's global one by default.

    Raises:
        ValueError: If a number is out of range; at its use: an image that the grid does not divide, or gaps that leave
            nothing of a cell.
        TypeError: If the input is no tensor.

    Example:
        >>> images, locations = GridErase(2, 2)(torch.ones(1, 2, 2))  # (looks, *batch, ...)
        >>> images[1], locations[1]
        (tensor([[[1., 0.],
                 [1., 1.]]]), tensor([[False,  True],
                [False, False]]))
    """

    @override
    def _images(self, x: Tensor, order: Tensor) -> Tensor:
        return torch.where(self._regions(x, order), _constant(self.fill, x), x)


class GridKeep(_GridMask):
    """Keep one cell of a grid in each look, and erase all else.

    Args:
        rows: Rows of the grid [1].
        columns: Columns of the grid [1].
        gap: What is left out of a cell at its left, right, top and bottom [pixels]; one number for all four. What is
            negative reaches beyond the cell, up to the image's border.
        looks: How many cells, the first in their order [1]; None for all.
        shuffle: Look in a random order, another for each sample; otherwise row by row.
        fill: What is put in place of erased pixels [1].
        generator: Source of randomness, on the device of the input; torch's global one by default.

    Raises:
        ValueError: If a number is out of range; at its use: an image that the grid does not divide, or gaps that leave
            nothing of a cell.
        TypeError: If the input is no tensor.

    Example:
        >>> images, locations = GridKeep(2, 2)(torch.ones(1, 2, 2))  # (looks, *batch, ...)
        >>> images[1], locations[1]
        (tensor([[[0., 1.],
                 [0., 0.]]]), tensor([[False,  True],
                [False, False]]))
    """

    @override
    def _images(self, x: Tensor, order: Tensor) -> Tensor:
        return torch.where(self._regions(x, order), x, _constant(self.fill, x))


class GridCrop(_GridMask):
    """Cut out one cell of a grid in each look.

    Args:
        rows: Rows of the grid [1].
        columns: Columns of the grid [1].
        gap: What is left out of a cell at its left, right, top and bottom [pixels]; one number for all four. What is
            negative reaches beyond the cell, and beyond the image's border shows `fill`.
        looks: How many cells, the first in their order [1]; None for all.
        shuffle: Look in a random order, another for each sample; otherwise row by row.
        fill: What is seen beyond the image [1].
        generator: Source of randomness, on the device of the input; torch's global one by default.

    Raises:
        ValueError: If a number is out of range; at its use: an image that the grid does not divide, or gaps that leave
            nothing of a cell.
        TypeError: If the input is no tensor.

    Example:
        >>> images, locations = GridCrop(1, 2)(torch.arange(8.0).view(1, 2, 4))  # (looks, *batch, ...)
        >>> images[1], locations[1]
        (tensor([[[2., 3.],
                 [6., 7.]]]), tensor([[False,  True]]))
    """

    @override
    def _images(self, x: Tensor, order: Tensor) -> Tensor:
        height, width = cell_size(x, self.rows, self.columns)
        left, right, top, bottom = self.gap
        border = [max(0, -gap) for gap in self.gap]
        wide = F.pad(x, border, value=self.fill) if any(border) else x
        cut_rows = wide.narrow(-2, border[2] + top, wide.shape[-2] - border[2] - top)
        cut = cut_rows.narrow(-1, border[0] + left, wide.shape[-1] - border[0] - left)
        cells = cut.unfold(-2, height - top - bottom, height).unfold(-2, width - left - right, width)
        # a gap as wide as a cell, beside one that reaches as far out, lets one more crop fit than there are cells
        cells = cells[..., : self.rows, : self.columns, :, :]
        cells = cells.movedim((-4, -3), (0, 1)).flatten(0, 1)  # (cells, *batch, channels, height, width)
        return torch.take_along_dim(cells, order[..., None, None, None], dim=0)


def _intervals(count: int, length: int, before: int, behind: int, device: torch.device) -> Bool[Tensor, "count size"]:
    """Return which pixels of a line belong to each of its cells, less their gaps."""
    start = torch.arange(count, device=device).unsqueeze(1) * length
    pixel = torch.arange(count * length, device=device)
    return (pixel >= start + before) & (pixel < start + length - behind)


def _constant(value: float, like: Tensor) -> Tensor:
    """Return a number of the type of a tensor, which `torch.where` then keeps."""
    return torch.full((), value, dtype=like.dtype, device=like.device)
