"""Where to look: fixations by chance, or at what stands out."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.looks import image_size


class RandomFixations(nn.Module):
    """Look at points drawn uniformly, others for each sample.

    Args:
        looks: Number of fixations [1].
        margin: Distance that they keep from the image's border [pixels].
        generator: Source of randomness, on the device of the input; torch's global one by default.

    Raises:
        ValueError: If a number is out of range; at its use: a margin that leaves nothing of the image.

    Example:
        >>> RandomFixations(3)(torch.rand(5, 1, 8, 8)).shape  # (looks, *batch, 2): row, column
        torch.Size([3, 5, 2])
    """

    def __init__(self, looks: int, *, margin: float = 0.0, generator: torch.Generator | None = None) -> None:
        super().__init__()
        _check_looks(looks)
        if not margin >= 0:
            raise ValueError(f"Expected `margin` to be 0 or more [pixels], got {margin}.")
        self.looks = looks
        self.margin = margin
        self.generator = generator

    @override
    def forward(self, x: Float[Tensor, "*batch channels height width"]) -> Float[Tensor, "{self.looks} *batch 2"]:
        height, width = image_size(x)
        if 2 * self.margin > min(height, width):
            raise ValueError(
                f"Expected `margin` to be at most {min(height, width) / 2:g}, half of an image of {height} x {width} "
                f"[pixels], got {self.margin:g}."
            )
        room = torch.tensor([height, width], device=x.device) - 2 * self.margin
        shape = (self.looks, *x.shape[:-3], 2)
        draw = torch.rand(shape, generator=self.generator, dtype=torch.float32, device=x.device)
        return self.margin + draw * room

    @override
    def extra_repr(self) -> str:
        return f"looks={self.looks}, margin={self.margin:g} pixels"


class SalientFixations(nn.Module):
    """Look at what stands out most, then at what stands out next: what was looked at is inhibited for a while.

    A pixel stands out by how far it is from the mean of its surround. Where everything has been looked at, it begins
    again with what stands out most.

    Args:
        looks: Number of fixations [1].
        radius: What is nearer to a fixation than this is not looked at again; half the width of a surround [pixels].
        saliency: Maps images ``(*batch, channels, height, width)`` to how much each pixel stands out, ``(*batch,
            height, width)`` [1], in place of the above.

    Raises:
        ValueError: If a number is out of range; at its use: a map of another shape.

    Example:
        >>> image = torch.zeros(1, 6, 6)
        >>> image[0, 1, 4], image[0, 4, 1] = 1.0, 0.5
        >>> SalientFixations(2, radius=2.0)(image)  # (looks, *batch, 2): the centres of the two pixels
        tensor([[1.5000, 4.5000],
                [4.5000, 1.5000]])

    References:
        Itti, Koch and Niebur, A model of saliency-based visual attention for rapid scene analysis (1998), section II:
        centre less surround, and inhibition of return.
    """

    def __init__(self, looks: int, *, radius: float, saliency: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        _check_looks(looks)
        if not radius > 0:
            raise ValueError(f"Expected `radius` to be positive [pixels], got {radius}.")
        self.looks = looks
        self.radius = radius
        self.saliency = saliency

    @override
    @torch.no_grad()
    def forward(self, x: Float[Tensor, "*batch channels height width"]) -> Float[Tensor, "{self.looks} *batch 2"]:
        height, width = image_size(x)
        batch = x.shape[:-3]
        salient = self._standing_out(x) if self.saliency is None else self.saliency(x)
        if salient.shape != (*batch, height, width):
            raise ValueError(f"Expected `saliency` to return {(*batch, height, width)}, got {tuple(salient.shape)}.")
        salient = salient.float().flatten(-2)
        step = salient.amax(-1, keepdim=True) - salient.amin(-1, keepdim=True) + 1  # more than any difference
        rows, columns = torch.meshgrid(
            torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij"
        )
        centres = torch.stack([rows, columns], -1).view(-1, 2) + 0.5
        found = []
        for _ in range(self.looks):
            fixation = centres[salient.argmax(-1)]
            found.append(fixation)
            near = (centres - fixation.unsqueeze(-2)).norm(dim=-1) < self.radius
            salient = salient - near * step
        return torch.stack(found)

    def _standing_out(self, x: Tensor) -> Tensor:
        reach = max(1, int(self.radius))
        images = x.float().reshape(-1, *x.shape[-3:])
        surround = F.avg_pool2d(images, 2 * reach + 1, stride=1, padding=reach, count_include_pad=False)
        return (images - surround).abs().mean(1).view(*x.shape[:-3], *x.shape[-2:])

    @override
    def extra_repr(self) -> str:
        return f"looks={self.looks}, radius={self.radius:g} pixels"


def _check_looks(looks: int) -> None:
    if looks < 1:
        raise ValueError(f"Expected `looks` to be at least 1 [1], got {looks}.")
