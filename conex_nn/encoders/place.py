"""Put an image somewhere: scenes with one thing in one cell of a grid."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.looks import check_grid, image_size, in_grid


class PlaceInGrid(nn.Module):
    """Put each image into one cell of a larger scene, and say in which.

    Args:
        rows: Rows of the scene's grid [1].
        columns: Columns of the scene's grid [1].
        clutter: Maps images, ``(cells, *batch, channels, height, width)``, to what is in all other cells, of the same
            shape and type, such as :class:`Scramble`; None for empty cells.
        generator: Source of randomness, on the device of the input; torch's global one by default.

    Raises:
        ValueError: If a number is out of range; at its use: a location outside the grid, clutter of another shape.
        TypeError: If the input is no tensor.

    Example:
        >>> scene, location = PlaceInGrid(2, 2)(torch.ones(1, 1, 1), torch.tensor(3))
        >>> scene, location
        (tensor([[[0., 0.],
                 [0., 1.]]]), tensor([[False, False],
                [False,  True]]))
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        *,
        clutter: Callable[[Tensor], Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_grid(rows, columns)
        self.rows = rows
        self.columns = columns
        self.clutter = clutter
        self.generator = generator

    @override
    def forward(
        self, x: Shaped[Tensor, "*batch channels height width"], cells: Int64[Tensor, "*batch"] | None = None
    ) -> tuple[Shaped[Tensor, "*batch channels _ _"], Bool[Tensor, "*batch {self.rows} {self.columns}"]]:
        """Return scenes ``(*batch, channels, rows * height, columns * width)`` and where the image is in each.

        Args:
            x: Images [1].
            cells: Number of the cell for each, row by row [1]; None for a random one.
        """
        image_size(x)
        count, batch = self.rows * self.columns, x.shape[:-3]
        if cells is None:
            cells = torch.randint(count, batch, generator=self.generator, device=x.device)
        elif cells.shape != batch or bool(((cells < 0) | (cells >= count)).any()):
            raise ValueError(
                f"Expected `cells` of shape {tuple(batch)} to be from 0 to {count - 1}, the cells of {self.rows} x "
                f"{self.columns} [1], got {cells.tolist()}."
            )
        copies = x.expand(count, *x.shape)
        others = torch.zeros_like(copies) if self.clutter is None else self.clutter(copies)
        if others.shape != copies.shape or others.dtype != x.dtype:
            raise ValueError(
                f"Expected `clutter` to return {tuple(copies.shape)} of {x.dtype}, got {tuple(others.shape)} of "
                f"{others.dtype}."
            )
        location = in_grid(cells, self.rows, self.columns)
        here = location.flatten(-2).movedim(-1, 0)[..., None, None, None]
        tiles = torch.where(here, copies, others).unflatten(0, (self.rows, self.columns))
        return tiles.movedim((0, 1), (-4, -2)).flatten(-4, -3).flatten(-2, -1), location

    @override
    def extra_repr(self) -> str:
        return f"{self.rows} x {self.columns}"
