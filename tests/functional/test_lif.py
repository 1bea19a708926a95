"""The leaky integrate-and-fire neuron against its closed forms (Gerstner et al., section 1.3)."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import lif_step

TAU, REST, THRESHOLD, RESET, R = 10.0, -0.1, 1.0, -0.4, 2.0
CURRENTS = torch.tensor([0.4, 0.6, 0.7, 1.0, 2.0, 3.1], dtype=torch.float64)


def run(dt, time, pause=None, method="exact", **changes):
    """Spikes and potentials of one neuron for each current."""
    one = torch.ones(1, dtype=torch.float64)
    v = torch.full_like(CURRENTS, REST)
    left, all_spikes, all_v = (None if pause is None else torch.zeros_like(v)), [], []
    constants = {"tau_mem": TAU, "v_rest": REST, "v_threshold": THRESHOLD, "v_reset": RESET, "resistance": R}
    for _ in range(round(time / dt)):
        spikes, v, left = lif_step(
            CURRENTS, v, left, **{k: c * one for k, c in {**constants, **changes}.items()}, dt=dt, method=method,
            spike_fn=surrogate.atan(), refractory_time=None if pause is None else pause * one,
        )  # fmt: skip
        all_spikes.append(spikes)
        all_v.append(v)
    return torch.stack(all_spikes), torch.stack(all_v)


def interval(current, start):
    """Time from a potential to the threshold, or infinity."""
    goal = REST + R * current
    return TAU * math.log((goal - start) / (goal - THRESHOLD)) if goal > THRESHOLD else math.inf


@pytest.mark.parametrize("dt", [0.1, 1.0, 2.5])
def test_the_charging_curve_is_exact_at_any_step(dt):
    _, v = run(dt, 30, v_threshold=100.0)
    times = dt * torch.arange(1, len(v) + 1, dtype=torch.float64)[:, None]
    assert_close(v, REST + R * CURRENTS * (1 - torch.exp(-times / TAU)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dt", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("pause", [None, 2.1])
def test_the_interval_between_spikes(dt, pause):
    spikes, _ = run(dt, 90, pause)
    held = 0 if pause is None else round(pause / dt)
    for i, current in enumerate(CURRENTS.tolist()):
        fired = spikes[:, i].nonzero().flatten()
        first, later = interval(current, REST), interval(current, RESET)
        if math.isinf(first):
            assert fired.numel() == 0
            continue
        assert fired[0] + 1 == math.ceil(first / dt)
        assert (fired.diff() == math.ceil(later / dt) + held).all()
        assert fired.numel() > 1


def test_spike_times_converge_at_first_order():
    truth = torch.tensor([interval(c, REST) for c in CURRENTS.tolist()])
    spiking = truth.isfinite()
    for dt in (1.0, 0.1, 0.01):
        spikes, _ = run(dt, 30)
        late = (spikes.argmax(0)[spiking] + 1) * dt - truth[spiking]
        assert (late >= -1e-6).all()
        assert (late <= dt + 1e-6).all()


def test_euler_converges_to_the_exact_curve_at_first_order():
    errors = []
    for dt in (0.4, 0.2, 0.1):
        _, v = run(dt, 12, v_threshold=100.0, method="euler")
        errors.append((v[-1] - REST - R * CURRENTS * (1 - math.exp(-1.2))).abs().max().item())
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.05)
