"""Conductances in a network: the sign is in the reversal, and all else goes on as with currents."""

import json

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx

CELL = {"tau_mem": 20.0, "resistance": 100.0, "v_rest": -60.0, "v_reset": -60.0, "v_threshold": -50.0}


def cells(number, *, inhibitory=False, **options):
    both = {"exc": cx.Conductance(0.0, tau_syn=5.0), "inh": cx.Conductance(-80.0, tau_syn=10.0)}
    cell = cx.LIF(**CELL, refractory_time=2.0)
    return cx.Population(number, cell, dendrite=cx.Dendrite(both), inhibitory=inhibitory, **options)


def network(**options):
    """Excitation and inhibition from two populations, driven by spikes from outside."""
    net = cx.Neocortex(
        source=cx.InputLayer(6), layer=cx.CorticalLayer(exc=cells(8), inh=cells(4, inhibitory=True)), dt=0.5
    )
    net.connect("source", "layer.exc", cx.Dense, weight=torch.full((8, 6), 0.02), compartment="exc", name="drive")
    for source in ("exc", "inh"):
        for target in ("exc", "inh"):
            strength = {"probability": 0.5, "weight": 0.03} if source == "exc" else {"probability": 0.5, "weight": 0.1}
            net.layer.connect(source, target, cx.Sparse, compartment=source, name=f"{source}_{target}", **strength)
    return net


def spikes(steps=60, batch=2):
    return (torch.rand(steps, batch, 1, 1, 6, generator=torch.Generator().manual_seed(0)) < 0.3).float().flatten(2)


def test_inhibitory_sources_open_conductances_with_magnitudes():
    net = cx.Neocortex(source=cx.InputLayer(1), pair=cx.CorticalLayer(exc=cells(2), inh=cells(1, inhibitory=True)))
    net.connect("source", "pair.inh", cx.OneToOne, weight=torch.full((1,), 5.0), compartment="exc")
    to_exc = net.pair.connect("inh", "exc", cx.Dense, weight=torch.tensor([[0.0], [0.1]]), compartment="inh").only
    assert (to_exc.scale, to_exc.magnitudes, to_exc.inhibitory, to_exc.conductance) == (1.0, True, True, True)
    with net.record("pair.exc", "v", "synaptic.inh", "inh") as rec:
        out, _ = net(torch.ones(10, 1, 1))
    assert out["pair.inh"].any()
    arrived, g, v = (rec[f"pair.exc.{name}"][:, 0] for name in ("inh", "synaptic.inh", "v"))
    assert_close(arrived.max(), torch.tensor(0.1))
    assert (g >= 0).all()
    assert float(g[-1, 1]) > 0.1
    assert_close(v[:, 0], torch.full((10,), -60.0))
    assert -80 < float(v[:, 1].min()) < -62


def test_weights_are_magnitudes_from_excitatory_sources_too():
    net = cx.Neocortex(source=cx.InputLayer(6), exc=cells(8))
    made = net.connect("source", "exc", cx.Dense, compartment="exc").only
    assert (made.synapse.weight >= 0).all()
    with torch.no_grad():
        made.synapse.weight.neg_()
    assert (made.weight >= 0).all()
    assert (made(torch.ones(2, 1, 6), made.initial_state(torch.ones(1, 6)))[0] >= 0).all()


@pytest.mark.parametrize("when", ["step", "sequence"])
def test_what_learns_stops_at_zero(when):
    net = cx.Neocortex(source=cx.InputLayer(6), exc=cells(8), dt=0.5)
    rule = cx.STDP(a_plus=0.0, a_minus=1.0)
    net.connect("source", "exc", cx.Dense, weight=torch.full((8, 6), 0.05), compartment="exc", rule=rule, when=when)
    net.train()(spikes())
    (learned,) = [c.synapse.weight for c in net.all_connections().values()]
    assert learned.min() == 0


def test_gradients_pass_through_conductances():
    net = network()
    out, _ = net(spikes())
    assert out["layer.exc"].any()
    assert out["layer.inh"].any()
    out["layer.exc"].sum().backward()
    for name, connection in net.all_connections().items():
        grad = connection.synapse.weight.grad
        assert grad is not None and grad.isfinite().all() and grad.any(), name  # noqa: PT018


def test_a_network_is_the_same_in_blocks_and_when_it_goes_on():
    net = network().double().eval()
    x = spikes().double()
    with torch.no_grad():
        whole, last = net(x)
        first, state = net(x[:23])
        second, end = net(x[23:], state)
    for path in whole:
        assert_close(torch.cat([first[path], second[path]]), whole[path])
    assert_close(end.populations["layer.exc"].dendrite, last.populations["layer.exc"].dendrite)


def test_it_is_simulated_like_any_network():
    net = cx.Neocortex(
        exc=cells(8, background=cx.PoissonDrive(rate=3000.0, weight=0.01, compartment="exc", seed=0)),
        inh=cells(4, inhibitory=True),
    )
    net.connect("exc", "inh", cx.Sparse, in_degree=4, weight=0.05, compartment="exc")
    net.connect("inh", "exc", cx.Sparse, in_degree=2, weight=0.05, compartment="inh")
    rates = net.eval().simulate("100 ms").rates()
    assert min(rates.values()) > 0


def test_it_is_stored(tmp_path):
    net = network().eval()
    net.save(tmp_path / "net")
    again = cx.load(tmp_path / "net").eval()
    with torch.no_grad():
        assert_close(again(spikes())[0], net(spikes())[0])
    assert repr(again.layer.exc.dendrite.compartments["inh"]) == "Conductance(reversal=-80, tau_syn=10)"
    file = next((tmp_path / "net").glob("*.json"))
    text = file.read_text()
    assert '"conductance": true' in text
    file.write_text(text.replace('"conductance": true', '"conductance": false', 1))
    assert json.loads(file.read_text())
    with pytest.raises(ValueError, match=r"`conductance` of .* to be True, as '\w+' of .* has it, got False"):
        cx.load(tmp_path / "net")


def test_it_shows_where_it_arrives():
    assert "4 -> 4, inh, latency 1" in repr(network())


# Does it fail well?


def test_negative_conductances():
    net = cx.CorticalLayer(exc=cells(2), inh=cells(2, inhibitory=True))
    match = r"`weight` from '{0}' to '{0}', which opens a conductance, to be 0 or more \[uS\], got .* -0\.1"
    for name in ("exc", "inh"):
        with pytest.raises(ValueError, match=match.format(name)):
            net.connect(name, "exc", cx.Dense, weight=torch.full((2, 2), -0.1), compartment=name)
    with pytest.raises(ValueError, match=r"`gain` of .* opens a conductance to be 0 or more \[1\], got -2"):
        net.connect("exc", "inh", cx.Dense, gain=-2.0, compartment="exc")
    with pytest.raises(ValueError, match=r"`weight` of PoissonDrive at 'inh', which opens a conductance.*got -0\.1"):
        cells(2, background=cx.PoissonDrive(rate=10.0, weight=-0.1, compartment="inh"))
    with pytest.raises(ValueError, match=r"`current` of ConstantDrive at 'exc', which opens a conductance.*got -1"):
        cells(2, background=cx.ConstantDrive(-1.0, "exc"))


def test_a_compartment_of_ones_own_that_opens_a_conductance():
    class Shunt(cx.Compartment):
        pulls, opens = True, True

        def forward(self, current, v, neuron):
            return current * (-60.0 - v)

    net = cx.CorticalLayer(
        inh=cx.Population(2, cx.LIF(**CELL), inhibitory=True),
        exc=cx.Population(2, cx.LIF(**CELL), dendrite=cx.Dendrite({"shunt": Shunt(), "proximal": cx.Drive()})),
    )
    with pytest.raises(ValueError, match=r"`weight` from 'inh' to 'shunt', which opens a conductance, .* -0\.1"):
        net.connect("inh", "exc", cx.Dense, weight=torch.full((2, 2), -0.1), compartment="shunt")
    net.connect("inh", "exc", cx.Dense, weight=torch.full((2, 2), 0.1), compartment="shunt")
    (connection,) = (each for _, each in net.named_modules() if isinstance(each, cx.Connection))
    assert connection.conductance
    net.connect("inh", "exc", cx.Dense, weight=torch.full((2, 2), 0.1), compartment="proximal", name="to_soma")
    assert not net.connections["to_soma"].only.conductance


def test_an_inhibitory_population_that_would_excite():
    net = cx.CorticalLayer(exc=cells(2), inh=cells(2, inhibitory=True))
    with pytest.raises(ValueError, match=r"reversal of 'exc', .* 'inh' arrives, to be below .* -50 \[mV\], got 0"):
        net.connect("inh", "exc", cx.Dense, compartment="exc")
    net.connect("inh", "exc", cx.Dense, compartment="exc", inhibitory=False)


def test_weights_of_currents_stay_as_they_were():
    net = cx.CorticalLayer(exc=cx.Population(3, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
    to_inh, to_exc = (
        net.connect(s, t, cx.Dense, init=nn.init.normal_).only for s, t in (("exc", "inh"), ("inh", "exc"))
    )
    assert (to_inh.scale, to_exc.scale) == (1.0, -1.0)
    assert (to_inh.weight < 0).any()
