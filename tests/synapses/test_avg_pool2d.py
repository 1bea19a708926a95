"""Pooling has nothing to learn."""

import pytest
import torch

from conex_nn.synapses import AvgPool2d


def test_there_is_no_weight_to_learn():
    pool = AvgPool2d((1, 4, 4), (1, 2, 2))
    assert list(pool.parameters()) == []
    assert pool.weight is None
    with pytest.raises(TypeError, match="Expected a synapse with a weight to learn, got AvgPool2d, which has none"):
        pool.hebbian(torch.ones(1, 4, 4), torch.ones(1, 2, 2))
    assert pool.backproject(torch.ones(1, 2, 2)).unique().tolist() == [0.25]
