"""Lateral synapses; their products are in test_synapse.py."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.synapses import Lateral


def test_a_spike_reaches_the_neighbours_and_not_itself():
    synapse = Lateral((1, 4, 5), (1, 4, 5), kernel_size=(1, 3, 3), centre=False, init=torch.nn.init.ones_)
    spikes = torch.zeros(1, 4, 5)
    spikes[0, 1, 2] = 1
    expected = torch.zeros(1, 4, 5)
    expected[0, 0:3, 1:4] = 1
    expected[0, 1, 2] = 0
    assert_close(synapse(spikes).detach(), expected)


def test_a_kernel_beyond_the_grid():
    synapse = Lateral((1, 2, 2), (1, 2, 2), kernel_size=7, init=torch.nn.init.ones_)
    assert_close(synapse(torch.ones(1, 2, 2)).detach(), torch.full((1, 2, 2), 4.0))


@pytest.mark.parametrize(
    ("source", "target", "kernel", "message"),
    [
        ((1, 4, 4), (1, 4, 4), 4, r"`kernel_size` to be an odd whole number, or three .* got 4: an even kernel has no"),
        ((1, 4, 4), (1, 4, 4), (1, 3, 2), r"got \(1, 3, 2\)"),
        ((1, 4, 4), (1, 4, 4), (3, 3), r"got \(3, 3\)"),
        ((1, 4, 4), (1, 4, 5), 3, r"to be the same \(depth, height, width\), got \(1, 4, 4\) and \(1, 4, 5\)"),
        ((4, 4), (4, 4), 3, r"to be the same \(depth, height, width\), got \(4, 4\) and \(4, 4\)"),
    ],
)
def test_errors(source, target, kernel, message):
    with pytest.raises(ValueError, match=message):
        Lateral(source, target, kernel_size=kernel)
