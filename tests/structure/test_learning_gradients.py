"""Rules and gradients in one network."""

import copy
import pickle

import pytest
import torch

from tests.structure.learning_nets import STEPS, close, connections, hybrid, stimulus, weights


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
