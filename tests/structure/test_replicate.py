"""Another one of the same structure; and a network under state_dict, `.to`, deepcopy and pickle."""

import copy
import pickle

import pytest
import snntorch
import torch
from torch import nn

import conex_nn as cx

from .stored_networks import column, inputs, layer, network
from .test_storage import Forgetful, same_run, same_state


def storages(module):
    return {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers()) if t.numel()}


def test_a_replica_has_the_same_structure_and_weights_of_its_own():
    net = network()
    net(inputs(8))
    replica = net.replicate()
    assert repr(replica) == repr(net)
    assert not storages(net) & storages(replica)
    one, other = net.state_dict(), replica.state_dict()
    assert one.keys() == other.keys()
    drawn = {key for key in one if key.endswith("synapse.weight")}
    fixed = {key for key in drawn if "l4_exc_to_l23_exc" in key}  # by `constant_`
    assert len(drawn) > 15
    for key in one:
        assert one[key].shape == other[key].shape
        assert one[key].dtype == other[key].dtype
        if key in drawn - fixed:
            assert not torch.equal(one[key], other[key]), key
        elif key in fixed or not any(word in key for word in ("homeostasis", "threshold", "v_peak", "behaviors")):
            torch.testing.assert_close(one[key], other[key], msg=key)
    torch.testing.assert_close(replica["v1.l4.exc"].neuron.v_threshold, torch.full((2, 4, 4), 0.8))  # as it started
    assert replica["v1.l4.exc"].activity_homeostasis.steps == 0
    torch.testing.assert_close(replica["zoo.homeostatic"].neuron.v_threshold, torch.linspace(0.5, 1.0, 6))
    assert replica["zoo.izhikevich"].neuron.v_peak.unique() == 30
    replica(inputs(8))


def test_a_replica_with_weights_runs_the_same():
    net, x = network(), inputs(20)
    net(x)
    replica = net.replicate(weights=True)
    assert not storages(net) & storages(replica)
    same_state(net, replica)
    same_run(net, replica, x)
    same_state(net, replica)


@pytest.mark.parametrize("weights", [False, True])
def test_a_replica_goes_into_the_same_network(weights):
    l4 = layer()
    area = cx.CorticalColumn(l4=l4, l23=l4.replicate(weights=weights))
    area.connect("l4.exc", "l23.input", cx.OneToOne)
    net = cx.Neocortex(retina=cx.InputLayer(2, 4, 4), v1=area, v2=area.replicate(weights=weights))
    net.connect("retina", "v1.l4.input", cx.Dense)
    assert len(net.connect("v1.l23.all", "v2.l4.all", cx.Dense)) == 4
    out, _ = net(torch.ones(3, 2, 2, 4, 4))
    assert set(out) == {f"{v}.{n}.{e}" for v in ("v1", "v2") for n in ("l4", "l23") for e in ("exc", "inh")}
    net["v2.l4.exc"].neuron.v_threshold.zero_()
    assert net["v1.l4.exc"].neuron.v_threshold.all()


def test_a_population_is_replicated_with_all_that_has_no_name():
    """What stays in memory needs no registry: lambdas, classes from anywhere."""

    class Mine(cx.LIF):
        def __init__(self, tau):
            super().__init__(tau_mem=tau)
            self.tau = tau

    population = cx.Population(3, Mine(4.0), noise=cx.Noise(0.0, draw=lambda x: x), tags=["mine"]).eval()
    replica = population.replicate()
    assert type(replica.neuron) is Mine
    assert replica.neuron.tau_mem.item() == 4
    assert replica.noise.draw is population.noise.draw
    assert replica.neuron is not population.neuron
    assert replica.tags == ("mine",)
    assert not replica.training


def test_replicas_draw_as_the_first_did():
    part = cx.Container({"a": cx.Population(50, cx.LIF()), "b": cx.Population(40, cx.LIF())})
    part.connect("a", "b", cx.Dense, init=lambda w: nn.init.uniform_(w, 3.0, 4.0), mask=cx.synapses.masks.box(3.0))
    part.connect("a", "b", cx.Sparse, out_degree=3)
    replica = part.replicate().replicate()
    weight = replica.connections["a_to_b"].only.weight
    mask = part.connections["a_to_b"].only.synapse.mask
    assert 3 <= weight[mask].min() < 3.1 < 3.9 < weight[mask].max() <= 4
    assert not weight[~mask].any()
    sparse = replica.connections["a_to_b_2"].only.synapse
    torch.testing.assert_close(sparse.target, part.connections["a_to_b_2"].only.synapse.target)
    assert sparse.out_degree is None or sparse.out_degree == 3


def test_a_replica_has_the_dtype_of_the_first():
    part = column().double()
    assert {t.dtype for t in part.replicate().state_dict().values() if t.is_floating_point()} == {torch.float64}


def test_what_cannot_be_replicated():
    with pytest.raises(ValueError, match=r"none called power"):
        cx.Population(2, cx.LIF(), behaviors=[Forgetful(2)]).replicate()
    part = cx.Container({"a": cx.Population(2, cx.LIF())})
    part.connect("a", "b", cx.Dense, late=True)
    for weights in (False, True):
        with pytest.raises(ValueError, match=r"still wait"):
            part.replicate(weights=weights)


def test_foreign_neurons_are_replicated():
    population = cx.Population(3, cx.FromSnnTorch(snntorch.Leaky(beta=0.7)))
    replica = population.replicate()
    assert replica.neuron.neuron is not population.neuron.neuron
    assert replica.neuron.neuron.beta == population.neuron.neuron.beta


# What torch and Python do with a network


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_of_a_network_run_the_same(copied):
    net, x = network(), inputs(20)
    net(x)
    again = copied(net)
    same_state(net, again)
    assert not storages(net) & storages(again)
    same_run(net, again, x)
    assert again.replicate()["v1.l4.exc"].neuron.v_threshold.unique().item() == pytest.approx(0.8)
    weight = again.replicate()["v1.l4"].connections["exc_to_inh"].only.weight
    assert weight.min() >= 0  # drawn as the first was


def test_a_pickle_forgets_what_cannot_be_pickled():
    part = cx.Container({"a": cx.Population(2, cx.LIF())})
    part.connect("a", "a", cx.Dense, init=lambda weight: weight.fill_(2.0))
    assert copy.deepcopy(part).replicate().connections["a_to_a"].only.weight.eq(2).all()
    again = pickle.loads(pickle.dumps(part))
    assert again.connections["a_to_a"].only.weight.eq(2).all()
    assert again.replicate().connections["a_to_a"].only.weight.abs().max() < 1


def test_a_state_dict_goes_into_another_of_the_same_structure():
    net, x = network(), inputs(20)
    net(x)
    other = net.replicate()
    other.load_state_dict(net.state_dict())
    same_run(net, other, x)


def test_a_network_in_float64():
    net, x = network().double(), {path: xs.double() for path, xs in inputs(20).items()}
    assert {t.dtype for t in net.state_dict().values() if t.is_floating_point()} == {torch.float64}
    out, _ = net(x)
    assert {y.dtype for y in out.values()} == {torch.float64}
