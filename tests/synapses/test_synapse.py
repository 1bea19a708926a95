"""Every kind of synapse against its dense matrix: values, gradients, Hebbian products; and what all have in common."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.synapses import AvgPool2d, Dense, Sparse, Synapse
from conex_nn.synapses import sparse_product as products

from .reference import KINDS, matrix

LEADS = [(), (3,), (4, 2), (2, 3, 2), (20,)]
LEARNING = [name for name in KINDS if name != "AvgPool2d"]


def case(name, lead=(4, 2)):
    make, entries = KINDS[name]
    synapse = make().double()
    pre = torch.randn(*lead, *synapse.source_shape, dtype=torch.float64)
    post = torch.randn(*lead, *synapse.target_shape, dtype=torch.float64)
    return synapse, entries(synapse), pre, post


def expected(synapse, entries, pre, post):
    """Currents, and the gradients of <post, current> in the spikes and in the weight."""
    weight = None if synapse.weight is None else synapse.weight.detach().clone().requires_grad_()
    pre = pre.clone().requires_grad_()
    rows = pre.reshape(-1, synapse.source_shape.numel())
    current = (rows @ matrix(entries, weight, synapse).T).reshape(post.shape)
    (current * post).sum().backward()
    return current.detach(), pre.grad, None if weight is None else weight.grad


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("name", KINDS)
def test_currents_and_gradients_are_those_of_the_matrix(name, lead):
    synapse, entries, pre, post = case(name, lead)
    wanted = expected(synapse, entries, pre, post)
    pre.requires_grad_()
    current = synapse(pre)
    (current * post).sum().backward()
    assert_close(current.detach(), wanted[0])
    assert_close(pre.grad, wanted[1])
    if wanted[2] is not None:
        assert_close(synapse.weight.grad, wanted[2])


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("name", LEARNING)
def test_the_hebbian_product_is_the_gradient_in_the_weight(name, lead):
    synapse, entries, pre, post = case(name, lead)
    _, _, wanted = expected(synapse, entries, pre, post)
    assert_close(synapse.hebbian(pre, post), wanted)
    assert_close(Synapse.hebbian(synapse, pre, post), wanted)  # the default, which ours override


@pytest.mark.parametrize("lead", LEADS)
@pytest.mark.parametrize("name", KINDS)
def test_backproject_is_the_gradient_in_the_spikes(name, lead):
    synapse, entries, pre, post = case(name, lead)
    _, wanted, _ = expected(synapse, entries, pre, post)
    weight = synapse.weight_in_force()
    assert_close(synapse.backproject(post, weight), wanted)
    assert_close(Synapse.backproject(synapse, post, weight), wanted)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_products_need_no_gradient_and_carry_none(name, mode):
    synapse, entries, pre, post = case(name)
    _, spikes, product = expected(synapse, entries, pre, post)
    for tensor in (synapse.weight, pre, post):
        tensor.requires_grad_(mode is torch.enable_grad)
    with mode():
        found = [
            (synapse.hebbian(pre + 0, post + 0), product),
            (Synapse.hebbian(synapse, pre + 0, post + 0), product),
            (synapse.backproject(post + 0, synapse.weight_in_force()), spikes),
            (Synapse.backproject(synapse, post + 0, synapse.weight_in_force()), spikes),
        ]
    for got, wanted in found:
        assert not got.requires_grad
        assert_close(got, wanted)
    assert synapse.weight.grad is None


@pytest.mark.parametrize("name", LEARNING)
def test_project_takes_any_weight(name):
    synapse, _, pre, _ = case(name)
    current = synapse(pre)
    assert_close(synapse.project(pre, 2 * synapse.weight_in_force()), 2 * current)
    assert_close(synapse(pre), current)


@pytest.mark.parametrize("name", ["Dense mask", "Dense no self", "Lateral ring"])
def test_masked_entries_are_zero_and_stay_without_effect(name):
    synapse, _, pre, post = case(name)
    assert not synapse.weight[~synapse.mask].any()
    current = synapse(pre)
    with torch.no_grad():
        synapse.weight[~synapse.mask] = torch.nan  # whatever gets there
    assert_close(synapse(pre), current)
    synapse(pre).sum().backward()
    for gradient in (synapse.weight.grad, synapse.hebbian(pre, post)):
        assert not gradient[~synapse.mask].any()
        assert gradient[synapse.mask].all()


@pytest.mark.parametrize("name", KINDS)
def test_copies_are_the_same(name):
    synapse, _, pre, post = case(name)
    current = synapse(pre.requires_grad_())
    torch.manual_seed(1)
    other = KINDS[name][0]().double()
    other.load_state_dict(synapse.state_dict())
    for same in (copy.deepcopy(synapse), pickle.loads(pickle.dumps(synapse)), other):
        assert_close(same(pre), current)
        if same.weight is not None:
            assert_close(same.hebbian(pre, post), synapse.hebbian(pre, post))
            assert same.weight is not synapse.weight


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", KINDS)
def test_other_precisions(name, dtype):
    synapse, _, pre, post = case(name)
    tolerance = {"rtol": 2e-2, "atol": 0.2} if dtype is torch.bfloat16 else {"rtol": 1e-4, "atol": 1e-5}
    narrow = copy.deepcopy(synapse).to(dtype)
    found = [narrow(pre.to(dtype)), narrow.backproject(post.to(dtype), narrow.weight_in_force())]
    wanted = [synapse(pre), synapse.backproject(post, synapse.weight_in_force())]
    if synapse.weight is not None:
        found.append(narrow.hebbian(pre.to(dtype), post.to(dtype)))
        wanted.append(synapse.hebbian(pre, post))
        found[0].sum().backward()
        assert narrow.weight.grad.dtype == dtype
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == dtype
        assert_close(got.double(), want, **tolerance)


@pytest.mark.parametrize("name", KINDS)
def test_no_sample_gives_no_current_and_no_change(name):
    synapse, _, pre, post = case(name, (0, 3))
    assert synapse(pre).shape == (0, 3, *synapse.target_shape)
    assert synapse.backproject(post, synapse.weight_in_force()).shape == pre.shape
    if synapse.weight is not None:
        assert_close(synapse.hebbian(pre, post), torch.zeros_like(synapse.weight))


@pytest.mark.parametrize("name", KINDS)
def test_on_the_meta_device(name):
    synapse, _, pre, post = case(name)
    current = synapse.to("meta")(pre.to("meta"))
    assert current.is_meta
    assert current.shape == post.shape
    with torch.device("meta"):
        made = KINDS[name][0]()
    repr(made)
    made = made.to_empty(device="cpu").double()
    full = KINDS[name][0]().double()
    made.load_state_dict(full.state_dict())
    assert_close(made(pre), full(pre))


@pytest.mark.compile
@pytest.mark.parametrize("name", ["Dense mask", "Sparse", "Conv2d", "Local2d", "Lateral ring"])
def test_compiles_without_a_graph_break(name):
    synapse, entries, pre, post = case(name)
    _, spikes, weight = expected(synapse, entries, pre, post)
    pre.requires_grad_()
    compiled = torch.compile(synapse, backend="aot_eager", fullgraph=True)
    (compiled(pre) * post).sum().backward()
    assert_close(pre.grad, spikes)
    assert_close(synapse.weight.grad, weight)


class Halving(Synapse):
    """A user's own synapse: neighbours are summed; it defines nothing but forward."""

    def __init__(self):
        super().__init__(6, 3)
        self.weight = nn.Parameter(torch.rand(3, dtype=torch.float64))

    def forward(self, spikes):
        return spikes.unflatten(-1, (3, 2)).sum(-1) * self.weight


def test_a_synapse_with_only_a_forward_has_every_product():
    synapse = Halving()
    pre, post = torch.randn(4, 2, 6).double(), torch.randn(4, 2, 3).double()
    calls = []
    synapse.register_forward_hook(lambda *call: calls.append(call))
    with torch.no_grad():
        product = synapse.hebbian(pre, post)
        back = synapse.backproject(post, synapse.weight_in_force())
    assert not calls  # a learning rule that listens to the synapse does not hear itself
    assert_close(product, ((pre[..., ::2] + pre[..., 1::2]) * post).sum((0, 1)))
    assert_close(back, (post * synapse.weight.detach()).repeat_interleave(2, -1))
    assert_close(synapse.project(pre, 2 * synapse.weight), 2 * synapse(pre))
    assert synapse.weight.grad is None
    assert repr(synapse) == "Halving(6 -> 3, 3 weights)"


def test_a_synapse_with_nothing_says_so():
    class Nothing(Synapse):
        pass

    synapse = Nothing(2, 2)
    synapse.weight = nn.Parameter(torch.ones(2))
    with pytest.raises(TypeError, match=r"Expected Nothing to define `project\(spikes, weight\)` or `forward"):
        synapse(torch.ones(2))


def test_repr_shows_shapes_and_weights():
    assert repr(Dense(784, 400)) == "Dense(784 -> 400, 313600 weights)"
    assert repr(KINDS["Dense mask"][0]()) == "Dense((2, 2) -> 3, 7 of 12 weights)"
    assert repr(KINDS["Sparse"][0]()) == "Sparse(6 -> (2, 2), 7 weights)"
    assert repr(AvgPool2d((1, 4, 4), (1, 2, 2))) == "AvgPool2d((1, 4, 4) -> (1, 2, 2), no weights)"
    assert "kernel_size=(3, 2)" in repr(KINDS["Conv2d"][0]())
    assert "kernel_size=(3, 2)" in repr(KINDS["Local2d"][0]())
    assert "kernel_size=(1, 5, 3)" in repr(KINDS["Lateral ring"][0]())


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (
            lambda: Dense((1, 28, 28), 10),
            (5, 784),
            r"`spikes` of shape \(\.\.\., 1, 28, 28\), got \(5, 784\)\. They are",
        ),
        (lambda: Dense((1, 28, 28), 10), (5, 784), r"`spikes\.unflatten\(-1, \(1, 28, 28\)\)`"),
        (lambda: Dense(784, 10), (5, 1, 28, 28), r"`spikes\.flatten\(-2\)`"),
        (lambda: Dense(784, 10), (5, 783), r"`spikes` of shape \(\.\.\., 784\), got \(5, 783\)\.$"),
        (lambda: Sparse((2, 2), 10, in_degree=1), (2,), r"`spikes` of shape \(\.\.\., 2, 2\), got \(2,\)\.$"),
    ],
)
def test_spikes_of_another_shape(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(torch.zeros(shape))


@pytest.mark.parametrize("name", ["Dense", "OneToOne", "Sparse", "Conv2d", "Local2d"])
def test_the_products_refuse_other_shapes(name):
    synapse, _, pre, post = case(name, (3,))
    with pytest.raises(ValueError, match="Expected `pre` of shape"):
        synapse.hebbian(pre[..., :-1], post)
    with pytest.raises(ValueError, match="Expected `post` of shape"):
        synapse.hebbian(pre, post[..., :-1])
    with pytest.raises(ValueError, match="the same leading axes"):
        synapse.hebbian(pre, post[:2])
    with pytest.raises(ValueError, match="Expected `grad` of shape"):
        synapse.backproject(post[..., :-1], synapse.weight)


@pytest.mark.parametrize("shape", [0, (), (3, 0), -1])
def test_a_shape_without_neurons(shape):
    with pytest.raises(ValueError, match="Expected `source_shape` of at least one axis, each of at least one neuron"):
        Dense(shape, 3)


@pytest.mark.parametrize("shape", [2.5, "3", (2, None), True])
def test_a_shape_that_is_no_number(shape):
    with pytest.raises(TypeError, match="Expected `target_shape` to be a number of neurons"):
        Dense(3, shape)


@pytest.mark.parametrize("samples", [1, 4, 20])
@pytest.mark.parametrize("rate", [0.02, 0.9])
def test_the_sparse_products_agree_whatever_their_way(samples, rate, monkeypatch):
    synapse = Sparse(60, 50, density=0.2).double()
    spikes = (torch.rand(samples, 60) < rate).double()
    post = torch.randn(samples, 50).double()
    dense = torch.zeros(50, 60).double()
    dense[synapse.target.long(), synapse.source.long()] = synapse.weight.detach()
    for few in (products._FEW, 0):  # along the spikes or by matrix product
        monkeypatch.setattr(products, "_FEW", few)
        assert_close(synapse(spikes).detach(), spikes @ dense.T)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)  # as on a CPU that is not Intel's
    assert_close(synapse(spikes).detach(), spikes @ dense.T)
    assert_close(synapse.backproject(post, synapse.weight), post @ dense)
    monkeypatch.setattr(products, "_BLOCK", 100)
    outer = (post.T @ spikes)[synapse.target.long(), synapse.source.long()]
    assert_close(synapse.hebbian(spikes, post), outer)
