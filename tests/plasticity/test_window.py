"""The measured window of a rule is the one of its formula."""

import pytest
import torch

import conex_nn as cx
from conex_nn.plasticity import Soft, chain, measure_window


def test_pair_stdp_at_every_lag():
    rule = cx.STDP(a_plus=0.02, a_minus=0.03, tau_plus=10.0, tau_minus=25.0)
    lags, changes = measure_window(rule, dt=0.5)
    assert lags.tolist() == torch.arange(-60, 61).tolist()
    expected = torch.where(lags > 0, 0.02 * torch.exp(-lags / 10), -0.03 * torch.exp(lags / 25))
    expected[lags == 0] = 0.02 - 0.03
    torch.testing.assert_close(changes, expected)


def test_a_bound_scales_both_sides_by_its_own_distance():
    rule = chain(cx.STDP(a_plus=1.0, a_minus=1.0), Soft(w_min=0.0, w_max=1.0))
    _, changes = measure_window(rule, [-10.0, 10.0], weight=0.25)
    _, free = measure_window(cx.STDP(a_plus=1.0, a_minus=1.0), [-10.0, 10.0])
    torch.testing.assert_close(changes, free * torch.tensor([0.25, 0.75]))


def test_istdp_is_symmetric_about_what_a_source_does_alone():
    """eta (exp(-|lag| / tau) - alpha), with alpha = 2 rho tau (Vogels 2011)."""
    lags, changes = measure_window(cx.ISTDP(rate=1.0, rho=10.0, tau=20.0), [-30.0, -10.0, 10.0, 30.0])
    torch.testing.assert_close(changes, torch.exp(-lags.abs() / 20) - 2 * 10.0 * 20.0 / 1000)


def test_a_reward_lets_eligibility_in():
    rule = cx.RSTDP()
    _, none = measure_window(rule, [5.0], modulators={"dopamine": 0.0})
    _, some = measure_window(rule, [-5.0, 5.0], modulators={"dopamine": 1.0})
    assert none.item() == 0
    assert some[0] < 0 < some[1]


def test_measuring_changes_neither_the_rule_nor_the_random_state():
    rule = cx.BCM()
    before, state = {k: v.clone() for k, v in rule.state_dict().items()}, torch.get_rng_state()
    measure_window(rule, [5.0])
    torch.testing.assert_close(dict(rule.state_dict()), before)
    assert torch.equal(torch.get_rng_state(), state)


def test_unsuitable_arguments():
    with pytest.raises(ValueError, match=r"`lags` to be a row of at least one \[ms\], got shape \(0,\)"):
        measure_window(cx.STDP(), [])
    with pytest.raises(ValueError, match="`v`, the potential of the target"):
        measure_window(cx.Clopath(), [5.0])
    assert measure_window(cx.Clopath(), [5.0], v=-60.0)[1].isfinite().all()
