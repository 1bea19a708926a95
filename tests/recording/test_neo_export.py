"""Recordings as objects of neo."""

import importlib

import pytest
import torch

import conex_nn as cx
from conex_nn.recording import Recording, to_neo


def recorded():
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population((2, 3), cx.LIF()))
    net.connect("retina", "v1", cx.Dense, init=torch.nn.init.ones_)
    spikes = (torch.rand(40, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    with net.record("v1", "spikes") as fired, net.record("v1", "v", every=2) as potentials:
        net(spikes)
    return fired, potentials


def test_every_neuron_of_every_sample_is_a_train():
    pytest.importorskip("neo")
    fired, _ = recorded()
    block = to_neo(fired, dt=0.5)
    assert len(block.segments) == 3
    for sample, segment in enumerate(block.segments):
        assert len(segment.spiketrains) == 6
        for train in segment.spiketrains:
            neuron = train.annotations["neuron"]
            steps = fired["v1.spikes"][:, sample].flatten(1)[:, neuron].nonzero().flatten()
            assert train.rescale("ms").magnitude.tolist() == (0.5 * steps).tolist()
            assert float(train.t_stop.rescale("ms")) == 20
            assert train.name == "v1.spikes"


def test_potentials_are_signals_with_a_unit():
    pytest.importorskip("neo")
    _, potentials = recorded()
    block = to_neo(potentials, dt=0.5, units={"v": "mV"})
    (found,) = block.segments[1].analogsignals
    assert str(found.units.dimensionality) == "mV"
    assert float(found.sampling_period.rescale("ms")) == 1.0
    torch.testing.assert_close(torch.as_tensor(found.magnitude), potentials["v"][:, 1].flatten(1).detach())


def test_elephant_takes_them():
    statistics = pytest.importorskip("elephant.statistics")
    fired, _ = recorded()
    for train in to_neo(fired).segments[0].spiketrains:
        ours = cx.recording.rate(fired["spikes"])[0].flatten()[train.annotations["neuron"]]
        theirs = float(statistics.mean_firing_rate(train).rescale("Hz"))
        assert theirs == pytest.approx(float(ours))


def test_without_neo(monkeypatch):
    def missing(name, *args):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"Expected neo to be installed.*`uv pip install neo`, or the extra"):
        to_neo(Recording(["a.spikes"]))


def test_a_step_without_length():
    pytest.importorskip("neo")
    with pytest.raises(ValueError, match=r"`dt` to be positive \[ms\], got 0"):
        to_neo(Recording(["a.spikes"]), dt=0)


def test_a_simulation_and_its_events():
    pytest.importorskip("neo")
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population((2, 3), cx.LIF()), dt=0.5)
    net.connect("retina", "v1", cx.Dense, init=torch.nn.init.ones_)
    spikes = (torch.rand(40, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.2).float()
    found = net.simulate(40, spikes, record={"v1": ["spikes", "v"]}, every=4, where=2)
    block = to_neo(found, units={"v": "mV"})
    dense = found.spikes("v1").flatten(2)
    for sample, segment in enumerate(block.segments):
        assert len(segment.spiketrains) == 6
        for neuron, train in enumerate(segment.spiketrains):
            assert train.annotations["neuron"] == neuron
            steps = dense[:, sample, neuron].nonzero().flatten()
            assert train.rescale("ms").magnitude.tolist() == (0.5 * steps).tolist()
            assert float(train.t_stop.rescale("ms")) == 20
        (signal,) = segment.analogsignals
        assert signal.shape == (10, 2)
        assert float(signal.sampling_period.rescale("ms")) == 2
    with pytest.raises(ValueError, match=r"`dt` to be that of the events, 0\.5"):
        to_neo(found, dt=1.0)
