"""Masks by distance, in plain loops."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.functional.grid import coordinates
from conex_nn.synapses import Dense, masks

SHAPE = (2, 4, 5)


def loops(rule, shape=SHAPE):
    """The matrix of a rule on the offsets dx, dy, dz between neurons of one shape."""
    depth, height, width = shape
    places = [(x, y, z) for z in range(depth) for y in range(height) for x in range(width)]
    return torch.tensor([[rule(*(abs(a - b) for a, b in zip(s, t, strict=True))) for s in places] for t in places])


RULES = {
    "box": (masks.box(1.0), lambda x, y, z: x <= 1 and y <= 1),
    "box of one axis": (masks.box([2.0]), lambda x, y, z: x <= 2),
    "box of three axes": (masks.box((1.0, math.inf, 0.0)), lambda x, y, z: x <= 1 and z == 0),
    "circle": (masks.circle(2.0), lambda x, y, z: x * x + y * y <= 4),
    "ring": (masks.ring(1.5, 3.0), lambda x, y, z: 2.25 <= x * x + y * y <= 9),
    "distance": (masks.distance(lambda d: d > 2), lambda x, y, z: x * x + y * y > 4),
    "no self": (masks.no_self(), lambda x, y, z: x + y + z > 0),
    "and": (masks.circle(2.0) & masks.no_self(), lambda x, y, z: x * x + y * y <= 4 and x + y + z > 0),
    "or": (masks.box(0.0) | masks.box([0.0]), lambda x, y, z: x == 0),
    "not": (~masks.circle(2.0), lambda x, y, z: x * x + y * y > 4),
    "and of a function": (
        masks.circle(2.0) & (lambda s, t: t[:, None, 2] == s[:, 2]),
        lambda x, y, z: x * x + y * y <= 4 and z == 0,
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_mask_is_its_rule(name):
    mask, rule = RULES[name]
    place = coordinates(SHAPE)
    assert torch.equal(mask(place, place), loops(rule))
    assert torch.equal(Dense(SHAPE, SHAPE, mask=mask).mask, loops(rule))


def test_grids_of_other_sizes_cover_each_other():
    field = masks.box(1.0)(coordinates((8, 8)), coordinates((4, 4)))  # each target amid four sources
    assert field.sum(1).unique().tolist() == [4]
    assert field.sum(0).unique().tolist() == [1]
    first = field[0].reshape(8, 8)
    assert first[:2, :2].all()
    assert first.sum() == 4
    upwards = masks.box(0.5)(coordinates((4, 4)), coordinates((8, 8)))
    assert upwards.sum(1).unique().tolist() == [1]
    assert upwards.sum(0).unique().tolist() == [4]
    apart = masks.box(0.0, stretch=False)(coordinates((8, 8)), coordinates((4, 4)))
    assert apart.nonzero()[:, 1].tolist() == [8 * y + x for y in range(4) for x in range(4)]


def test_weights_by_distance():
    distance = loops(lambda x, y, z: math.hypot(x, y))
    fading = masks.distance_weights(SHAPE, SHAPE, radius=2.5)
    assert_close(fading, (2.5 - distance).clamp(min=0) / 2.5)
    rings = masks.ring_weights(SHAPE, SHAPE, radius=2.0, width=1.5)
    assert_close(rings, (1 - (distance - 2).abs() / 1.5).clamp(min=0))
    assert torch.equal(Dense(SHAPE, SHAPE, weight=fading).weight, fading)
    assert masks.distance_weights((8, 8), (4, 4), radius=2.0, stretch=False)[0, 0] == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: masks.box(-1.0), r"`reach` of one to three numbers of at least 0 \[1\], got -1.0"),
        (lambda: masks.box((1.0,) * 4), r"`reach` of one to three numbers"),
        (lambda: masks.circle(-1.0), r"`radius` of at least 0 \[1\], got -1.0"),
        (lambda: masks.ring(3.0, 2.0), r"`inner` from 0 to `outer` \[1\], got 3.0 and 2.0"),
        (lambda: Dense(3, 4, mask=masks.no_self()), r"between populations of one shape, got 3 sources and 4 targets"),
        (lambda: masks.distance_weights(3, 3, radius=0.0), r"`radius` to be positive \[1\], got 0.0"),
        (lambda: masks.ring_weights(3, 3, radius=-1.0, width=1.0), r"`radius` of at least 0 \[1\], got -1.0"),
        (lambda: masks.ring_weights(3, 3, radius=1.0, width=0.0), r"`width` to be positive \[1\], got 0.0"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
