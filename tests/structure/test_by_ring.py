"""Parts run by the kernel of ring buffers against the step loop, spike for spike."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.structure.engine import run

T = 1000


def models():
    per_neuron = torch.linspace(8.0, 14.0, 60, dtype=torch.float64)
    return {
        "lif": lambda: cx.LIF(tau_mem=10.0, refractory_time=2.0),
        "lif per neuron": lambda: cx.LIF(tau_mem=per_neuron, refractory_time=1.0, v_reset=-0.2),
        "lif soft": lambda: cx.LIF(tau_mem=10.0, soft_reset=True),
        "if": lambda: cx.IF(capacitance=12.0),
        "elif": lambda: cx.ELIF(tau_mem=10.0, delta_t=0.1, v_rh=0.8, refractory_time=2.0),
        "aelif": lambda: cx.AELIF(
            tau_mem=10.0, delta_t=0.1, v_rh=0.8, tau_w=[30.0, 80.0], a=[0.01, 0.0], b=[0.02, 0.05]
        ),
        "izhikevich": lambda: cx.Izhikevich(),
    }


def network(make, *, tau_syn=None, seed=0, gain=1.0):
    torch.manual_seed(seed)

    def dendrite():
        return cx.Dendrite({"proximal": cx.Drive(tau_syn=tau_syn), "fast": cx.Drive()})

    layer = cx.CorticalLayer(
        exc=cx.Population(60, make(), dendrite=dendrite()),
        inh=cx.Population(60, make(), inhibitory=True, dendrite=dendrite()),
    )
    init = partial(nn.init.uniform_, a=0.0, b=0.8 * gain)
    delay = torch.randint(1, 20, (360,))
    layer.connect("exc", "inh", cx.Sparse, density=0.1, delay=delay, init=init, latency=0)
    layer.connect("inh", "exc", cx.Sparse, density=0.1, delay=3, init=init)
    layer.connect(
        "exc",
        "exc",
        cx.Dense,
        init=partial(nn.init.uniform_, a=0.0, b=0.1 * gain),
        axon_delay=torch.randint(0, 5, (60,)),
    )
    layer.connect("inh", "inh", cx.OneToOne, init=init, compartment="fast", latency=4)
    net = cx.Neocortex(eye=cx.InputLayer(20), cortex=layer, dt=0.5)
    net.connect(
        "eye",
        "cortex.exc",
        cx.Sparse,
        density=0.3,
        delay=torch.randint(0, 7, (360,)),
        init=partial(nn.init.uniform_, a=0.0, b=3.0 * gain),
    )
    return net.double()


def both(net, xs, state=None, threads=1):
    """Run with the kernel and with the step loop."""
    found = []
    for by_events in (True, False):
        flat = replace(net.network(), by_events=by_events)
        paths = ["cortex.exc", "cortex.inh"]
        before = net.initial_state(xs[0]) if state is None else state
        with torch.no_grad():
            found.append(run(flat, {"eye.sensory": xs}, before, clock=xs[..., 0], dt=net.dt, wanted=set(paths)))
    return found


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("tau_syn", [None, 5.0])
def test_it_equals_the_step_loop_spike_for_spike(name, tau_syn):
    gain = {"izhikevich": 8.0, "lif soft": 0.4 if tau_syn else 1.0}.get(name, 1.0) * (0.5 if tau_syn else 4.0)
    net = network(models()[name], tau_syn=tau_syn, gain=gain)
    xs = (torch.rand(T, 2, 20, dtype=torch.float64) < 0.1).double()
    (spikes, after), (wanted, expected) = both(net, xs)
    for path, rows in wanted.items():
        rate = rows.mean().item()
        assert 0.005 < rate < 0.5, (path, rate)
        assert torch.equal(spikes[path], rows), path
    compare(after, expected)
    more = (torch.rand(150, 2, 20, dtype=torch.float64) < 0.1).double()
    (spikes, after), (wanted, expected) = both(net, more, after)  # spikes are under way
    for path, rows in wanted.items():
        assert torch.equal(spikes[path], rows), path
    compare(after, expected)


def compare(after, expected):
    from torch.utils._pytree import tree_flatten

    (leaves, one), (others, other) = tree_flatten(after), tree_flatten(expected)
    assert one == other
    for leaf, wanted in zip(leaves, others, strict=True):
        torch.testing.assert_close(leaf, wanted, rtol=1e-9, atol=1e-9)
