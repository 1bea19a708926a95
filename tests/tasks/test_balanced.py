"""tasks.balanced: Brunel's network and the benchmarks CUBA and COBA are what they are said to be."""

import json
import math

import pytest
import torch

import conex_nn as cx
from tasks.balanced import run as task
from tasks.balanced.brunel import REGIMES, Regime, brunel
from tasks.balanced.reference import REFERENCE, REFERENCE_SCALE
from tasks.balanced.run import Config
from tasks.balanced.vogels_abbott import Coba, Cuba, coba, cuba


def test_numbers_of_the_regimes():
    regime = REGIMES["AI"]
    assert regime.in_degrees == (1000, 250)
    assert regime.background_rate == pytest.approx(2 * 10_000.0)  # 20 mV / (0.1 mV * 20 ms) is 10 a ms
    small = regime.scaled(0.1)
    assert (small.excitatory, small.inhibitory, small.in_degrees) == (1000, 250, (100, 25))
    assert small.in_degrees[0] * small.jump == pytest.approx(regime.in_degrees[0] * regime.jump)
    assert small.jump * small.background_rate == pytest.approx(regime.jump * regime.background_rate)


@pytest.mark.parametrize("kind", ["exc", "inh"])
def test_a_spike_moves_the_potential_at_once_after_its_delay(kind):
    torch.manual_seed(0)
    regime = Regime(name="quiet", g=5.0, eta=0.0, excitatory=40, inhibitory=10, jump=0.1)
    net = brunel(regime, dt=0.1).double()
    state = net.initial_state()
    path = f"layer.{kind}"
    cells = state.populations[path]
    v = cells.neuron.v.clone()
    v[0] = 30.0
    state.populations[path] = cells._replace(neuron=cells.neuron._replace(v=v))
    (connection,) = [c for c in net.all_connections().values() if (c.source, c.target) == (kind, "exc")]
    synapse = connection.synapse
    number = torch.bincount(synapse.target[synapse.source == 0], minlength=40)
    moved = (0.1 if kind == "exc" else -0.5) * number.double()
    assert int(number.sum()) > 0
    others = torch.arange(40) > 0
    with torch.no_grad():
        out, before = net(steps=15, state=state)
        _, after = net(steps=1, state=before)
    assert out[path][0].nonzero().tolist() == [[0]]
    assert not before.populations["layer.exc"].neuron.v[others].any()
    torch.testing.assert_close(after.populations["layer.exc"].neuron.v[others], moved[others])


def test_cuba_is_as_published():
    torch.manual_seed(0)
    net, state = cuba(Cuba(), dt=0.1)
    found = net.eval().simulate("200 ms", state=state)
    assert 4 < found.rates("100 ms")["layer.exc"] < 8  # Brian2: 5.6 Hz in its first second
    assert found.events["layer.inh"].shape == (800,)


def test_coba_keeps_itself_going():
    torch.manual_seed(0)
    numbers = Coba()
    net, state = coba(numbers, dt=0.1)
    first = state.populations["layer.exc"]
    assert first.neuron.v.mean() == pytest.approx(-65.0, abs=0.5)
    assert {name: float(g.mean()) for name, g in first.dendrite.items()} == pytest.approx(
        {"exc": 0.04, "inh": 0.2}, rel=0.05
    )
    assert first.dendrite["inh"].min() == 0
    connections = net.all_connections().values()
    assert sum(c.synapse.num_edges for c in connections) == pytest.approx(0.02 * 4000**2, rel=0.02)
    assert {(c.source, c.compartment, c.scale) for c in connections} == {("exc", "exc", 1.0), ("inh", "inh", 1.0)}
    found = net.eval().simulate("200 ms", state=state)
    assert 15 < found.rates("100 ms")["layer.exc"] < 25  # Brian2: 19.3 Hz


@pytest.mark.long
def test_coba_fires_as_in_brian():
    found = [task.run("COBA", Config(seed=seed))[0] for seed in range(1, 6)]  # rates differ by 1 to 2 Hz
    rate, cv = (sum(each[key] for each in found) / len(found) for key in ("rate", "cv"))
    assert rate == pytest.approx(REFERENCE["COBA"].rate, rel=0.1)
    assert cv == pytest.approx(REFERENCE["COBA"].cv, abs=0.05)


@pytest.mark.long
@pytest.mark.parametrize("name", REGIMES)
def test_regimes_are_those_of_nest(name):
    config = {"scale": REFERENCE_SCALE, "duration": 500 if name == "SR" else 1000}
    found = [task.run(name, Config(seed=seed, **config))[0] for seed in range(1 if name == "SR" else 6)]
    rate, cv = (sum(each[key] for each in found) / len(found) for key in ("rate", "cv"))
    assert rate == pytest.approx(REFERENCE[name].rate, rel=0.05)
    assert cv == pytest.approx(REFERENCE[name].cv, abs=0.05)


def test_cells_of_cuba_alone_fire_as_clocks():
    numbers = Cuba(excitatory=20, inhibitory=20, connected=0.2, weights=(0.0, 0.0))
    net, state = cuba(numbers, dt=0.1)
    found = net.eval().simulate("200 ms", state=state)
    lengths = cx.recording.intervals(found.events["layer.exc"]).length
    closed = 5.0 + 20.0 * math.log(11.0)  # from 11 mV below rest to 1 mV below it, after the refractory time
    torch.testing.assert_close(lengths, torch.full_like(lengths, closed), atol=0.1, rtol=0)


def test_the_task_leaves_a_report(tmp_path):
    config = Config(networks=("AI", "CUBA"), scale=0.04, duration=50, transient=20, out=tmp_path, seed=7)
    task.main(config)
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["networks"]) == {"AI", "CUBA"}
    assert report["networks"]["AI"]["rate"] > 0
    assert report["seed"] == 7
    assert (tmp_path / "activity.png").is_file()


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="`networks` to be among SR, SI-fast, AI, SI-slow, CUBA, COBA, got CO"):
        Config(networks=("CO",))
    with pytest.raises(ValueError, match=r"`scale` to be above 0 and up to 1 \[1\], got 0"):
        Config(scale=0)
    with pytest.raises(ValueError, match=r"`duration` to be positive \[ms\], got -1"):
        Config(duration=-1)
