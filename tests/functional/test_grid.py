"""Coordinates of neurons."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.functional import grid


def test_coordinates_follow_flatten_with_x_fastest():
    shape = (2, 3, 4)
    index = torch.arange(24).reshape(shape)
    for (x, y, z), i in zip(grid.coordinates(shape).long().tolist(), range(24), strict=True):
        assert index[z, y, x] == i
    assert_close(grid.coordinates((3, 4)), grid.coordinates((1, 3, 4)))
    assert_close(grid.coordinates(4), grid.coordinates((1, 1, 4)))
    assert grid.coordinates(2, device="meta").is_meta


@pytest.mark.parametrize("n", [1, 2, 7, 12, 36, 400, 997, 1000])
def test_near_square_is_the_least_lengthy_grid(n):
    height, width = grid.near_square(n)
    assert type(height) is type(width) is int
    assert height * width == n
    assert height <= width
    assert not any(n % size == 0 for size in range(height + 1, math.isqrt(n) + 1))


def test_moved_scaled_and_rotated():
    points = torch.randn(10, 3, dtype=torch.float64)
    before = points.clone()
    assert_close(grid.move(points, x=1, z=-2), points + torch.tensor([1.0, 0, -2]).double())
    assert_close(grid.scale(points, y=3, z=0.5), points * torch.tensor([1.0, 3, 0.5]).double())
    for axis, matrix in {
        "x": [[1, 0, 0], [0, 0, -1], [0, 1, 0]],
        "y": [[0, 0, 1], [0, 1, 0], [-1, 0, 0]],
        "z": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    }.items():
        quarter = torch.tensor(matrix, dtype=torch.float64)
        assert_close(grid.rotate(points, math.pi / 2, axis=axis), points @ quarter.T)
        third = grid.rotate(grid.rotate(points, 0.7, axis=axis), -0.4, axis=axis)
        assert_close(third, grid.rotate(points, 0.3, axis=axis))
    assert_close(points, before, rtol=0, atol=0)


def test_a_stretched_grid_covers_the_other():
    coarse, fine = grid.coordinates((2, 3)), grid.coordinates((4, 9))
    assert_close(grid.stretch(coarse, fine)[:, 0].unique(), torch.tensor([1.0, 4.0, 7.0]))
    assert_close(grid.stretch(coarse, fine)[:, 1].unique(), torch.tensor([0.5, 2.5]))
    assert_close(grid.stretch(grid.stretch(coarse, fine), coarse), coarse)
    assert_close(grid.stretch(coarse, coarse), coarse)
    assert_close(grid.stretch(grid.coordinates(1), fine), torch.tensor([[4.0, 1.5, 0.0]]))
    moved = grid.move(grid.scale(fine, x=2.0), x=5.0)
    assert_close(grid.stretch(fine, moved), moved)


def test_areas_include_their_edges():
    points = grid.coordinates((2, 4, 5))
    x, y, z = points.unbind(-1)
    assert grid.area(points).all()
    assert torch.equal(grid.area(points, x=(1, 3), y=(-5, 2)), (x >= 1) & (x <= 3) & (y <= 2))
    assert torch.equal(grid.area(points, z=(1, 1)), z == 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grid.coordinates((1, 2, 3, 4)), ValueError, r"`shape` of at most three axes .* got \(1, 2, 3, 4\)"),
        (lambda: grid.coordinates(0), ValueError, r"`shape` of at least one axis, each of at least one neuron, got 0"),
        (lambda: grid.coordinates(2.0), TypeError, r"`shape` to be a number of neurons or one per axis, .* got 2.0"),
        (lambda: grid.near_square(0), ValueError, r"`n` of at least one neuron, got 0"),
        (
            lambda: grid.rotate(torch.zeros(1, 3), 1.0, axis="w"),
            ValueError,
            r"`axis` to be \"x\", \"y\" or \"z\", got 'w'",
        ),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
