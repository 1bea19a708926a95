"""The leaky integrator against its closed form."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.functional import li_step


def run(dt, steps, method="exact"):
    """The potential after each step, from 0.3 at a constant current."""
    v, out = torch.full((3,), 0.3, dtype=torch.float64), []
    tau = torch.tensor([2.0, 10.0, 40.0], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    for _ in range(steps):
        v = li_step(
            torch.full_like(v, 1.5), v, tau_mem=tau, v_rest=-0.2 * one, resistance=2 * one, dt=dt, method=method
        )
        out.append(v)
    times = dt * torch.arange(1, steps + 1, dtype=torch.float64)[:, None]
    goal = -0.2 + 2 * 1.5
    return torch.stack(out), goal + (0.3 - goal) * torch.exp(-times / tau)


@pytest.mark.parametrize("dt", [0.1, 1.0, 7.5])
def test_exact_charging_curve_at_any_step(dt):
    assert_close(*run(dt, 40), rtol=1e-12, atol=1e-12)


def test_euler_is_of_first_order():
    errors = []
    for dt in (0.2, 0.1, 0.05):
        v, truth = run(dt, round(8 / dt), "euler")
        errors.append((v[-1] - truth[-1]).abs().max().item())
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.05)
