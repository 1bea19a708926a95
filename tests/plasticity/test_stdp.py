"""Pair rules beside their windows, and beside sums over pairs written out."""

import math

import pytest
import torch
from torch import nn

from conex_nn.plasticity import ISTDP, MSTDP, STDP, Modulated, ShiftSTDP, chain

LAGS = list(range(-40, 41))
AT = 50


def _window(rule, modulators=None, dt=0.5):
    """Change by one pair at every lag of the target behind the source [steps]."""
    pre, post = torch.zeros(101, 1, len(LAGS)).double(), torch.zeros(101, 1, 1).double()
    post[AT] = 1
    for i, lag in enumerate(LAGS):
        pre[AT - lag, 0, i] = 1
    layer = nn.Linear(len(LAGS), 1).double()
    change, _ = rule.update(layer, None, pre, post, modulators, dt=dt, keep_state=False)
    return change[0].tolist()


def _pair(lag, dt=0.5):
    up, down = 0.3 * math.exp(-abs(lag) * dt / 11), -0.4 * math.exp(-abs(lag) * dt / 17)
    return up * (lag >= 0) + down * (lag <= 0)


PAIR = {"a_plus": 0.3, "a_minus": 0.4, "tau_plus": 11.0, "tau_minus": 17.0}
WINDOWS = {
    "all": (lambda: STDP(**PAIR), _pair),
    "nearest": (lambda: STDP(**PAIR, nearest=True), _pair),
    "MSTDP": (lambda: MSTDP(**PAIR), lambda lag: 2 * _pair(lag)),
    "eligibility": (
        # A reward throughout, for ever after: what is left of the sequence counts.
        lambda: chain(STDP(**PAIR), Modulated("reward", tau=9.0)),
        lambda lag: 2 * 0.5 * _pair(lag) * sum(math.exp(-k * 0.5 / 9) for k in range(101 - AT - max(0, -lag))),
    ),
    "ISTDP": (
        lambda: ISTDP(rate=0.1, rho=5.0, tau=13.0),
        lambda lag: 0.1 * (math.exp(-abs(lag) * 0.5 / 13) * (2 if lag == 0 else 1) - 2 * 0.005 * 13),
    ),
    "ISTDP excitatory": (
        lambda: ISTDP(rate=0.1, rho=5.0, tau=13.0, excitatory=True),
        lambda lag: 0.1 * (math.exp(-abs(lag) * 0.5 / 13) * ((lag >= 0) - (lag <= 0)) + 2 * 0.005 * 13),
    ),
    "shift": (lambda: ShiftSTDP(rate=0.1), lambda lag: {1: 0.1, 0: 0.1, -1: -0.1}.get(lag, 0.0)),
    "shift strict": (
        lambda: ShiftSTDP(rate=0.1, simultaneous=False),
        lambda lag: {1: 0.1, -1: -0.1}.get(lag, 0.0),
    ),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_the_window_is_its_closed_form(name):
    make, expected = WINDOWS[name]
    got = _window(make(), {"reward": 2.0})
    assert got == pytest.approx([expected(lag) for lag in LAGS], rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("nearest", [False, True])
def test_spike_trains_are_sums_over_pairs(nearest):
    pre, post = (torch.rand(2, 60, 1, 1) < 0.2).double()
    times = [[t for t in range(60) if side[t]] for side in (pre, post)]
    total = 0.0
    for sign, amount, tau, late, early in [(1, 0.3, 11, times[1], times[0]), (-1, 0.4, 17, times[0], times[1])]:
        for t in late:
            partners = [s for s in early if s <= t]
            for s in partners[-1:] if nearest else partners:
                total += sign * amount * math.exp(-(t - s) / tau)
    change, _ = STDP(**PAIR, nearest=nearest).update(nn.Linear(1, 1).double(), None, pre, post)
    assert change.item() == pytest.approx(total, rel=1e-10)


def test_it_says_what_it_is():
    assert repr(STDP(nearest=True)) == "STDP(a_plus=0.01, a_minus=0.012, tau_plus=20, tau_minus=20, nearest=True)"
    assert repr(ISTDP(excitatory=True)) == "ISTDP(rate=0.001, rho=5, tau=20, excitatory=True)"
