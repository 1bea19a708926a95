"""Dopamine, and what of a reward was not expected."""

import math

import pytest
import torch

from conex_nn.plasticity import Dopamine, RewardPredictionError, at_step


def test_it_is_its_recursion_for_each_sample():
    payoff = torch.randn(30, 4).double()
    d, last = Dopamine(tau=7.0, baseline=0.5)(payoff, dt=0.5)
    x = torch.full((4,), 0.5).double()
    for t in range(30):
        x = x * math.exp(-0.5 / 7) + payoff[t]
        torch.testing.assert_close(d[t], x)
    torch.testing.assert_close(last, x)


def test_steps_are_the_sequence():
    dopamine, payoff = Dopamine(tau=7.0), torch.randn(5, 2)
    state, seen = dopamine.initial_state(payoff[0]), []
    for x in payoff:
        d, state = dopamine.step(x, state)
        seen.append(d)
    torch.testing.assert_close(torch.stack(seen), dopamine(payoff)[0])


def test_a_payoff_of_whole_samples():
    spread = at_step(torch.tensor([1.0, -1.0]), steps=3, step=1)
    assert spread.tolist() == [[0, 0], [1, -1], [0, 0]]
    assert at_step(spread, steps=3) is spread


def test_the_expected_reward_is_slow_state():
    surprise = RewardPredictionError(rate=0.5)
    assert surprise(torch.tensor([1.0, 3.0])).tolist() == [1, 3]
    assert surprise.expected.item() == 1
    assert surprise.eval()(torch.tensor([1.0, 3.0])).tolist() == [0, 2]
    assert surprise.expected.item() == 1
    assert "expected" in surprise.state_dict()


def test_errors():
    with pytest.raises(ValueError, match=r"`tau` to be positive \[ms\], got 0"):
        Dopamine(tau=0)
    with pytest.raises(ValueError, match=r"shape \(time, batch\) \[1\], got \(3,\)"):
        Dopamine()(torch.ones(3))
    with pytest.raises(ValueError, match=r"`payoff` of shape \(batch,\) or \(4, batch\) \[1\], got \(3, 2\)"):
        at_step(torch.ones(3, 2), steps=4)
    with pytest.raises(ValueError, match=r"`rate` to be above 0 and at most 1 \[1\], got 0"):
        RewardPredictionError(rate=0)
    assert repr(Dopamine()) == "Dopamine(tau=200, baseline=0)"
    assert repr(RewardPredictionError()) == "RewardPredictionError(rate=0.05)"
