"""Scenes, clutter, and looks one after another."""

import re

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import ConstantCurrent, GridCrop, InTurn, Latency, PlaceInGrid, Scramble


def test_an_image_is_where_it_is_said_to_be():
    images = torch.rand(7, 3, 2, 4)
    scene, location = PlaceInGrid(3, 2)(images)
    assert scene.shape == (7, 3, 6, 8)
    assert location.shape == (7, 3, 2)
    assert (location.sum((1, 2)) == 1).all()
    looks = GridCrop(3, 2)(scene).images  # (cells, batch, ...)
    cell = location.flatten(1).int().argmax(1)
    assert_close(looks[cell, torch.arange(7)], images, rtol=0, atol=0)
    assert_close(scene.sum(), images.sum())  # and nothing else
    assert len(set(cell.tolist())) > 1


def test_places_can_be_given_and_others_hold_clutter():
    images = torch.rand(4, 1, 2, 2)
    scene, location = PlaceInGrid(2, 2, clutter=lambda x: x + 1)(images, torch.tensor([0, 1, 2, 3]))
    assert_close(location.flatten(1), torch.eye(4, dtype=torch.bool))
    looks = GridCrop(2, 2)(scene).images
    for cell in range(4):
        for sample in range(4):
            assert_close(looks[cell, sample], images[sample] + (cell != sample), rtol=0, atol=0)


def test_every_cell_comes_up_and_a_generator_says_which():
    def cells(seed):
        place = PlaceInGrid(2, 2, generator=torch.Generator().manual_seed(seed))
        return place(torch.zeros(4000, 1, 1, 1))[1].flatten(1).float().mean(0)

    assert_close(cells(0), torch.full((4,), 0.25), rtol=0, atol=0.03)  # five standard deviations
    assert torch.equal(cells(3), cells(3))
    assert not torch.equal(cells(3), cells(4))


@pytest.mark.parametrize("cell", [-1, 4])
def test_a_location_outside_is_refused(cell):
    with pytest.raises(ValueError, match=r"Expected `cells` of shape \(1,\) to be from 0 to 3"):
        PlaceInGrid(2, 2)(torch.zeros(1, 1, 2, 2), torch.tensor([cell]))


def test_clutter_has_to_be_like_the_images():
    with pytest.raises(ValueError, match="Expected `clutter` to return"):
        PlaceInGrid(2, 2, clutter=lambda x: x[:1])(torch.zeros(1, 2, 2))
    with pytest.raises(ValueError, match="Expected `clutter` to return"):
        PlaceInGrid(2, 2, clutter=torch.Tensor.double)(torch.zeros(1, 2, 2))


def test_scrambled_blocks_are_the_same_blocks_in_disorder():
    x = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6)
    scrambled = Scramble(2, 3)(x)

    def blocks(image):
        return sorted(tuple(block.flatten().tolist()) for half in image.split(2, 1) for block in half.split(2, 2))

    for one, other in zip(scrambled, x, strict=True):
        assert blocks(one) == blocks(other)  # whole blocks, all channels alike
    assert not torch.equal(scrambled, x)
    many = Scramble(2, 2)(torch.arange(4.0).view(1, 2, 2).expand(50, 1, 2, 2))
    assert len({tuple(each.flatten().tolist()) for each in many}) > 10  # each sample in its own way
    with pytest.raises(ValueError, match="Expected `rows` and `columns` to divide the image"):
        Scramble(3, 3)(x)


def test_looks_are_encoded_one_after_another():
    looks = torch.rand(3, 2, 5)
    encoded = InTurn(Latency(4), silence=2)(looks)
    assert encoded.shape == (18, 2, 5)
    for look, steps in enumerate(encoded.split(6)):
        assert_close(steps[:4], Latency(4)(looks[look]), rtol=0, atol=0)
        assert not steps[4:].any()


def test_locations_are_held_as_long():
    location = torch.eye(3, dtype=torch.bool)
    held = InTurn(ConstantCurrent(2))(location)
    assert held.dtype == torch.float32
    assert held.argmax(1).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: InTurn(ConstantCurrent(2), silence=-1), None, "Expected `silence` to be 0 or more [steps], got -1."),
        (lambda: InTurn(ConstantCurrent(2)), torch.zeros(0, 3), "with at least one look, got (0, 3)."),
        (
            lambda: InTurn(lambda x: x),
            torch.zeros(2, 3),
            "Expected `encoder` to map (2, 3) to (time, 2, 3), got (2, 3).",
        ),
    ],
)
def test_what_cannot_be_encoded_in_turn_is_refused(make, x, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()(x)
