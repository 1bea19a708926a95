"""What kernels of filters have in common: their coordinates, and the last touch."""

import torch
from torch import Tensor


def coordinates(
    size: int, spacing: float, *, dtype: torch.dtype, device: torch.device | str | None
) -> tuple[Tensor, Tensor]:
    """Return the height and width of each value of a kernel, from its middle.

    Args:
        size: Side of the kernel [pixel].
        spacing: Distance between neighbouring values [pixel].
        dtype: Their floating type.
        device: Where they are made.

    Returns:
        Two tensors that broadcast to ``(size, size)`` [pixel].

    Example:
        >>> y, x = coordinates(3, 0.5, dtype=torch.float32, device=None)
        >>> x
        tensor([[-0.5000,  0.0000,  0.5000]])
    """
    axis = (torch.arange(size, dtype=dtype, device=device) - (size - 1) / 2) * spacing
    return axis[:, None], axis[None, :]


def finished(kernel: Tensor, *, zero_mean: bool, unit_sum: bool, dtype: torch.dtype | None) -> Tensor:
    """Take off the mean of each kernel and scale it, as asked.

    Args:
        kernel: Kernels, ``(..., size, size)`` [1].
        zero_mean: Whether the mean is taken off.
        unit_sum: Whether it is divided by the sum of its absolute values.
        dtype: Floating type of the result; torch's default by default.

    Returns:
        The kernels [1].

    Example:
        >>> finished(torch.tensor([[1.0, 3.0]]), zero_mean=True, unit_sum=True, dtype=None)
        tensor([[-0.5000,  0.5000]])
    """
    if zero_mean:
        kernel = kernel - kernel.mean((-2, -1), keepdim=True)
    if unit_sum:
        kernel = kernel / kernel.abs().sum((-2, -1), keepdim=True).clamp(min=torch.finfo(kernel.dtype).tiny)
    return kernel.to(dtype or torch.get_default_dtype())
