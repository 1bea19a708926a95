"""The exponential neuron against an accurate solution of its equation."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import elif_step, lif_step, upstroke
from conex_nn.functional.exponential_lif import EXPONENT_CAP

from .convergence import order, reference_spikes, reference_value, spike_times

ONE = torch.ones(1, dtype=torch.float64)
TAU, REST, THRESHOLD, RESET, R, DELTA, RHEOBASE = 10.0, -0.1, 1.0, -0.3, 2.0, 0.15, 0.6
CONSTANTS = {
    "tau_mem": TAU * ONE, "v_rest": REST * ONE, "v_threshold": THRESHOLD * ONE, "v_reset": RESET * ONE,
    "resistance": R * ONE, "delta_t": DELTA * ONE, "v_rh": RHEOBASE * ONE, "spike_fn": surrogate.atan(),
}  # fmt: skip


def slope(current):
    return lambda t, y: [(REST - y[0] + DELTA * math.exp((y[0] - RHEOBASE) / DELTA) + R * current) / TAU]


def run(currents, dt, time, method="exact"):
    v, fired = torch.full_like(currents, REST), []
    for _ in range(round(time / dt)):
        spikes, v, _ = elif_step(currents, v, dt=dt, method=method, **CONSTANTS)
        fired.append(spikes)
    return torch.stack(fired), v


@pytest.mark.parametrize("method", ["exact", "euler"])
def test_below_threshold_it_converges_at_first_order(method):
    currents = torch.tensor([0.05, 0.2, 0.24], dtype=torch.float64)
    truth = torch.cat([reference_value(slope(c), [REST], 20.0) for c in currents.tolist()])
    dts = [0.4, 0.2, 0.1, 0.05]
    errors = []
    for dt in dts:
        fired, v = run(currents, dt, 20.0, method)
        assert not fired.any()
        errors.append((v - truth).abs().mean().item())
    assert order(dts, errors) == pytest.approx(1, abs=0.1)
    assert errors[-1] < 2e-3


def test_spike_times_converge_at_first_order():
    currents = torch.linspace(0.5, 1.1, 24, dtype=torch.float64)
    truth = torch.stack(
        [reference_spikes(slope(c), [REST], THRESHOLD, lambda y: [RESET], 2) for c in currents.tolist()]
    )
    dts = [0.4, 0.2, 0.1, 0.05]
    errors = [(spike_times(run(currents, dt, 45.0)[0], dt, 2) - truth).abs().mean().item() for dt in dts]
    assert order(dts, errors) == pytest.approx(1, abs=0.15)
    assert errors[-1] < 0.1


def test_far_below_the_rheobase_it_is_a_lif():
    currents, v = torch.tensor([0.1, -1.0], dtype=torch.float64), torch.tensor([-5.0, -7.0], dtype=torch.float64)
    shared = {k: x for k, x in CONSTANTS.items() if k not in ("delta_t", "v_rh")}
    assert_close(elif_step(currents, v, dt=0.5, **CONSTANTS), lif_step(currents, v, dt=0.5, **shared))


def test_the_exponent_is_capped_and_a_run_away_stays_finite():
    v = torch.tensor([0.0, 1e30], dtype=torch.float64)
    assert_close(upstroke(v, delta_t=ONE, v_rh=0 * ONE), torch.exp(torch.tensor([0.0, EXPONENT_CAP]).double()))
    v = torch.tensor([1e30], dtype=torch.float32, requires_grad=True)
    upstroke(v, delta_t=torch.ones(1), v_rh=torch.zeros(1)).sum().backward()
    assert v.grad.item() == 0
