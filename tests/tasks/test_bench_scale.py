"""The benchmark at scale: who takes part in what, and what other simulators are made of."""

import shutil

import pytest
import torch

import conex_nn as cx
from tasks.balanced.brunel import REGIMES
from tasks.balanced.vogels_abbott import Coba, Cuba
from tasks.bench import scale, worker
from tasks.bench.elapsed import Elapsed
from tasks.bench.measure import _Figures, _times_floor
from tasks.bench.suite import SUITES
from tasks.microcircuit.circuit import circuit


def test_each_case_has_its_rival():
    suite = SUITES["scale"]
    assert suite.takes_part("nest", "0.1")
    assert not suite.takes_part("brian2", "0.1")
    assert suite.takes_part("brian2", "cuba")
    assert not suite.takes_part("nest", "cuba")
    assert not suite.takes_part("nest", "plastic")
    assert not suite.takes_part("brian2", "plastic")
    assert all(suite.takes_part("conex_nn", case) for case in suite.cases)
    assert (suite.rounds, suite.steps) == (3, 1)
    assert suite.calls(suite.cases["0.1"]) == pytest.approx(500.0)  # steps of 0.1 ms


def test_a_suite_without_products_has_no_floor():
    figures = {"conex_nn": _Figures(build=0.0, first=0.0, cold=None, milliseconds=6.0, least=5.0, memory=1.0)}
    assert SUITES["scale"].floor("conex_nn") is None
    assert _times_floor(SUITES["scale"], "conex_nn", figures) == {}
    figures["products"] = _Figures(build=0.0, first=0.0, cold=None, milliseconds=2.0, least=2.0, memory=1.0)
    assert _times_floor(SUITES["train"], "conex_nn", figures) == {"times_floor": 3.0}


def test_a_contestant_may_keep_time_by_itself():
    assert worker._timed(lambda: Elapsed(12.5)) == 12.5
    assert 0 <= worker._timed(lambda: 12.5) < 1


def test_nest_has_the_same_network():
    pytest.importorskip("nest")
    from tasks.bench import in_nest

    numbers = circuit(0.01, drive="poisson")
    nest, populations = in_nest.microcircuit(numbers, threads=1, dt=0.1, seed=3)
    assert [len(cells) for cells in populations] == list(numbers.neurons)
    target, source = populations[0], populations[1]
    found = nest.GetConnections(source, target)
    weights, delays = (torch.tensor(found.get(name), dtype=torch.float64) for name in ("weight", "delay"))
    assert len(weights) == int(numbers.synapses[0, 1])
    mean = -1000 * float(numbers.weight[0, 1])
    assert float(weights.mean()) == pytest.approx(mean, rel=0.02)
    assert float(weights.std()) == pytest.approx(-0.1 * mean, rel=0.1)
    assert float(weights.max()) <= 0
    assert 0.7 < float(delays.mean()) < 0.85  # of 0.75 ms, without what is shorter than a step
    assert float(delays.min()) >= 0.1
    found = in_nest.measured(nest, populations, transient=20.0, duration=50.0)
    assert [events.shape.numel() for events in found] == list(numbers.neurons)
    assert sum(map(len, found))
    assert {(events.steps, events.dt) for events in found} == {(500, 0.1)}


def test_nest_has_brunels_network():
    pytest.importorskip("nest")
    from tasks.bench import in_nest

    regime = REGIMES["AI"].scaled(0.02)
    nest, (exc, inh) = in_nest.balanced_network(regime, threads=1, dt=0.1, seed=3)
    assert (len(exc), len(inh)) == (200, 50)
    synapses = nest.GetConnections(inh, exc[:3])
    assert len(synapses) == 3 * regime.in_degrees[1]
    assert set(synapses.weight) == {-regime.g * regime.jump}
    assert set(synapses.delay) == {1.5}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # by the libraries that Brian2 is made of
def test_brian_fires_as_published():
    pytest.importorskip("sympy")
    from tasks.bench import in_brian

    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    try:
        run = in_brian.cuba(Cuba(excitatory=320, inhibitory=80), duration=20.0, dt=0.1, seed=1)
    except ImportError:
        pytest.skip("no Brian2")
    seconds, rate = run()
    assert 0 < seconds < 60
    assert rate > 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # by the libraries that Brian2 is made of
def test_brian_has_coba():
    pytest.importorskip("sympy")
    from tasks.bench import in_brian

    try:
        events = in_brian.coba(Coba(), transient=20.0, duration=30.0, dt=0.1, seed=1)
    except ImportError:
        pytest.skip("no Brian2, or no C++ compiler")
    assert (events.steps, events.shape.numel(), events.dt) == (300, 3200, 0.1)
    assert 5 < float(cx.recording.rate(events).mean()) < 40


def test_cases_differ_in_what_they_are():
    assert scale.CASES["0.5"].circuit().neurons[0] == 10342
    assert scale.CASES["tiny"].circuit().neurons[0] == 414
