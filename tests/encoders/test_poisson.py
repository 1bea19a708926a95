import math

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from conex_nn.encoders import Poisson


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("max_rate", "dt"), [(1000.0, 1.0), (100.0, 1.0), (100.0, 0.1), (40.0, 25.0)])
def test_the_rate_is_the_intensity_times_the_largest_rate(max_rate, dt):
    time, copies = 200, 500
    x = torch.tensor([0.1, 0.5, 0.9])
    spikes = Poisson(time, max_rate=max_rate, dt=dt, generator=seeded(0))(x.expand(copies, 3))
    seconds = time * copies * dt / 1000
    p = x.double() * max_rate * dt / 1000
    five_sigma = 5 * (p * (1 - p) * time * copies).sqrt() / seconds
    rate = spikes.double().sum((0, 1)) / seconds
    assert bool(((rate - x.double() * max_rate).abs() < five_sigma).all())


def test_small_rates_survive_a_coarse_default_type():
    x = torch.full((2000,), 0.1)
    fine = Poisson(100, max_rate=10.0, generator=seeded(0))(x)
    torch.set_default_dtype(torch.bfloat16)
    try:
        coarse = Poisson(100, max_rate=10.0, generator=seeded(0))(x)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_close(coarse, fine, rtol=0, atol=0)


def test_steps_and_features_are_independent():
    n = 100_000
    spikes = Poisson(2, max_rate=500.0, generator=seeded(0))(torch.ones(n)).double() - 0.5
    five_sigma = 5 * 0.25 / math.sqrt(n)
    assert abs((spikes[0] * spikes[1]).mean()) < five_sigma
    assert abs((spikes[0, 1:] * spikes[0, :-1]).mean()) < five_sigma
    assert abs((spikes[0, n // 2 :] * spikes[0, : n // 2]).mean()) < five_sigma * math.sqrt(2)


def test_counts_in_a_window_have_the_variance_of_a_binomial():
    time, p, copies = 50, 0.2, 20_000
    counts = Poisson(time, max_rate=1000 * p, generator=seeded(0))(torch.ones(copies)).double().sum(0)
    variance = time * p * (1 - p)
    assert abs(counts.var() - variance) < 5 * variance * math.sqrt(2 / copies)


def test_the_same_seed_gives_the_same_spikes():
    x = torch.rand(3, 40)
    first = Poisson(20, generator=seeded(5))(x)
    assert_close(Poisson(20, generator=seeded(5))(x), first, rtol=0, atol=0)
    assert not torch.equal(Poisson(20, generator=seeded(6))(x), first)


def test_without_a_generator_the_global_one_is_used():
    x = torch.rand(40)
    torch.manual_seed(5)
    first = Poisson(20)(x)
    assert_close(Poisson(20, generator=seeded(5))(x), first, rtol=0, atol=0)
    assert not torch.equal(Poisson(20)(x), first)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (4,)])
def test_full_rate_fires_in_every_step(shape):
    assert_close(Poisson(5)(torch.ones(shape)), torch.ones(5, *shape), rtol=0, atol=0)


def test_more_than_one_spike_per_step_is_refused():
    with pytest.raises(
        ValueError, match=r"Expected `max_rate` to be at most 500 \[Hz\], one spike per step of `dt` = 2"
    ):
        Poisson(5, max_rate=501.0, dt=2.0)
    Poisson(5, max_rate=500.0, dt=2.0)


def test_a_generator_on_another_device_is_refused():
    class Elsewhere:
        device = torch.device("cuda:0")

    encoder = Poisson(5)
    encoder.generator = Elsewhere()
    message = r"Expected `x` to be on the device of `generator`, cuda:0, got cpu|parameter 'generator'"  # or the hook
    with pytest.raises((ValueError, TypeError), match=message):
        encoder(torch.rand(3))


@pytest.mark.gpu
def test_on_a_gpu():
    generator = torch.Generator(device="cuda").manual_seed(0)
    spikes = Poisson(1000, max_rate=500.0, generator=generator)(torch.ones(1000, device="cuda"))
    assert abs(float(spikes.double().mean()) - 0.5) < 5 * 0.5 / 1000


def intervals_of(spikes: torch.Tensor) -> torch.Tensor:
    """Steps from a spike to the next, of all features `(time, features)` together."""
    feature, step = spikes.T.nonzero().T
    return step.diff()[feature.diff() == 0]


def kolmogorov_smirnov(intervals: torch.Tensor, distribution) -> float:
    """Probability of intervals as far from a discrete distribution, spread over the step, which makes it continuous."""
    offset = torch.rand(intervals.shape, generator=seeded(11), dtype=torch.float64)
    n = intervals.double().numpy()
    below = distribution.cdf(n - 1)
    place = below + offset.numpy() * (distribution.cdf(n) - below)  # uniform if the distribution is the right one
    return stats.kstest(place, "uniform").pvalue


@pytest.mark.parametrize("p", [0.05, 0.3, 0.8])
def test_intervals_are_geometric(p):
    # of a long train, so that the end of the window, which cuts long intervals, is of no weight
    spikes = Poisson(200_000, max_rate=1000 * p, generator=seeded(1))(torch.ones(1))
    intervals = intervals_of(spikes)
    assert len(intervals) > 5000
    assert kolmogorov_smirnov(intervals, stats.geom(p)) > 0.01
    assert kolmogorov_smirnov(intervals, stats.geom(p * 1.06)) < 1e-3  # it would be seen


@pytest.mark.parametrize("expected", [0.2, 1.0, 3.0])
def test_intervals_are_exponential_with_counts(expected):
    steps = round(10_000 / min(expected, 1.0))
    counts = Poisson(steps, max_rate=1000 * expected, counts=True, generator=seeded(2))(torch.ones(1))[:, 0]
    # the spikes of a step are anywhere in it
    times = torch.arange(steps).repeat_interleave(counts.long()).double()
    times = (times + torch.rand(times.shape, generator=seeded(3), dtype=torch.float64)).sort().values
    assert stats.kstest(times.diff().numpy(), "expon", args=(0, 1 / expected)).pvalue > 0.01
    assert stats.kstest(times.diff().numpy(), "expon", args=(0, 1.1 / expected)).pvalue < 1e-3


def test_counts_have_the_mean_and_variance_of_a_poisson_number():
    n, mean = 100_000, 2.5
    counts = Poisson(1, max_rate=1000 * mean, counts=True, generator=seeded(0))(torch.ones(n)).double()
    assert abs(counts.mean() - mean) < 5 * math.sqrt(mean / n)
    assert abs(counts.var() - mean) < 5 * math.sqrt((mean + 2 * mean**2) / n)


@pytest.mark.parametrize(("max_rate", "counts"), [(1000.0, False), (200.0, False), (4000.0, True)])
def test_rates_give_the_intensities_back(max_rate, counts):
    x = torch.linspace(0, 1, 50)
    encoder = Poisson(4000, max_rate=max_rate, counts=counts, generator=seeded(0))
    error = (encoder.decode(encoder(x)) - x).double()
    assert error.abs().max() < 5 * (4000 * max_rate / 1000) ** -0.5


def test_counts_need_a_type_that_holds_them():
    with pytest.raises(TypeError, match=r"Expected `dtype` to hold `counts`, got torch.bool"):
        Poisson(5, counts=True, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"Expected `max_rate` to be at most 100000 \[Hz\] for counts in a byte"):
        Poisson(5, max_rate=100_001.0, counts=True, dtype=torch.uint8)
    assert Poisson(500, max_rate=100_000.0, counts=True, dtype=torch.uint8)(torch.ones(9)).double().mean() > 95
