"""Parts run by the kernel of ring buffers against the step loop, spike for spike."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_flatten

import conex_nn as cx
from conex_nn.kernels import ring
from conex_nn.structure.by_events import EventLoop
from conex_nn.structure.by_ring import RingLoop
from conex_nn.structure.engine import run
from conex_nn.structure.population import Population


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


@pytest.mark.parametrize("stretch", [150, pytest.param(1000, marks=pytest.mark.long)])
@pytest.mark.parametrize(("name", "tau_syn"), CASES)
def test_it_equals_the_step_loop_spike_for_spike(name, tau_syn, stretch):
    gain = {"izhikevich": 8.0}.get(name, 1.0) * (2.5 / tau_syn if tau_syn else 4.0)
    net = network(models()[name], tau_syn=tau_syn, gain=gain)
    part = next(part for part in net.network().parts if part.inner)
    with torch.no_grad():
        assert RingLoop.of(part, net.populations(), net.all_connections(), like=torch.zeros(1).double()) is not None
    state = None
    for steps in (stretch, 10, 40):  # 10 are fewer than the longest delay
        (spikes, state), (wanted, expected) = both(net, draw(steps), state)
        for path, rows in wanted.items():
            assert steps < stretch or 0.003 < rows.mean().item() < 0.5, (path, rows.mean().item())
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
    monkeypatch.setattr(Population, "advance", lambda *_, **__: shapes.append(1))
    result = net.simulate(200, record=["v1.exc"], progress=False)
    assert not shapes
    assert result.events["v1.exc"].steps == 200


def small(neuron=None, *, latency=1, **options):
    """A loop of 30 neurons that an eye drives."""
    torch.manual_seed(0)
    layer = cx.CorticalLayer(exc=cx.Population(30, neuron or cx.LIF(), **options))
    weights = {"init": partial(nn.init.uniform_, a=0.0, b=0.6)}
    layer.connect("exc", "exc", cx.Sparse, density=0.3, delay=4, **weights)
    net = cx.Neocortex(eye=cx.InputLayer(20), cortex=layer)
    net.connect("eye", "cortex.exc", cx.Dense, latency=latency, init=partial(nn.init.uniform_, a=0.0, b=3.0))
    return net


def same(net, xs, state=None):
    """Run a network both ways, and return the second result."""
    found = []
    for by_events in (True, False):
        net.by_events = by_events
        with torch.no_grad():
            found.append(net(xs, state))
    (one, after), (other, expected) = found
    assert other["cortex.exc"].any()
    assert torch.equal(one["cortex.exc"], other["cortex.exc"])
    for leaf, wanted in zip(tree_flatten(after)[0], tree_flatten(expected)[0], strict=True):
        torch.testing.assert_close(leaf, wanted)
    return other, expected


def seen(steps=60, *batch):
    return (torch.rand(steps, *batch, 20) < 0.1).float()


@pytest.fixture
def always_by_ring(monkeypatch):
    """Let the kernel of ring buffers run what the kernel for small loops could."""
    monkeypatch.setattr(EventLoop, "of", lambda *_, **__: None)


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)])
def test_what_arrives_without_any_delay_comes_at_once(always_by_ring, batch):
    same(small(latency=0), seen(60, *batch))


def test_spikes_are_under_way_in_a_connection_that_is_switched_off(always_by_ring):
    net = small()
    connection = next(c for c in net.all_connections().values() if c.source == "exc")
    connection.enabled = False
    _, state = same(net, seen())
    assert all(each.axon.any() for each in state.connections.values())
    connection.enabled = True
    same(net, seen(), state)


def test_a_connection_that_is_switched_off_and_has_a_dendrite_under_way_is_left_to_the_step_loop(always_by_ring):
    net = small()
    net.cortex.connect("exc", "exc", cx.OneToOne, latency=2, dendrite_delay=torch.arange(30) % 3)
    list(net.all_connections().values())[-1].enabled = False
    _, state = same(net, seen())
    assert any(each.dendrite.any() for each in state.connections.values())


def test_a_state_of_another_type_than_the_network_is_refused_as_by_the_step_loop(always_by_ring):
    net = small()
    state = net.initial_state(seen()[0])
    cells = state.populations["cortex.exc"]
    wide = cells.neuron._replace(v=cells.neuron.v.double(), refractory=cells.neuron.refractory.double())
    state.populations["cortex.exc"] = cells._replace(neuron=wide)
    net.by_events = True
    with torch.no_grad(), pytest.raises((TypeError, RuntimeError), match="float"):
        net(seen(), state)


@pytest.mark.parametrize(
    "background",
    [cx.ConstantDrive(torch.ones(30).double()), cx.PoissonDrive(rate=100.0, weight=torch.ones(30).double())],
)
def test_a_background_of_another_type_than_the_network_is_refused_as_by_the_step_loop(always_by_ring, background):
    net = small(background=background)
    net.by_events = True
    with torch.no_grad(), pytest.raises(TypeError, match="float64"):
        net(seen())


def test_neurons_without_a_refractory_time_fire_whatever_the_state_says(always_by_ring):
    net = small()
    state = net.initial_state(seen()[0])
    cells = state.populations["cortex.exc"]
    cells = cells._replace(neuron=cells.neuron._replace(refractory=torch.full((30,), 5.0)))
    state.populations["cortex.exc"] = cells
    _, after = same(net, seen(), state)
    assert bool((after.populations["cortex.exc"].neuron.refractory == 5).all())


def test_delays_of_single_edges_beyond_what_the_kernel_tells_apart_are_left_to_the_step_loop(always_by_ring):
    net = small()
    edges, delay = torch.tensor([[0, 1], [1, 2]]), torch.tensor([1, 40_000])
    net.cortex.connect("exc", "exc", cx.Sparse, edges=edges, weight=0.9, delay=delay)
    part = next(part for part in net.network().parts if part.inner)
    with torch.no_grad():
        assert RingLoop.of(part, net.populations(), net.all_connections(), like=torch.zeros(1)) is None


def test_no_samples_at_all_are_refused_as_by_the_step_loop(always_by_ring):
    net = small()
    net.by_events = True
    with torch.no_grad(), pytest.raises(ValueError, match="at least one sample"):
        net(seen(10, 0))


def test_events_are_what_a_hook_makes_of_the_spikes(always_by_ring):
    net, xs = small(), seen()
    net.by_events = True
    assert len(net.simulate(60, xs, progress=False).events["cortex.exc"])
    net.cortex.exc.axon.register_forward_hook(lambda _, __, spikes: 0 * spikes)
    assert not len(net.simulate(60, xs, progress=False).events["cortex.exc"])


@pytest.mark.parametrize("threads", [1, 2])
def test_a_log_that_is_full_is_fetched_and_goes_on(monkeypatch, threads):
    monkeypatch.setattr(ring, "_ROOM", 1)
    monkeypatch.setattr(ring, "_WORTH", 1)
    calls = []
    launch = ring.launch
    monkeypatch.setattr(ring, "launch", lambda *args, **options: (calls.append(1), launch(*args, **options)))
    net = network(models()["lif"], gain=4.0)
    torch.set_num_threads(threads)
    try:
        (spikes, after), (wanted, expected) = both(net, draw(200))
    finally:
        torch.set_num_threads(1)
    assert len(calls) > 5
    for path, rows in wanted.items():
        assert torch.equal(spikes[path], rows), path
    close(after, expected)
