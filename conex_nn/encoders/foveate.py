"""A retina that sees sharply where it looks: one patch at several resolutions."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.sampling import check_fixations, sample_at


class Foveate(nn.Module):
    """See concentric patches around a fixation, each twice as wide as the one before and shrunk to the same size.

    The first channels are the fovea, pixel for pixel; each further level is the mean over blocks of 2, 4 ... pixels.
    Beyond the image there is 0. Gradients pass through, to the image and to the fixations.

    Args:
        size: Height and width of each patch as it is seen [pixels].
        levels: Number of patches [1].

    Raises:
        ValueError: If a number is below 1; at its use: a fixation outside the image.
        TypeError: If the image is not of a floating type.

    Example:
        >>> image = torch.arange(16.0).view(1, 4, 4)
        >>> seen = Foveate(2, levels=2)(image, torch.tensor([[2.0, 2.0]]))  # the centre: row, column
        >>> seen.shape  # (looks, *batch, levels * channels, size, size)
        torch.Size([1, 2, 2, 2])
        >>> seen[0]
        tensor([[[ 5.0000,  6.0000],
                 [ 9.0000, 10.0000]],
                [[ 2.5000,  4.5000],
                 [10.5000, 12.5000]]])

    References:
        Mnih, Heess, Graves and Kavukcuoglu, Recurrent models of visual attention (2014), section 3.1, "Glimpse sensor".
    """

    def __init__(self, size: int, *, levels: int = 3) -> None:
        super().__init__()
        for name, value in (("size", size), ("levels", levels)):
            if value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1, got {value}.")
        self.size = size
        self.levels = levels

    @override
    def forward(
        self, x: Float[Tensor, "*batch channels height width"], fixations: Shaped[Tensor, "looks *_ 2"]
    ) -> Float[Tensor, "looks *batch levels_channels {self.size} {self.size}"]:
        """Return what is seen at each fixation.

        Args:
            x: Images [1].
            fixations: Rows and columns, ``(looks, 2)`` for all images or ``(looks, *batch, 2)`` [pixels].
        """
        fixations = check_fixations(fixations, x)
        seen = []
        for level in range(self.levels):
            width = self.size * 2**level
            offset = torch.arange(width, dtype=fixations.dtype, device=x.device) - (width - 1) / 2
            offsets = torch.stack(torch.meshgrid(offset, offset, indexing="ij"), -1)
            patch = sample_at(x, fixations[..., None, None, :] + offsets)
            seen.append(F.avg_pool2d(patch.flatten(0, -4), 2**level).reshape(*patch.shape[:-2], self.size, self.size))
        return torch.cat(seen, -3)

    @override
    def extra_repr(self) -> str:
        return f"size={self.size}, levels={self.levels}"
