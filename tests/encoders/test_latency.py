import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import Latency


def first_spike(spikes: torch.Tensor) -> torch.Tensor:
    """The step of the first spike, or the number of steps where there is none."""
    return torch.where(spikes.any(0), spikes.int().argmax(0), len(spikes))


@pytest.mark.parametrize("tau", [None, 3.0])
def test_stronger_is_never_later_and_there_is_one_spike(tau):
    x = torch.linspace(0, 1, 301)
    spikes = Latency(20, threshold=0.2, tau=tau)(x)
    assert bool((first_spike(spikes).diff() <= 0).all())
    assert set(spikes.sum(0).tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("tau", [None, 3.0])
@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.7])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_below_the_threshold_nothing_fires(tau, threshold, dtype):
    x = torch.linspace(0, 1, 301).to(dtype)
    spikes = Latency(1000, threshold=threshold, tau=tau)(x)
    assert not spikes[:, x < threshold].any()
    assert bool(spikes[:, x > threshold + 0.01].any(0).all())


def test_linear_times_span_the_window():
    x = torch.tensor([1.0, 0.8, 0.6, 0.4, 0.2])
    assert first_spike(Latency(5, threshold=0.2)(x)).tolist() == [0, 1, 2, 3, 4]


def test_one_step_holds_every_spike():
    assert Latency(1, threshold=0.2)(torch.tensor([0.1, 0.2, 1.0])).tolist() == [[0.0, 1.0, 1.0]]


@pytest.mark.parametrize(("tau", "dt"), [(2.0, 1.0), (10.0, 1.0), (10.0, 0.25)])
def test_charging_times_are_those_of_a_leaky_integrator(tau, dt):
    x = torch.linspace(0, 1, 173, dtype=torch.float64)
    time, threshold = 30, 0.3
    v, reference = torch.zeros_like(x), torch.full(x.shape, time)
    for step in range(time):
        v = x + (v - x) * math.exp(-dt / tau)
        reference = torch.where((v >= threshold) & (reference == time), step, reference)
    assert_close(first_spike(Latency(time, threshold=threshold, tau=tau, dt=dt)(x)), reference)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, math.nan])
def test_the_threshold_is_between_0_and_1(threshold):
    with pytest.raises(ValueError, match="Expected `threshold` to be between 0 and 1, both excluded"):
        Latency(5, threshold=threshold)


def test_the_repr_tells_how_times_are_made():
    assert repr(Latency(5)) == "Latency(time=5, threshold=0.01, linear)"
    assert repr(Latency(5, tau=2.0)) == "Latency(time=5, threshold=0.01, tau=2 ms, dt=1 ms)"
