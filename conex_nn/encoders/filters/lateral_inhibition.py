"""Weaken what has a stronger neighbour."""

import torch
import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override


class LateralInhibition(nn.Module):
    r"""Weaken pixels that have a stronger neighbour, the more the nearer it is.

    A pixel :math:`x_i` of a map keeps

    .. math:: y_i = x_i \max\Bigl(0,\ 1 - \sum_{j: x_j > x_i} p_{d(i, j)}\Bigr),

    with the distance :math:`d` the larger of those in height and width, up to the number of parts given. Maps are
    treated alike but apart. What is strongest around stays as it is: contours become sharp, and fewer
    pixels fire early.

    Args:
        parts: What a stronger neighbour takes at the distances 1, 2, ... [1].

    Raises:
        ValueError: If there is no part, or one is outside [0, 1].
        TypeError: At its use: if the image is not of a floating type.

    Example:
        >>> LateralInhibition([0.2])(torch.tensor([[[0.5, 1.0, 0.5]]]))
        tensor([[[0.4000, 1.0000, 0.4000]]])

    References:
        Delorme, Perrinet and Thorpe, Networks of integrate-and-fire neurons using rank order coding B, Neurocomputing
        38-40 (2001), the principle, at the time of spikes; here on intensities, before they become times.
    """

    def __init__(self, parts: list[float] | tuple[float, ...]) -> None:
        super().__init__()
        if len(parts) == 0 or not all(0 <= part <= 1 for part in parts):
            raise ValueError(f"Expected `parts` to be one or more numbers in [0, 1] [1], got {list(parts)}.")
        self.parts = tuple(parts)

    @override
    def forward(
        self, x: Shaped[Tensor, "*batch channels height width"]
    ) -> Shaped[Tensor, "*batch channels height width"]:
        if x.ndim < 3:
            raise ValueError(f"Expected `x` to have the shape (*batch, channels, height, width), got {tuple(x.shape)}.")
        if not x.is_floating_point():
            raise TypeError(f"Expected `x` to be of a floating type, got {x.dtype}. Convert it: `x.float()`.")
        radius, (height, width) = len(self.parts), x.shape[-2:]
        around = F.pad(x, [radius] * 4, value=-torch.inf)
        taken = torch.zeros_like(x)
        for row in range(2 * radius + 1):
            for column in range(2 * radius + 1):
                distance = max(abs(row - radius), abs(column - radius))
                if distance and self.parts[distance - 1]:
                    neighbour = around[..., row : row + height, column : column + width]
                    taken = taken + self.parts[distance - 1] * (neighbour > x).to(x.dtype)
        return x * (1 - taken).clamp(min=0)

    @override
    def extra_repr(self) -> str:
        return f"parts={list(self.parts)}"
