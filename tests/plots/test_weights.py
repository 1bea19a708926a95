"""Weights as pictures."""

import pytest
import torch

from conex_nn.plots import mosaic, weights
from conex_nn.plots.shown import evenly


def test_a_mosaic_has_each_image_at_its_place():
    images = torch.arange(5.0)[:, None, None].expand(5, 2, 3)
    laid = mosaic(images, columns=2, border=-1.0)
    assert laid.shape == (3 * 3 - 1, 2 * 4 - 1)
    for n in range(5):
        row, column = divmod(n, 2)
        assert (laid[3 * row : 3 * row + 2, 4 * column : 4 * column + 3] == n).all()
    assert (laid[2] == -1).all()
    assert (laid[6:, 4:] == -1).all()
    with pytest.raises(ValueError, match=r"shape \(n, height, width\), got \(2, 3\)"):
        mosaic(torch.ones(2, 3))


def test_channels_are_drawn_side_by_side():
    weight = torch.arange(2 * 2 * 3 * 4.0).reshape(2, 2, 3, 4)
    drawn = torch.from_numpy(weights(weight).images[0].get_array().filled(-1))
    assert torch.equal(drawn[:3, :8], torch.cat([weight[0, 0], weight[0, 1]], 1))
    dense = weights(weight.flatten(1), shape=(2, 3, 4)).images[0].get_array().filled(-1)
    assert torch.equal(torch.from_numpy(dense), drawn)
    assert weights(torch.rand(7, 9), most=1).images[0].get_array().shape == (3, 3)


def test_zero_is_in_the_middle_where_weights_have_both_signs():
    image = weights(torch.tensor([[-1.0, 0.0, 0.0, 3.0]])).images[0]
    assert image.get_clim() == (-3, 3)


def test_a_shape_that_does_not_fit():
    with pytest.raises(ValueError, match=r"that of the 6 sources of a neuron.*got \(2, 2\)"):
        weights(torch.rand(3, 6), shape=(2, 2))


def test_weights_that_are_not_there_hide_no_others():
    weight = torch.rand(4, 9)
    weight[0, 0] = torch.nan
    low, high = weights(weight).images[0].get_clim()
    assert (low, high) == (weight.nan_to_num(1).min().item(), weight.nan_to_num(0).max().item())


def test_evenly_chosen_of_many_are_among_them():
    assert evenly(2**24 + 4, 40)[-1] == 2**24 + 3
