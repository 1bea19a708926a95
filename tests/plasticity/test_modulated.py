"""Reward-modulated rules beside traces written out in plain Python."""

import math

import pytest
import torch
from torch import nn

from conex_nn.plasticity import (
    MSTDP,
    MSTDPET,
    RSTDP,
    STDP,
    Dopamine,
    LearningRate,
    Modulated,
    Soft,
    chain,
    learn_step,
)
from conex_nn.plasticity.chain import Link

STEPS, DT = 100, 0.5
PAIR = {"a_plus": 0.3, "a_minus": 0.4, "tau_plus": 11.0, "tau_minus": 17.0}


def _by_hand(pre, post, d, *, memory, share=1.0):
    """One synapse, one sample: the change of every step of R-STDP, in plain Python."""
    x = y = c = w = 0.0
    for s, p, dopamine in zip(pre.tolist(), post.tolist(), d.tolist(), strict=True):
        x = x * math.exp(-DT / 11) + s
        y = y * math.exp(-DT / 17) + p
        dw = 0.3 * x * p - 0.4 * s * y
        if memory is None:
            w += dopamine * dw
        else:
            c = c * math.exp(-DT / memory) + dw * share
            w += c * dopamine * DT
    return w


RULES = {
    "RSTDP": (lambda: RSTDP(**PAIR, tau_c=30.0), 30.0, 1.0),
    "MSTDP": (lambda: MSTDP(**PAIR, by="dopamine"), None, 1.0),
    "MSTDPET": (lambda: MSTDPET(**PAIR, tau_z=25.0, by="dopamine"), 25.0, 1 / 25),
}


@pytest.fixture(params=RULES)
def case(request):
    return RULES[request.param]


def _spikes(batch):
    pre, post = (torch.rand(2, STEPS, batch, 1) < 0.2).double()
    payoff = (torch.rand(STEPS, batch) < 0.1).double() - 0.03
    return pre, post, Dopamine(tau=20.0)(payoff, dt=DT)[0]


def test_each_sample_follows_its_own_reward(case):
    make, memory, share = case
    pre, post, d = _spikes(batch=4)
    hand = [_by_hand(pre[:, b, 0], post[:, b, 0], d[:, b], memory=memory, share=share) for b in range(4)]
    layer = nn.Linear(1, 1).double()
    change, _ = make().update(layer, None, pre, post, {"dopamine": d}, dt=DT, keep_state=False)
    assert change.item() == pytest.approx(sum(hand) / 4, rel=1e-10)


def test_step_by_step(case):
    make, memory, share = case
    pre, post, d = _spikes(batch=1)
    layer, rule, state = nn.Linear(1, 1).double(), make(), None
    before = layer.weight.item()
    for t in range(STEPS):
        state = learn_step(rule, layer, state, pre[t], post[t], {"dopamine": d[t]}, dt=DT)
    hand = _by_hand(pre[:, 0, 0], post[:, 0, 0], d[:, 0], memory=memory, share=share)
    assert layer.weight.item() - before == pytest.approx(hand, rel=1e-10)


def test_a_batch_that_shares_its_dopamine_goes_on_from_call_to_call():
    pre, post, d = _spikes(batch=3)
    layer, rule, state, total = nn.Linear(1, 1).double(), RSTDP(**PAIR, tau_c=30.0), None, 0.0
    for part in (slice(0, 40), slice(40, 41), slice(41, 100)):
        change, state = rule.update(layer, state, pre[part], post[part], {"dopamine": d[part, 0]}, dt=DT)
        total += change.item()
    hand = [_by_hand(pre[:, b, 0], post[:, b, 0], d[:, 0], memory=30.0) for b in range(3)]
    assert total == pytest.approx(sum(hand) / 3, rel=1e-10)


def test_dopamine_of_each_sample_does_not_go_on():
    layer, rule, spikes = nn.Linear(1, 1), RSTDP(), torch.ones(3, 2, 1)
    reward = {"dopamine": torch.ones(3, 2)}
    with pytest.raises(ValueError, match=r'shared by all samples.*Learn whole sequences \(when="sequence"'):
        rule.update(layer, None, spikes, spikes, reward)
    with pytest.raises(ValueError, match="shared by all samples"):
        learn_step(rule, layer, None, spikes[0], spikes[0], {"dopamine": torch.ones(2)})
    state = rule.update(layer, None, spikes, spikes, {"dopamine": torch.ones(3)})[1]
    with pytest.raises(ValueError, match="shared by all samples"):
        rule.update(layer, state, spikes, spikes, reward, keep_state=False)


def test_without_a_payoff():
    layer, spikes = nn.Linear(1, 1), torch.ones(3, 1, 1)
    with pytest.raises(ValueError, match=r"a modulator 'dopamine' .*, got none. A payoff makes one"):
        RSTDP().update(layer, None, spikes, spikes)
    with pytest.raises(ValueError, match=r"a modulator 'reward' .*, got 'dopamine'"):
        MSTDP().update(layer, None, spikes, spikes, {"dopamine": 1.0})


def test_what_cannot_be_chained():
    with pytest.raises(TypeError, match=r"begin with a rule.* got Soft"):
        chain(Soft(0, 1))
    with pytest.raises(TypeError, match=r"begin with a rule.* got nothing"):
        chain()
    with pytest.raises(TypeError, match=r"after the rule, got STDP. A chain has one rule"):
        chain(STDP(), STDP())
    with pytest.raises(TypeError, match=r"after the rule, got float"):
        chain(STDP(), 0.1)
    with pytest.raises(ValueError, match="Expected Soft before the modulator"):
        chain(RSTDP(), Soft(0, 1))
    with pytest.raises(ValueError, match="Expected Modulated before the modulator"):
        chain(RSTDP(), Modulated())
    with pytest.raises(ValueError, match="to name a modulator, got none"):
        Modulated(())
    with pytest.raises(ValueError, match=r"`tau` to be positive \[ms\], got 0.0"):
        Modulated(tau=0.0)
    with pytest.raises(ValueError, match=r"`tau_c` to be positive \[ms\]"):
        RSTDP(tau_c=-1.0)

    class Ready(Link):
        def terms(self, terms, seen, state):
            return [torch.zeros(1, 1)], state

    layer, spikes = nn.Linear(1, 1), torch.ones(3, 1, 1)
    with pytest.raises(TypeError, match="Soft to follow a rule, got a change that is ready"):
        chain(STDP(), Ready(), Soft(-1, 1)).update(layer, None, spikes, spikes)
    with pytest.raises(TypeError, match="a modulator to follow a rule, got a change that is ready"):
        chain(STDP(), Ready(), Modulated()).update(layer, None, spikes, spikes, {"dopamine": 1.0})


def test_a_learning_rate_after_the_modulator():
    pre, post, d = _spikes(batch=1)
    layer = nn.Linear(1, 1).double()
    whole, _ = RSTDP().update(layer, None, pre, post, {"dopamine": d})
    half, _ = chain(RSTDP(), LearningRate(0.5)).update(layer, None, pre, post, {"dopamine": d})
    torch.testing.assert_close(half, whole / 2)
