"""Linear decay: closed forms."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.functional import decay_factor, membrane_coefficients
from conex_nn.functional.leak import rise_factor


def col(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_exact_decay_is_the_exponential_and_composes_over_steps():
    tau = col(1.0, 10.0, 250.0)
    assert_close(decay_factor(tau, dt=0.5), col(*(math.exp(-0.5 / t) for t in (1, 10, 250))), rtol=1e-12, atol=0)
    assert_close(decay_factor(tau, dt=0.5) ** 4, decay_factor(tau, dt=2.0), rtol=1e-12, atol=0)


@pytest.mark.parametrize("method", ["exact", "euler"])
def test_the_rise_is_what_the_decay_lacks_without_its_rounding(method):
    tau = col(0.5, 10.0, 1e7)
    precise = rise_factor(tau, dt=0.1, method=method)
    assert_close(precise, 1 - decay_factor(tau, dt=0.1, method=method), rtol=1e-6, atol=0)
    assert_close(rise_factor(tau.float(), dt=0.1, method=method).double(), precise, rtol=1e-6, atol=0)


def test_euler_decay_is_its_first_order():
    tau = col(10.0)
    assert_close(decay_factor(tau, dt=0.5, method="euler"), col(0.95), rtol=1e-12, atol=0)
    errors = [(decay_factor(tau, dt=dt, method="euler") - decay_factor(tau, dt=dt)).abs().item() for dt in (0.2, 0.1)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)  # of one step: second order


@pytest.mark.parametrize("method", ["exact", "euler"])
def test_the_membrane_rests_where_the_equation_does(method):
    tau, rest, resistance = col(3.0, 10.0), col(-65.0, 2.0), col(40.0, 0.5)
    decay, gain, drive = membrane_coefficients(tau, rest, resistance, dt=0.7, method=method)
    fixed = rest + resistance * 1.5
    assert_close(decay * fixed + (gain * 1.5 + drive), fixed, rtol=1e-12, atol=1e-12)
