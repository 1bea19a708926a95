"""Rules on plain torch modules."""

import copy

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.plasticity import (
    BCM,
    RSTDP,
    STDP,
    Clip,
    Clopath,
    Normalise,
    Rule,
    Soft,
    attach,
    chain,
    learn,
)
from conex_nn.recording import record


def _net(seed=0):
    torch.manual_seed(seed)
    net = cx.Sequential(nn.Linear(6, 5), cx.LIF(tau_mem=2.0), nn.Linear(5, 4), cx.LIF(tau_mem=2.0)).double()
    for layer in (net[0], net[2]):
        layer.weight.data.uniform_(0, 1)
    return net


def _input(steps=12, batch=3):
    return (torch.rand(steps, batch, 6) < 0.6).double()


def _activity(net, xs):
    """Spikes before and after the second layer."""
    with torch.no_grad():
        hidden, _ = net[1](net[0](xs))
        return hidden, net[3](net[2](hidden))[0]


def test_a_layer_learns_what_its_rule_says():
    net, xs, rule = _net(), _input(), STDP()
    pre, post = _activity(net, xs)
    change, _ = rule.update(net[2], None, pre, post)
    before = net[2].weight.detach().clone()
    handle = attach(STDP(), synapse=net[2], neuron=net[3])
    out, _ = net(xs)
    torch.testing.assert_close(net[2].weight.detach(), before + change)
    assert torch.equal(out, post)  # made with the weight in force before
    assert change.any()
    net.eval()(xs)
    torch.testing.assert_close(net[2].weight.detach(), before + change)
    handle.remove()
    net.train()(xs)
    torch.testing.assert_close(net[2].weight.detach(), before + change)
    assert not net[2]._forward_hooks
    assert not net[2]._forward_pre_hooks
    assert list(net[2].children()) == []


@pytest.mark.parametrize("grad", [False, True])
def test_constraints_follow(grad):
    net, xs = _net(), _input()
    attach(chain(STDP(a_plus=1.0), Normalise(2.0), Clip(0, 1)), synapse=net[0], neuron=net[1])
    with torch.set_grad_enabled(grad):
        net(xs)
    weight = net[0].weight.detach()
    assert weight.min() >= 0
    torch.testing.assert_close(weight.sum(1), torch.full((5,), 2.0).double())
    assert isinstance(net[0].weight, nn.Parameter)


@pytest.mark.parametrize(("axes", "layer", "shape"), [(1, 0, (6,)), (3, 1, (1, 5, 5))])
def test_convolutions_and_what_is_flattened(axes, layer, shape):
    torch.manual_seed(1)
    if axes == 1:
        net = cx.Sequential(cx.synapses.Dense(6, 4), cx.LIF())
    else:
        net = cx.Sequential(nn.Identity(), nn.Conv2d(1, 2, 3), nn.Flatten(), cx.LIF())
    net.double()
    xs = (torch.rand(8, 3, *shape) < 0.7).double()
    nn.init.uniform_(net[layer].weight, 0, 1)
    current = net[layer](xs.flatten(0, 1)).unflatten(0, (8, 3))
    post = net[-1](current.flatten(2))[0].reshape(current.shape)
    change, _ = STDP().update(net[layer], None, xs, post)
    before = net[layer].weight.detach().clone()
    attach(STDP(), synapse=net[layer], neuron=net[-1])
    net(xs)
    torch.testing.assert_close(net[layer].weight.detach(), before + change)
    assert change.any()


def test_an_input_that_is_the_same_at_each_step():
    xs = torch.rand(1, 3, 6).double().expand(12, 3, 6)
    weights = []
    for given in (xs, xs.contiguous()):
        net = _net()
        attach(STDP(), synapse=net[0], neuron=net[1])
        net(given)
        weights.append(net[0].weight.detach())
    torch.testing.assert_close(*weights)


def test_sequences_without_a_batch_and_with_two():
    xs = _input(batch=4)
    weights = []
    for given in (xs, xs.unflatten(1, (2, 2))):
        net = _net()
        attach(STDP(), synapse=net[0], neuron=net[1])
        net[1](net[0](given))
        weights.append(net[0].weight.detach())
    torch.testing.assert_close(*weights)
    net, single = _net(), _net()
    for model in (net, single):
        attach(STDP(), synapse=model[0], neuron=model[1])
    net(xs[:, :1])
    single[1](single[0](xs[:, 0]))
    torch.testing.assert_close(single[0].weight, net[0].weight)


def test_traces_begin_anew_unless_carried():
    xs, got = _input(), {}
    for carry in (False, True):
        net = _net()
        net[0].weight.data.fill_(0.5)
        twin = copy.deepcopy(net)
        handle = attach(STDP(), synapse=net[0], neuron=net[1], carry=carry, into="grad")
        _, state = net(xs[:6])
        net(xs[6:], state)
        parts = ((0, 6), (6, 12))
        post = twin[1](twin[0](xs))[0].detach()
        rule, state, total = STDP(), None, 0
        for begin, end in parts:
            change, state = rule.update(twin[0], state if carry else None, xs[begin:end], post[begin:end])
            total = total + change
        got[carry] = handle.to_gradient.pending
        torch.testing.assert_close(handle.to_gradient.pending, total)
        net(xs[:6])  # a sequence that starts at rest
        fresh, _ = rule.update(twin[0], None, xs[:6], post[:6])
        torch.testing.assert_close(handle.to_gradient.pending, total + fresh)
        handle.remove()
    assert not torch.allclose(got[False], got[True])


def test_blocks_that_are_detached_go_on():
    xs, weights = _input(), []
    for every in (None, 4):
        net = _net()
        handle = attach(STDP(), synapse=net[0], neuron=net[1], carry=True, into="grad")
        net(xs, detach_every=every)
        weights.append(handle.to_gradient.pending)
        handle.remove()
    torch.testing.assert_close(*weights)


def _images(seed=0):
    torch.manual_seed(seed)
    net = cx.Sequential(
        nn.Conv2d(1, 2, 2), cx.LIF(tau_mem=2.0), nn.Conv2d(2, 2, 2, bias=False), cx.LIF(tau_mem=2.0)
    ).double()
    for layer in (net[0], net[2]):
        layer.weight.data.uniform_(0, 1)
    return net


@pytest.mark.parametrize("make", [_net, _images])
@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("frozen", [False, True])
def test_gradients_are_those_of_the_weight_in_force(make, layer, frozen):
    plain, plastic = make(), make()
    xs = _input() if make is _net else (torch.rand(12, 3, 1, 5, 5) < 0.6).double()
    for net in (plain, plastic):
        net[layer].weight.requires_grad_(not frozen)
    attach(STDP(a_plus=0.5), synapse=plastic[layer], neuron=plastic[layer + 1])
    for net in (plain, plastic):
        net(xs)[0].square().sum().backward()
    assert not torch.equal(plain[layer].weight, plastic[layer].weight)
    for (name, one), (_, other) in zip(plain.named_parameters(), plastic.named_parameters(), strict=True):
        if one.grad is None:
            assert other.grad is None, name
        else:
            torch.testing.assert_close(other.grad, one.grad, msg=name)


@pytest.mark.parametrize("zero_first", [False, True])
@pytest.mark.parametrize("loss", [False, True])
def test_into_the_gradient(loss, zero_first):
    xs, plain, net = _input(), _net(), _net()
    change, _ = STDP().update(plain[2], None, *_activity(plain, xs))
    handle = attach(STDP(), synapse=net[2], neuron=net[3], into="grad")
    before = net[2].weight.detach().clone()
    for model in (plain, net):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        out, _ = model(xs)
        if zero_first:
            optimizer.zero_grad()  # as Lightning does, between the forward and the backward pass
        if loss:
            out.square().sum().backward()
        optimizer.step()
    gradient = plain[2].weight.grad if loss else 0
    torch.testing.assert_close(net[2].weight.detach(), before - 0.1 * (gradient - change))
    torch.testing.assert_close(net[2].weight.grad, gradient - change)
    if loss:
        torch.testing.assert_close(net[0].weight.grad, plain[0].weight.grad)
    assert handle.to_gradient.pending is None
    handle.remove()


def test_into_the_gradient_beside_what_was_there():
    net, xs = _net(), _input()
    for layer in (net[0], net[2]):
        layer.weight.requires_grad_(False)
    handle = attach(chain(STDP(), Clip(0, 0.5)), synapse=net[0], neuron=net[1], into="grad")
    with torch.no_grad():
        net(xs)
    assert net[0].weight.max() == 0.5  # constraints come before the sequence
    change = handle.to_gradient.pending.clone()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    other = torch.optim.SGD(net[2].parameters(), lr=0.1)
    other.step()
    assert handle.to_gradient.pending is not None
    optimizer = torch.optim.SGD(net[0].parameters(), lr=0.1)
    optimizer.step()
    torch.testing.assert_close(net[0].weight.grad, 1 - change)
    handle.constrain()
    assert net[0].weight.max() <= 0.5
    handle.remove()
    optimizer.step()
    torch.testing.assert_close(net[0].weight.grad, 1 - change)


def test_changes_that_no_optimizer_takes_are_told():
    net, xs = _net(), _input(steps=3)
    with attach(STDP(), synapse=net[0], neuron=net[1], into="grad"), torch.no_grad():
        for _ in range(99):
            net(xs)
        with pytest.warns(UserWarning, match="from 100 sequences wait for an optimizer"):
            net(xs)


def test_hybrid_under_adam_lowers_the_loss():
    net, xs = _net(), _input(steps=20, batch=16)
    target = torch.randint(4, (16,))
    with attach(STDP(a_plus=1e-3, a_minus=1e-3), synapse=net[0], neuron=net[1], into="grad"):
        optimizer, losses = torch.optim.Adam(net.parameters(), lr=0.02), []
        for _ in range(60):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(xs)[0].mean(0) * 5, target)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_reward_is_told_afterwards():
    net, xs, twin = _net(), _input(), _net()
    handle = attach(chain(RSTDP(), Clip(0, 1)), synapse=net[2], neuron=net[3])
    before = net[2].weight.detach().clone()
    out, _ = net(xs)
    assert torch.equal(net[2].weight, before)
    dopamine = torch.rand(12, 3).double()
    out.sum().backward()
    handle.learn(dopamine=dopamine)
    learn(chain(RSTDP(), Clip(0, 1)), twin[2], None, *_activity(twin, xs), {"dopamine": dopamine}, keep_state=False)
    torch.testing.assert_close(net[2].weight, twin[2].weight)
    assert not torch.equal(net[2].weight, before)
    with pytest.raises(RuntimeError, match=r"a sequence to learn from, got none in train\(\)"):
        handle.learn(dopamine=dopamine)
    net(xs)
    with pytest.raises(RuntimeError, match=r"`learn\(dopamine=...\)` after each sequence"):
        net(xs)
    net.eval()(xs)
    handle.discard()
    net.train()(xs)


def test_two_rules_on_one_layer():
    net, xs, twin = _net(), _input(), _net()
    spikes = xs, twin[1](twin[0](xs))[0].detach()
    change = sum(rule.update(twin[0], None, *spikes)[0] for rule in (STDP(), STDP(a_plus=0.5)))
    handles = [attach(rule, synapse=net[0], neuron=net[1]) for rule in (STDP(), STDP(a_plus=0.5))]
    net(xs)
    torch.testing.assert_close(net[0].weight.detach(), twin[0].weight.detach() + change)
    handles[0].remove()
    net(xs)
    handles[1].remove()
    assert list(net[0].children()) == []


def test_slow_state_is_with_the_layer():
    net, xs = _net(), _input()
    attach(BCM(), synapse=net[0], neuron=net[1])
    net(xs)
    saved = net.state_dict()
    assert saved["0.plasticity.theta"].any()
    again = _net()
    attach(BCM(), synapse=again[0], neuron=again[1])
    again.load_state_dict(saved)
    plain = _net()
    attach(STDP(), synapse=plain[0], neuron=plain[1])
    assert plain.state_dict().keys() == _net().state_dict().keys()


def test_a_copy_learns_by_itself():
    net, xs = _net(), _input()
    attach(STDP(), synapse=net[0], neuron=net[1])
    twin = copy.deepcopy(net)
    before = net[0].weight.detach().clone()
    twin(xs)
    assert torch.equal(net[0].weight, before)
    net(xs)
    torch.testing.assert_close(net[0].weight, twin[0].weight)


def test_what_cannot_be_attached():
    linear, lif = nn.Linear(2, 3), cx.LIF()
    with pytest.raises(TypeError, match=r"`rule` to be a rule.*, got Clip"):
        attach(Clip(0, 1), synapse=linear, neuron=lif)
    with pytest.raises(ValueError, match=r'got "step": a layer of a chain.*Connect populations'):
        attach(STDP(), synapse=linear, neuron=lif, when="step")
    with pytest.raises(ValueError, match="got 'sequence' and 'weights'"):
        attach(STDP(), synapse=linear, neuron=lif, into="weights")
    with pytest.raises(ValueError, match="a rule of spikes, got one that reads the potential"):
        attach(chain(Clopath(), Clip(0, 1)), synapse=linear, neuron=lif)
    with pytest.raises(TypeError, match="a weight to learn, got AvgPool2d"):
        attach(STDP(), synapse=nn.AvgPool2d(2), neuron=lif)
    with pytest.raises(ValueError, match="weights between `w_min` and `w_max`"):
        attach(chain(STDP(), Soft(2, 3)), synapse=linear, neuron=lif)
    assert isinstance(STDP(), Rule)
    assert not list(linear.children())


def test_neurons_of_another_shape():
    net = cx.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(3), cx.LIF())
    attach(STDP(), synapse=net[0], neuron=net[2])
    with pytest.raises(ValueError, match=r"the shape \(2, 3, 3\) of the output of Conv2d.*got \(4, 2, 2, 1, 1\)"):
        net(torch.rand(4, 2, 1, 5, 5))
    linear, lif = nn.Linear(2, 3), cx.LIF()
    attach(STDP(), synapse=linear, neuron=lif)
    linear(torch.ones(4, 2, 2))
    with pytest.raises(ValueError, match="to see as many samples, got 8 and 4 steps of 3"):
        lif(torch.ones(4, 3, 3))


def test_what_is_run_step_by_step():
    net, xs = _net(), _input()
    handle = attach(STDP(), synapse=net[0], neuron=net[1])
    with pytest.raises(RuntimeError, match="A rule needs whole sequences"):
        net(xs, observe=lambda output, state: None)
    before = net[0].weight.detach().clone()
    net.eval()(xs, observe=lambda output, state: None)
    assert torch.equal(net[0].weight, before)
    net.train()
    handle.discard()
    with record(net, "1", variables=("spikes", "v")) as recording:  # looks at every step of the neurons alone
        net(xs)
    assert recording["1.v"].shape == (12, 3, 5)
    assert not torch.equal(net[0].weight, before)
    with pytest.raises(RuntimeError, match="no checkpointing around a layer that learns"):
        net(xs, checkpoint_every=4)[0].sum().backward()


def test_checkpoints_go_with_a_rule_in_the_gradient():
    grads = []
    for every in (None, 12):
        net, xs = _net(), _input()
        torch.manual_seed(3)
        xs = _input()
        handle = attach(STDP(), synapse=net[2], neuron=net[3], into="grad")
        net(xs, checkpoint_every=every)[0].sum().backward()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        optimizer.step()
        grads.append(net[2].weight.grad)
        handle.remove()
    torch.testing.assert_close(*grads)


def test_a_failed_forward_leaves_the_weight():
    net = _net()
    attach(STDP(), synapse=net[0], neuron=net[1])
    weight = net[0].weight
    with pytest.raises(RuntimeError):
        net[0](torch.ones(4, 2, 7).double())
    assert net[0].weight is weight
    net(_input())
