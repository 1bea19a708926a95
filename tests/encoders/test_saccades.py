"""Glimpses against slices, means and linear ramps; fixations; locations."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from conex_nn.encoders import Foveate, LogPolar, RandomFixations, Saccades, SalientFixations

POLAR = {"rings": 4, "wedges": 8, "inner": 1.0, "outer": 8.0}
glimpses = pytest.mark.parametrize("glimpse", [Foveate(4, levels=2), LogPolar(**POLAR)], ids=["foveate", "log_polar"])


def test_the_fovea_is_a_crop_and_the_levels_are_means_of_blocks():
    x = torch.rand(2, 3, 20, 24)
    seen = Foveate(4, levels=3)(x, torch.tensor([[10.0, 9.0], [8.0, 12.0]]))
    assert seen.shape == (2, 2, 9, 4, 4)
    for look, (row, column) in enumerate([(10, 9), (8, 12)]):
        for level, reach in enumerate([2, 4, 8]):
            patch = x[..., row - reach : row + reach, column - reach : column + reach]
            expected = F.avg_pool2d(patch, 2**level)
            assert_close(seen[look, :, 3 * level : 3 * level + 3], expected)


def test_an_odd_patch_is_centred_on_a_pixel():
    x = torch.rand(1, 9, 9)
    assert_close(Foveate(3, levels=1)(x, torch.tensor([[4.5, 3.5]]))[0], x[:, 3:6, 2:5])


def test_beyond_the_image_there_is_nothing():
    seen = Foveate(4, levels=1)(torch.ones(1, 6, 6), torch.tensor([[0.0, 6.0]]))[0, 0]
    expected = torch.zeros(4, 4)
    expected[2:, :2] = 1
    assert_close(seen, expected)


def test_log_polar_reads_a_ramp_at_its_points():
    rows, columns = torch.meshgrid(torch.arange(24) + 0.5, torch.arange(30) + 0.5, indexing="ij")
    x = (2 * rows - 3 * columns).double()[None]
    seen = LogPolar(**POLAR)(x, torch.tensor([[11.0, 14.5]]))[0, 0]
    for ring in range(4):
        for wedge in range(8):
            radius, angle = 8.0 ** (ring / 3), 2 * math.pi * wedge / 8
            expected = 2 * (11.0 - radius * math.sin(angle)) - 3 * (14.5 + radius * math.cos(angle))
            assert float(seen[ring, wedge]) == pytest.approx(expected, abs=1e-9)


def test_to_turn_an_image_is_to_shift_wedges():
    x = torch.rand(1, 1, 20, 20)
    at = torch.tensor([[10.0, 10.0]])
    turned = LogPolar(**POLAR)(x.rot90(1, (-2, -1)), at)  # anticlockwise by a quarter
    assert_close(turned, LogPolar(**POLAR)(x, at).roll(2, -1), rtol=1e-4, atol=1e-5)


def test_to_magnify_an_image_is_to_shift_rings():
    rows, columns = torch.meshgrid(torch.arange(40) + 0.5 - 20, torch.arange(40) + 0.5 - 20, indexing="ij")
    at = torch.tensor([[20.0, 20.0]])
    small, large = (LogPolar(**POLAR)((size * rows - columns * 3 * size)[None], at) for size in (2.0, 1.0))
    assert_close(small[..., :-1, :], large[..., 1:, :], rtol=1e-4, atol=1e-4)  # radii grow by 2


@glimpses
def test_samples_have_their_own_fixations(glimpse):
    x, at = torch.rand(5, 2, 1, 12, 12), torch.rand(3, 5, 2, 2) * 12
    seen = glimpse(x, at)
    apart = torch.stack([torch.stack([glimpse(x[i, j], at[:, i, j]) for j in range(2)], 1) for i in range(5)], 1)
    assert_close(seen, apart)


@glimpses
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_types_stay_arguments_too_and_gradients_pass(glimpse, dtype):
    x, at = torch.rand(2, 1, 12, 12).to(dtype).requires_grad_(), torch.tensor([[5.0, 6.3]], requires_grad=True)
    before = x.detach().clone()
    seen = glimpse(x, at)
    assert seen.dtype == dtype
    seen.float().square().sum().backward()
    assert x.grad.abs().sum() > 0
    assert at.grad.abs().sum() > 0
    assert_close(x.detach(), before, rtol=0, atol=0)


@glimpses
@pytest.mark.parametrize(
    ("fixations", "message"),
    [
        (
            torch.tensor([[3.0, 4.0], [13.0, 2.0]]),
            "rows from 0 to 12 and columns from 0 to 10 [pixels], got [13.0, 2.0].",
        ),
        (torch.tensor([[-0.5, 4.0]]), "got [-0.5, 4.0]."),
        (torch.tensor([[math.nan, 4.0]]), "Expected fixations in the image"),
        (torch.zeros(0, 2), "with at least one look, got (0, 2)."),
        (torch.zeros(3, 2, 2), "Expected fixations of shape (looks, 2) or (looks, 2) with"),
    ],
)
def test_a_fixation_outside_is_refused(glimpse, fixations, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        glimpse(torch.rand(1, 12, 10), fixations)


@glimpses
def test_fixations_of_another_batch_are_refused(glimpse):
    with pytest.raises(ValueError, match=r"shape \(looks, 2\) or \(looks, 5, 2\) with .* got \(2, 3, 2\)"):
        glimpse(torch.rand(5, 1, 12, 10), torch.ones(2, 3, 2))


@glimpses
def test_bytes_are_refused(glimpse):
    with pytest.raises(TypeError, match=r"Expected `x` to be of a floating type, got torch.uint8|parameter 'x'"):
        glimpse(torch.zeros(1, 12, 12, dtype=torch.uint8), torch.tensor([[1.0, 1.0]]))


def test_locations_are_the_cells_of_fixations():
    at = torch.tensor([[0.0, 0.0], [2.9, 11.9], [3.0, 4.0], [6.0, 12.0]])  # the last is the far corner
    _, locations = Saccades(Foveate(2, levels=1), at=at, rows=2, columns=3)(torch.rand(5, 1, 6, 12))
    assert locations.shape == (4, 5, 2, 3)
    assert locations[:, 0].flatten(1).int().argmax(1).tolist() == [0, 2, 4, 5]
    assert (locations.sum((-1, -2)) == 1).all()


def test_random_fixations_fill_the_image_less_a_margin():
    at = RandomFixations(2000, margin=2.0, generator=torch.Generator().manual_seed(0))(torch.rand(3, 1, 10, 20))
    assert at.shape == (2000, 3, 2)
    low, high = at.flatten(0, 1).aminmax(dim=0)
    assert_close(low, torch.tensor([2.0, 2.0]), rtol=0, atol=0.05)
    assert_close(high, torch.tensor([8.0, 18.0]), rtol=0, atol=0.05)
    with pytest.raises(ValueError, match="Expected `margin` to be at most 5, half of an image of 10 x 20"):
        RandomFixations(1, margin=6.0)(torch.rand(1, 10, 20))


def test_salient_fixations_do_not_return_until_all_is_seen():
    x = torch.zeros(2, 1, 8, 8)
    for value, (row, column) in zip((1.0, 0.8, 0.6), ((1, 1), (6, 6), (1, 6)), strict=True):
        x[0, 0, row, column] = value
        x[1, 0, column, row] = value
    at = SalientFixations(3, radius=2.0)(x)
    assert at[:, 0].tolist() == [[1.5, 1.5], [6.5, 6.5], [1.5, 6.5]]
    assert at[:, 1].tolist() == [[1.5, 1.5], [6.5, 6.5], [6.5, 1.5]]
    all_of_it = SalientFixations(3, radius=20.0)(x)  # one look inhibits everything
    assert_close(all_of_it, all_of_it[:1].expand(3, 2, 2))


def test_saliency_can_be_given():
    at = SalientFixations(1, radius=1.0, saliency=lambda x: -x.sum(-3))(torch.rand(4, 2, 5, 5) + 1)
    assert at.shape == (1, 4, 2)
    with pytest.raises(ValueError, match="Expected `saliency` to return"):
        SalientFixations(1, radius=1.0, saliency=lambda x: x)(torch.rand(2, 5, 5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Foveate(0), "Expected `size` to be at least 1, got 0."),
        (lambda: Foveate(2, levels=0), "Expected `levels` to be at least 1, got 0."),
        (lambda: LogPolar(1, 4, inner=1.0, outer=2.0), "Expected `rings` from 2 and `wedges` from 1 [1], got 1 and 4."),
        (lambda: LogPolar(2, 4, inner=2.0, outer=2.0), "Expected `inner` to be positive and below `outer` [pixels]"),
        (lambda: RandomFixations(0), "Expected `looks` to be at least 1 [1], got 0."),
        (lambda: RandomFixations(1, margin=-1.0), "Expected `margin` to be 0 or more [pixels], got -1.0."),
        (lambda: SalientFixations(1, radius=0.0), "Expected `radius` to be positive [pixels], got 0.0."),
        (
            lambda: Saccades(Foveate(2), at=RandomFixations(1), rows=0, columns=1),
            "Expected `rows` to be a whole number",
        ),
    ],
)
def test_what_makes_no_eye_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
