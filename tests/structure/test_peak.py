"""Without gradients and without recording, a run keeps no sequence but the outputs that were asked for."""

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import conex_nn as cx

from .live_bytes import LiveBytes

BATCH, CHUNK = 512, 8  # 4096 rows go through the network at a time


def cortex(*, loops, plain):
    torch.manual_seed(0)
    neuron = cx.LIF if plain else cx.AELIF
    dendrite = None if plain else cx.Dendrite(tau_syn=3.0)
    layer = cx.CorticalLayer(
        exc=cx.Population((4, 4, 4), neuron(), dendrite=dendrite), inh=cx.Population(32, cx.LIF(), inhibitory=True)
    )
    net = cx.Neocortex(eye=cx.InputLayer(48), v1=layer, out=cx.Population(2, cx.LI()))
    positive = nn.init.ones_
    net.connect("eye", "v1.exc", cx.Dense, init=lambda weight: nn.init.uniform_(weight, 0.0, 0.1))
    net.connect("v1.exc", "v1.inh", cx.Dense, init=lambda weight: nn.init.uniform_(weight, 0.0, 0.1))
    net.connect("v1.exc", "out", cx.Dense, init=positive, latency=3)
    if loops:
        net.connect("v1.inh", "v1.exc", cx.Dense, init=lambda weight: nn.init.uniform_(weight, 0.0, 0.1))
        net.connect("v1.exc", "v1.exc", cx.Sparse, density=0.1, latency=2, compartment="proximal")
    return net


def held(net, steps, **options):
    """The most bytes held during a run, outputs aside, and those held after it, the values of the state aside too."""
    xs = torch.rand(1, 1, 48).round().expand(steps, BATCH, 48)
    with torch.no_grad(), LiveBytes() as live:
        out, state = net(xs, outputs=["out"], **options)
    outputs = sum(y.untyped_storage().nbytes() for y in out.values())
    assert outputs == steps * BATCH * 2 * 4
    values = sum(x.numel() * x.element_size() for x in tree_leaves(state))
    return live.peak - outputs, live.now - outputs - values


@pytest.mark.parametrize("by_events", [None, pytest.param(False, marks=pytest.mark.long), True])
@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("loops", [False, True])
def test_memory_does_not_grow_with_time(loops, plain, by_events):
    net = cortex(loops=loops, plain=plain)
    net.by_events = by_events
    held(net, 2 * CHUNK)  # what is made once
    (short, _), (long, left) = held(net, 2 * CHUNK), held(net, 20 * CHUNK)
    whole = 20 * CHUNK * BATCH * 64 * 4
    assert long <= 1.02 * short
    assert long < 0.6 * whole
    assert left < 0.01 * whole


@pytest.mark.parametrize("when", ["step"])
def test_a_layer_that_learns_holds_less_than_three_weights_beside_its_spikes(when):
    rule = cx.plasticity.chain(cx.STDP(a_plus=0.01, a_minus=0.012), cx.plasticity.Soft(0, 1))
    net = cx.Neocortex(eye=cx.InputLayer(784), v1=cx.Population(1600, cx.LIF(v_threshold=0.2)))
    net.connect("eye", "v1", cx.Dense, init=lambda w: nn.init.uniform_(w, 0.0, 0.1), rule=rule, when=when)
    steps, batch = 10, 128
    xs = (torch.rand(steps, batch, 784) < 0.05).float()
    before = next(net.parameters()).clone()
    with torch.no_grad(), LiveBytes() as live:
        out, _ = net(xs, outputs=["v1"])
    assert out["v1"].any()
    assert not torch.equal(next(net.parameters()), before)
    weight, spikes = 784 * 1600 * 4, steps * batch * (784 + 1600) * 4
    assert live.peak < 3 * weight + spikes


def test_gradients_keep_what_they_need():
    """The measure itself: with gradients memory grows."""
    net = cortex(loops=False, plain=True)
    peaks = []
    for steps in (2 * CHUNK, 20 * CHUNK):
        with LiveBytes() as live:
            kept = net(torch.ones(steps, BATCH, 48))
        peaks.append(live.peak)
        del kept
    assert peaks[1] > 5 * peaks[0]


@pytest.mark.parametrize("loops", [False, True])
def test_what_is_recorded_of_a_few_neurons_costs_no_more_than_they(loops):
    net = cortex(loops=loops, plain=False)
    net.by_events = False
    held(net, 2 * CHUNK)
    with net.record("v1.exc", "v", "spikes", where=[3], every=2, last=50) as rec:
        held(net, 2 * CHUNK)
        short, _ = held(net, 2 * CHUNK)
        long, _ = held(net, 20 * CHUNK)
    assert long <= 1.05 * short
    assert rec["v"].shape == (50, BATCH, 1)
