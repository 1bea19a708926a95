"""A retina whose receptors lie ever wider apart: the map from the eye to the primary visual cortex."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.sampling import check_fixations, sample_at


class LogPolar(nn.Module):
    r"""See rings of points around a fixation whose radii grow by a constant factor.

    Ring i and wedge j of I and J read the image at radius :math:`r_i = r_0 (r_1 / r_0)^{i / (I - 1)}` and angle
    :math:`2 \pi j / J`, counted from the right, anticlockwise. To turn what is looked at is to shift wedges, and to
    magnify it to shift rings. Beyond the image there is 0. Gradients pass through, to the image and to the fixations.

    Args:
        rings: Number of radii [1].
        wedges: Number of angles [1].
        inner: Radius of the innermost ring [pixels].
        outer: Radius of the outermost ring [pixels].

    Raises:
        ValueError: If a number is out of range; at its use: a fixation outside the image.
        TypeError: If the image is not of a floating type.

    Example:
        >>> seen = LogPolar(4, 8, inner=1.0, outer=8.0)(torch.rand(5, 1, 28, 28), torch.tensor([[14.0, 14.0]]))
        >>> seen.shape  # (looks, *batch, channels, rings, wedges)
        torch.Size([1, 5, 1, 4, 8])

    References:
        Schwartz, Spatial mapping in the primate sensory projection (1977), section 2.
    """

    def __init__(self, rings: int, wedges: int, *, inner: float, outer: float) -> None:
        super().__init__()
        if rings < 2 or wedges < 1:
            raise ValueError(f"Expected `rings` from 2 and `wedges` from 1 [1], got {rings} and {wedges}.")
        if not 0 < inner < outer < math.inf:
            raise ValueError(f"Expected `inner` to be positive and below `outer` [pixels], got {inner} and {outer}.")
        self.rings = rings
        self.wedges = wedges
        self.inner = inner
        self.outer = outer

    @override
    def forward(
        self, x: Float[Tensor, "*batch channels height width"], fixations: Shaped[Tensor, "looks *_ 2"]
    ) -> Float[Tensor, "looks *batch channels {self.rings} {self.wedges}"]:
        """Return what is seen at each fixation.

        Args:
            x: Images [1].
            fixations: Rows and columns, ``(looks, 2)`` for all images or ``(looks, *batch, 2)`` [pixels].
        """
        fixations = check_fixations(fixations, x)
        options = {"dtype": fixations.dtype, "device": x.device}
        grown = torch.arange(self.rings, **options) / (self.rings - 1)
        radius = self.inner * (self.outer / self.inner) ** grown.unsqueeze(1)
        angle = torch.arange(self.wedges, **options) * (2 * math.pi / self.wedges)
        offsets = torch.stack([-radius * angle.sin(), radius * angle.cos()], -1)
        return sample_at(x, fixations[..., None, None, :] + offsets)

    @override
    def extra_repr(self) -> str:
        return f"rings={self.rings}, wedges={self.wedges}, inner={self.inner:g}, outer={self.outer:g} pixels"
