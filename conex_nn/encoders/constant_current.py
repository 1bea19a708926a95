"""Direct coding: the intensity itself, as a current."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_intensity, check_positive, check_time


class ConstantCurrent(nn.Module):
    """Encode intensities as a current that is the same in every step.

    The result is a view whose stride over time is 0, so it takes no more memory than one step, and whoever multiplies
    it with a weight can do so once. Gradients pass through.

    Args:
        time: Number of steps [1].
        gain: Current at intensity 1 [nA].
        dtype: Floating type of the current; by default that of the input.

    Raises:
        ValueError: If `time` is below 1 or `gain` is not positive.
        TypeError: If `time` is not an integer or `dtype` is not a floating type.

    Example:
        >>> current = ConstantCurrent(time=3, gain=2.0)(torch.tensor([0.0, 0.5]))
        >>> current
        tensor([[0., 1.],
                [0., 1.],
                [0., 1.]])
        >>> current.stride()
        (0, 1)
    """

    def __init__(self, time: int, *, gain: float = 1.0, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        check_time(time)
        check_positive("gain", gain, unit="nA")
        if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
            raise TypeError(f"Expected `dtype` to be a floating type, for a current, got {dtype}.")
        self.time = time
        self.gain = gain
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Float[Tensor, " {self.time} *features"]:
        check_intensity(x)
        current = x.to(self.dtype or x.dtype) * self.gain  # a product, so that the result never shares memory with x
        return current.expand(self.time, *x.shape)

    @override
    def extra_repr(self) -> str:
        return f"time={self.time}, gain={self.gain:g} nA"
