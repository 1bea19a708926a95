"""Triplet STDP beside its equations spike by spike, and beside the measurements that it was fitted to."""

import math

import pytest
import torch
from torch import nn

from conex_nn.plasticity import STDP, TripletSTDP

# Pfister and Gerstner (2006), table 1, after Sjöström et al. (2001): change of a synapse of visual cortex by 60 pairs,
# mean and standard error, by the rate of pairs [Hz]; first the source 10 ms ahead, then the target.
RATES = (0.1, 10.0, 20.0, 40.0, 50.0)
MEASURED = {
    10: ((-0.04, 0.05), (0.14, 0.1), (0.29, 0.14), (0.53, 0.11), (0.56, 0.26)),
    -10: ((-0.29, 0.08), (-0.41, 0.11), (-0.34, 0.1), (0.56, 0.32), (0.75, 0.19)),
}


def _change(rule, rate, lag):
    """Change by 60 pairs, in steps of 1 ms. Pairs at 0.1 Hz know nothing of each other."""
    pairs, period = (60, round(1000 / rate)) if rate > 1 else (1, 1)
    pre, post = torch.zeros(2, pairs * period + 40, 1, 1).double()
    pre[10 : 10 + pairs * period : period] = 1
    post[10 + lag : 10 + lag + pairs * period : period] = 1
    return rule.update(nn.Linear(1, 1).double(), None, pre, post)[0].item() * 60 / pairs


def _changes(rule):
    return {lag: [_change(rule, rate, lag) for rate in RATES] for lag in MEASURED}


def _misfit(changes):
    """Mean squared distance from what was measured, in standard errors: the paper's E."""
    terms = [
        ((got - mean) / error) ** 2
        for lag, measured in MEASURED.items()
        for got, (mean, error) in zip(changes[lag], measured, strict=True)
    ]
    return sum(terms) / len(terms)


@pytest.mark.long
@pytest.mark.parametrize("nearest", [False, True])
@pytest.mark.parametrize("minimal", [False, True])
def test_the_effect_of_the_rate_is_the_one_that_was_measured(nearest, minimal):
    changes = _changes(TripletSTDP.visual_cortex(nearest=nearest, minimal=minimal))
    assert _misfit(changes) < 0.4  # the paper's E of these fits, table 3, is of the same size
    assert changes[-10][1] < 0 < changes[-10][4]
    assert changes[10] == sorted(changes[10])


def test_pairs_alone_do_not_show_it():
    changes = _changes(STDP(a_plus=7.8e-3, a_minus=7e-3, tau_plus=16.8, tau_minus=33.7))
    assert _misfit(changes) > 3


@pytest.mark.parametrize("nearest", [False, True])
def test_it_is_its_equations(nearest):
    rule = TripletSTDP.hippocampus(nearest=nearest)
    pre, post = (torch.rand(2, 200, 1, 1) < 0.15).double()
    w, r1, r2, o1, o2 = 0.0, 0.0, 0.0, 0.0, 0.0
    for s, p in zip(pre.flatten().tolist(), post.flatten().tolist(), strict=True):
        r1, r2 = r1 * math.exp(-1 / 16.8), r2 * math.exp(-1 / rule.tau_x)
        o1, o2 = o1 * math.exp(-1 / 33.7), o2 * math.exp(-1 / rule.tau_y)
        slow_pre, slow_post = r2, o2
        r1, r2 = ((1.0, 1.0) if nearest else (r1 + 1, r2 + 1)) if s else (r1, r2)
        o1, o2 = ((1.0, 1.0) if nearest else (o1 + 1, o2 + 1)) if p else (o1, o2)
        w += p * r1 * (rule.a2_plus + rule.a3_plus * slow_post)
        w -= s * o1 * (rule.a2_minus + rule.a3_minus * slow_pre)
    change, _ = rule.update(nn.Linear(1, 1).double(), None, pre, post)
    assert change.item() == pytest.approx(w, rel=1e-10)
