"""The receptive field of a ganglion cell of the retina."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from conex_nn.encoders.checks import check_count, check_positive
from conex_nn.encoders.filters.kernels import coordinates, finished


def difference_of_gaussians(
    size: int,
    *,
    centre: float,
    surround: float,
    spacing: float = 1.0,
    zero_mean: bool = True,
    unit_sum: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " {size} {size}"]:
    r"""Make the kernel of a cell that sees a bright spot on a dark ground; the negative sees the reverse.

    At a distance :math:`r` from its middle

    .. math:: k = g_{\sigma_1}(r) - g_{\sigma_2}(r), \qquad
       g_\sigma(r) = \frac{1}{2 \pi \sigma^2} e^{-r^2 / 2 \sigma^2}.

    A `surround` narrower than the `centre` makes an off cell. CoNeX's ``DoGFilter`` divides by
    :math:`\sqrt{2 \pi} \sigma`, as in one dimension, and is wider than its size with a step other than 1.

    Args:
        size: Side of the kernel [pixel].
        centre: Standard deviation of the centre, :math:`\sigma_1` [pixel].
        surround: Standard deviation of the surround, :math:`\sigma_2` [pixel].
        spacing: Distance between neighbouring values of the kernel [pixel].
        zero_mean: Whether the mean is taken off, so that an even ground is not seen.
        unit_sum: Whether it is divided by the sum of its absolute values.
        dtype: Floating type of the kernel; torch's default by default.
        device: Where it is made.

    Returns:
        The kernel [1].

    Raises:
        ValueError: If an argument is not positive, or the two widths are equal.
        TypeError: If `size` is not an integer.

    Example:
        >>> kernel = difference_of_gaussians(5, centre=0.8, surround=1.6)
        >>> kernel[2].round(decimals=3), bool(kernel.sum().abs() < 1e-6)
        (tensor([-0.0260,  0.0540,  0.1780,  0.0540, -0.0260]), True)

    References:
        Rodieck, Quantitative analysis of cat retinal ganglion cell response to visual stimuli, Vision Research 5
        (1965).
    """
    check_count("size", size)
    for name, value in (("centre", centre), ("surround", surround), ("spacing", spacing)):
        check_positive(name, value, unit="pixel")
    if centre == surround:
        raise ValueError(f"Expected `centre` and `surround` to differ [pixel], got {centre:g} for both.")
    wide = torch.promote_types(dtype or torch.get_default_dtype(), torch.float32)
    y, x = coordinates(size, spacing, dtype=wide, device=device)
    distance = x**2 + y**2
    inner, outer = (torch.exp(-distance / (2 * s**2)) / (2 * math.pi * s**2) for s in (centre, surround))
    return finished(inner - outer, zero_mean=zero_mean, unit_sum=unit_sum, dtype=dtype)
