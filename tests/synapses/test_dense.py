"""Dense synapses and their masks."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.functional.grid import coordinates
from conex_nn.synapses import Dense


def test_a_mask_is_a_tensor_or_a_rule_on_coordinates():
    seen = []

    def rule(source, target):
        seen.append((source, target))
        return target[:, None, 0] == source[:, 0]

    synapse = Dense((2, 2), (1, 2, 2), mask=rule)
    assert_close(seen[0], (coordinates((2, 2)), coordinates((1, 2, 2))))
    assert_close(synapse.mask, torch.tensor([[1, 0, 1, 0], [0, 1, 0, 1]] * 2).bool())
    assert torch.equal(Dense(4, 4, mask=synapse.mask).mask, synapse.mask)


def test_self_connections_are_left_out_of_a_mask_too():
    assert torch.equal(Dense((2, 2), (2, 2), self_connections=False).mask, ~torch.eye(4).bool())
    both = Dense(3, 3, mask=torch.ones(3, 3).tril().bool(), self_connections=False).mask
    assert torch.equal(both, torch.ones(3, 3).tril(-1).bool())


def test_a_mask_of_the_users_stays_the_users():
    mask = torch.ones(2, 3).bool()
    synapse = Dense(3, 2, mask=mask)
    mask.zero_()
    assert synapse.mask.all()


def test_training_leaves_masked_entries_alone():
    synapse = Dense(5, 4, mask=torch.rand(4, 5) < 0.5)
    optimizer = torch.optim.Adam(synapse.parameters(), lr=0.1)
    before = synapse.weight.detach().clone()
    for _ in range(3):
        synapse(torch.ones(5)).square().sum().backward()
        optimizer.step()
    assert (synapse.weight != before)[synapse.mask].all()
    assert not synapse.weight[~synapse.mask].any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"mask": torch.ones(2, 3)}, TypeError, r"`mask` to be, or to return, a bool tensor .* got torch.float32"),
        ({"mask": lambda s, t: [True]}, TypeError, r"`mask` to be, or to return, a bool tensor .* got list"),
        ({"mask": [[True]]}, TypeError, r"`mask` to be, or to return, a bool tensor .* got list"),
        (
            {"mask": torch.ones(3, 2).bool()},
            ValueError,
            r"`mask` of shape \(2, 3\) \(n_target, n_source\), got \(3, 2\)",
        ),
        ({"self_connections": False}, ValueError, r"only between populations of one shape, got \(3,\) and \(2,\)"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        Dense(3, 2, **options)
