"""Voltage-based STDP beside its equations step by step."""

import math

import pytest
import torch
from torch import nn

from conex_nn.plasticity import Clopath


def test_it_is_its_equations():
    rule = Clopath()
    pre = (torch.rand(200, 1, 1) < 0.1).double()
    v = torch.empty(200, 1, 1).double().uniform_(-80, 20)
    x, minus, plus, w, dt = 0.0, rule.theta_minus, rule.theta_minus, 0.0, 0.5
    for s, u in zip(pre.flatten().tolist(), v.flatten().tolist(), strict=True):
        x = x * math.exp(-dt / 15) + s / 15
        minus = u + (minus - u) * math.exp(-dt / 10)
        plus = u + (plus - u) * math.exp(-dt / 7)
        w -= 14e-5 * s * max(minus + 70.6, 0)
        w += 8e-5 * x * max(u + 45.3, 0) * max(plus + 70.6, 0) * dt
    change, _ = rule.update(nn.Linear(1, 1).double(), None, pre, torch.zeros_like(pre), v=v, dt=dt)
    assert change.item() == pytest.approx(w, rel=1e-10)
