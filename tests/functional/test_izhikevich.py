"""Izhikevich's model against an accurate solution of his equations."""

import pytest
import torch

from conex_nn import surrogate
from conex_nn.functional import izhikevich_step

from .convergence import order, reference_spikes, reference_value, spike_times

ONE = torch.ones(1, dtype=torch.float64)
A, B, C, D, PEAK = 0.02, 0.2, -65.0, 8.0, 30.0
START = [-65.0, -13.0]


def slope(current):
    return lambda t, y: [0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, A * (B * y[0] - y[1])]


def run(currents, dt, time):
    v, u, fired = torch.full_like(currents, START[0]), torch.full_like(currents, START[1]), []
    for _ in range(round(time / dt)):
        spikes, v, u = izhikevich_step(
            currents, v, u, a=A * ONE, b=B * ONE, c=C * ONE, d=D * ONE, v_peak=PEAK * ONE, dt=dt,
            spike_fn=surrogate.fast_sigmoid(0.1),
        )  # fmt: skip
        fired.append(spikes)
    return torch.stack(fired), torch.stack([v, u])


def test_below_threshold_it_converges_at_first_order():
    currents = torch.tensor([0.0, 2.0, 3.0], dtype=torch.float64)
    truth = torch.stack([reference_value(slope(c), START, 10.0) for c in currents.tolist()], 1)
    dts, errors = [0.1, 0.05, 0.025, 0.0125], []
    for dt in dts:
        fired, state = run(currents, dt, 10.0)
        assert not fired.any()
        errors.append((state - truth).abs().mean().item())
    assert order(dts, errors) == pytest.approx(1, abs=0.1)
    assert errors[-1] < 0.01


def test_spike_times_converge_at_first_order():
    currents = torch.linspace(8.0, 16.0, 12, dtype=torch.float64)
    truth = [reference_spikes(slope(c), START, PEAK, lambda y: [C, y[1] + D], 2) for c in currents.tolist()]
    dts = [0.2, 0.1, 0.05, 0.025]
    errors = [(spike_times(run(currents, dt, 60.0)[0], dt, 2) - torch.stack(truth)).abs().mean().item() for dt in dts]
    assert order(dts, errors) == pytest.approx(1, abs=0.2)
    assert errors[-1] < 0.3


def test_the_reset_sets_v_and_raises_u():
    spikes, v, u = izhikevich_step(
        0 * ONE, 29 * ONE, -5 * ONE, a=A * ONE, b=B * ONE, c=C * ONE, d=D * ONE, v_peak=PEAK * ONE, dt=1.0,
        spike_fn=surrogate.atan(),
    )  # fmt: skip
    assert spikes.item() == 1
    assert v.item() == C
    assert u.item() == pytest.approx(-5 + A * (B * 29 + 5) + D)
