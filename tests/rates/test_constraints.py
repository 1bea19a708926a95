"""Constraints hold of the weights in force, whatever happens to them; plasticity masks scale gradients as they say."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.rates import (
    CTRNN,
    MLP,
    Constraint,
    Dale,
    NonNegative,
    NoSelf,
    Plasticity,
    Sparsity,
    constrain,
    constraints_of,
    density_mask,
    ei_signs,
    fan_in_mask,
    fan_out_mask,
    grow,
)

N = 12
MASK = torch.rand(N, N, generator=torch.Generator().manual_seed(1)) < 0.4
SIGNS = ei_signs(N, excitatory=0.75)[torch.randperm(N, generator=torch.Generator().manual_seed(2))]
FROZEN = (torch.rand(N, N, generator=torch.Generator().manual_seed(3)) < 0.5).float()


def frozen_stay(weight, first, frozen):
    """Whether the frozen synapses are what they were, and no other."""
    return torch.equal(weight[frozen == 1], first[frozen == 1]) and (weight != first)[frozen == 0].any()


def all_hold(weight, first):
    signed = (weight * SIGNS >= 0).all() and (weight.diagonal() == 0).all()
    return signed and (weight[~MASK] == 0).all() and torch.equal(weight[FROZEN == 1], first[FROZEN == 1])


KINDS = {
    "Dale": ([Dale(SIGNS)], lambda w, first: (w * SIGNS >= 0).all()),
    "sparsity": ([Sparsity(MASK)], lambda w, first: ((w != 0) == MASK).all()),
    "fan-in": ([Sparsity(fan_in_mask(N, N, 0.25))], lambda w, first: ((w != 0).sum(1) == 3).all()),
    "fan-out": ([Sparsity(fan_out_mask(N, N, 0.25))], lambda w, first: ((w != 0).sum(0) == 3).all()),
    "no self": ([NoSelf()], lambda w, first: (w.diagonal() == 0).all() and (w != 0).sum() == N * N - N),
    "not negative": ([NonNegative()], lambda w, first: (w >= 0).all()),
    "plasticity": ([Plasticity(1 - FROZEN)], lambda w, first: frozen_stay(w, first, FROZEN)),
    "all": ([Dale(SIGNS), Sparsity(MASK), NoSelf(), Plasticity(1 - FROZEN)], all_hold),
}


def network(name, how):
    constraints = copy.deepcopy(KINDS[name][0])
    return CTRNN(2, N, output_size=3, activation=torch.tanh, recurrent_constraints=constraints, how=how)


@pytest.mark.parametrize("how", ["parametrize", "project"])
@pytest.mark.parametrize("name", KINDS)
def test_it_holds_after_50_steps_in_eval_and_after_loading(name, how):
    holds = KINDS[name][1]
    net = network(name, how)
    first = net.recurrent.weight.detach().clone()
    if name != "plasticity":
        assert holds(first, first)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    x, target = torch.randn(5, 4, 2), torch.randn(5, 4, 3)
    for _ in range(50):
        optimizer.zero_grad()
        (net(x)[0] - target).square().mean().backward()
        optimizer.step()
        assert holds(net.recurrent.weight, first)
    moved = net.recurrent.weight.detach().clone()
    assert (moved != first).any()
    net.eval()
    assert torch.equal(net.recurrent.weight, moved)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = network(name, how)
    assert other.load_state_dict(torch.load(file)).missing_keys == []
    for same in (other, copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(same.recurrent.weight, moved)
        assert_close(same.eval()(x)[0], net(x)[0])
        assert [type(each) for each in constraints_of(same.recurrent)] == [type(each) for each in KINDS[name][0]]


@pytest.mark.parametrize("how", ["parametrize", "project"])
def test_no_value_that_is_loaded_or_assigned_breaks_it(how):
    net = network("all", how)
    state = net.state_dict()
    key = "recurrent.parametrizations.weight.original"
    net.eval().load_state_dict(state | {key: torch.randn_like(state[key])})
    for _ in range(2):
        weight = net.recurrent.weight
        assert (weight * SIGNS >= 0).all()
        assert (weight[~MASK] == 0).all()
        assert (weight.diagonal() == 0).all()
        net.recurrent.weight = torch.randn(N, N)


def test_projection_puts_the_stored_weight_back_to_the_nearest_one():
    layer = constrain(nn.Linear(2, 1), Dale(torch.tensor([1, -1])), how="project")
    stored = layer.parametrizations.weight.original
    with torch.no_grad():
        stored.copy_(torch.tensor([[-0.5, -0.25]]))
    assert_close(layer.weight, torch.tensor([[0.0, -0.25]]))
    assert_close(stored.detach(), torch.tensor([[0.0, -0.25]]))
    layer = constrain(nn.Linear(2, 1), NonNegative(), how="project")
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.tensor([[-0.5, 0.25]]))
    assert_close(layer.weight, torch.tensor([[0.0, 0.25]]))


def test_two_runs_before_one_backward_pass_are_differentiated():
    net = network("all", "project")
    x = torch.randn(5, 4, 2)
    (net(x)[0].sum() + net(2 * x)[0].sum()).backward()
    assert net.recurrent.parametrizations.weight.original.grad.abs().sum() > 0


@pytest.mark.parametrize("how", ["parametrize", "project"])
def test_a_weight_at_zero_can_leave_it_to_its_own_side(how):
    signs = torch.tensor([1, -1])
    layer = constrain(nn.Linear(2, 1, bias=False), Dale(signs), how=how)
    layer.weight = torch.zeros(1, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    for _ in range(50):
        optimizer.zero_grad()
        (layer.weight - torch.tensor([[1.0, -1.0]])).square().sum().backward()
        optimizer.step()
    assert_close(layer.weight, torch.tensor([[1.0, -1.0]]), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    "scale",
    [torch.tensor([[0.5, 1.0]]), torch.full((3, 2), 0.25), torch.zeros(3, 2), torch.tensor([[2.0], [0.1], [0.0]])],
)
def test_a_plasticity_mask_scales_the_gradient_by_its_own_values(scale):
    plain, masked = nn.Linear(2, 3), nn.Linear(2, 3)
    masked.load_state_dict(plain.state_dict())
    constrain(masked, Plasticity(scale))
    constrain(masked, Plasticity(torch.tensor([0.0, 1.0, 3.0])), name="bias")
    x = torch.randn(4, 2)
    assert torch.equal(masked(x), plain(x))
    plain(x).square().sum().backward()
    masked(x).square().sum().backward()
    assert_close(masked.parametrizations.weight.original.grad, plain.weight.grad * scale)
    assert_close(masked.parametrizations.bias.original.grad, plain.bias.grad * torch.tensor([0.0, 1.0, 3.0]))


def test_masks_are_copies():
    mask, signs, scale = torch.ones(3, 3), torch.ones(3), torch.ones(3, 3)
    parts = Sparsity(mask), Dale(signs), Plasticity(scale)
    shared = constrain(nn.Linear(3, 3), *parts), constrain(nn.Linear(3, 3), Sparsity(mask))
    mask.zero_()
    signs.fill_(-1)
    scale.fill_(7.0)
    assert (shared[0].weight > 0).all()
    assert (shared[1].weight != 0).all()
    shared[0].weight.sum().backward()
    assert (shared[0].parametrizations.weight.original.grad.abs() == 1).all()


def test_synapses_grow_with_their_probability_and_learn():
    growth = torch.zeros(100, 100)
    growth[:50] = 0.3
    layer = constrain(nn.Linear(100, 100), Sparsity(torch.eye(100), growth=growth), Dale(ei_signs(100)))
    there = layer.weight.detach().clone()
    new = grow(layer, generator=torch.Generator().manual_seed(0))
    assert abs(new - 0.3 * 50 * 99) < 5 * (0.3 * 0.7 * 50 * 99) ** 0.5
    assert torch.equal(layer.weight, there)  # they begin at 0
    mask = constraints_of(layer)[0].mask
    assert int(mask.sum()) == 100 + new
    assert not (mask & ~torch.eye(100).bool())[50:].any()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
    (layer(torch.rand(8, 100)) * torch.linspace(-1, 1, 100)).sum().backward()
    optimizer.step()
    assert ((layer.weight != 0) == mask).all()
    other = constrain(nn.Linear(100, 100), Sparsity(torch.eye(100), growth=growth), Dale(ei_signs(100)))
    other.load_state_dict(layer.state_dict())
    assert torch.equal(constraints_of(other)[0].mask, mask)


@pytest.mark.parametrize("self_connections", [True, False])
def test_random_masks(self_connections):
    fan_in = fan_in_mask(40, 40, 0.2, self_connections=self_connections)
    fan_out = fan_out_mask(40, 40, 0.2, self_connections=self_connections)
    assert (fan_in.sum(1) == 8).all()
    assert (fan_out.sum(0) == 8).all()
    assert bool(fan_in.diagonal().any() and fan_out.diagonal().any()) is self_connections
    many = density_mask(300, 200, 0.1, generator=torch.Generator().manual_seed(0))
    assert abs(int(many.sum()) - 6000) < 5 * 5400**0.5


def test_torchs_own_methods_work_on_a_constrained_network():
    net = network("all", "parametrize")
    assert net.train(True) is net
    assert net.eval() is net
    assert net.to(torch.float64) is net
    assert net.recurrent.weight.dtype == torch.float64
    assert constraints_of(net.recurrent)[0].signs.dtype == torch.int8
    assert net.to("meta").recurrent.weight.is_meta
    assert len(list(network("all", "project").parameters())) == 6


def test_an_mlp_has_the_same_constraints():
    constraints = {0: [Sparsity(torch.rand(N, 3) < 2)], 1: [Dale(SIGNS), Sparsity(MASK)], 2: [NonNegative()]}
    net = MLP([3, N, N, 2], activation=torch.tanh, constraints=constraints, noise=0.3, rate_noise=0.2)
    x = torch.randn(7, 3)
    assert not torch.equal(net(x)[0], net(x)[0])
    output, rates = net.eval()(x)
    assert torch.equal(output, net(x)[0])
    by_hand = torch.tanh(torch.tanh(x @ net.layers[0].weight.t()) @ net.layers[1].weight.t()) @ net.layers[2].weight.t()
    assert_close(output, by_hand)
    assert [r.shape[-1] for r in rates] == [N, N]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        net(x)[0].square().mean().backward()
        optimizer.step()
    assert (net.layers[1].weight * SIGNS >= 0).all()
    assert (net.layers[1].weight[~MASK] == 0).all()
    assert (net.layers[2].weight >= 0).all()


class Odd(Constraint):
    pass


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Dale(torch.tensor([1, 0, -1])), ValueError, "with values .1 and -1 .1., got 0 among them"),
        (lambda: Dale(torch.tensor([True, False])), ValueError, "values .1 and -1 .1., got bool"),
        (
            lambda: constrain(nn.Linear(3, 3), Dale(torch.tensor([1, 1, -1])), NonNegative()),
            ValueError,
            "that hold together, but Dale.2 excitatory, 1 inhibitory. does not hold",
        ),
        (
            lambda: constrain(constrain(nn.Linear(3, 3), NonNegative()), Dale(-torch.ones(3))),
            ValueError,
            "that hold together, but NonNegative",
        ),
        (lambda: Dale(torch.ones(2, 2)), ValueError, "Expected `signs` of shape"),
        (lambda: Dale([1, -1]), TypeError, "Expected `signs` to be a real tensor"),
        (lambda: Sparsity(torch.tensor([[0.5, 1.0]])), ValueError, "values 0 and 1.*such as 0.5"),
        (lambda: Sparsity(torch.ones(3)), ValueError, "Expected `mask` of shape"),
        (lambda: Sparsity(torch.ones(2, 2), growth=1.5), ValueError, "Expected `growth` to be probabilities"),
        (lambda: Sparsity(torch.ones(2, 2), growth=torch.ones(3, 2)), ValueError, "Expected `growth` as one number"),
        (lambda: Plasticity(torch.tensor([[torch.nan]])), ValueError, "Expected `scale` to be finite"),
        (lambda: constrain(nn.Linear(3, 2), Sparsity(torch.ones(3, 2))), ValueError, "It is transposed"),
        (lambda: constrain(nn.Linear(3, 2), Dale(ei_signs(2))), ValueError, "each of the 3 source neurons"),
        (lambda: constrain(nn.Linear(3, 2), NoSelf()), ValueError, "on a square weight"),
        (lambda: constrain(nn.Linear(3, 2), Plasticity(torch.ones(3, 3))), ValueError, "Expected `scale` to broadcast"),
        (lambda: constrain(nn.Linear(3, 2)), ValueError, "at least one constraint"),
        (lambda: constrain(nn.Linear(3, 2), NoSelf), TypeError, "Expected constraints such as"),
        (lambda: constrain(nn.Linear(3, 2), NonNegative(), name="w"), ValueError, "Expected `name` to be a parameter"),
        (lambda: constrain(nn.Linear(3, 2), NonNegative(), how="clip"), ValueError, "Expected `how` to be one of"),
        (lambda: constrain(nn.Linear(3, 2), Odd()), TypeError, "Expected Odd to define `forward"),
        (lambda: ei_signs(4, excitatory=2.0), ValueError, "Expected `excitatory` from 0 to 1"),
        (lambda: density_mask(2, 2, -0.1), ValueError, "Expected `density` from 0 to 1"),
        (lambda: fan_in_mask(2, 2, 1.0, self_connections=False), ValueError, "without self-connections"),
        (lambda: MLP([3]), ValueError, "Expected `sizes` of at least two"),
        (lambda: MLP([3, 2], constraints={1: [NoSelf()]}), ValueError, "Expected layers from 0 to 0"),
        (lambda: MLP([3, 2])(torch.ones(1, 4)), ValueError, "Expected an input of 3 features"),
        (lambda: MLP([3, 2], activation="relu"), TypeError, "Expected `activation` to be a callable"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_silent_neuron_of_an_mlp_is_named():
    mask = torch.ones(4, 3)
    mask[2] = 0
    with pytest.warns(UserWarning, match="Nothing reaches of layer 0, neuron 2"):
        MLP([3, 4, 2], constraints={0: [Sparsity(mask)]})
