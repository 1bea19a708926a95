"""What is seen and where: the result of whatever looks at an image part by part."""

from typing import NamedTuple

import torch
from torch import Tensor


class Looks(NamedTuple):
    """What is seen, look after look, and where it was seen."""

    images: Tensor
    """What each look shows, ``(looks, *batch, channels, height, width)`` [1]."""
    locations: Tensor
    """True in the cell that was looked at, ``(looks, *batch, rows, columns)``."""


def check_grid(rows: int, columns: int) -> None:
    """Raise unless there are rows and columns.

    Args:
        rows: Rows of a grid [1].
        columns: Columns of a grid [1].

    Raises:
        ValueError: If one is no whole number from 1.

    Example:
        >>> check_grid(2, 3)
    """
    for name, count in (("rows", rows), ("columns", columns)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"Expected `{name}` to be a whole number from 1 [1], got {count!r}.")


def cell_size(x: Tensor, rows: int, columns: int) -> tuple[int, int]:
    """Return the height and width of the cells of a grid on an image.

    Args:
        x: Images, ``(*batch, channels, height, width)`` [1].
        rows: Rows of the grid [1].
        columns: Columns of the grid [1].

    Returns:
        Height and width of a cell [pixels].

    Raises:
        TypeError: If it is no tensor.
        ValueError: If it is no image, or the grid does not divide it.

    Example:
        >>> cell_size(torch.zeros(1, 6, 9), 2, 3)
        (3, 3)
    """
    height, width = image_size(x)
    if height % rows or width % columns:
        raise ValueError(
            f"Expected `rows` and `columns` to divide the image, got {rows} x {columns} cells on {height} x {width} "
            f"pixels. Choose divisors of these, or pad the image with torchvision.transforms.v2.Pad to "
            f"{-(-height // rows) * rows} x {-(-width // columns) * columns}."
        )
    return height // rows, width // columns


def image_size(x: Tensor) -> tuple[int, int]:
    """Return the height and width of images.

    Args:
        x: Images, ``(*batch, channels, height, width)`` [1].

    Returns:
        Height and width [pixels].

    Raises:
        TypeError: If it is no tensor.
        ValueError: If it is no image.

    Example:
        >>> image_size(torch.zeros(5, 1, 6, 9))
        (6, 9)
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"Expected `x` to be a tensor, got {type(x).__name__}.")
    if x.ndim < 3 or 0 in x.shape[-3:]:
        raise ValueError(f"Expected `x` of shape (*batch, channels, height, width), got {tuple(x.shape)}.")
    return x.shape[-2], x.shape[-1]


def in_grid(cells: Tensor, rows: int, columns: int) -> Tensor:
    """Return cells of a grid as places that are true there.

    Args:
        cells: Numbers of cells, row by row, ``(*batch)`` [1].
        rows: Rows of the grid [1].
        columns: Columns of the grid [1].

    Returns:
        One true place each, ``(*batch, rows, columns)``.

    Example:
        >>> in_grid(torch.tensor(2), 2, 2)
        tensor([[False, False],
                [ True, False]])
    """
    places = torch.arange(rows * columns, device=cells.device)
    return (cells.unsqueeze(-1) == places).unflatten(-1, (rows, columns))
