"""Trains with Poisson-distributed intervals: their distribution, their rate in every step, their ends."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from conex_nn.encoders import PoissonIntervals


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trains(p: float, time: int, features: int, seed: int = 0) -> torch.Tensor:
    return PoissonIntervals(time, max_rate=1000 * p, generator=seeded(seed))(torch.ones(features))


def fits(intervals: torch.Tensor, distribution: stats.rv_discrete) -> float:
    """Probability of a Kolmogorov-Smirnov distance as large, with each number spread over a step of 1."""
    offset = torch.rand(intervals.shape, generator=seeded(5), dtype=torch.float64).numpy()
    n = intervals.numpy()
    below = distribution.cdf(n - 1)
    return stats.kstest(below + offset * (distribution.cdf(n) - below), "uniform").pvalue


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9])
def test_intervals_are_one_and_a_poisson_number(p):
    step = trains(p, 400_000, 1)[:, 0].nonzero()[:, 0]
    assert fits(step.diff(), stats.poisson(1 / p - 1, loc=1)) > 0.01
    assert fits(step.diff(), stats.geom(p)) < 1e-3  # it is no Poisson process


@pytest.mark.parametrize("p", [0.02, 0.1, 0.5, 0.9, 1.0])
def test_the_rate_is_the_same_in_every_step_from_the_first(p):
    features, time = 40_000, 60
    spikes = trains(p, time, features).double()
    deviation = (spikes.mean(1) - p).abs() / math.sqrt(p * (1 - p) / features + 1e-12)
    assert deviation.max() < 5


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_intervals_vary_less_than_those_of_a_poisson_process(p):
    intervals = trains(p, 400_000, 1)[:, 0].nonzero()[:, 0].diff().double()
    assert float(intervals.std() / intervals.mean()) == pytest.approx(math.sqrt(p * (1 - p)), rel=0.03)


def test_features_do_not_begin_together():
    first = trains(0.02, 400, 20_000).int().argmax(0)
    # seen from a random moment, the wait for the next spike: P(wait = k) = P(interval > k) / mean interval
    expected = stats.poisson(49, loc=1).sf(np.arange(60)) / 50
    assert_close(first.bincount(minlength=60)[:60].double() / 20_000, torch.tensor(expected), rtol=0, atol=5e-3)


def test_full_rate_fires_in_every_step():
    """CoNeX's encoder loses a quarter of these spikes."""
    assert_close(PoissonIntervals(50)(torch.ones(3, 4)), torch.ones(50, 3, 4), rtol=0, atol=0)


@pytest.mark.parametrize("x", [0.0, 1e-12])
def test_what_is_next_to_nothing_stays_silent(x):
    assert not PoissonIntervals(100)(torch.full((100,), x)).any()


def test_rates_give_the_intensities_back():
    x = torch.linspace(0, 1, 50)
    encoder = PoissonIntervals(4000, max_rate=500.0, generator=seeded(0))
    assert_close(encoder.decode(encoder(x)), x, rtol=0, atol=5 * (4000 * 0.5) ** -0.5)


def test_more_than_one_spike_per_step_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected `max_rate` to be at most 500 \[Hz\], one spike per step of `dt` = 2"
    ):
        PoissonIntervals(5, max_rate=501.0, dt=2.0)


def test_a_generator_on_another_device_is_refused():
    class Elsewhere:
        device = torch.device("cuda:0")

    encoder = PoissonIntervals(5)
    encoder.generator = Elsewhere()
    message = r"Expected `x` to be on the device of `generator`, cuda:0, got cpu|parameter 'generator'"  # or the hook
    with pytest.raises((ValueError, TypeError), match=message):
        encoder(torch.rand(3))
