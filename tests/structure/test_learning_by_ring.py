"""Networks that learn at every step, by the kernel of ring buffers and by the step loop: they are one."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.plasticity import ISTDP, STDP, Clip, Dale, LearningRate, Modulated, Product, Soft, chain
from conex_nn.structure.by_events import EventLoop
from conex_nn.structure.by_ring import RingLoop
from tests.structure.test_by_ring import models


def rules():
    pair = {"a_plus": 0.02, "a_minus": 0.021}
    return {
        "pair": lambda: STDP(**pair, tau_plus=15.0),
        "nearest soft": lambda: chain(STDP(**pair, nearest=True), Soft(-1.0, 9.0), Clip(0.0, 3.0)),
        "modulated": lambda: chain(STDP(**pair), Product(-1.0, 9.0), Modulated("dopamine"), Dale(1)),
        "eligible": lambda: chain(
            STDP(a_plus=0.002, a_minus=0.0021), LearningRate(0.5), Modulated("dopamine", tau=40.0)
        ),
        "eligible clip": lambda: chain(
            STDP(**pair), Soft(-1.0, 9.0, mu=0.5), Modulated("dopamine", tau=40.0), Clip(0.0, 2.5)
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
            assert steps < 100 or 0.003 < rows.mean().item() < 0.5, (path, rows.mean().item())
        one, other = (weights(each) for each in pair)
        for path, weight in other.items():
            assert_close(one[path], weight, rtol=1e-12, atol=1e-13)
        leaves = ([x for x in tree_leaves(state) if isinstance(x, torch.Tensor)] for state in states)
        for leaf, wanted in zip(*leaves, strict=True):
            assert_close(leaf, wanted, rtol=1e-9, atol=1e-9)
    plastic = [path for path, c in net.all_connections().items() if c.rule is not None]
    for path in plastic:
        assert not torch.equal(begin[path], one[path]), path
    return pair[0]


CASES = [
    ("lif", "pair", None, 1),
    ("lif per neuron", "nearest soft", 5.0, 0),
    ("izhikevich", "inhibitory", None, 1),
    ("aelif", "modulated", 3.0, 0),
    ("elif", "eligible", None, 1),
    ("if", "eligible clip", None, 0),
]


@pytest.mark.parametrize(("name", "rule", "tau_syn", "latency"), CASES)
def test_it_learns_as_the_step_loop_does_to_the_last_spike(by_ring, name, rule, tau_syn, latency):
    gain = {"izhikevich": 8.0}.get(name, 1.0) * (2.5 / tau_syn if tau_syn else 4.0)
    net = network(models()[name], rules()[rule], tau_syn=tau_syn, gain=gain, latency=latency)
    both(net, (1000, 10, 90))  # 10 are fewer than the longest delay
    assert by_ring == [True] * 3
