"""Populations that make their own spikes: when and how often, in networks, and what they refuse."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx

SHAPE = (3, 40)


def spikes_of(generator, steps, batch=(), *, dt=0.1, state=None):
    state = generator.initial_state(torch.zeros(*batch, *generator.shape)) if state is None else state
    return generator.spikes(state, steps, dt=dt)


def poisson(**options):
    return cx.PoissonInput(SHAPE, **{"rate": 120.0, "seed": 5, **options})


def network(thalamus, **options):
    net = cx.Neocortex(retina=cx.InputLayer(2), thalamus=thalamus, exc=cx.Population(4, cx.LIF()), dt=0.5, **options)
    n = thalamus.shape.numel()
    net.connect("thalamus", "exc", cx.Dense, weight=torch.full((4, n), 12.0 / n))
    net.connect("retina", "exc", cx.Dense, weight=torch.zeros(4, 2))
    return net


def silence(steps=100, batch=(3,)):
    return {"retina": torch.zeros(steps, *batch, 2)}


# Is it true?


def test_poisson_input_fires_at_its_rate_and_independently():
    rate = torch.linspace(0.0, 400.0, 40)
    found, state = spikes_of(poisson(rate=rate), 50_000)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    chance = (rate / 1e4).expand(SHAPE)
    assert_close(found.mean(0), chance, rtol=0, atol=5 * (0.04 / 5e4) ** 0.5)
    assert not found[..., 0].any()
    flat = found[..., -5:].flatten(1)
    assert (torch.corrcoef(flat.T) - torch.eye(15)).abs().max() < 5 / 5e4**0.5
    assert abs(torch.corrcoef(torch.stack([flat[1:, 0], flat[:-1, 0]]))[0, 1]) < 5 / 5e4**0.5
    assert state.step == 50_000


def test_poisson_input_fires_from_its_start_until_its_end():
    thalamus = poisson(rate=10_000.0, start="0.7 ms", stop=1.0)
    assert thalamus.window(dt=0.1) == (7, 10)
    assert spikes_of(thalamus, 20)[0].flatten(1).any(1).nonzero().flatten().tolist() == [7, 8, 9]
    assert thalamus.window(dt=0.25) == (3, 4)  # no step begins before the start, none at the end
    assert spikes_of(poisson(rate=10_000.0, start=0.5), 8)[0].flatten(1).all(1).tolist() == [False] * 5 + [True] * 3


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_spike_times(batch):
    generator = cx.SpikeTimes((2, 2), times=[0.3, 0.0, 0.3], neurons=torch.tensor([3, 1, 0]))
    found, state = spikes_of(generator, 5, batch)
    expected = torch.zeros(5, *batch, 4)
    expected[0, ..., 1] = expected[3, ..., 0] = expected[3, ..., 3] = 1
    assert torch.equal(found, expected.reshape(5, *batch, 2, 2))
    assert not spikes_of(generator, 50, batch, state=state)[0].any()


def test_spike_times_of_all_neurons_and_of_none():
    assert spikes_of(cx.SpikeTimes(3, times=torch.tensor([1.0])), 3, dt=0.5)[0].tolist() == [[0] * 3, [0] * 3, [1] * 3]
    assert not spikes_of(cx.SpikeTimes(3, times=[]), 3)[0].any()


def test_long_times_are_met_in_single_precision():
    times = 0.1 * torch.arange(3_000_000, 3_000_010, dtype=torch.float64)
    generator = cx.SpikeTimes(1, times=times, neurons=[0] * 10).float()
    assert generator.at(dt=0.1).tolist() == list(range(3_000_000, 3_000_010))


# Is it lawful?


@pytest.mark.parametrize(
    "make",
    [
        lambda: poisson(rate=2000.0, start=0.5, stop=8.0),
        lambda: cx.SpikeTimes(SHAPE, times=[0.5, 3.0, 7.5, 20.0], neurons=[0, 50, 119, 3]),
    ],
)
class TestLaws:
    def test_going_on_from_a_state_goes_on_with_the_spikes(self, make):
        whole, _ = spikes_of(make(), 100, (2,))
        first, state = spikes_of(make(), 41, (2,))
        second, _ = spikes_of(make(), 59, (2,), state=state)
        assert torch.equal(torch.cat([first, second]), whole)
        assert whole.any()

    def test_a_network_takes_no_input_for_it(self, make):
        net = network(make()).eval()
        out, end = net(silence(), outputs=["thalamus", "exc"])
        expected, _ = spikes_of(make(), 100, (3,), dt=0.5)
        assert torch.equal(out["thalamus"], expected)
        current = (expected.flatten(2).sum(2) * 12 / 120)[..., None].expand(100, 3, 4)
        alone = cx.Population(4, cx.LIF())({"proximal": torch.cat([torch.zeros(1, 3, 4), current[:-1]])}, dt=0.5)[0]
        assert torch.equal(out["exc"], alone)
        first, state = net(silence(33))
        second, state = net(silence(67), state)
        assert torch.equal(torch.cat([first["exc"], second["exc"]]), out["exc"])
        assert state.populations["thalamus"].step == end.populations["thalamus"].step == 100

    def test_chunks_of_a_run_without_gradients(self, make, monkeypatch):
        monkeypatch.setattr("conex_nn.structure.engine._ROWS", 30)
        net = network(make())
        with torch.no_grad():
            out, _ = net(silence(), outputs=["exc"])
        assert torch.equal(out["exc"], net(silence())[0]["exc"])

    def test_it_is_switched_recorded_copied_and_stored(self, make, tmp_path):
        net = network(make())
        spikes = net(silence())[0]["exc"]
        with net.record("thalamus", "spikes") as recording:
            net(silence())
        assert recording["spikes"].shape == (100, 3, *SHAPE)
        net.save(tmp_path)
        for other in (copy.deepcopy(net), net.replicate(weights=True), cx.load(tmp_path)):
            assert torch.equal(other(silence())[0]["exc"], spikes)
        assert torch.equal(spikes_of(net["thalamus"].replicate(), 90)[0], spikes_of(make(), 90)[0])
        assert f"thalamus: {type(make()).__name__} 3x40" in repr(net)
        net.switch("thalamus", on=False)
        off, state = net(silence(), outputs=["thalamus"])
        assert not off["thalamus"].any()
        assert state.populations["thalamus"].step == 100

    def test_dtypes(self, make):
        net = network(make()).double()
        out, _ = net({"retina": torch.zeros(20, 3, 2, dtype=torch.float64)}, outputs=["thalamus"])
        assert out["thalamus"].dtype == torch.float64


def test_samples_differ_and_seeds_repeat():
    found, _ = spikes_of(poisson(rate=500.0), 100, (2,))
    assert not torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found, spikes_of(poisson(rate=500.0), 100, (2,))[0])
    torch.manual_seed(0)
    one, two = (spikes_of(poisson(rate=500.0, seed=None), 100)[0] for _ in range(2))
    torch.manual_seed(0)
    assert torch.equal(spikes_of(poisson(rate=500.0, seed=None), 100)[0], one)
    assert not torch.equal(one, two)


def test_what_they_show():
    assert poisson().extra_repr() == "3x40, rate=120"
    assert poisson(start="700 ms", stop="0.71 s").extra_repr() == "3x40, rate=120, start=700, stop=710"
    assert cx.SpikeTimes(3, times=[1.0, 2.0]).extra_repr() == "3, 2 spikes"


# Does it fail well?


def test_poisson_input_refuses():
    with pytest.raises(ValueError, match=r"`rate` not to be negative \[Hz\], got -1"):
        poisson(rate=-1.0)
    with pytest.raises(TypeError, match=r"`rate` to be fixed \[Hz\]"):
        poisson(rate=nn.Parameter(torch.tensor(8.0)))
    with pytest.raises(ValueError, match=r"`rate` to be .* to fit `shape` = \(3, 40\) \[Hz\], got shape \(4,\)"):
        poisson(rate=torch.ones(4))
    with pytest.raises(ValueError, match=r"`stop` to be after `start`, 5 ms \[ms\], got 5"):
        poisson(start=5.0, stop="5 ms")
    with pytest.raises(ValueError, match=r"`start` to be finite and not negative \[ms\], got -1"):
        poisson(start=-1.0)
    with pytest.raises(ValueError, match=r"`seed` to be a whole number"):
        poisson(seed=-1)
    with pytest.raises(ValueError, match=r"at most one spike in a step, 1000 Hz in steps of 1 ms \[Hz\], got 1500"):
        spikes_of(poisson(rate=1500.0), 3, dt=1.0)


def test_spike_times_refuse():
    with pytest.raises(ValueError, match=r"`times` to be finite and not negative \[ms\], got values from -1 to 2"):
        cx.SpikeTimes(3, times=[2.0, -1.0])
    with pytest.raises(ValueError, match=r"`times` to be finite and not negative \[ms\], got values from 1 to inf"):
        cx.SpikeTimes(3, times=[1.0, float("inf")])
    with pytest.raises(TypeError, match=r"`times` to be numbers \[ms\], got 'now'"):
        cx.SpikeTimes(3, times="now")
    with pytest.raises(ValueError, match=r"`neurons` to be one for each of 2 `times` \[1\], got 3"):
        cx.SpikeTimes(3, times=[1.0, 2.0], neurons=[0, 1, 2])
    with pytest.raises(ValueError, match=r"`neurons` of 0 to 2 \[1\], got values from 0 to 3"):
        cx.SpikeTimes(3, times=[1.0, 2.0], neurons=[0, 3])
    with pytest.raises(TypeError, match=r"`neurons` to be whole numbers \[1\], got torch.float32"):
        cx.SpikeTimes(3, times=[1.0, 2.0], neurons=[0.5, 1.0])
    with pytest.raises(ValueError, match=r"`times` to be whole .* of 0.1 ms \[ms\], got 0.25. The nearest is 0.2"):
        spikes_of(cx.SpikeTimes(3, times=[0.1, 0.25]), 3)
    with pytest.raises(ValueError, match=r"no neuron fires twice in a step of 1 ms \[ms\], got 1 that do"):
        spikes_of(cx.SpikeTimes(3, times=[1.0, 1.0, 1.0], neurons=[0, 1, 0]), 3, dt=1.0)


def test_generators_of_one_s_own_and_inputs_refuse():
    with pytest.raises(TypeError, match=r"SpikeGenerator to define `initial_state\(self, x\)`"):
        cx.SpikeGenerator(3).initial_state(torch.zeros(3))
    with pytest.raises(TypeError, match=r"SpikeGenerator to define `spikes\(self, state, steps, \*, dt\)`"):
        cx.SpikeGenerator(3).spikes((), 3, dt=1.0)
    net = network(poisson())
    with pytest.raises(ValueError, match=r"`inputs` for retina.sensory, got one for 'thalamus'"):
        net({**silence(), "thalamus": torch.zeros(100, 3, *SHAPE)})
    with pytest.raises(ValueError, match="Expected a target that takes currents, got 'thalamus'"):
        net.connect("exc", "thalamus", cx.Dense)
    state = net(silence())[1]
    del state.populations["thalamus"]
    with pytest.raises(ValueError, match="`state` of this network as it is now, got one that differs in thalamus"):
        net(silence(), state)
