import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import Burst


def _reference(x: float, encoder: Burst) -> list[int]:
    count = math.ceil(encoder.max_spikes * x - 1e-6)
    interval = math.ceil(encoder.max_interval - (encoder.max_interval - encoder.min_interval) * x - 1e-6)
    return [i * interval for i in range(count)]


@pytest.mark.parametrize(
    "encoder", [Burst(20), Burst(30, max_spikes=4, min_interval=2), Burst(12, max_spikes=1), Burst(40, max_interval=6)]
)
def test_it_is_its_definition(encoder):
    for x in torch.linspace(0, 1, 61, dtype=torch.float64):
        spikes = encoder(x)
        assert spikes.nonzero()[:, 0].tolist() == _reference(float(x), encoder)


def test_stronger_is_never_fewer_nor_farther_apart():
    spikes = Burst(30)(torch.linspace(0, 1, 400))
    assert bool((spikes.sum(0).diff() >= 0).all())
    last = torch.where(spikes.sum(0) > 1, spikes.int().cumsum(0).argmax(0) / (spikes.sum(0) - 1), torch.nan)
    intervals = last[~last.isnan()]
    assert bool((intervals.diff() <= 0).all())
    assert intervals[0] > 10 * intervals[-1]
    assert intervals[-1] == 1


@pytest.mark.parametrize("max_spikes", [1, 3, 10])
def test_counts_give_the_intensities_back(max_spikes):
    x = torch.linspace(0, 1, 301)
    encoder = Burst(50, max_spikes=max_spikes)
    error = (encoder.decode(encoder(x)) - x).abs()
    assert error.max() <= 0.5 / max_spikes + 1e-6
    assert encoder.decode(encoder(torch.zeros(()))) == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_multiple_of_a_spike_is_that_many(dtype):
    x = torch.arange(6, dtype=dtype) / 5
    assert_close(Burst(20)(x).sum(0), torch.arange(6, dtype=dtype))


@pytest.mark.parametrize(("time", "max_spikes", "min_interval"), [(5, 5, 1), (20, 5, 1), (21, 5, 4), (9, 2, 3)])
def test_the_longest_interval_is_the_longest_that_fits(time, max_spikes, min_interval):
    encoder = Burst(time, max_spikes=max_spikes, min_interval=min_interval)
    every = torch.linspace(0, 1, 2001, dtype=torch.float64)
    assert_close(encoder(every).sum(0), (max_spikes * every - 1e-6).ceil())  # no spike is lost
    with pytest.raises(ValueError, match="Expected `time` to hold bursts of up to"):
        Burst(time, max_spikes=max_spikes, min_interval=min_interval, max_interval=encoder.max_interval + 1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"max_spikes": 8}, ValueError, r"up to 8 spikes at these intervals, 8 \[steps\], got 7"),
        ({"max_spikes": 0}, ValueError, "Expected `max_spikes` to be at least 1"),
        ({"min_interval": 0}, ValueError, "Expected `min_interval` to be at least 1"),
        ({"min_interval": 2, "max_interval": 1}, ValueError, "Expected `max_interval` to be at least 2"),
        ({"max_spikes": 2.5}, TypeError, "Expected `max_spikes` to be an integer|parameter 'max_spikes'"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        Burst(7, **options)
