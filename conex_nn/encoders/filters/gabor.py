"""The receptive fields of simple cells."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from conex_nn.encoders.checks import check_count, check_positive
from conex_nn.encoders.filters.kernels import coordinates, finished


def gabor(
    size: int,
    *,
    wavelength: float,
    orientation: float = 0.0,
    sigma: float,
    aspect: float = 0.5,
    phase: float = 0.0,
    spacing: float = 1.0,
    zero_mean: bool = True,
    unit_sum: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " {size} {size}"]:
    r"""Make the kernel of a cell that sees stripes of one orientation.

    .. math:: k = e^{-(x'^2 + \gamma^2 y'^2) / 2 \sigma^2} \cos\left(\frac{2 \pi x'}{\lambda} + \varphi\right), \qquad
       x' = x \cos\theta + y \sin\theta, \quad y' = -x \sin\theta + y \cos\theta,

    with :math:`x` to the right and :math:`y` down, both from the middle: at orientation 0 stripes stand upright.

    Args:
        size: Side of the kernel [pixel].
        wavelength: From a stripe to the next, :math:`\lambda` [pixel].
        orientation: Of the normal to the stripes, :math:`\theta` [rad].
        sigma: Standard deviation of the envelope across stripes [pixel].
        aspect: How much shorter the envelope is along stripes, :math:`\gamma` [1].
        phase: :math:`\varphi`; 0 sees a bright line, pi a dark one, pi / 2 an edge [rad].
        spacing: Distance between neighbouring values of the kernel [pixel].
        zero_mean: Whether the mean is taken off, so that an even ground is not seen.
        unit_sum: Whether it is divided by the sum of its absolute values.
        dtype: Floating type of the kernel; torch's default by default.
        device: Where it is made.

    Returns:
        The kernel [1].

    Raises:
        ValueError: If a length or `aspect` is not positive, or an angle is not finite.
        TypeError: If `size` is not an integer.

    Example:
        >>> kernel = gabor(5, wavelength=4.0, sigma=2.0, zero_mean=False)
        >>> kernel[2].round(decimals=3) + 0.0
        tensor([-0.6070,  0.0000,  1.0000,  0.0000, -0.6070])

    References:
        Daugman, Uncertainty relation for resolution in space, spatial frequency, and orientation optimized by
        two-dimensional visual cortical filters, Journal of the Optical Society of America A 2 (1985), equation 1.
    """
    return _kernels(
        size,
        [orientation],
        wavelength=wavelength,
        sigma=sigma,
        aspect=aspect,
        phase=phase,
        spacing=spacing,
        zero_mean=zero_mean,
        unit_sum=unit_sum,
        dtype=dtype,
        device=device,
    )[0]


def gabor_bank(
    size: int,
    *,
    orientations: int | Sequence[float] = 4,
    wavelength: float,
    sigma: float,
    aspect: float = 0.5,
    phase: float = 0.0,
    spacing: float = 1.0,
    zero_mean: bool = True,
    unit_sum: bool = False,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> Float[Tensor, " orientations {size} {size}"]:
    """Make kernels of several orientations; see :func:`gabor`.

    Args:
        size: Side of the kernels [pixel].
        orientations: How many, spread evenly over half a turn from 0 on [1], or each [rad].
        wavelength: From a stripe to the next [pixel].
        sigma: Standard deviation of the envelope across stripes [pixel].
        aspect: How much shorter the envelope is along stripes [1].
        phase: 0 sees a bright line, pi a dark one, pi / 2 an edge [rad].
        spacing: Distance between neighbouring values of the kernel [pixel].
        zero_mean: Whether the mean is taken off, so that an even ground is not seen.
        unit_sum: Whether each is divided by the sum of its absolute values.
        dtype: Floating type of the kernels; torch's default by default.
        device: Where they are made.

    Returns:
        The kernels, for :class:`Convolve` [1].

    Raises:
        ValueError: If there is no orientation, or as :func:`gabor`.
        TypeError: If `size` is not an integer.

    Example:
        >>> gabor_bank(7, orientations=4, wavelength=4.0, sigma=2.0).shape
        torch.Size([4, 7, 7])
    """
    if isinstance(orientations, int):
        check_count("orientations", orientations)
        orientations = [math.pi * i / orientations for i in range(orientations)]
    if len(orientations) == 0:
        raise ValueError("Expected `orientations` to name at least one [rad], got none.")
    return _kernels(
        size,
        orientations,
        wavelength=wavelength,
        sigma=sigma,
        aspect=aspect,
        phase=phase,
        spacing=spacing,
        zero_mean=zero_mean,
        unit_sum=unit_sum,
        dtype=dtype,
        device=device,
    )


def _kernels(
    size: int,
    orientations: Sequence[float],
    *,
    wavelength: float,
    sigma: float,
    aspect: float,
    phase: float,
    spacing: float,
    zero_mean: bool,
    unit_sum: bool,
    dtype: torch.dtype | None,
    device: torch.device | str | None,
) -> Tensor:
    check_count("size", size)
    for name, value in (("wavelength", wavelength), ("sigma", sigma), ("spacing", spacing)):
        check_positive(name, value, unit="pixel")
    check_positive("aspect", aspect, unit="1")
    if not all(math.isfinite(angle) for angle in (*orientations, phase)):
        raise ValueError(f"Expected angles to be finite [rad], got {list(orientations)} and `phase` = {phase}.")
    y, x = coordinates(size, spacing, dtype=torch.float64, device=device)
    angle = torch.tensor([float(each) for each in orientations], dtype=torch.float64, device=device)[:, None, None]
    across = x * angle.cos() + y * angle.sin()
    along = y * angle.cos() - x * angle.sin()
    envelope = torch.exp(-(across**2 + (aspect * along) ** 2) / (2 * sigma**2))
    kernels = envelope * torch.cos(2 * math.pi * across / wavelength + phase)
    return finished(kernels, zero_mean=zero_mean, unit_sum=unit_sum, dtype=dtype)
