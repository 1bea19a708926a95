"""Conductances in the kernel of ring buffers against the step loop, spike for spike."""

from dataclasses import replace

import pytest
import torch

import conex_nn as cx
from conex_nn.structure.by_ring import RingLoop
from conex_nn.structure.engine import run
from conex_nn.structure.ring_parts import knows_cells

SPREAD = torch.linspace(8.0, 14.0, 40, dtype=torch.float64)
CELLS = {
    "lif": lambda: cx.LIF(tau_mem=10.0, resistance=2.0, refractory_time=2.0),
    "lif per neuron": lambda: cx.LIF(tau_mem=SPREAD, v_reset=-0.2, v_rest=0.1 * torch.rand(40)),
    "lif, Euler": lambda: cx.LIF(tau_mem=10.0, method="euler"),
    "if": lambda: cx.IF(capacitance=12.0),
    "elif": lambda: cx.ELIF(tau_mem=10.0, delta_t=0.1, v_rh=0.8, refractory_time=2.0),
    "aelif": lambda: cx.AELIF(tau_mem=10.0, delta_t=0.1, v_rh=0.8, tau_w=[30.0, 80.0], a=[0.01, 0.0], b=[0.02, 0.05]),
    "izhikevich": cx.Izhikevich,
}


def network(make, *, high, low):
    """Two populations, each with two conductances and a compartment that drives."""
    torch.manual_seed(0)

    def cells(number, reversal, **options):
        both = {
            "exc": cx.Conductance(high, tau_syn=torch.linspace(2.0, 4.0, number)),
            "soma": cx.Drive(tau_syn=3.0),
            "inh": cx.Conductance(reversal, tau_syn=5.0),
        }
        background = [cx.PoissonDrive(rate=800.0, weight=0.2, compartment="exc", seed=3), cx.ConstantDrive(0.05)]
        return cx.Population(number, make(), dendrite=cx.Dendrite(both), background=background, **options)

    layer = cx.CorticalLayer(exc=cells(40, low * torch.linspace(1.0, 1.1, 40)), inh=cells(40, low, inhibitory=True))
    for source in ("exc", "inh"):
        for target in ("exc", "inh"):
            weight = cx.Uniform(0.05, 0.2)
            layer.connect(source, target, cx.Sparse, in_degree=5, weight=weight, compartment=source, latency=3)
    layer.connect("inh", "exc", cx.OneToOne, weight=torch.full((40,), 0.1), compartment="soma")
    return cx.Neocortex(v1=layer, dt=0.5).double().eval()


@pytest.mark.parametrize("name", CELLS)
def test_it_equals_the_step_loop_spike_for_spike(name):
    high, low = (40.0, -90.0) if name == "izhikevich" else (3.0, -0.5)
    net = network(CELLS[name], high=high, low=low)
    (part,) = net.network().parts
    with torch.no_grad():
        assert RingLoop.of(part, net.populations(), net.all_connections(), like=torch.zeros(1).double()) is not None
    start, clock, found = net.initial_state(batch=2), torch.zeros(150, 2, dtype=torch.float64), []
    for by_events in (True, False):
        flat = replace(net.network(), by_events=by_events)
        with torch.no_grad():
            found.append(run(flat, {}, start, clock=clock, dt=net.dt, wanted={"v1.exc", "v1.inh"}))
    (spikes, after), (wanted, expected) = found
    for path, rows in wanted.items():
        assert 0.003 < float(rows.mean()) < 0.5, path
        assert torch.equal(spikes[path], rows), path
    for path in wanted:
        mine, theirs = after.populations[path], expected.populations[path]
        torch.testing.assert_close(mine.dendrite, theirs.dendrite, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(mine.neuron, theirs.neuron, rtol=1e-9, atol=1e-9)
        assert (mine.dendrite["inh"] > 0).any()


def test_the_kernel_of_the_gpu_knows_none():
    population = cx.Population(2, cx.LIF(), dendrite=cx.Dendrite({"exc": cx.Conductance(3.0, tau_syn=2.0)}))
    assert knows_cells(population)
    assert not knows_cells(population, on_gpu=True)
    assert knows_cells(cx.Population(2, cx.LIF()), on_gpu=True)


def test_a_conductance_that_is_open_for_one_step_is_left_to_the_step_loop():
    net = cx.Neocortex(a=cx.Population(2, cx.LIF(), dendrite=cx.Dendrite({"exc": cx.Conductance(3.0)}))).eval()
    net.connect("a", "a", cx.Sparse, in_degree=1, compartment="exc")
    (part,) = net.network().parts
    with torch.no_grad():
        assert RingLoop.of(part, net.populations(), net.all_connections(), like=torch.zeros(1)) is None
