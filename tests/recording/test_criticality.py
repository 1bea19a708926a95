"""Branching processes and avalanches that are known."""

import math

import pytest
import torch

from conex_nn.recording import avalanches, branching_ratio


def branching(m, *, steps, trials=1, drive=10.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    activity = torch.zeros(steps, trials)
    now = torch.full((trials,), drive / (1 - m))
    for t in range(steps):
        now = torch.poisson(m * now + drive, generator)
        activity[t] = now
    return activity


@pytest.mark.parametrize(("m", "near"), [(0.5, 0.05), (0.9, 0.015), (0.98, 0.006)])
def test_the_ratio_of_a_branching_process(m, near):
    activity = branching(m, steps=40_000)
    found = branching_ratio(activity, dt=4.0, max_lag=160.0)
    assert found.ratio == pytest.approx(m, abs=near)
    assert found.strength * found.ratio == pytest.approx(m, abs=0.025)
    assert found.tau == pytest.approx(-4.0 / math.log(found.ratio))
    assert found.lags[[0, -1]].tolist() == [4.0, 160.0]


def test_a_hundredth_of_the_neurons_tells_the_same_ratio():
    """Of A spikes each is seen with probability p: slopes are b m^k, with b = p var(A) / (p var(A) + (1 - p) <A>)."""
    m, p = 0.95, 0.05
    activity = branching(m, steps=100_000, drive=50.0)
    seen = torch.binomial(activity, torch.full_like(activity, p), generator=torch.Generator().manual_seed(1))
    found = branching_ratio(seen)
    strength = p * activity.var() / (p * activity.var() + (1 - p) * activity.mean())
    assert found.ratio == pytest.approx(m, abs=0.01)
    assert found.strength == pytest.approx(float(strength), abs=0.03)
    assert float(found.slopes[0]) < 0.4  # what a single regression would take for the ratio


def test_trials_are_of_one_process():
    activity = branching(0.9, steps=2000, trials=20)
    assert branching_ratio(activity.unsqueeze(2), max_lag=30.0).ratio == pytest.approx(0.9, abs=0.02)


def test_poisson_activity_branches_nothing():
    activity = torch.poisson(torch.full((50_000, 1), 5.0), torch.Generator().manual_seed(0))
    found = branching_ratio(activity, max_lag=10.0)
    assert float(found.slopes.abs().max()) < 0.02
    assert abs(found.strength * found.ratio) < 0.02


def test_silence_and_a_clock_are_nan():
    for activity in (torch.zeros(1000, 3), torch.ones(1000, 3)):
        found = branching_ratio(activity)
        assert math.isnan(found.ratio)
        assert math.isnan(found.tau)
        assert found.slopes.isnan().all()
    for steps, lag in ((1000, 1.0), (1000, 1000.0)):
        with pytest.raises(ValueError, match=r"`max_lag` of at least 2 bins of 1 ms and below the 1000"):
            branching_ratio(torch.zeros(steps, 3), max_lag=lag)


def reference(counts, threshold):
    sizes, durations = [], []
    for start in range(1, len(counts)):
        if counts[start] > threshold >= counts[start - 1]:
            stop = next((t for t in range(start, len(counts)) if counts[t] <= threshold), None)
            if stop is not None:
                sizes.append(sum(counts[start:stop]))
                durations.append(stop - start)
    return sizes, durations


def test_avalanches_are_those_that_one_would_count_by_hand():
    spikes = (torch.rand(400, 3, 4, generator=torch.Generator().manual_seed(0)) < 0.1).float()
    for threshold in (0.0, 1.0):
        found = avalanches(spikes, threshold=threshold, dt=0.5)
        for sample in range(3):
            sizes, durations = reference(spikes[:, sample].sum(1).tolist(), threshold)
            assert found.size[found.sample == sample].tolist() == sizes
            assert (found.duration[found.sample == sample] * 2).tolist() == durations


def test_avalanches_at_the_ends_are_left_out():
    assert avalanches(torch.tensor([1.0, 0.0, 2.0, 3.0, 0.0, 1.0])[:, None]).size.tolist() == [5.0]
    assert avalanches(torch.tensor([1.0, 1.0, 0.0])[:, None]).size.tolist() == []
    assert avalanches(torch.tensor([0.0, 1.0, 1.0])[:, None]).size.tolist() == []
    assert len(avalanches(torch.ones(5, 2)).size) == len(avalanches(torch.zeros(5, 2)).size) == 0


def test_avalanches_in_wider_bins():
    found = avalanches(torch.tensor([0.0, 0, 1, 0, 0, 2, 0, 0])[:, None], width=2.0)
    assert (found.size.tolist(), found.duration.tolist()) == ([3.0], [4.0])


def test_activity_that_alternates_begets_nothing():
    spikes = torch.zeros(200, 1)
    spikes[::2] = 1
    found = branching_ratio(spikes, max_lag=3.0)
    assert (found.ratio, found.tau, found.strength) == (0.0, 0.0, 0.0)
