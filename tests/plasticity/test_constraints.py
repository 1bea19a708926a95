"""Constraints beside the dense matrix of every wiring."""

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.plasticity import STDP, Clip, Dale, Normalise, chain
from conex_nn.synapses import Conv2d, Dense, Local2d
from tests.synapses.reference import KINDS, matrix

PER_NEURON = ["Dense shapes", "Dense mask", "OneToOne", "Sparse", "Sparse density", "Local2d", "Local2d stride"]


@pytest.mark.parametrize("wiring", PER_NEURON)
@pytest.mark.parametrize("per", ["target", "source"])
def test_sums_of_every_neuron(wiring, per):
    make, entries_of = KINDS[wiring]
    synapse = make().double()
    synapse.weight.data.uniform_(-1, 1)  # where the mask has no entry, too
    before = synapse.weight.data.clone()
    Normalise(2.5, per=per).constrain_(synapse.weight.data, synapse)
    dense = matrix(entries_of(synapse), synapse.weight.data.abs(), synapse)
    sums = dense.sum(1 if per == "target" else 0)
    if wiring == "Local2d stride" and per == "target":  # its receptive fields reach over the edge
        sums = synapse.weight.data.abs().sum(2)
    torch.testing.assert_close(sums[sums > 0], torch.full_like(sums[sums > 0], 2.5))
    assert (sums > 0).sum() > 1
    assert torch.equal(synapse.weight.data.sign(), before.sign())


@pytest.mark.parametrize("wiring", ["Conv2d", "Conv2d stride", "Lateral", "Lateral ring"])
@pytest.mark.parametrize("per", ["target", "source"])
def test_sums_of_a_kernel(wiring, per):
    synapse = KINDS[wiring][0]().double()
    Normalise(2.5, per=per).constrain_(synapse.weight.data, synapse)
    weight = synapse.weight_in_force().abs()
    if weight.dim() == 3:
        assert weight.sum().item() == pytest.approx(2.5)
    else:
        sums = weight.sum((1, 2, 3) if per == "target" else (0, 2, 3))
        torch.testing.assert_close(sums, torch.full_like(sums, 2.5))


@pytest.mark.parametrize("module", [nn.Linear(4, 3), nn.Conv1d(2, 3, 3), nn.Conv2d(2, 3, 3)])
def test_layers_of_torch(module):
    Normalise(2.0).constrain_(module.weight.data, module)
    torch.testing.assert_close(module.weight.abs().flatten(1).sum(1), torch.full((3,), 2.0))


def test_any_synapse_by_its_products():
    class Own(Dense):
        """A subclass may be wired otherwise, so its sums are taken by projecting."""

    for per, axis in (("target", 1), ("source", 0)):
        synapse = Own(4, 3)
        Normalise(2.0, per=per).constrain_(synapse.weight.data, synapse)
        sums = synapse.weight.abs().sum(axis)
        torch.testing.assert_close(sums, torch.full_like(sums, 2.0))

    class OwnConv(Conv2d):
        """It shares its weights."""

    shared = OwnConv((2, 5, 5), (3, 3, 3), kernel_size=3)
    Normalise(2.0).constrain_(shared.weight.data, shared)
    torch.testing.assert_close(shared.weight.abs().sum((1, 2, 3)), torch.full((3,), 2.0))


@pytest.mark.parametrize("per", ["target", "source"])
def test_large_weights_are_normalised_in_shares(per, monkeypatch):
    synapses = [
        Dense(20, 13),
        Dense(20, 13, mask=torch.rand(13, 20) < 0.5),
        Conv2d((3, 6, 6), (5, 4, 4), kernel_size=3),
    ]
    for synapse in synapses:
        whole, shares = synapse.weight.detach().clone(), synapse.weight.detach().clone()
        Normalise(2.0, per=per).constrain_(whole, synapse)
        monkeypatch.setattr("conex_nn.plasticity.constraints._SHARE", 30)
        Normalise(2.0, per=per).constrain_(shares, synapse)
        monkeypatch.undo()
        torch.testing.assert_close(shares, whole)
        assert not torch.equal(whole, synapse.weight)


def test_zeros_stay():
    layer = nn.Linear(2, 2)
    layer.weight.data[0] = 0
    Normalise(1.0).constrain_(layer.weight.data, layer)
    assert not layer.weight[0].any()


def test_in_the_order_written():
    layer = nn.Linear(2, 1)
    for links, expected in (((Clip(0, 1), Normalise(4.0)), 4.0), ((Normalise(4.0), Clip(0, 1)), 1.0)):
        layer.weight.data = torch.tensor([[3.0, -1.0]])
        chain(STDP(), *links).constrain_(layer.weight.data, layer)
        assert layer.weight.data.tolist() == [[expected, 0.0]]


def test_dale():
    layer = nn.Linear(3, 2)
    for sign in (1, -1):
        layer.weight.data.normal_()
        kept = layer.weight.data.clone()
        Dale(sign).constrain_(layer.weight.data, layer)
        assert torch.equal(layer.weight.data, torch.where(kept * sign > 0, kept, 0.0))
    signs = torch.tensor([1, -1, 1])
    rule = chain(STDP(), Dale(signs))
    layer.weight.data.normal_()
    kept = layer.weight.data.clone()
    rule.check(layer)
    rule.constrain_(layer.weight.data, layer)
    assert torch.equal(layer.weight.data, torch.where(kept * signs > 0, kept, 0.0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: cx.Dense(6, 4, weight=torch.randn(4, 6)),
        lambda: cx.Sparse(6, 4, density=0.5, init=nn.init.normal_),
        lambda: cx.OneToOne(6, 6, init=nn.init.normal_),
        lambda: nn.Linear(6, 4),
    ],
)
def test_dale_of_each_source_is_that_of_the_dense_matrix(make):
    synapse, signs = make(), torch.tensor([1, -1, 1, 1, -1, -1])
    seen = torch.eye(6)
    before = synapse(seen) - synapse(torch.zeros(6, 6))  # a row for each source
    Dale(signs).check(synapse)
    Dale(signs).constrain_(synapse.weight.data, synapse)
    after = synapse(seen) - synapse(torch.zeros(6, 6))
    torch.testing.assert_close(after, torch.where(before * signs[:, None] > 0, before, 0.0))
    assert (before * signs[:, None] < -0.01).any()
    assert (after != 0).any()


@pytest.mark.parametrize("conv", [nn.Conv1d, nn.Conv2d, nn.Conv3d])
@pytest.mark.parametrize("groups", [1, 2])
def test_dale_of_each_channel_of_a_convolution(conv, groups):
    layer, signs = conv(4, 6, 1, groups=groups, bias=False), torch.tensor([1, -1, -1, 1])
    nn.init.normal_(layer.weight)
    seen = torch.eye(4).reshape(4, 4, *[1] * (layer.weight.dim() - 2))
    before = layer(seen).flatten(1)  # a row for each channel
    Dale(signs).check(layer)
    Dale(signs).constrain_(layer.weight.data, layer)
    torch.testing.assert_close(layer(seen).flatten(1), torch.where(before * signs[:, None] > 0, before, 0.0))
    assert (before * signs[:, None] < 0).any()


def test_dale_where_weights_are_shared():
    signs = torch.ones(1, 5, 5)
    conv = Conv2d((1, 5, 5), (2, 3, 3), kernel_size=3)
    Dale(-signs).constrain_(conv.weight.data, conv)
    assert (conv.weight <= 0).all()
    signs[0, 2, 2] = -1
    with pytest.raises(ValueError, match="to serve sources of one `sign`"):
        Dale(signs).check(conv)
    local = Local2d((1, 5, 5), (2, 3, 3), kernel_size=3)
    Dale(signs).check(local)
    Dale(signs).constrain_(local.weight.data, local)
    assert (local.weight.min(), local.weight.max()) != (0, 0)


def test_errors():
    with pytest.raises(ValueError, match=r"`total` to be positive \[1\], got 0"):
        Normalise(0)
    with pytest.raises(ValueError, match="`per` to be"):
        Normalise(1.0, per="afferent")
    with pytest.raises(TypeError, match="a convolution without groups, got Bilinear"):
        Normalise(1.0).check(nn.Bilinear(2, 2, 2))
    with pytest.raises(ValueError, match=r"`w_min` to be below `w_max` \[1\], got 1 and 0"):
        Clip(1, 0)
    with pytest.raises(ValueError, match=r"`w_min` to be below `w_max` \[1\], got None and None"):
        Clip(None, None)
    with pytest.raises(ValueError, match=r"`sign` to be 1 or -1 \[1\]"):
        Dale(0.5)
    with pytest.raises(ValueError, match=r"`sign` for each of 3 source neurons \[1\], got 2"):
        Dale(torch.ones(2)).check(nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"`sign` for each of 1 input channels \[1\], got 2"):
        Dale(torch.ones(2)).check(nn.Conv2d(1, 1, 1))
    with pytest.raises(TypeError, match="with one sign per source, got Bilinear"):
        Dale(torch.ones(2)).check(nn.Bilinear(2, 2, 2))
    assert repr(chain(STDP(), Clip(0, None), Normalise(), Dale(), Dale(torch.ones(1)))).endswith(
        "Clip(0, None) -> Normalise(1, per='target') -> Dale(1) -> Dale(one per source))"
    )
