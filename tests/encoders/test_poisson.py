import math

import pytest
import torch
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
    with pytest.raises(ValueError, match="Expected `x` to be on the device of `generator`, cuda:0, got cpu"):
        encoder(torch.rand(3))


@pytest.mark.gpu
def test_on_a_gpu():
    generator = torch.Generator(device="cuda").manual_seed(0)
    spikes = Poisson(1000, max_rate=500.0, generator=generator)(torch.ones(1000, device="cuda"))
    assert abs(float(spikes.double().mean()) - 0.5) < 5 * 0.5 / 1000
