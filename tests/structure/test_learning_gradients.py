"""Rules and gradients in one network."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn import plasticity as P  # noqa: N812
from tests.structure.learning_nets import STEPS, close, connections, drawn, hybrid, stimulus, weights


def test_gradients_pass_through_the_weights_in_force():
    """What a rule does to a weight while or after the graph is made does not change the gradients of that graph."""
    xs, frozen, learning = stimulus(0), hybrid(0).eval(), hybrid(0)
    for net in (frozen, learning):
        net(xs)[0]["out"].square().sum().backward()
    before = connections(frozen)["a_to_b"].synapse.weight
    assert not torch.equal(connections(learning)["a_to_b"].synapse.weight, before)
    for mine, theirs in zip(learning.parameters(), frozen.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            assert mine.grad.any()
            close(mine.grad, theirs.grad)


def test_gradients_pass_through_the_weights_of_each_step():
    """The gradient of a weight that changes at every step is that of a shift of its whole course."""
    xs, net = stimulus(0), hybrid(0, "step", gradient=True)
    out, _ = net(xs)
    out["out"].square().sum().backward()
    course, state = [], None
    twin = hybrid(0, "step", gradient=True)
    with torch.no_grad():
        for x in xs.split(1):
            course.append(connections(twin)["a_to_b"].synapse.weight.clone())
            _, state = twin(x, state)
    still = hybrid(0, "step", gradient=True).eval()
    weight = connections(still)["a_to_b"].synapse.weight
    ys, state = [], None
    shifts = torch.zeros(STEPS, *weight.shape, dtype=torch.float64, requires_grad=True)
    for t, x in enumerate(xs.split(1)):
        y, state = torch.func.functional_call(
            still, {"connections.a_to_b.a_to_b.synapse.weight": course[t] + shifts[t]}, (x, state)
        )
        ys.append(y["out"])
    torch.cat(ys).square().sum().backward()
    assert shifts.grad is not None
    assert shifts.grad.any()
    close(connections(net)["a_to_b"].synapse.weight.grad, shifts.grad.sum(0))


def test_into_the_gradient_an_optimizer_follows_the_rule():
    xs = stimulus(0)
    direct, through = hybrid(0), hybrid(0, into="grad")
    assert connections(through)["a_to_b"].synapse.weight.requires_grad
    assert not connections(direct)["a_to_b"].synapse.weight.requires_grad
    before = weights(direct)["a_to_b"]
    direct(xs)
    change = weights(direct)["a_to_b"] - before
    optimizer = torch.optim.SGD(through.parameters(), lr=1.0)
    out, _ = through(xs)
    optimizer.zero_grad()  # as Lightning does, between the forward pass and the backward pass
    (0.0 * out["out"]).sum().backward()
    close(connections(through)["a_to_b"].synapse.weight.grad, -change)
    optimizer.step()
    close(weights(through)["a_to_b"] - before, change)
    through(xs)  # without a loss: when an optimizer makes its step
    optimizer.zero_grad()
    optimizer.step()
    assert not torch.equal(weights(through)["a_to_b"] - before, change)


def test_checkpointing_of_what_learns():
    with pytest.raises(ValueError, match="rule"):
        hybrid(0)(stimulus(0), checkpoint_every=5)


def test_pickled_and_copied_networks_learn():
    net = hybrid(0, into="grad")
    net(stimulus(0))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin(stimulus(0))


def adjustable(a_plus: float) -> tuple[cx.Neocortex, nn.Parameter]:
    torch.manual_seed(0)
    net = cx.Neocortex(
        retina=cx.InputLayer(6),
        a=cx.Population(3, cx.LIF(tau_mem=4.0, resistance=4.0)),
        out=cx.Population(2, cx.LI()),
    )
    amount = nn.Parameter(torch.tensor(a_plus, dtype=torch.float64))
    rule = P.chain(cx.STDP(a_plus=amount, a_minus=0.02), P.Soft(0, 2), P.Clip(0, 2))
    net.connect("retina", "a", cx.Dense, init=drawn(0, 0.8), rule=rule, when="step", differentiable=True)
    net.connect("a", "out", cx.Dense, gradient=False)
    return net.double(), amount


def test_a_rule_learns_its_own_parameters():
    """The gradient through all changes of a weight is what a small shift of the amount does to them."""
    xs, ends, shift = stimulus(0, steps=12), [], 1e-6
    net, amount = adjustable(0.05)
    for a_plus in (0.05 - shift, 0.05 + shift):
        twin, _ = adjustable(a_plus)
        spikes = twin(xs)[0]["a"]
        ends.append(weights(twin)["retina_sensory_to_a"])
    out, _ = net(xs)
    assert torch.equal(out["a"], spikes)
    c = connections(net)["retina_sensory_to_a"]
    # Without a surrogate's part: with spikes held fixed, only the rule makes the weight depend on its amount.
    synapse = cx.Dense(6, 3, weight=weights(adjustable(0.05)[0])["retina_sensory_to_a"]).double()
    weight, state = synapse.weight.detach().clone(), None
    for pre, post in zip(xs, out["a"].detach(), strict=True):
        change, state = c.rule.update(synapse, state, pre[None], post[None], weight=weight, differentiable=True)
        weight = (weight + change).clamp(0, 2)
    (slope,) = torch.autograd.grad(weight.sum(), amount)
    assert slope != 0
    assert_close(slope, (ends[1] - ends[0]).sum() / (2 * shift), rtol=1e-6, atol=0)
    out["out"].square().sum().backward()
    assert amount.grad is not None
    assert amount.grad != 0
    assert_close(weights(net)["retina_sensory_to_a"], weight.detach(), rtol=0, atol=1e-10)


def test_what_gradients_cannot_pass():
    net = cx.Neocortex(retina=cx.InputLayer(6), a=cx.Population(2, cx.LIF()))
    with pytest.raises(ValueError, match="Clip"):
        net.connect("retina", "a", cx.Dense, rule=cx.STDP(), differentiable=True)
    rule = P.chain(cx.STDP(), P.Normalise(1.0))
    with pytest.raises(ValueError, match="Clip"):
        net.connect("retina", "a", cx.Dense, rule=rule, when="step", differentiable=True)
