"""What lies between each pair of neurons, for every kind of synapse."""

from functools import partial

import pytest
import torch
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.synapses import pair_weights


@pytest.mark.parametrize(
    "make",
    [
        partial(cx.Dense, (2, 3), 4),
        partial(cx.OneToOne, 5, 5),
        partial(cx.Sparse, 6, 4, density=0.5),
        partial(cx.Conv2d, (2, 6, 6), (3, 4, 4), kernel_size=3),
        partial(cx.Local2d, (1, 6, 6), (1, 4, 4), kernel_size=3),
        partial(cx.Lateral, (1, 5, 5), (1, 5, 5), kernel_size=3, centre=False),
        partial(cx.AvgPool2d, (1, 6, 6), (1, 3, 3)),
    ],
    ids=lambda make: make.func.__name__,
)
def test_the_matrix_makes_the_currents_that_the_synapse_makes(make):
    synapse = make()
    found = pair_weights(synapse)
    assert found.shape == (synapse.target_shape.numel(), synapse.source_shape.numel())
    spikes = torch.rand(7, *synapse.source_shape)
    expected = synapse(spikes).reshape(7, -1)
    torch.testing.assert_close(spikes.reshape(7, -1) @ found.nan_to_num(0).T, expected.detach())
    assert not found.requires_grad


def test_a_weight_of_zero_is_a_synapse_and_a_missing_one_is_not():
    dense = cx.Dense(3, 3, self_connections=False, weight=torch.zeros(3, 3))
    assert torch.equal(pair_weights(dense).isnan(), torch.eye(3, dtype=torch.bool))
    sparse = cx.Sparse(2, 1, edges=([0, 0], [0, 0]), weight=torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(pair_weights(sparse), torch.tensor([[3.0, float("nan")]]), equal_nan=True)


def test_too_many_pairs():
    with pytest.raises(ValueError, match=r"at most `max_pairs` = 10 pairs \[1\], got 6 sources and 2 targets"):
        pair_weights(cx.Dense(6, 2), max_pairs=10)


def test_many_sources_are_not_laid_out_at_once(monkeypatch):
    synapse, sizes = cx.Sparse(300, 3, density=0.1), []
    project = synapse.project

    def noted(spikes, *args):
        sizes.append(spikes.numel())
        return project(spikes, *args)

    monkeypatch.setattr(synapse, "project", noted)
    found = pair_weights(synapse, max_pairs=3000)
    assert max(sizes) <= 3000
    assert int((~found.isnan()).sum()) == len(synapse.weight)
    assert_close(found.nan_to_num() @ torch.ones(300), synapse(torch.ones(300)))
