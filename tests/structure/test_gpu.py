"""A network on the device is the network on the CPU."""

import copy

import pytest
import torch
from torch.testing import assert_close

import conex_nn as cx


def column() -> cx.Neocortex:
    """A recurrent network with delays, compartments and k winners."""
    layer = cx.CorticalLayer(
        exc=cx.Population((2, 4, 4), cx.LIF(tau_mem=5.0), winners=cx.KWinners(9)),
        inh=cx.Population(8, cx.LIF(tau_mem=3.0), inhibitory=True),
    )
    layer.connect("exc", "inh", cx.Dense, gain=3.0, axon_delay=torch.arange(32).reshape(2, 4, 4) % 3)
    layer.connect("inh", "exc", cx.Sparse, in_degree=4)
    layer.connect("exc", "exc", cx.Lateral, kernel_size=3, compartment="distal", dendrite_delay=2)
    net = cx.Neocortex(retina=cx.InputLayer(1, 8, 8), l4=layer)
    net.connect("retina", "l4.exc", cx.Conv2d, kernel_size=2, stride=2, gain=20.0)
    return net.double()


@pytest.mark.gpu
def test_a_network_on_the_device_is_the_one_on_the_cpu():
    torch.manual_seed(0)
    here = column()
    there = copy.deepcopy(here).cuda()
    xs = (torch.rand(30, 3, 1, 8, 8) < 0.3).double()
    ours, _ = here(xs)
    theirs, _ = there(xs.cuda())
    assert ours["l4.exc"].any()
    for path, spikes in ours.items():
        assert_close(theirs[path].cpu(), spikes)
    ours["l4.exc"].sum().backward()
    theirs["l4.exc"].sum().backward()
    for (name, a), b in zip(here.named_parameters(), there.parameters(), strict=True):
        assert_close(b.grad.cpu(), a.grad, msg=lambda text, name=name: f"{name}: {text}")
    with torch.no_grad():
        assert_close(there(xs.cuda())[0]["l4.exc"].cpu(), ours["l4.exc"].detach())


@pytest.mark.gpu
def test_what_arrives_by_itself_on_the_device_is_what_does_on_the_cpu():
    background = [cx.PoissonDrive(rate=torch.linspace(0, 4000, 8), weight=0.3, seed=1), cx.ConstantDrive(0.4)]
    here = cx.Neocortex(
        retina=cx.InputLayer(2),
        thalamus=cx.PoissonInput(8, rate=200.0, seed=2),
        times=cx.SpikeTimes(8, times=[1.0, 5.0, 5.0], neurons=[0, 3, 7]),
        exc=cx.Population(8, cx.LIF(), dendrite=cx.Dendrite(tau_syn={"proximal": 2.0}), background=background),
    ).double()
    for source in ("thalamus", "times"):
        here.connect(source, "exc", cx.OneToOne, weight=torch.full((8,), 2.0, dtype=torch.float64))
    there, x = copy.deepcopy(here).cuda(), torch.zeros(100, 3, 2, dtype=torch.float64)
    ours, theirs = (
        here(x, outputs=["thalamus", "times", "exc"])[0],
        there(x.cuda(), outputs=["thalamus", "times", "exc"])[0],
    )
    for path, spikes in ours.items():
        assert spikes.any()
        assert_close(theirs[path].cpu(), spikes)
