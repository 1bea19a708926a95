"""FiringRate, Sparsity and the regularisers, against numbers worked out by hand."""

import pytest
import torch

from conex_nn.training import FiringRate, RateLimit, RateTarget, Sparsity


def test_rate_in_hertz():
    rate = FiringRate(dt=0.5)
    rate.update(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    rate.update(torch.tensor([[0.0, 0.0, 0.0, 1.0]]))
    torch.testing.assert_close(rate.compute(), torch.tensor(3 / 8 / 0.5e-3))
    rate.reset()
    rate.update(torch.zeros(3))
    assert rate.compute() == 0


def test_rates_of_many_spikes_are_exact():
    rate = FiringRate()
    for _ in range(3):
        rate.update(torch.ones(1).expand(2**24 + 1))  # beyond the whole numbers of float32
    assert rate.spikes == 3 * (2**24 + 1)


def test_sparsity_weighs_by_size():
    sparsity = Sparsity()
    sparsity.update(torch.ones(2))
    sparsity.update(torch.zeros(6))
    assert sparsity.compute() == 0.75


@pytest.mark.parametrize("metric", [FiringRate])
def test_dt_has_to_be_positive(metric):
    with pytest.raises(ValueError, match=r"`dt` to be positive \[ms\], got 0"):
        metric(dt=0)


def test_rate_target():
    spikes = torch.zeros(10, 2, 2)
    spikes[:, :, 0] = 1  # 1 and 0 spikes per step; 250 Hz at 2 ms are 0.5
    penalty = RateTarget(rate=250.0, weight=3.0)({"a": spikes, "b": torch.zeros(10, 2, 5)}, 2.0)
    torch.testing.assert_close(penalty, torch.tensor(3 * 0.25))
    only = RateTarget(rate=0.0, layers=["b"])({"a": spikes, "b": torch.zeros(10, 2, 5)}, 2.0)
    assert only == 0


def test_rate_limit():
    spikes = torch.zeros(10, 1, 3)
    spikes[:1, :, 1] = 1  # 0, 100 and 1000 Hz at 1 ms
    spikes[:, :, 2] = 1
    penalty = RateLimit(lower=50.0, upper=600.0)({"a": spikes}, 1.0)
    torch.testing.assert_close(penalty, torch.tensor((0.05**2 + 0 + 0.4**2) / 3))


def test_regularisers_pass_gradients():
    spikes = torch.rand(4, 2, 3, dtype=torch.float64, requires_grad=True)
    RateTarget(rate=900.0)({"a": spikes}, 1.0).backward()
    assert (spikes.grad < 0).all()
    assert repr(RateTarget(rate=900.0)) == "RateTarget(rate=900.0 Hz, weight=1.0)"
    assert repr(RateLimit(upper=9.0)) == "RateLimit(lower=0.0 Hz, upper=9.0 Hz, weight=1.0)"
