"""Look at an image at a sequence of fixations."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.looks import Looks, check_grid, image_size, in_grid
from conex_nn.encoders.sampling import check_fixations


class Saccades(nn.Module):
    """Look at images here and there: what a retina sees at each fixation, and in which cell of a grid that is.

    Args:
        glimpse: Maps images and fixations to what is seen: :class:`Foveate` or :class:`LogPolar`.
        at: Fixations, ``(looks, 2)``, rows and columns [pixels]; or what maps images to them, ``(looks, *batch, 2)``:
            :class:`RandomFixations` or :class:`SalientFixations`.
        rows: Rows of the grid by which locations are told [1].
        columns: Columns of that grid [1].

    Raises:
        ValueError: If a number is below 1; at its use: a fixation outside the image.
        TypeError: If the image is not of a floating type.

    Example:
        >>> from conex_nn.encoders import Foveate, RandomFixations
        >>> look = Saccades(Foveate(4, levels=2), at=RandomFixations(3), rows=2, columns=2)
        >>> images, locations = look(torch.rand(5, 1, 28, 28))
        >>> images.shape, locations.shape  # (looks, *batch, ...)
        (torch.Size([3, 5, 2, 4, 4]), torch.Size([3, 5, 2, 2]))
    """

    def __init__(
        self,
        glimpse: Callable[[Tensor, Tensor], Tensor],
        *,
        at: Tensor | Callable[[Tensor], Tensor],
        rows: int,
        columns: int,
    ) -> None:
        super().__init__()
        check_grid(rows, columns)
        self.glimpse = glimpse
        self.at = at
        self.rows = rows
        self.columns = columns

    @override
    def forward(self, x: Float[Tensor, "*batch channels height width"]) -> Looks:
        height, width = image_size(x)
        fixations = check_fixations(self.at if isinstance(self.at, Tensor) else self.at(x), x)
        grid = torch.tensor([self.rows, self.columns], device=x.device)
        place = fixations * grid / torch.tensor([height, width], device=x.device)
        cells = place.long().minimum(grid - 1)  # the far border belongs to the last cell
        return Looks(
            self.glimpse(x, fixations), in_grid(cells[..., 0] * self.columns + cells[..., 1], self.rows, self.columns)
        )

    @override
    def extra_repr(self) -> str:
        return f"{self.rows} x {self.columns}"
