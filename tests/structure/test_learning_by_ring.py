"""Networks that learn at every step, by the kernel of ring buffers and by the step loop: they are one."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.plasticity import ISTDP, STDP, Clip, Dale, LearningRate, Modulated, Normalise, Product, Soft, chain
from conex_nn.structure.by_events import EventLoop
from conex_nn.structure.by_ring import RingLoop
from tests.structure.test_by_ring import models


def rules():
    pair = {"a_plus": 0.02, "a_minus": 0.018}
    slow, slower = {"a_plus": 0.002, "a_minus": 0.002}, {"a_plus": 0.0002, "a_minus": 0.0003}
    return {
        "pair": lambda: STDP(**pair, tau_plus=15.0),
        "nearest soft": lambda: chain(STDP(**pair, nearest=True), Soft(-1.0, 9.0), Clip(0.0, 3.0)),
        "modulated": lambda: chain(STDP(**slower), Product(-1.0, 9.0), Modulated("dopamine"), Dale(1)),
        "eligible": lambda: chain(STDP(**slow), LearningRate(0.5), Modulated("dopamine", tau=40.0)),
        "eligible clip": lambda: chain(
            STDP(**slower), Soft(-1.0, 9.0, mu=0.5), Modulated("dopamine", tau=40.0), Clip(0.0, 2.5)
        ),
        "inhibitory": lambda: ISTDP(rate=0.01, rho=20.0),
    }


def network(make, rule, *, tau_syn=None, gain=1.0, latency=1):
    """A network whose connections all learn: of all wirings, with delays of all kinds."""
    torch.manual_seed(0)
    learns = {"when": "step"}

    def population(n, **options):
        dendrite = cx.Dendrite({"proximal": cx.Drive(tau_syn=tau_syn), "fast": cx.Drive()})
        return cx.Population(
            n, make(), dendrite=dendrite, background=cx.PoissonDrive(rate=200.0, weight=0.2, seed=1), **options
        )

    def weights(most):
        return {"init": partial(nn.init.uniform_, a=0.0, b=most * gain)}

    layer = cx.CorticalLayer(exc=population(40), inh=population(40, inhibitory=True))
    late = torch.tensor([1, 4, 70])[torch.randint(3, (160,))]
    layer.connect("exc", "inh", cx.Sparse, density=0.1, delay=late, latency=0, rule=rule(), **weights(1.2), **learns)
    layer.connect("inh", "exc", cx.Sparse, density=0.1, delay=3, rule=rule(), **weights(1.2), **learns)
    layer.connect("exc", "exc", cx.Dense, latency=2, rule=rule(), **weights(0.1), **learns)
    layer.connect("inh", "inh", cx.OneToOne, compartment="fast", latency=4, rule=rule(), **weights(0.8), **learns)
    layer.connect("inh", "exc", cx.Sparse, density=0.1, axon_delay=torch.arange(40) % 5, **weights(0.2))
    net = cx.Neocortex(eye=cx.InputLayer(20), cortex=layer, dt=0.5)
    near = torch.tensor([0, 2])[torch.randint(2, (240,))]
    net.connect(
        "eye", "cortex.exc", cx.Sparse, density=0.3, delay=near, latency=latency, rule=rule(), **weights(2.0), **learns
    )
    return net.double()


@pytest.fixture
def by_ring(monkeypatch):
    """Let the kernel of ring buffers run what the kernel for small loops could, and count its runs."""
    monkeypatch.setattr(EventLoop, "of", lambda *_, **__: None)
    runs, run = [], RingLoop.run

    def counted(self, *args, **options):
        done = run(self, *args, **options)
        runs.append(done is not None)
        return done

    monkeypatch.setattr(RingLoop, "run", counted)
    return runs


def signals(net, steps, seed=0):
    """Dopamine that goes up and down, where some rule waits for it."""
    waits = {name for c in net.all_connections().values() if c.rule is not None for name in c.rule.modulators()}
    drawn = torch.randn(steps, generator=torch.Generator().manual_seed(seed)).double().cumsum(0) * 0.1
    drawn[steps // 2 : steps // 2 + 20] = 0
    return dict.fromkeys(waits, drawn)


def weights(net):
    return {path: c.synapse.weight.detach().clone() for path, c in net.all_connections().items()}


def both(net, stretches):
    """Run copies of a network with the kernel and with the step loop, and hold one against the other."""
    begin, pair, states = weights(net), [copy.deepcopy(net), copy.deepcopy(net)], [None, None]
    for steps in stretches:
        xs = (torch.rand(steps, 20) < 0.1).double()
        found = []
        for i, by_events in enumerate((True, False)):
            pair[i].by_events = by_events
            with torch.no_grad():
                out, states[i] = pair[i](xs, states[i], modulators=signals(net, steps, steps))
            found.append(out)
        for path, rows in found[1].items():
            assert torch.equal(found[0][path], rows), path
            assert steps < 100 or 0 < rows.mean().item() < 0.5, (path, rows.mean().item())
        one, other = (weights(each) for each in pair)
        for path, weight in other.items():
            assert_close(one[path], weight, rtol=1e-12, atol=1e-13)
        leaves = ([x for x in tree_leaves(state) if isinstance(x, torch.Tensor)] for state in states)
        for leaf, wanted in zip(*leaves, strict=True):
            assert_close(leaf, wanted, rtol=1e-9, atol=1e-9)
    plastic = [path for path, c in net.all_connections().items() if c.rule is not None]
    assert sum(not torch.equal(begin[path], one[path]) for path in plastic) >= 4
    return pair[0]


CASES = [
    ("lif", "pair", 4.0, None, 1, 100),
    pytest.param("lif", "pair", 4.0, None, 1, 1000, marks=pytest.mark.long),
    ("lif per neuron", "nearest soft", 0.5, 5.0, 0, 100),
    ("izhikevich", "inhibitory", 32.0, None, 1, 100),
    ("aelif", "modulated", 0.8, 3.0, 0, 100),
    ("elif", "eligible", 5.0, None, 1, 120),
    ("if", "eligible clip", 2.0, None, 0, 100),
]


@pytest.mark.parametrize(("name", "rule", "gain", "tau_syn", "latency", "steps"), CASES)
def test_it_learns_as_the_step_loop_does_to_the_last_spike(by_ring, name, rule, gain, tau_syn, latency, steps):
    both(network(models()[name], rules()[rule], tau_syn=tau_syn, gain=gain, latency=latency), (steps, 10, 40))
    assert by_ring == [True] * 3  # the second is shorter than the longest delay


def large(rule, **options):
    """A network of so many neurons that threads divide it."""
    torch.manual_seed(0)
    layer = cx.CorticalLayer(
        exc=cx.Population(
            4000, cx.LIF(refractory_time=1.0), background=cx.PoissonDrive(rate=2000.0, weight=8.0, seed=1)
        )
    )
    delay = cx.Normal(6, 3, low=1, high=12)
    options = {"weight": cx.Normal(0.5, 0.1, low=0.0, high=1.0), **options}
    layer.connect("exc", "exc", cx.Sparse, in_degree=20, delay=delay, rule=rule, when="step", **options)
    return cx.Neocortex(v1=layer, dt=0.1)


@pytest.mark.parametrize("rule", ["pair", "eligible clip"])
def test_any_number_of_threads_gives_the_same(by_ring, rule):
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        try:
            net = large(rules()[rule]())
            result = net.simulate(150, modulators=signals(net, 150), progress=False)
        finally:
            torch.set_num_threads(1)
        found.append((result, net))
    (first, one), *others = found
    assert len(first.events["v1.exc"]) > 1000
    for result, other in others:
        assert torch.equal(first.events["v1.exc"].neuron, result.events["v1.exc"].neuron)
        for path, weight in weights(one).items():
            assert torch.equal(weight, weights(other)[path])
        for leaf, wanted in zip(tree_leaves(result.state), tree_leaves(first.state), strict=True):
            assert leaf is wanted is None or torch.equal(leaf, wanted)
    assert by_ring == [True] * 3


def test_weights_out_of_bounds_are_brought_back_by_the_first_step(by_ring):
    net = network(models()["lif"], lambda: chain(STDP(), Clip(0.3, 0.9)), gain=2.0)
    both(net, (60, 20))


def test_a_network_that_learns_goes_on_where_it_stopped_learning(by_ring):
    net = network(models()["lif"], rules()["pair"], gain=4.0)
    pair, states = [copy.deepcopy(net), copy.deepcopy(net)], [None, None]
    for train in (True, False, True):
        xs = (torch.rand(60, 20) < 0.1).double()
        for i, by_events in enumerate((True, False)):
            pair[i].by_events = by_events
            with torch.no_grad():
                _, states[i] = pair[i].train(train)(xs, states[i])
    one, other = (weights(each) for each in pair)
    for path, weight in other.items():
        assert_close(one[path], weight, rtol=1e-12, atol=1e-13)
    assert any(not torch.equal(weights(net)[path], weight) for path, weight in other.items())


def test_it_is_left_to_others_what_the_kernel_does_not_know(by_ring):
    cases = {
        "several samples": (STDP(), {}, (2,)),
        "normalises": (chain(STDP(), Normalise(3.0)), {}, ()),
        "TripletSTDP": (cx.TripletSTDP(), {}, ()),
        "axon_delay": (STDP(), {"axon_delay": 2}, ()),
        "have no synapse": (STDP(), {"self_connections": False}, ()),
    }
    for name, (rule, options, batch) in cases.items():
        torch.manual_seed(0)
        net = cx.Neocortex(eye=cx.InputLayer(20), v1=cx.Population(20, cx.LIF()))
        net.connect(
            "eye", "v1", cx.Dense, init=partial(nn.init.uniform_, a=0.0, b=2.0), rule=rule, when="step", **options
        )
        before, net.by_events = weights(net), True
        with torch.no_grad(), pytest.warns(UserWarning, match=f"'v1' runs step by step .*eye_to_v1.*{name}"):
            net((torch.rand(30, *batch, 20) < 0.2).float())
        assert not any(by_ring), name
        assert all(not torch.equal(before[path], weight) for path, weight in weights(net).items()), name


def test_spikes_of_several_sizes_are_left_to_the_step_loop(by_ring):
    net = network(models()["lif"], rules()["pair"], gain=4.0)
    net.by_events = True
    with torch.no_grad():
        net(2.0 * (torch.rand(20, 20) < 0.1).double())
    assert by_ring == [False]
