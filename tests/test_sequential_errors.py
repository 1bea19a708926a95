"""What the chain of modules over sequences refuses, and what it says."""

import pytest
import snntorch
import torch
from torch import nn

import conex_nn as cx
from tests.test_sequential import B, T, mlp


@pytest.fixture
def xs():
    return torch.rand(T, B, 3, 4)


def test_wrong_number_of_features():
    with pytest.raises(ValueError, match=r"module '0' \(Linear\) to have 12 features, got shape \(7, 3, 5\)"):
        cx.Sequential(nn.Linear(12, 2))(torch.rand(T, B, 5))


def test_features_not_flattened(xs):
    with pytest.raises(ValueError, match=r"Flatten the features first: nn.Flatten\(\)"):
        cx.Sequential(nn.Linear(12, 2))(xs)


def test_wrong_channels():
    with pytest.raises(ValueError, match=r"\(Conv2d\) to have 3 channels and 2 axes of space"):
        cx.Sequential(nn.Conv2d(3, 2, 1))(torch.rand(T, B, 1, 4, 4))


def test_no_batch_axis():
    with pytest.raises(ValueError, match=r"\(time, batch, \*features\), got \(7, 12\).*unsqueeze"):
        mlp()(torch.rand(T, 12))


def test_no_step():
    with pytest.raises(ValueError, match="at least one time step"):
        mlp()(torch.rand(0, B, 12))


def test_integers():
    with pytest.raises(TypeError, match=r"floating tensor, got torch\.int64"):
        mlp()(torch.ones(T, B, 12, dtype=torch.long))


def test_state_of_another_batch(xs):
    net = mlp()
    _, state = net(xs)
    with pytest.raises(ValueError, match=r"`state.v` of shape \(2, 16\).*belongs to one batch size"):
        net(xs[:, :2], state)


def test_state_of_another_net(xs):
    with pytest.raises(TypeError, match="tuple of 5, one for each module, got 2"):
        mlp()(xs, (None, None))


def test_state_where_there_is_none(xs):
    net = mlp()
    _, state = net(xs)
    with pytest.raises(TypeError, match="None for module '1', which has no state, got a ThresholdState"):
        net(xs, (None, state[2], *state[2:]))


def test_state_of_another_neuron(xs):
    net = cx.Sequential(nn.Flatten(), nn.Linear(12, 4), snntorch.Leaky(0.9))
    _, (*_, inner) = cx.Sequential(nn.Flatten(), nn.Linear(12, 4), snntorch.Synaptic(0.9, 0.8))(xs)
    with pytest.raises(TypeError, match="`state` to hold 1 tensors, got 2"):
        net(xs, (None, None, inner))


def test_state_that_is_no_tensor(xs):
    net = mlp()
    _, state = net(xs)
    with pytest.raises(TypeError, match=r"`state.v` to be a tensor, got float"):
        net(xs, (None, None, state[2]._replace(v=0.0), *state[3:]))


def test_flatten_that_would_join_samples():
    with pytest.raises(ValueError, match="to leave the samples apart, got start_dim=0"):
        cx.Sequential(nn.Flatten(0))


def test_batch_first_input_with_a_state(xs):
    net = mlp()
    _, state = net(xs)
    with pytest.raises(ValueError, match="batch-first"):
        net(xs.movedim(0, 1), state)


def test_recurrent_torch_module():
    with pytest.raises(TypeError, match="LSTM, which has a state of its own"):
        cx.Sequential(nn.LSTM(2, 2))


def test_neurons_hidden_in_a_stateless_module():
    with pytest.raises(TypeError, match="neurons inside, whose state would be lost"):
        cx.Sequential(nn.Sequential(nn.Linear(2, 2), cx.LIF()))


def test_dropout_probability():
    with pytest.raises(ValueError, match="`p` to be at least 0 and below 1"):
        cx.SequenceDropout(1.0)


@pytest.mark.parametrize("option", ["detach_every", "checkpoint_every"])
def test_block_sizes(xs, option):
    with pytest.raises(ValueError, match=f"`{option}` to be a whole number of steps"):
        mlp()(xs, **{option: 0})


@pytest.mark.parametrize("put", ["append", "insert", "setitem", "extend"])
def test_what_comes_later_is_looked_at_too(put):
    net, hidden = cx.Sequential(nn.Linear(2, 2)), nn.Sequential(nn.Linear(2, 2), cx.LIF())
    calls = {
        "append": lambda: net.append(hidden),
        "insert": lambda: net.insert(0, hidden),
        "setitem": lambda: net.__setitem__(0, hidden),
        "extend": lambda: net.extend([hidden]),
    }
    with pytest.raises(TypeError, match="neurons inside"):
        calls[put]()


def test_a_snntorch_neuron_hidden_in_a_stateless_module():
    with pytest.raises(TypeError, match="neurons inside"):
        cx.Sequential(nn.Sequential(nn.Linear(2, 2), snntorch.Leaky(beta=0.9, init_hidden=True)))


def test_a_recurrent_module_hidden_in_a_stateless_one():
    with pytest.raises(TypeError, match="GRU, which has a state of its own"):
        cx.Sequential(nn.Sequential(nn.GRU(2, 2)))


@pytest.mark.parametrize("observe", [None, lambda y, s: None])
def test_a_mask_of_another_batch(observe):
    net = cx.Sequential(cx.SequenceDropout(0.5))
    _, state = net(torch.ones(3, 4, 5))
    with pytest.raises(ValueError, match=r"`state`, of shape \(1, 5\) for this input, got \(4, 5\)"):
        net(torch.ones(3, 1, 5), state, observe=observe)


def test_no_sample():
    with pytest.raises(ValueError, match="at least one sample and one neuron"):
        mlp()(torch.rand(T, 0, 12))
