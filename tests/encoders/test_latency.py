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


@pytest.mark.parametrize(("threshold", "tau"), [(0.01, None), (0.3, None), (0.2, 5.0)])
def test_decoding_gives_back_what_the_steps_tell_apart(threshold, tau):
    x = torch.linspace(0, 1, 997)
    encoder = Latency(60, threshold=threshold, tau=tau)
    spikes = encoder(x)
    decoded = encoder.decode(spikes)
    assert_close(encoder(decoded), spikes, rtol=0, atol=0)  # the same steps again
    if tau is None:
        assert (decoded - x)[x >= threshold].abs().max() <= 0.5 * (1 - threshold) / 59 + 1e-6
    assert not decoded[x < threshold].any()


def test_one_step_decodes_to_full_intensity():
    encoder = Latency(1, threshold=0.2)
    assert encoder.decode(encoder(torch.tensor([0.1, 0.9]))).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("sparsity", "count"), [(0.01, 1), (0.1, 10), (0.255, 26), (1.0, 100)])
@pytest.mark.parametrize("tau", [None, 2.0])
def test_only_the_strongest_of_a_sample_fire(sparsity, count, tau):
    x = 0.2 + 0.8 * torch.rand(4, 1, 10, 10)  # a batch of images
    spikes = Latency(500, sparsity=sparsity, feature_ndim=3, threshold=0.1, tau=tau)(x)
    fired = spikes.any(0).flatten(1)
    strongest = x.flatten(1) >= x.flatten(1).sort(1, descending=True).values[:, count - 1 : count]
    assert torch.equal(fired, strongest)
    assert fired.sum(1).tolist() == [count] * 4


def test_sparsity_does_not_lower_the_threshold():
    x = torch.tensor([0.9, 0.05, 0.04, 0.03])
    assert Latency(5, threshold=0.1, sparsity=0.75, feature_ndim=1)(x).sum() == 1


def test_equals_of_the_weakest_fire_too():
    assert Latency(5, sparsity=0.25, feature_ndim=1)(torch.tensor([0.5, 0.5, 0.5, 0.1])).sum() == 3


def test_trims_stretch_each_sample_to_the_window():
    samples = torch.tensor([[0.2, 0.3, 0.4], [0.5, 0.75, 1.0], [0.0, 0.6, 0.6]])

    def steps(**trims):
        spikes = Latency(11, threshold=0.1, feature_ndim=1, **trims)(samples)
        return first_spike(spikes).tolist()

    assert steps() == [[9, 8, 7], [6, 3, 0], [11, 4, 4]]
    assert steps(trim_first=True) == [[7, 3, 0], [6, 3, 0], [11, 0, 0]]
    assert steps(trim_last=True) == [[10, 9, 8], [10, 5, 0], [11, 10, 10]]
    assert steps(trim_first=True, trim_last=True) == [[10, 5, 0], [10, 5, 0], [11, 0, 0]]


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_sample_of_one_brightness(value):
    """CoNeX's encoder makes no spikes of an image of ones (0 times infinity), and spikes of black."""
    spikes = Latency(5, trim_first=True, trim_last=True, sparsity=0.5, feature_ndim=2)(torch.full((3, 3), value))
    assert_close(spikes.sum((1, 2)), torch.tensor([9.0 * (value > 0), 0, 0, 0, 0]))


def test_no_state_is_kept_between_samples():
    """CoNeX's encoder keeps the threshold that it found for the sample before."""
    encoder = Latency(9, sparsity=0.5, trim_first=True, feature_ndim=1)
    x = torch.rand(20)
    before = encoder(x)
    encoder(torch.rand(20) * 0.1)
    assert_close(encoder(x), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sparsity": 0.0, "feature_ndim": 1}, r"Expected `sparsity` to be above 0 and at most 1 \[1\], got 0.0"),
        ({"sparsity": 1.1, "feature_ndim": 1}, "Expected `sparsity` to be above 0 and at most 1"),
        ({"sparsity": 0.5}, "Expected `feature_ndim` to say how many trailing dimensions"),
        ({"trim_first": True}, "Expected `feature_ndim` to say"),
        ({"trim_last": True}, "Expected `feature_ndim` to say"),
        (
            {"trim_last": True, "feature_ndim": 1, "tau": 2.0},
            "Expected `tau` to be None with `trim_first` or `trim_last`",
        ),
    ],
)
def test_options_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        Latency(5, **options)


def test_the_repr_tells_what_is_compared():
    shown = repr(Latency(5, sparsity=0.5, trim_first=True, trim_last=True, feature_ndim=1))
    assert shown == "Latency(time=5, threshold=0.01, linear, sparsity=0.5, trim_first=True, trim_last=True)"
