"""On and off channels."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override


class SplitPolarity(nn.Module):
    """Part a signed quantity into what is above 0 and what is below, both positive: on channels, then off channels.

    Args:
        dim: Dimension along which off follows on, counted from the back: -3 are the channels of an image [1].

    Raises:
        ValueError: If `dim` is not negative, and so would mean another dimension in a batch.

    Example:
        >>> SplitPolarity(dim=-1)(torch.tensor([0.5, -0.25, 0.0]))
        tensor([0.5000, 0.0000, 0.0000, 0.0000, 0.2500, 0.0000])
    """

    def __init__(self, dim: int = -3) -> None:
        super().__init__()
        if dim >= 0:
            raise ValueError(
                f"Expected `dim` to be negative, counted from the back, the same for a sample and a batch, got {dim}."
            )
        self.dim = dim

    @override
    def forward(self, x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*doubled"]:
        if x.ndim < -self.dim:
            raise ValueError(f"Expected `x` to have a dimension {self.dim}, got the shape {tuple(x.shape)}.")
        return torch.cat([x.clamp(min=0).abs(), x.clamp(max=0).abs()], self.dim)

    @override
    def extra_repr(self) -> str:
        return f"dim={self.dim}"
