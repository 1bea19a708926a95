"""Convolution against torch's own layer."""

import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.synapses import Conv2d


def test_it_is_the_layer_of_torch():
    layer = nn.Conv2d(2, 3, (3, 5), stride=2, padding=(0, 2), bias=False)
    spikes = torch.rand(6, 4, 2, 11, 9)
    current = layer(spikes.flatten(0, 1)).unflatten(0, (6, 4))
    synapse = Conv2d((2, 11, 9), current.shape[2:], kernel_size=(3, 5), stride=2, padding=(0, 2), weight=layer.weight)
    assert_close(synapse(spikes), current)
