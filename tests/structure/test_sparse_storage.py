"""Sparse connections of every storage: saved, replicated, moved, learning, and errors of weights and delays."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.structure.learning_by_events import LearningPlan

DRAWN = {
    "drawn": {"number": 200, "multapses": True, "weight": cx.Normal(0.3, 0.1, low=0.0), "delay": cx.Uniform(1, 5)},
    "log": {"probability": 0.4, "weight": cx.LogNormal(0.2, 0.1), "delay": 2},
    "one": {"in_degree": 30, "multapses": True, "weight": 0.1},
    "half": {"out_degree": 9, "weight": cx.Uniform(0.0, 0.5), "dtype": torch.bfloat16, "delay": 3},
}


def network(**options):
    net = cx.Neocortex(
        x=cx.InputLayer(15),
        a=cx.Population(20, cx.LIF(tau_mem=5.0)),
        b=cx.Population(12, cx.LIF(), inhibitory=True),
    )
    net.connect("x", "a", cx.Dense, init=nn.init.ones_)
    net.connect("a", "b", cx.Sparse, **options)
    net.connect("b", "a", cx.Sparse, **options)
    return net


def synapses(net):
    return [net.connections[name].only.synapse for name in ("a_to_b", "b_to_a")]


def spikes():
    return {"x": (torch.rand(30, 2, 15, generator=torch.Generator().manual_seed(1)) < 0.3).float()}


def same(a, b):
    outputs = [net(spikes())[0] for net in (a, b)]
    assert outputs[0]["b"].any()
    for path, value in outputs[0].items():
        assert_close(value, outputs[1][path], rtol=0, atol=0)


@pytest.mark.parametrize("name", DRAWN)
def test_it_is_saved_and_copied(name, tmp_path):
    net = network(**DRAWN[name])
    net.save(tmp_path / "net")
    again = cx.load(tmp_path / "net")
    same(net, again)
    same(net, copy.deepcopy(net))
    same(net, net.replicate(weights=True))
    for one, other in zip(synapses(net), synapses(again), strict=True):
        assert (one.weight.shape, one.weight.dtype) == (other.weight.shape, other.weight.dtype)
        assert repr(one.init).split(" at 0x")[0] == repr(other.init).split(" at 0x")[0]
        assert one.multapses == other.multapses
        assert one.state_dict().keys() == other.state_dict().keys()
    state = net.state_dict()
    fresh = network(**DRAWN[name])
    if name != "log":  # as many edges
        fresh.load_state_dict(state)
        same(net, fresh)


@pytest.mark.parametrize("name", DRAWN)
def test_a_replica_draws_weights_of_its_own_for_the_same_edges(name):
    net = network(**DRAWN[name])
    for one, other in zip(synapses(net), synapses(net.replicate()), strict=True):
        assert torch.equal(one.target, other.target)
        assert torch.equal(one.source, other.source)
        assert one.delays() == other.delays()
        assert (one.weight.shape, one.weight.dtype) == (other.weight.shape, other.weight.dtype)
        assert torch.equal(one.weight, other.weight) == (name == "one")
        assert other.weight.min() >= 0
        assert other.weight.float().mean().item() == pytest.approx(one.weight.float().mean().item(), rel=0.25)


def test_a_file_cannot_ask_for_what_is_no_distribution(tmp_path):
    from conex_nn.structure.decode import Decoder
    from conex_nn.structure.registry import REGISTERED

    decoder = Decoder(REGISTERED, {})
    assert decoder.value({"distribution": "Normal", "mean": 1, "std": 2.0, "low": 0}, "a", "init") == cx.Normal(
        1, 2.0, low=0
    )
    for tree, message in (
        ({"distribution": "Cauchy"}, "one of LogNormal, Normal, Uniform at 'a.init', got 'Cauchy'"),
        ({"distribution": "Normal", "mean": 1.0, "width": 2.0}, "got 'width'"),
        ({"distribution": "Normal", "mean": 1.0}, "Cannot make 'a.init'"),
        ({"distribution": "Normal", "mean": 1.0, "std": -1.0}, "Cannot make 'a.init': Expected `std`"),
        ({"dtype": "int8"}, "one of bfloat16, .* at 'a.init', got 'int8'"),
    ):
        with pytest.raises(ValueError, match=message):
            decoder.value(tree, "a", "init")


@pytest.mark.parametrize("name", DRAWN)
def test_it_moves_and_counts_no_more_than_it_says(name):
    net = network(**DRAWN[name])
    state = net.state_dict()
    for kind in (torch.float64, torch.float32):
        net.to(kind)
        for synapse in synapses(net):
            assert synapse.weight.dtype == kind
            assert synapse.target_bytes.dtype == torch.uint8
    for key, tensor in net.state_dict().items():
        assert_close(tensor, state[key].to(tensor.dtype), rtol=0, atol=0)
    assert all(s.weight.is_meta for s in synapses(copy.deepcopy(net).to("meta")))


@torch.no_grad()
def test_events_read_one_weight_for_all():
    net = network(number=150, weight=0.3)
    outputs = {}
    for net.by_events in (False, True):
        outputs[net.by_events], _ = net(spikes())
    assert outputs[True]["b"].any()
    for path, value in outputs[False].items():
        assert_close(outputs[True][path], value, rtol=0, atol=0)


def test_events_do_not_learn_one_weight_as_many():
    plans = [LearningPlan.of(cx.STDP(), cx.Sparse(6, 5, number=12, weight=w)) for w in (0.5, cx.Normal(0.5, 0.1))]
    assert [plan is None for plan in plans] == [True, False]


def test_what_is_kept_can_be_sent_between_processes():
    kinds = {buffer.dtype for options in DRAWN.values() for s in synapses(network(**options)) for buffer in s.buffers()}
    assert kinds == {torch.uint8, torch.int32}  # Gloo and NCCL send neither uint16 nor int16


def test_one_delay_for_all_is_waited_for_in_the_axon():
    net = network(number=60, delay=4, weight=0.5)
    connection = net.connections["a_to_b"].only
    assert (connection.delay, connection._taps) == (5, [])
    own = network(number=60, delay=torch.full((60,), 4), weight=0.5)
    own.load_state_dict({k: v for k, v in net.state_dict().items() if "delay" not in k}, strict=False)
    same(net, own)


@pytest.mark.parametrize("when", ["step", "sequence"])
def test_what_learns_has_a_weight_for_every_edge(when):
    options = {"rule": cx.STDP(a_plus=0.02, a_minus=0.01), "when": when}
    net = network(number=60, weight=0.4, **options).train()
    drawn = synapses(net)
    assert all(synapse.weight.shape == (60,) for synapse in drawn)
    own = cx.Neocortex(x=net.x, a=net.a, b=net.b)
    own.connect("x", "a", cx.Dense, init=nn.init.ones_)
    for ends, synapse in zip((("a", "b"), ("b", "a")), drawn, strict=True):
        edges = (synapse.source.flip(0), synapse.target.flip(0))
        own.connect(*ends, cx.Sparse, edges=edges, weight=torch.full((60,), 0.4), **options)
    own = copy.deepcopy(own).train()
    with torch.no_grad():
        same(net, own)
    for one, other in zip(drawn, synapses(own), strict=True):
        assert len(one.weight.unique()) > 2
        assert_close(one.weight, other.weight, rtol=0, atol=0)


def test_a_network_is_of_the_precision_of_its_neurons_whatever_that_of_its_weights():
    net = cx.Neocortex(a=cx.PoissonInput(20, rate=300.0, seed=0), b=cx.Population(10, cx.LIF()))
    net.connect("a", "b", cx.Sparse, number=90, weight=cx.Uniform(1.0, 2.0), dtype=torch.bfloat16)
    currents = []
    net.connections["a_to_b"].only.register_forward_hook(lambda _, __, found: currents.append(found[0]))
    net.eval().simulate(20, progress=False)
    assert {each.dtype for each in currents} == {torch.float32}


def test_negative_weights_from_what_is_not_inhibitory():
    net = network(number=60, weight=0.5)
    for weight in (-0.5, cx.Normal(0.1, 0.5)):
        with pytest.raises(ValueError, match=r"(?s)`weight` from 'a', which is not inhibitory.*-.*`low=0.0`"):
            net.connect("a", "b", cx.Sparse, number=60, weight=weight)
        with pytest.raises(ValueError, match="`weight` from the inhibitory population 'b' to be magnitudes"):
            net.connect("b", "a", cx.Sparse, number=60, weight=weight)
    net.connect("a", "b", cx.Sparse, number=60, init=cx.Normal(0.1, 0.5))  # of either sign
    net.connect("a", "b", cx.Sparse, number=60, weight=0.5, inhibitory=True)


def test_a_loop_needs_a_delay_of_a_step():
    net = cx.Neocortex(a=cx.Population(20, cx.LIF()))
    net.connect("a", "a", cx.Sparse, number=90, latency=0, delay=cx.Uniform(1, 3), weight=0.1)
    net.network()
    net.connect("a", "a", cx.Sparse, number=90, latency=0, delay=cx.Uniform(0, 3), weight=0.1)
    with pytest.raises(ValueError, match="latency"):
        net.network()
