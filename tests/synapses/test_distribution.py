"""What weights and delays are drawn from."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.synapses import LogNormal, Normal, Uniform
from conex_nn.synapses.distribution import Distribution

DRAWS = 200_000


def phi(x):
    return 0.5 * math.erfc(-x / math.sqrt(2))


CDFS = {
    "normal": (Normal(0.5, 0.2), lambda x: phi((x - 0.5) / 0.2)),
    "cut": (Normal(15, 7.5, low=1), lambda x: (phi((x - 15) / 7.5) - phi(-14 / 7.5)) / (1 - phi(-14 / 7.5))),
    "tail": (Normal(0.0, 1.0, low=1.0, high=2.5), lambda x: (phi(x) - phi(1)) / (phi(2.5) - phi(1))),
    "uniform": (Uniform(-1.0, 3.0), lambda x: (x + 1) / 4),
    # exp(m + s^2 / 2) = 2 and (exp(s^2) - 1) 4 = 9
    "log-normal": (LogNormal(2.0, 3.0), lambda x: phi((math.log(x) - math.log(4 / 13**0.5)) / math.log(13 / 4) ** 0.5)),
}


@pytest.mark.parametrize("name", CDFS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_the_distribution(name, dtype):
    distribution, cdf = CDFS[name]
    values = distribution(torch.empty(DRAWS, dtype=dtype), torch.Generator().manual_seed(1)).sort().values
    assert values[0] >= distribution.low
    assert values[-1] <= distribution.high
    places = torch.arange(0, DRAWS, 997)
    wanted = torch.tensor([cdf(values[i].item()) for i in places])
    # Kolmogorov and Smirnov: 1.95 / sqrt(n) is passed by one sample in a thousand
    assert (wanted - (places + 0.5) / DRAWS).abs().max() < 1.95 / DRAWS**0.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_weights_are_the_wide_ones_rounded(dtype):
    draws = [
        Normal(0.5, 0.2, low=0.0)(torch.empty(3, 5, dtype=kind), torch.Generator().manual_seed(2))
        for kind in (torch.float32, dtype)
    ]
    assert_close(draws[0].to(dtype), draws[1], rtol=0, atol=0)


def test_pieces_are_one_sequence_of_draws(monkeypatch):
    monkeypatch.setattr("conex_nn.synapses.distribution._PIECE", 64)
    values = Uniform(0.0, 1.0)(torch.zeros(1000))
    assert len(values.unique()) > 990
    assert [len(p) for p in Uniform(0.0, 1.0).pieces(130, like=torch.empty(0))] == [64, 64, 2]


def test_equal_ones_are_equal_and_no_one_changes_them():
    assert Normal(1.0, 2.0, low=0.0) == Normal(1.0, 2.0, low=0.0) != Normal(1.0, 2.0)
    with pytest.raises(AttributeError):
        Normal(1.0, 2.0).mean = 3.0
    assert isinstance(Normal(1.0, 0.0), Distribution)
    assert Normal(1.0, 0.0)(torch.empty(3)).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0.0, -1.0), "`std` of at least 0, got -1.0"),
        (lambda: Normal("a", 1.0), "`mean` of Normal to be a number, got 'a'"),
        (lambda: Normal(0.0, math.nan), "`std` of Normal to be a number, got nan"),
        (lambda: Normal(0.0, 1.0, low=5.0), "at least 1 in 1000 draws between them"),
        (lambda: Normal(0.0, 1.0, low=1.0, high=0.0), "at least 1 in 1000 draws between them"),
        (lambda: LogNormal(-1.0, 1.0), "`mean` above 0 and `std` of at least 0 of a LogNormal, got -1.0"),
        (lambda: LogNormal(1.0, 0.1, high=0.0), "at least 1 in 1000 draws between them"),
        (lambda: Uniform(2.0, 1.0), "`low` up to `high`, both finite, got 2.0 and 1.0"),
        (lambda: Uniform(0.0, math.inf), "both finite"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
