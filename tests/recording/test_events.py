"""Analyses of events are those of the spikes, and never make a number for each step and neuron."""

import pytest
import torch

import conex_nn as cx
from conex_nn.recording import (
    Events,
    avalanches,
    binned_rate,
    branching_ratio,
    correlations,
    cv,
    cv2,
    intervals,
    local_variation,
    population_rate,
    rate,
    spike_counts,
    synchrony,
)
from tests.structure.live_bytes import LiveBytes

GENERATOR = torch.Generator().manual_seed(0)
TOGETHER = torch.rand(401, 3, 1, 1, generator=GENERATOR) < 0.1
SPIKES = ((torch.rand(401, 3, 4, 5, generator=GENERATOR) < 0.06) | (TOGETHER & (torch.rand(4, 5) < 0.5))).float()
SPIKES[:, 1, 2, 2] = 0  # silent
EVENTS = Events.of(SPIKES, axes=2, dt=0.5)
LATE = EVENTS.between(100, 301)

MEASURES = [
    rate,
    intervals,
    cv,
    cv2,
    local_variation,
    lambda s, **o: spike_counts(s, width=2.0, **o),
    lambda s, **o: binned_rate(s, width=2.0, **o),
    lambda s, **o: population_rate(s, axes=2, **o),
    lambda s, **o: population_rate(s, axes=2, sigma=2.0, **o),
    lambda s, **o: synchrony(s, axes=2, **o),
    lambda s, **o: synchrony(s, axes=2, width=2.0, **o),
    lambda s, **o: correlations(s, axes=2, **o),
    lambda s, **o: correlations(s, axes=2, width=2.0, max_neurons=7, **o),
    lambda s, **o: avalanches(s, axes=2, threshold=2.0, **o),
    lambda s, **o: branching_ratio(s, axes=2, width=1.0, max_lag=10.0, **o),
]


def close(found, expected):
    for one, other in zip(*((x if isinstance(x, tuple) else (x,)) for x in (found, expected)), strict=True):
        torch.testing.assert_close(one, other, equal_nan=True, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("measure", MEASURES)
def test_analyses_of_events_are_those_of_the_spikes(measure):
    close(measure(EVENTS), measure(SPIKES, dt=0.5))
    close(measure(EVENTS, dt=0.5), measure(SPIKES, dt=0.5))
    close(measure(LATE), measure(SPIKES[100:301], dt=0.5))
    with pytest.raises(ValueError, match=r"`dt` to be that of the events, 0.5 \[ms\], got 1. Leave it out"):
        measure(EVENTS, dt=1.0)


@pytest.mark.parametrize("measure", MEASURES)
def test_analyses_of_some_neurons(measure):
    chosen = torch.tensor([12, 3, 19])  # 12 is silent in one sample
    some = SPIKES.flatten(2)[..., chosen].unsqueeze(-1)
    found, expected = measure(EVENTS.only(chosen)), measure(some, dt=0.5)
    if hasattr(found, "matrix"):
        torch.testing.assert_close(found.matrix, expected.matrix, equal_nan=True)
        assert found.neurons.tolist() == [12, 3, 19]
        return
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    close(
        found,
        tuple(x.reshape(f.shape) if isinstance(x, torch.Tensor) else x for f, x in zip(found, expected, strict=True)),
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_one_dt_is_the_default(measure):
    close(measure(Events.of(SPIKES, axes=2)), measure(SPIKES))


def test_nothing_dense_is_made():
    steps, n = 100_000, 1000
    time = torch.arange(0, steps, 10, dtype=torch.int32)
    neuron = (torch.arange(len(time), dtype=torch.int32) * 7) % n
    events = Events(time, torch.zeros_like(time), neuron, steps, torch.Size((n,)), dt=0.1)
    with LiveBytes() as live:
        assert rate(events).mean() == pytest.approx(1.0)
        assert float(cv(events).nanmean()) == pytest.approx(0.0, abs=1e-6)
        intervals(events), cv2(events), local_variation(events)
        population_rate(events), synchrony(events, width=3.0), correlations(events, width=500.0)
    assert live.peak < 40e6  # of the 400 MB that they would be


def test_a_width_that_does_not_fit():
    with pytest.raises(ValueError, match=r"`width` to be at most the 200.5 ms that there are \[ms\], got 300"):
        spike_counts(EVENTS, width=300.0)


def test_a_simulation_is_analysed_by_its_events():
    run = cx.Neocortex(v1=cx.Population(3, cx.LIF())).simulate(20)
    with pytest.raises(TypeError, match=r"tensor or as events, got Simulation; .*`\.events\[address\]`"):
        cv(run)
    assert cv(run.events["v1"]).isnan().all()
