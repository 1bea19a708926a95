"""Voltage-based STDP beside its equations step by step."""

import math

import pytest
import torch
from torch import nn

from conex_nn.plasticity import Clopath


@pytest.mark.parametrize("delay", [0.0, 1.0, 5.0])
def test_it_is_its_equations(delay):
    rule = Clopath(delay=delay)
    pre = (torch.rand(200, 1, 1) < 0.1).double()
    v = torch.empty(200, 1, 1).double().uniform_(-80, 20)
    x, minus, plus, w, dt = 0.0, rule.theta_minus, rule.theta_minus, 0.0, 0.5
    past = [(minus, plus)] * int(delay / dt)
    for s, u in zip(pre.flatten().tolist(), v.flatten().tolist(), strict=True):
        x = x * math.exp(-dt / 15) + s / 15
        minus = u + (minus - u) * math.exp(-dt / 10)
        plus = u + (plus - u) * math.exp(-dt / 7)
        past.append((minus, plus))
        old_minus, old_plus = past.pop(0)
        w -= 14e-5 * s * max(old_minus + 70.6, 0)
        w += 8e-5 * x * max(u + 45.3, 0) * max(old_plus + 70.6, 0) * dt
    change, _ = rule.update(nn.Linear(1, 1).double(), None, pre, torch.zeros_like(pre), v=v, dt=dt)
    assert change.item() == pytest.approx(w, rel=1e-10)


def _potential(pulses: set[int], steps: int) -> torch.Tensor:
    """The paper's neuron (methods, equations 4 to 8, table 1a), made to fire by pulses, in steps of 1 ms.

    An adaptive exponential neuron with a depolarising afterpotential and a threshold that moves; a spike lasts 2 ms.
    """
    rest, v_t, slope = -70.6, -50.4, 2.0
    u, adaptation, after, threshold, left, course = rest, 0.0, 0.0, v_t, 0, []
    for t in range(steps):
        if left == 1:
            u, adaptation, after, threshold = rest + 21.1, adaptation + 80.5, 400.0, -30.4
            left -= 1
        elif left == 2:
            u, left = 32.9, 1
        else:
            current = 1e6 if t in pulses else 0.0
            leak = -30 * (u - rest) + 30 * slope * math.exp(min((u - threshold) / slope, 50))
            change = (leak - adaptation + after + current) / 281
            adaptation += (4 * (u - rest) - adaptation) / 144
            after -= after / 40
            threshold -= (threshold - v_t) / 50
            u += change
            if u > 20:
                u, left = 29.4, 2
        course.append(u)
    return torch.tensor(course, dtype=torch.float64).reshape(-1, 1, 1)


def _change(rate: float, lag: int) -> float:
    """Change in units of the weight by 15 times 5 pairs; a positive lag is the source ahead."""
    period, start = min(round(1000 / rate), 1000), 100
    fired = [start + k * period for k in range(5)]
    pre = torch.zeros(start + 5 * period + 100, 1, 1).double()
    pre[[t - lag for t in fired]] = 1
    v = _potential(set(fired), len(pre))
    assert int((v > 20).sum()) == 10  # five spikes of 2 ms
    change, _ = Clopath().update(nn.Linear(1, 1).double(), None, pre, torch.zeros_like(pre), v=v)
    return 15 * change.item() / 0.5


def test_the_effect_of_the_rate_is_the_one_that_was_measured():
    """Frequency dependence: Clopath et al. (2010), figure 2; Sjoestroem et al. (2001), whose means are given here."""
    measured = {10: (-0.04, 0.14, 0.29, 0.53, 0.56), -10: (-0.29, -0.41, -0.34, 0.56, 0.75)}
    found = {lag: [_change(rate, lag) for rate in (0.1, 10.0, 20.0, 40.0, 50.0)] for lag in measured}
    ahead, behind = found[10], found[-10]
    assert ahead[0] == pytest.approx(0, abs=0.05)  # rare pairs do not strengthen
    assert ahead[2] < ahead[3] < ahead[4]
    assert ahead[4] == pytest.approx(measured[10][4], abs=0.15)
    assert all(change == pytest.approx(mean, abs=0.15) for change, mean in zip(behind[:3], measured[-10], strict=False))
    assert behind[2] < behind[3] < behind[4]
    assert behind[4] > 0.2  # often enough, order no longer matters
    everything = torch.tensor([found[lag] for lag in measured]).flatten()
    assert torch.corrcoef(torch.stack([everything, torch.tensor([*measured[10], *measured[-10]])]))[0, 1] > 0.85


def test_a_delay_is_not_negative():
    with pytest.raises(ValueError, match="delay"):
        Clopath(delay=-1.0)
