"""Filter images with fixed kernels."""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_count


class Convolve(nn.Module):
    """Correlate images with kernels, as ``torch.nn.functional.conv2d`` does.

    The kernels are a buffer: they move with ``.to()`` and do not learn. Any number of dimensions may precede an image's
    three, those of a batch and of time included.

    Args:
        kernels: ``(height, width)`` or ``(out, height, width)`` for images of one channel, or
            ``(out, in, height, width)`` [1].
        stride: Pixels from one place to the next [1].
        padding: Zeros on each side [1], or ``"same"`` for as many as keep the size.

    Raises:
        ValueError: If `kernels` has another number of dimensions, or an argument is out of range.

    Example:
        >>> from conex_nn.encoders.filters import difference_of_gaussians
        >>> cell = Convolve(difference_of_gaussians(5, centre=0.8, surround=1.6), padding="same")
        >>> cell(torch.rand(8, 1, 28, 28)).shape
        torch.Size([8, 1, 28, 28])
    """

    kernels: Tensor

    def __init__(
        self,
        kernels: Shaped[Tensor, "*shape"],
        *,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
    ) -> None:
        super().__init__()
        if kernels.ndim not in (2, 3, 4) or kernels.numel() == 0:
            raise ValueError(
                "Expected `kernels` to have the shape (height, width), (out, height, width) or (out, in, height, "
                f"width), got {tuple(kernels.shape)}."
            )
        check_count("stride", stride)
        if padding != "same":
            check_count("padding", padding, least=0)
        elif stride != 1:
            raise ValueError(f'Expected `stride` to be 1 with `padding` = "same", got {stride}.')
        shape = kernels.shape[-2:] if kernels.ndim < 4 else kernels.shape[1:]
        self.register_buffer(
            "kernels", kernels.detach().clone().reshape(-1, *([1] if kernels.ndim < 4 else []), *shape)
        )
        self.stride = stride
        self.padding = padding

    @override
    def forward(self, x: Shaped[Tensor, "*batch channels height width"]) -> Shaped[Tensor, "*batch out rows columns"]:
        if x.ndim < 3 or x.shape[-3] != self.kernels.shape[1]:
            raise ValueError(
                f"Expected `x` to have the shape (*batch, {self.kernels.shape[1]}, height, width), "
                f"got {tuple(x.shape)}."
            )
        flat = x.reshape(-1, *x.shape[-3:]) if x.is_floating_point() else x.reshape(-1, *x.shape[-3:]).float()
        y = F.conv2d(flat, self.kernels.to(flat.dtype), stride=self.stride, padding=self.padding)
        return y.reshape(*x.shape[:-3], *y.shape[1:])

    @override
    def extra_repr(self) -> str:
        return f"{tuple(self.kernels.shape)}, stride={self.stride}, padding={self.padding}"
