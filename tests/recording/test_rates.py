"""Rates: what is counted is what is there."""

import pytest
import torch

from conex_nn.recording import binned_rate, population_rate, rate, smoothed_rate, spike_counts


def test_a_clock_of_ten_hertz():
    spikes = torch.zeros(1000, 2, 3)
    spikes[::200, 1, 2] = 1  # every 100 ms in steps of 0.5 ms
    found = rate(spikes, dt=0.5)
    expected = torch.zeros(2, 3)
    expected[1, 2] = 10.0
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(binned_rate(spikes, width=100.0, dt=0.5), expected.expand(5, 2, 3))


def test_bins_add_up_and_a_part_of_one_is_left_out():
    spikes = (torch.rand(103, 4) < 0.3).float()
    counts = spike_counts(spikes, width=10.0)
    assert counts.shape == (10, 4)
    torch.testing.assert_close(counts.sum(0), spikes[:100].sum(0))
    torch.testing.assert_close(counts[3], spikes[30:40].sum(0))
    assert spike_counts(torch.ones(600, dtype=torch.bfloat16), width=600.0).item() == 600  # which bfloat16 cannot count


def test_a_spike_becomes_a_gaussian_of_its_area():
    spikes = torch.zeros(2001, dtype=torch.float64)
    spikes[1000] = 1
    found = smoothed_rate(spikes, sigma=5.0, dt=0.1)
    time = (torch.arange(2001) - 1000).double() * 0.1
    exact = 1000 * torch.exp(-((time / 5) ** 2) / 2) / (5 * (2 * torch.pi) ** 0.5)
    torch.testing.assert_close(found, exact, atol=0.05, rtol=1e-3)
    torch.testing.assert_close(found.sum() * 0.1 / 1000, torch.tensor(1.0, dtype=torch.float64), atol=1e-3, rtol=0)


def test_a_population_is_the_mean_of_its_neurons():
    spikes = (torch.rand(50, 2, 3, 4) < 0.2).float()
    found = population_rate(spikes, axes=2, dt=2.0)
    assert found.shape == (50, 2)
    torch.testing.assert_close(found, spikes.mean((2, 3)) * 500)
    smooth = population_rate(spikes, axes=2, dt=2.0, sigma=4.0)
    torch.testing.assert_close(smooth, smoothed_rate(spikes, sigma=4.0, dt=2.0).mean((2, 3)))
    assert population_rate(spikes, axes=3).shape == (50,)


def test_a_silent_population_has_rate_zero():
    silent = torch.zeros(20, 3)
    assert not rate(silent).any()
    assert not smoothed_rate(silent, sigma=3.0).any()
    assert not population_rate(silent).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: rate(s[:0]), r"`spikes` with time first and at least one step, got shape \(0, 3\)"),
        (lambda s: rate(s, dt=0.0), r"`dt` to be positive \[ms\], got 0.0"),
        (lambda s: spike_counts(s, width=0.7), r"`width` to be a whole number of steps of 1 ms \[ms\], got 0.7"),
        (lambda s: spike_counts(s, width=11.0), r"`width` to be at most the 10 ms that there are"),
        (lambda s: smoothed_rate(s, sigma=0.0), r"`sigma` to be positive \[ms\], got 0.0"),
        (lambda s: population_rate(s, axes=2), r"`axes` to be how many .* from 1 to 1 beside time, got 2"),
    ],
)
def test_unsuitable_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(10, 3))
