"""The adaptive exponential neuron against an accurate solution of its equations."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import aelif_step, elif_step

from .convergence import order, reference_spikes, reference_value, spike_times

ONE = torch.ones(1, dtype=torch.float64)
TAU, REST, THRESHOLD, RESET, R, DELTA, RHEOBASE = 10.0, -0.1, 1.0, -0.3, 2.0, 0.15, 0.6
TAU_W, A, B = [15.0, 60.0], [0.3, -0.05], [0.1, 0.05]
MEMBRANE = {
    "tau_mem": TAU * ONE, "v_rest": REST * ONE, "v_threshold": THRESHOLD * ONE, "v_reset": RESET * ONE,
    "resistance": R * ONE, "delta_t": DELTA * ONE, "v_rh": RHEOBASE * ONE, "spike_fn": surrogate.atan(),
}  # fmt: skip


def rows(*values):
    return torch.tensor(values, dtype=torch.float64)[:, None]


def slope(current):
    def derivative(t, y):
        v, *w = y
        dv = (REST - v + DELTA * math.exp(min((v - RHEOBASE) / DELTA, 20)) + R * (current - sum(w))) / TAU
        return [dv, *((a * (v - REST) - w_k) / tau for tau, a, w_k in zip(TAU_W, A, w, strict=True))]

    return derivative


def jump(y):
    return [RESET, *(w + b for w, b in zip(y[1:], B, strict=True))]


def run(currents, dt, time, method="exact"):
    v, w, fired = torch.full_like(currents, REST), currents.new_zeros(2, len(currents)), []
    for _ in range(round(time / dt)):
        spikes, v, w, _ = aelif_step(
            currents, v, w, tau_w=rows(*TAU_W), a=rows(*A), b=rows(*B), dt=dt, method=method, **MEMBRANE
        )
        fired.append(spikes)
    return torch.stack(fired), torch.cat([v[None], w])


@pytest.mark.parametrize("method", ["exact", "euler"])
def test_below_threshold_it_converges_at_first_order(method):
    currents = torch.tensor([0.05, 0.2, 0.28], dtype=torch.float64)
    truth = torch.stack([reference_value(slope(c), [REST, 0, 0], 24.0) for c in currents.tolist()], 1)
    dts, errors = [0.4, 0.2, 0.1, 0.05], []
    for dt in dts:
        fired, state = run(currents, dt, 24.0, method)
        assert not fired.any()
        errors.append((state - truth).abs().mean().item())
    assert order(dts, errors) == pytest.approx(1, abs=0.1)
    assert errors[-1] < 2e-3


def test_spike_times_with_adaptation_converge_at_first_order():
    currents = torch.linspace(0.7, 1.3, 24, dtype=torch.float64)
    truth = [reference_spikes(slope(c), [REST, 0, 0], THRESHOLD, jump, 3) for c in currents.tolist()]
    dts = [0.4, 0.2, 0.1, 0.05]
    errors = [(spike_times(run(currents, dt, 60.0)[0], dt, 3) - torch.stack(truth)).abs().mean().item() for dt in dts]
    assert order(dts, errors) == pytest.approx(1, abs=0.15)
    assert errors[-1] < 0.15


@pytest.mark.parametrize("dt", [0.1, 0.5, 1.0, 4.0])
def test_the_jump_at_a_spike_does_not_depend_on_dt(dt):
    w = rows(0.2, 0.4)
    decay = torch.exp(-dt / rows(*TAU_W))
    zero = 0 * rows(*A)
    spikes, _, after, _ = aelif_step(1e4 * ONE, 0 * ONE, w, tau_w=rows(*TAU_W), a=zero, b=rows(*B), dt=dt, **MEMBRANE)
    assert spikes.item() == 1
    assert_close(after, decay * w + rows(*B), rtol=1e-12, atol=0)


def test_without_coupling_or_jump_it_is_an_elif():
    currents, v = torch.tensor([0.1, 3.0], dtype=torch.float64), torch.tensor([0.5, 0.8], dtype=torch.float64)
    no = torch.zeros(1, 1, dtype=torch.float64)
    adaptive = aelif_step(currents, v, no.expand(1, 2), tau_w=no + 9, a=no, b=no, dt=0.5, **MEMBRANE)
    spikes, potential, _ = elif_step(currents, v, dt=0.5, **MEMBRANE)
    assert_close(adaptive[:2], (spikes, potential))
