"""Irregularity in closed form: a Poisson process has 1, a clock 0, silence NaN."""

import pytest
import torch

import conex_nn as cx
from conex_nn.recording import (
    Events,
    cv,
    cv2,
    fano_factor,
    intervals,
    local_variation,
    spike_counts,
)


def poisson(*shape, probability=0.01, seed=0):
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < probability).float()


def test_intervals_stay_within_a_train():
    spikes = torch.zeros(20, 2, 2)
    spikes[[3, 5, 11], 0, 1] = 1
    spikes[[0, 19], 1, 0] = 1
    spikes[7, 1, 1] = 1
    found = intervals(spikes, dt=0.5)
    assert found.length.tolist() == [1.0, 3.0, 9.5]
    assert found.train.tolist() == [1, 1, 2]


def test_intervals_of_events_are_those_of_the_spikes():
    spikes = poisson(200, 3, 5, probability=0.1)
    dense, events = intervals(spikes, dt=0.5), intervals(Events.of(spikes, dt=0.5))
    assert torch.equal(dense.length, events.length)
    assert torch.equal(dense.train, events.train)
    assert len(intervals(Events.of(torch.zeros(9, 3))).length) == 0


def test_a_poisson_process_has_one():
    """In discrete time intervals are geometric: the CV is sqrt(1 - p), and CV2 and Lv go to 1 with p to 0."""
    spikes = poisson(200_000, 20)
    assert abs(cv(spikes).mean() - 0.99**0.5) < 0.01
    assert abs(cv2(spikes).mean() - 1) < 0.015
    assert abs(local_variation(spikes).mean() - 1) < 0.03
    counts = spike_counts(spikes, width=100.0)
    assert abs(fano_factor(counts).mean() - 0.99) < 0.02  # binomial counts: 1 - p


def test_a_regular_train_has_none():
    spikes = torch.zeros(1000, 1)
    spikes[::7] = 1
    for measure in (cv, cv2, local_variation):
        assert measure(spikes).item() == 0
    assert fano_factor(spike_counts(spikes[:994], width=14.0)).item() == 0


def test_known_intervals():
    """Intervals of 1, 3, 1, 3 ms: mean 2, deviation 1; every neighbour differs by half of the sum."""
    spikes = torch.zeros(9)
    spikes[[0, 1, 4, 5, 8]] = 1
    assert cv(spikes).item() == pytest.approx(0.5)
    assert cv2(spikes).item() == pytest.approx(1.0)
    assert local_variation(spikes).item() == pytest.approx(0.75)


def test_a_drifting_rate_is_irregular_to_the_cv_only():
    time = torch.cumsum(torch.arange(1, 60), 0)
    spikes = torch.zeros(int(time[-1]) + 1)
    spikes[time] = 1
    assert cv(spikes) > 0.5
    assert cv2(spikes) < 0.15


def test_too_few_spikes_are_nan():
    spikes = torch.zeros(10, 4)
    spikes[2, 1] = 1
    spikes[[2, 5], [2, 2]] = 1
    spikes[[2, 5, 8], [3, 3, 3]] = 1
    for measure in (cv, cv2, local_variation):
        assert measure(spikes).isnan().tolist() == [True, True, True, False]
    assert measure(torch.zeros(10, 2, 3)).isnan().all()
    assert len(intervals(torch.zeros(10, 4)).length) == 0


def test_fano_over_bins_over_trials_and_over_both():
    counts = torch.tensor([[[1.0], [3.0]], [[5.0], [7.0]]])  # (bins, trials, neurons)
    assert fano_factor(counts).flatten().tolist() == pytest.approx([8 / 3, 8 / 5])
    assert fano_factor(counts, dim=1).flatten().tolist() == pytest.approx([2 / 2, 2 / 6])
    assert fano_factor(counts, dim=(0, 1)).item() == pytest.approx((9 + 1 + 1 + 9) / 3 / 4)
    assert fano_factor(counts[:1]).isnan().all()
    assert fano_factor(torch.zeros(5, 2)).isnan().all()
    with pytest.raises(ValueError, match=r"`dim` to be axes of counts of shape \(2, 2, 1\), got 3"):
        fano_factor(counts, dim=3)


def test_a_lif_neuron_under_a_constant_current_is_a_clock():
    current = torch.full((500, 1, 1), 2.0)
    spikes, _ = cx.LIF(tau_mem=10.0)(current)
    assert cv(spikes.detach()).item() == 0
    # ln 2 time constants to threshold, in whole steps
    assert intervals(spikes.detach()).length.unique().tolist() == [7.0]


def test_elephant_says_the_same():
    statistics = pytest.importorskip("elephant.statistics")
    spikes = poisson(3000, 3, probability=0.05)
    trains = [spikes[:, i].nonzero().flatten().double().numpy() for i in range(3)]
    gaps = [trains[i][1:] - trains[i][:-1] for i in range(3)]
    pairs = ((cv, statistics.cv), (cv2, statistics.cv2), (local_variation, statistics.lv))
    for ours, theirs in pairs:
        torch.testing.assert_close(ours(spikes), torch.tensor([float(theirs(gap)) for gap in gaps]))
