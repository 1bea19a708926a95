"""What a conductance leaves of currents: closed forms."""

import math

import torch
from torch.testing import assert_close

from conex_nn.functional import membrane_coefficients, shunted_current


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def step(current, conductance, v, *, tau_mem, resistance, v_rest, dt):
    """The potential after a step in which the current, of which a part flows through the conductance, is held."""
    tau_mem, resistance, v_rest = f64(tau_mem), f64(resistance), f64(v_rest)
    held = shunted_current(
        current, conductance, v, capacitance=tau_mem / resistance, tau_mem=tau_mem, v_rest=v_rest, dt=dt
    )
    decay, gain, drive = membrane_coefficients(tau_mem, v_rest, resistance, dt=dt)
    return decay * v + gain * held + drive


def test_constant_conductances_and_currents_are_exact_whatever_the_step():
    v, g, reversal, injected = f64(-60.0, -75.0, 10.0), f64(0.0, 0.02, 3.0), f64(0.0, 0.0, -80.0), f64(0.3, -0.1, 0.5)
    for dt in (0.01, 1.0, 40.0):
        found = step(g * (reversal - v) + injected, g, v, tau_mem=20.0, resistance=100.0, v_rest=-65.0, dt=dt)
        total = 0.01 + g
        aim = (0.01 * -65.0 + g * reversal + injected) / total
        assert_close(found, aim + (v - aim) * torch.exp(-dt * total / 0.2))


def test_without_a_conductance_currents_stay_as_they_are():
    current, v = torch.randn(5, dtype=torch.float64), torch.randn(5, dtype=torch.float64)
    one = f64(1.0)
    assert_close(shunted_current(current, 0 * v, v, capacitance=one, tau_mem=20 * one, v_rest=-one, dt=0.1), current)
    assert_close(shunted_current(current, 0 * v, v, capacitance=one, dt=0.1), current)


def test_without_a_leak():
    v, g = f64(1.0), f64(0.5)
    v_after = v + shunted_current(g * (4.0 - v), g, v, capacitance=f64(2.0), dt=3.0) * 3.0 / 2.0
    assert_close(v_after, f64(4.0 - 3.0 * math.exp(-0.75)))


def test_gradients():
    current, v = f64(0.3, -1.0).requires_grad_(), f64(0.1, -0.4).requires_grad_()
    conductance, tau = f64(0.0, 0.7).requires_grad_(), f64(10.0).requires_grad_()

    def held(current, conductance, v, tau):
        return shunted_current(current, conductance, v, capacitance=tau / 40, tau_mem=tau, v_rest=f64(-65.0), dt=0.5)

    assert torch.autograd.gradcheck(held, (current, conductance, v, tau))
