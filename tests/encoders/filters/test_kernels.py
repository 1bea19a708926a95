"""Differences of Gaussians and Gabor functions: their formulas at chosen points."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders.filters import difference_of_gaussians, gabor, gabor_bank


def dog(y: float, x: float, s1: float, s2: float) -> float:
    centre, surround = (math.exp(-(x * x + y * y) / (2 * s * s)) / (2 * math.pi * s * s) for s in (s1, s2))
    return centre - surround


@pytest.mark.parametrize(("size", "spacing"), [(7, 1.0), (6, 1.0), (5, 0.5)])
@pytest.mark.parametrize(("s1", "s2"), [(1.0, 2.0), (2.0, 0.7)])
def test_a_difference_of_gaussians_is_its_formula(size, spacing, s1, s2):
    kernel = difference_of_gaussians(
        size, centre=s1, surround=s2, spacing=spacing, zero_mean=False, dtype=torch.float64
    )
    assert kernel.shape == (size, size)
    middle = (size - 1) / 2
    for row, column in [(0, 0), (0, 2), (2, 1), (size - 1, 0), (size - 1, size - 1), (size // 2, size // 2)]:
        expected = dog((row - middle) * spacing, (column - middle) * spacing, s1, s2)
        assert float(kernel[row, column]) == pytest.approx(expected, rel=1e-12)


def test_its_integral_is_zero_in_two_dimensions():
    kernel = difference_of_gaussians(61, centre=1.0, surround=4.0, zero_mean=False, dtype=torch.float64)
    assert abs(float(kernel.sum())) < 1e-7
    assert float(difference_of_gaussians(101, centre=2.0, surround=4.0, zero_mean=False).clamp(min=0).sum()) > 0.4


@pytest.mark.parametrize("make", [
    lambda **o: difference_of_gaussians(5, centre=1.0, surround=2.0, **o),
    lambda **o: gabor(5, wavelength=4.0, sigma=2.0, orientation=0.3, **o),
    lambda **o: gabor_bank(5, orientations=3, wavelength=4.0, sigma=2.0, **o),
])  # fmt: skip
def test_the_mean_and_the_sum(make):
    raw = make(zero_mean=False, dtype=torch.float64)
    mean = make(dtype=torch.float64)
    assert_close(mean, raw - raw.mean((-2, -1), keepdim=True))
    assert_close(mean.sum((-2, -1)), torch.zeros_like(mean.sum((-2, -1))))
    unit = make(unit_sum=True, dtype=torch.float64)
    assert_close(unit.abs().sum((-2, -1)), torch.ones_like(unit.sum((-2, -1))))
    assert_close(unit * mean.abs().sum((-2, -1), keepdim=True), mean)
    assert make().dtype == torch.float32
    assert make(dtype=torch.bfloat16).dtype == torch.bfloat16
    assert make(device="meta").is_meta


@pytest.mark.parametrize("orientation", [0.0, 0.4, math.pi / 2])
@pytest.mark.parametrize("phase", [0.0, math.pi / 2])
@pytest.mark.parametrize("aspect", [0.5, 1.0])
def test_a_gabor_is_its_formula(orientation, phase, aspect):
    size, spacing, sigma, wavelength = 7, 0.5, 1.3, 2.5
    kernel = gabor(
        size, wavelength=wavelength, orientation=orientation, sigma=sigma, aspect=aspect, phase=phase, spacing=spacing,
        zero_mean=False, dtype=torch.float64,
    )  # fmt: skip
    for row, column in [(0, 0), (0, 6), (3, 3), (5, 2), (2, 6)]:
        y, x = (row - 3) * spacing, (column - 3) * spacing
        across = x * math.cos(orientation) + y * math.sin(orientation)
        along = -x * math.sin(orientation) + y * math.cos(orientation)
        expected = math.exp(-(across**2 + aspect**2 * along**2) / (2 * sigma**2))
        expected *= math.cos(2 * math.pi * across / wavelength + phase)
        assert float(kernel[row, column]) == pytest.approx(expected, abs=1e-12)


def test_upright_stripes_at_orientation_zero():
    kernel = gabor(9, wavelength=4.0, sigma=3.0, zero_mean=False)
    assert bool((kernel[:, 4] > 0.1).all())  # the bright stripe in the middle, along the height
    assert bool((kernel[:, 2] < 0).all())
    assert_close(gabor(9, wavelength=4.0, sigma=3.0, orientation=math.pi / 2, zero_mean=False), kernel.T)


def test_a_bank_is_its_kernels():
    options = {"wavelength": 4.0, "sigma": 2.0, "aspect": 0.7, "phase": 0.2, "unit_sum": True}
    bank = gabor_bank(7, orientations=4, **options)
    for i in range(4):
        assert_close(bank[i], gabor(7, orientation=i * math.pi / 4, **options))
    assert_close(gabor_bank(7, orientations=[0.1, 2.0], **options)[1], gabor(7, orientation=2.0, **options))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: difference_of_gaussians(0, centre=1.0, surround=2.0), ValueError, "Expected `size` to be at least 1"),
        (lambda: difference_of_gaussians(3, centre=1.0, surround=1.0), ValueError, "`centre` and `surround` to differ"),
        (
            lambda: difference_of_gaussians(3, centre=-1.0, surround=1.0),
            ValueError,
            r"`centre` to be positive and finite \[pixel\]",
        ),
        (lambda: gabor(3, wavelength=0.0, sigma=1.0), ValueError, "`wavelength` to be positive"),
        (
            lambda: gabor(3, wavelength=1.0, sigma=1.0, aspect=0.0),
            ValueError,
            r"`aspect` to be positive and finite \[1\]",
        ),
        (
            lambda: gabor(3, wavelength=1.0, sigma=1.0, phase=math.nan),
            ValueError,
            r"Expected angles to be finite \[rad\]",
        ),
        (lambda: gabor(3, wavelength=1.0, sigma=1.0, orientation=math.inf), ValueError, "Expected angles to be finite"),
        (
            lambda: gabor_bank(3, orientations=0, wavelength=1.0, sigma=1.0),
            ValueError,
            "`orientations` to be at least 1",
        ),
        (
            lambda: gabor_bank(3, orientations=[], wavelength=1.0, sigma=1.0),
            ValueError,
            r"`orientations` to name at least",
        ),
    ],
)
def test_what_makes_no_kernel_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
