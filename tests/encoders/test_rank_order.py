import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import RankOrder


def steps(x: torch.Tensor, time: int, feature_ndim: int = 1) -> torch.Tensor:
    spikes = RankOrder(time, feature_ndim=feature_ndim)(x)
    return torch.where(spikes.any(0), spikes.int().argmax(0), time)


def test_each_fires_once_in_the_order_of_its_strength():
    x = torch.rand(300)
    spikes = RankOrder(20, feature_ndim=1)(x)
    assert spikes.sum(0).tolist() == [1.0] * 300
    assert spikes.sum(1).tolist() == [15.0] * 20  # as many in every step
    by_strength = steps(x, 20)[x.argsort(descending=True)]
    assert bool((by_strength.diff() >= 0).all())


def _reference(x: list[float], time: int) -> list[int]:
    above = [v for v in x if v > 0]
    return [time * sum(w > v for w in x) // len(above) if v > 0 else time for v in x]


@pytest.mark.parametrize("time", [1, 3, 7, 50])
def test_it_is_its_definition(time):
    x = torch.rand(6, 23).mul(10).floor() / 10  # with equals and zeros
    assert steps(x, time).tolist() == [_reference(row, time) for row in x.tolist()]


def test_only_the_order_counts():
    x = torch.rand(5, 40)
    assert_close(steps(x**3 / 2, 9), steps(x, 9))


def test_equals_fire_together():
    assert steps(torch.tensor([0.5, 0.9, 0.5, 0.1]), 4).tolist() == [1, 0, 1, 3]


def test_a_sample_has_as_many_dimensions_as_said():
    x = torch.rand(4, 2, 3, 5)
    for ndim in (1, 2, 3, 4):
        flat = x.reshape(-1, *x.shape[4 - ndim :]).flatten(1)
        assert_close(steps(x, 6, ndim).flatten(), steps(flat, 6).flatten())


def test_decoding_keeps_the_order():
    x = torch.rand(30)
    encoder = RankOrder(30, feature_ndim=1)
    assert torch.equal(encoder.decode(encoder(x)).argsort(), x.argsort())
