"""Grid masks against cases drawn by hand: 6 x 6 pixels, gaps that differ on every side."""

import pickle
import re

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import GridCrop, GridErase, GridKeep

KINDS = [GridErase, GridKeep, GridCrop]
every = pytest.mark.parametrize("kind", KINDS)
PIXELS = torch.arange(1.0, 37.0).view(1, 6, 6)


def drawn(text: str) -> torch.Tensor:
    """A picture: `#` is seen."""
    return torch.tensor([[float(mark == "#") for mark in line] for line in text.split()])


# Cells of 3 x 3. At the left 1, right 0, top 0, bottom 2 pixels are left out of each: a region of 1 x 2.
GAP = (1, 0, 0, 2)
REGIONS = [
    """
    .##...
    ......
    ......
    ......
    ......
    ......
    """,
    """
    ....##
    ......
    ......
    ......
    ......
    ......
    """,
    """
    ......
    ......
    ......
    .##...
    ......
    ......
    """,
    """
    ......
    ......
    ......
    ....##
    ......
    ......
    """,
]
# Left 0, right -2, top -1, bottom 1: what is negative reaches into the neighbours, and ends at the border.
WIDE_GAP = (0, -2, -1, 1)
WIDE_REGIONS = [
    """
    #####.
    #####.
    ......
    ......
    ......
    ......
    """,
    """
    ...###
    ...###
    ......
    ......
    ......
    ......
    """,
    """
    ......
    ......
    #####.
    #####.
    #####.
    ......
    """,
    """
    ......
    ......
    ...###
    ...###
    ...###
    ......
    """,
]


@pytest.mark.parametrize(("gap", "regions"), [(GAP, REGIONS), (WIDE_GAP, WIDE_REGIONS)])
def test_a_cell_less_its_gaps_is_kept_or_erased(gap, regions):
    kept, erased = GridKeep(2, 2, gap=gap)(PIXELS), GridErase(2, 2, gap=gap)(PIXELS)
    assert kept.images.shape == erased.images.shape == (4, 1, 6, 6)
    for look, region in enumerate(regions):
        assert_close(kept.images[look, 0], PIXELS[0] * drawn(region), rtol=0, atol=0)
        assert_close(erased.images[look, 0], PIXELS[0] * (1 - drawn(region)), rtol=0, atol=0)


def test_rows_and_columns_are_not_each_other():
    kept, locations = GridKeep(3, 2, gap=(1, 1, 0, 1))(PIXELS)  # cells of 2 x 3
    assert kept.shape == (6, 1, 6, 6)
    expected = torch.zeros(6, 6)
    expected[2, 4] = PIXELS[
        0, 2, 4
    ]  # row 1, column 1 of the grid: rows 2..3 less the bottom one, columns 3..5 less both
    assert_close(kept[3, 0], expected, rtol=0, atol=0)
    assert locations[3].tolist() == [[False, False], [False, True], [False, False]]


def test_a_crop_shows_the_cell_less_its_gaps():
    crop = GridCrop(2, 2, gap=GAP)(PIXELS)
    assert crop.images[:, 0].tolist() == [[[2.0, 3.0]], [[5.0, 6.0]], [[20.0, 21.0]], [[23.0, 24.0]]]


@pytest.mark.parametrize(("gap", "pad"), [((-3, 3, 0, 0), (3, 0, 0, 0)), ((0, 0, -4, 3), (0, 0, 4, 0))])
def test_a_crop_may_lie_beside_its_cell(gap, pad):
    crop = GridCrop(2, 2, gap=gap)(PIXELS)
    wide = torch.nn.functional.pad(PIXELS, pad)
    left, right, top, bottom = gap
    for look, (row, column) in enumerate([(0, 0), (0, 3), (3, 0), (3, 3)]):
        there = wide[..., pad[2] + row + top : pad[2] + row + 3 - bottom, pad[0] + column + left :]
        assert_close(crop.images[look], there[..., : 3 - left - right], rtol=0, atol=0)


def test_a_crop_that_reaches_beyond_the_image_shows_what_fills_it():
    crop = GridCrop(2, 2, gap=WIDE_GAP, fill=-1.0)(PIXELS)
    assert crop.images[0, 0].tolist() == [
        [-1.0, -1.0, -1.0, -1.0, -1.0],
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [7.0, 8.0, 9.0, 10.0, 11.0],
    ]
    assert crop.images[3, 0].tolist() == [
        [16.0, 17.0, 18.0, -1.0, -1.0],
        [22.0, 23.0, 24.0, -1.0, -1.0],
        [28.0, 29.0, 30.0, -1.0, -1.0],
    ]


def test_a_crop_may_lie_beside_its_cell_on_either_side():
    crop = GridCrop(2, 2, gap=(-3, 3, -3, 3), fill=-1.0)(PIXELS)  # one cell further to the left and up
    assert (crop.images[:3] == -1).all()
    assert crop.images[3, 0].tolist() == [[1.0, 2.0, 3.0], [7.0, 8.0, 9.0], [13.0, 14.0, 15.0]]


@every
def test_one_number_is_a_gap_on_every_side(kind):
    assert_close(kind(2, 2, gap=1)(PIXELS).images, kind(2, 2, gap=(1, 1, 1, 1))(PIXELS).images, rtol=0, atol=0)


@every
def test_locations_go_row_by_row(kind):
    locations = kind(2, 3)(PIXELS).locations
    assert locations.dtype == torch.bool
    assert_close(locations.flatten(1), torch.eye(6, dtype=torch.bool))


@every
def test_a_shuffled_look_shows_the_cell_of_its_location(kind):
    mask = kind(2, 3, gap=GAP[::-1], shuffle=True)  # 2, 0, 0, 1: cells of 3 x 2 have no room for the first
    with pytest.raises(ValueError, match="Expected `gap` to leave something of cells of 3 x 2 pixels, got left 2"):
        mask(PIXELS)
    x = torch.rand(5, 2, 1, 6, 6)
    plain = kind(2, 3, gap=(1, 0, 2, 0))(x)
    images, locations = kind(2, 3, gap=(1, 0, 2, 0), shuffle=True)(x)
    order = locations.flatten(-2).int().argmax(-1)
    assert order.shape == (6, 5, 2)
    assert_close(order.sort(0).values, torch.arange(6).view(6, 1, 1).expand(6, 5, 2))  # each cell once
    assert len({tuple(column.tolist()) for column in order.flatten(1).T}) > 1  # others for each sample
    expected = torch.take_along_dim(plain.images, order[..., None, None, None], dim=0)
    assert_close(images, expected, rtol=0, atol=0)


@every
def test_fewer_looks_are_the_first(kind):
    few, all_of_them = kind(2, 2, looks=3)(PIXELS), kind(2, 2)(PIXELS)
    assert_close(few.images, all_of_them.images[:3], rtol=0, atol=0)
    assert_close(few.locations, all_of_them.locations[:3])


@every
def test_a_batch_is_its_samples(kind):
    x = torch.rand(4, 3, 6, 6)
    mask = kind(2, 3, gap=(1, 0, 0, 1))
    assert_close(mask(x).images, torch.stack([mask(sample).images for sample in x], 1), rtol=0, atol=0)


@every
def test_a_generator_says_the_order(kind):
    def order(seed):
        mask = kind(3, 3, shuffle=True, generator=torch.Generator().manual_seed(seed))
        return mask(torch.rand(4, 1, 6, 6)).locations

    torch.manual_seed(1)
    first = order(7)
    assert torch.equal(first, order(7))
    assert not torch.equal(first, order(8))


@every
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.bfloat16, torch.float64])
def test_the_type_stays_and_the_argument_too(kind, dtype):
    x = (PIXELS * 5).to(dtype)
    before = x.clone()
    images = kind(2, 2, gap=-1)(x).images
    assert images.dtype == dtype
    images.zero_()
    assert_close(x, before, rtol=0, atol=0)


@every
def test_gradients_pass_where_something_is_seen(kind):
    x = PIXELS.clone().requires_grad_()
    kind(2, 2)(x).images.sum().backward()
    assert_close(x.grad, torch.full_like(PIXELS, 3.0 if kind is GridErase else 1.0))


@every
def test_it_works_without_values_and_pickled(kind):
    looks = kind(2, 2, shuffle=True)(torch.rand(3, 1, 6, 6, device="meta"))
    assert looks.images.is_meta
    assert looks.locations.shape == (4, 3, 2, 2)
    mask = kind(2, 2, gap=GAP)
    assert_close(pickle.loads(pickle.dumps(mask))(PIXELS).images, mask(PIXELS).images)
    assert "2 x 2, gap=(1, 0, 0, 2)" in repr(mask)


@every
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 0, "columns": 2}, "Expected `rows` to be a whole number from 1 [1], got 0."),
        ({"rows": 2, "columns": 1.5}, "Expected `columns` to be a whole number from 1 [1], got 1.5."),
        ({"rows": 2, "columns": 2, "gap": (1, 2)}, "four: left, right, top, bottom [pixels], got (1, 2)."),
        (
            {"rows": 2, "columns": 2, "looks": 5},
            "Expected `looks` to be from 1 to 4, the cells of the grid [1], got 5.",
        ),
    ],
)
def test_what_makes_no_mask_is_refused(kind, options, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message) + "|parameter '"):
        kind(**options)


@every
def test_a_grid_that_does_not_divide_is_refused(kind):
    message = "got 4 x 2 cells on 6 x 6 pixels. Choose divisors of these, or pad the image with torchvision"
    with pytest.raises(ValueError, match=re.escape(message) + ".* to 8 x 6"):
        kind(4, 2)(PIXELS)
    shape = r"Expected `x` of shape \(\*batch, channels, height, width\)|parameter 'x'"  # the second: the hook
    with pytest.raises((ValueError, TypeError), match=shape):
        kind(2, 2)(PIXELS[0])
    with pytest.raises(ValueError, match="Expected `gap` to leave something of cells of 3 x 3 pixels"):
        kind(2, 2, gap=(1, 2, 0, 0))(PIXELS)


@every
def test_what_is_no_tensor_is_refused(kind):
    with pytest.raises(TypeError, match=r"Expected `x` to be a tensor, got list|parameter 'x'"):
        kind(2, 2)([[1.0]])
