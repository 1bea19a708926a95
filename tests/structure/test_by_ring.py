"""Parts run by the kernel of ring buffers against the step loop, spike for spike."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_flatten

import conex_nn as cx
from conex_nn.structure.by_ring import RingLoop
from conex_nn.structure.engine import run

T = 1000


def models():
    spread = torch.linspace(8.0, 14.0, 40, dtype=torch.float64)
    slow = {"tau_w": [30.0, 80.0], "a": [0.01, 0.0], "b": [0.02, 0.05]}
    return {
        "lif": lambda: cx.LIF(tau_mem=10.0, refractory_time=2.0),
        "lif per neuron": lambda: cx.LIF(tau_mem=spread, refractory_time=1.0, v_reset=-0.2),
        "lif soft": lambda: cx.LIF(tau_mem=10.0, soft_reset=True),
        "if": lambda: cx.IF(capacitance=12.0),
        "elif": lambda: cx.ELIF(tau_mem=10.0, delta_t=0.1, v_rh=0.8, refractory_time=2.0),
        "aelif": lambda: cx.AELIF(tau_mem=10.0, delta_t=0.1, v_rh=0.8, **slow),
        "izhikevich": lambda: cx.Izhikevich(),
    }


def network(make, *, tau_syn=None, gain=1.0):
    torch.manual_seed(0)

    def dendrite():
        return cx.Dendrite({"proximal": cx.Drive(tau_syn=tau_syn), "fast": cx.Drive()})

    def weights(most):
        return {"init": partial(nn.init.uniform_, a=0.0, b=most * gain)}

    layer = cx.CorticalLayer(
        exc=cx.Population(40, make(), dendrite=dendrite()),
        inh=cx.Population(40, make(), inhibitory=True, dendrite=dendrite()),
    )
    late = torch.tensor([1, 4, 17])[torch.randint(3, (160,))]
    layer.connect("exc", "inh", cx.Sparse, density=0.1, delay=late, latency=0, **weights(1.2))
    layer.connect("inh", "exc", cx.Sparse, density=0.1, delay=3, **weights(1.2))
    layer.connect("exc", "exc", cx.Dense, axon_delay=torch.randint(0, 5, (40,)), **weights(0.15))
    layer.connect("inh", "inh", cx.OneToOne, compartment="fast", latency=4, **weights(0.8))
    net = cx.Neocortex(eye=cx.InputLayer(20), cortex=layer, dt=0.5)
    near = torch.tensor([0, 2])[torch.randint(2, (240,))]
    net.connect("eye", "cortex.exc", cx.Sparse, density=0.3, delay=near, **weights(3.0))
    return net.double()


def both(net, xs, state=None):
    """Run with the kernel and with the step loop."""
    found = []
    start = net.initial_state(xs[0]) if state is None else state
    for by_events in (True, False):
        flat = replace(net.network(), by_events=by_events)
        with torch.no_grad():
            wanted = {"cortex.exc", "cortex.inh"}
            found.append(run(flat, {"eye.sensory": xs}, start, clock=xs[..., 0], dt=net.dt, wanted=wanted))
    return found


def draw(steps):
    return (torch.rand(steps, 2, 20, dtype=torch.float64) < 0.1).double()


def close(after, expected):
    (leaves, one), (others, other) = tree_flatten(after), tree_flatten(expected)
    assert one == other
    for leaf, wanted in zip(leaves, others, strict=True):
        torch.testing.assert_close(leaf, wanted, rtol=1e-9, atol=1e-9)


CASES = [(name, None) for name in models()] + [("lif", 5.0), ("lif per neuron", 2.0), ("if", 5.0), ("aelif", 5.0)]


@pytest.mark.parametrize(("name", "tau_syn"), CASES)
def test_it_equals_the_step_loop_spike_for_spike(name, tau_syn):
    gain = {"izhikevich": 8.0}.get(name, 1.0) * (2.5 / tau_syn if tau_syn else 4.0)
    net = network(models()[name], tau_syn=tau_syn, gain=gain)
    part = next(part for part in net.network().parts if part.inner)
    with torch.no_grad():
        assert RingLoop.of(part, net.populations(), net.all_connections(), like=torch.zeros(1).double()) is not None
    state = None
    for steps in (T, 10, 90):  # 10 are fewer than the longest delay
        (spikes, state), (wanted, expected) = both(net, draw(steps), state)
        for path, rows in wanted.items():
            assert steps < T or 0.003 < rows.mean().item() < 0.5, (path, rows.mean().item())
            assert torch.equal(spikes[path], rows), path
        close(state, expected)


def background(**options):
    """A network that drives itself."""
    torch.manual_seed(0)
    rates, weights = torch.linspace(3000.0, 5000.0, 30), torch.linspace(0.4, 0.6, 30)

    def dendrite():
        return cx.Dendrite({"proximal": cx.Drive(tau_syn=2.0)})

    layer = cx.CorticalLayer(
        exc=cx.Population(
            options.get("exc", 60),
            cx.LIF(tau_mem=10.0, refractory_time=2.0),
            dendrite=dendrite(),
            background=[cx.PoissonDrive(rate=6000.0, weight=0.5, seed=3), cx.ConstantDrive(0.1)],
        ),
        inh=cx.Population(
            30,
            cx.LIF(tau_mem=torch.linspace(8.0, 12.0, 30)),
            inhibitory=True,
            dendrite=dendrite(),
            background=cx.PoissonDrive(rate=rates, weight=weights, seed=4),
        ),
    )
    delay = cx.Normal(8, 3, low=1, high=12)
    for source in ("exc", "inh"):
        for target in ("exc", "inh"):
            weight = cx.Normal(0.1, 0.02, low=0.0)
            layer.connect(source, target, cx.Sparse, number=200, multapses=True, weight=weight, delay=delay)
    net = cx.Neocortex(v1=layer, thalamus=cx.PoissonInput(30, rate=50.0, seed=7), dt=0.1)
    net.connect("thalamus", "v1.exc", cx.Sparse, in_degree=5, weight=0.3)
    return net


def test_backgrounds_drawn_by_the_kernel_and_sampled_potentials_are_those_of_the_step_loop():
    found = []
    for by_events in (True, False):
        net = background().double()
        net.by_events = by_events
        record = {"v1.exc": ["spikes", "v"], "v1.inh": "spikes"}
        found.append(net.simulate(150, record=record, where=[3, 5], every=7, chunk=64, progress=False))
    one, other = found
    assert len(other.events["v1.exc"]) > 50
    for path, events in one.events.items():
        for name in ("time", "sample", "neuron"):
            assert torch.equal(getattr(events, name), getattr(other.events[path], name)), (path, name)
    torch.testing.assert_close(one["v1.exc.v"], other["v1.exc.v"], rtol=1e-9, atol=1e-9)
    assert one["v1.exc.v"].shape[0] == len(range(0, 150, 7))
    close(one.state, other.state)


def test_any_number_of_threads_gives_the_same(monkeypatch):
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        try:
            result = background(exc=4000).simulate(100, progress=False)
        finally:
            torch.set_num_threads(1)
        found.append(result)
    assert len(found[0].events["v1.exc"]) > 1000
    for other in found[1:]:
        for name in ("time", "neuron"):
            here, there = (getattr(each.events["v1.exc"], name) for each in (found[0], other))
            assert torch.equal(here, there)
        for path, population in other.state.populations.items():
            leaves, wanted = tree_flatten(population)[0], tree_flatten(found[0].state.populations[path])[0]
            assert all(torch.equal(a, b) for a, b in zip(leaves, wanted, strict=True))


def test_a_simulation_by_events_makes_no_number_for_each_step_and_neuron(monkeypatch):
    net = background(exc=4000)
    shapes = []
    monkeypatch.setattr("conex_nn.structure.engine.Population.advance", lambda *_, **__: shapes.append(1))
    result = net.simulate(200, record=["v1.exc"], progress=False)
    assert not shapes
    assert result.events["v1.exc"].steps == 200
