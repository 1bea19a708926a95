"""The constant current that does to a membrane what a decaying one does."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.functional import held_factor


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def propagator(tau_syn, tau_mem, dt):
    """P21 of a membrane of 1 MOhm, by Gauss-Legendre quadrature of its integral, which knows no special case."""
    nodes = f64(-0.9324695142031521, -0.6612093864662645, -0.2386191860831969)
    weights = f64(0.1713244923791704, 0.3607615730481386, 0.4679139345726910)
    total = 0.0
    for begin in torch.arange(400, dtype=torch.float64) / 400 * dt:
        middle, half = begin + dt / 800, dt / 800
        for s in (middle + half * nodes, middle - half * nodes):
            total += (half * weights * torch.exp(-(dt - s) / tau_mem - s / tau_syn)).sum().item() / tau_mem
    return total


@pytest.mark.parametrize("dt", [0.1, 1.0, 7.0])
@pytest.mark.parametrize("tau_syn", [0.5, 9.999999, 10.0, 10.0000001, 40.0])
def test_it_is_the_propagator_over_the_gain_of_a_held_current(tau_syn, dt):
    expected = propagator(tau_syn, 10.0, dt) / -math.expm1(-dt / 10)
    assert_close(held_factor(f64(tau_syn), f64(10.0), dt=dt), f64(expected), rtol=1e-12, atol=0)


def test_without_a_leak_it_is_the_mean_of_the_current_over_the_step():
    assert_close(held_factor(f64(0.5, 3.0), dt=0.3), f64(0.5, 3.0) * (1 - torch.exp(-0.3 / f64(0.5, 3.0))) / 0.3)
    assert_close(held_factor(f64(2.0), f64(1e12), dt=0.5), held_factor(f64(2.0), dt=0.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_time_constants_far_apart_neither_overflow_nor_cancel(dtype):
    tau_syn = torch.tensor([1e-3, 1.0, 1e9], dtype=dtype)
    for tau_mem in (1e-3, 1.0, 1e9):
        found = held_factor(tau_syn, torch.tensor([tau_mem], dtype=dtype), dt=1.0)
        assert ((found >= 0) & (found <= 1)).all()
        if tau_mem == 1e9:
            assert_close(found, held_factor(tau_syn, dt=1.0), rtol=1e-5, atol=0)
    assert_close(held_factor(torch.full((1,), 1e9, dtype=dtype), torch.ones(1, dtype=dtype), dt=1.0)[0].item(), 1.0)


@pytest.mark.parametrize("gap", [0.0, 1e-9, 1e-4, 3e-3, -2e-3, 2.0])
def test_its_gradient_where_the_time_constants_meet(gap):
    torch.autograd.gradcheck(
        lambda tau: held_factor(f64(2.0), tau, dt=0.5), (f64(2.0 + gap).requires_grad_(),), eps=1e-5, atol=1e-9
    )


def test_its_gradient_is_finite_at_the_ends_of_a_trainable_time_constant():
    tau = torch.tensor([-30.0, 0.0, 30.0], requires_grad=True)
    held_factor(torch.ones(1), tau.exp(), dt=100.0).sum().backward()
    assert tau.grad.isfinite().all()
