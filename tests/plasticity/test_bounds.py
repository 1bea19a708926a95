"""Bounds: their factors, and that a weight on one can leave it."""

import pytest
import torch
from torch import nn

from conex_nn.plasticity import STDP, Bound, Clip, LearningRate, Product, Soft, apply_change, chain
from conex_nn.synapses import Dense

UP, DOWN = {"a_plus": 0.1, "a_minus": 0.0}, {"a_plus": 0.0, "a_minus": 0.1}


def _layer(value):
    layer = nn.Linear(1, 1).double()
    nn.init.constant_(layer.weight, value)
    return layer


def _change(bound, amounts, value):
    spikes = torch.ones(1, 1, 1).double()
    return chain(STDP(**amounts), bound).update(_layer(value), None, spikes, spikes)[0].item()


@pytest.mark.parametrize("mu", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("value", [-1.0, 0.3, 2.0])
def test_soft_bounds(mu, value):
    assert _change(Soft(-1, 2, mu=mu), UP, value) == pytest.approx(0.1 * (2 - value) ** mu)
    assert _change(Soft(-1, 2, mu=mu), DOWN, value) == pytest.approx(-0.1 * (value + 1) ** mu)


@pytest.mark.parametrize("mu", [0.5, 1.0])
def test_a_weight_on_a_bound_leaves_it(mu):
    assert _change(Soft(0, 1, mu=mu), UP, 0.0) > 0
    assert _change(Soft(0, 1, mu=mu), DOWN, 1.0) < 0
    assert _change(Soft(0, 1, mu=mu), UP, 1.0) == 0
    assert _change(Soft(0, 1, mu=mu), DOWN, 0.0) == 0


def test_a_weight_that_was_carried_past_a_bound_comes_back():
    assert _change(Soft(0, 1, mu=0.5), UP, 1.5) == 0
    assert _change(Soft(0, 1, mu=0.5), DOWN, 1.5) < 0


def test_hard_bounds_are_a_clip():
    layer, rule = _layer(1.0), chain(STDP(**UP), Clip(0, 1))
    spikes = torch.ones(1, 1, 1).double()
    apply_change(rule, layer, rule.update(layer, None, spikes, spikes)[0])
    assert layer.weight.item() == 1
    rule = chain(STDP(**DOWN), Clip(0, 1))
    apply_change(rule, layer, rule.update(layer, None, spikes, spikes)[0])
    assert layer.weight.item() == pytest.approx(0.9)


def test_the_product_of_conex():
    assert _change(Product(-1, 2), UP, 0.5) == pytest.approx(0.1 * 1.5 * 1.5)
    assert _change(Product(-1, 2), DOWN, 0.5) == pytest.approx(-0.1 * 1.5 * 1.5)
    assert _change(Product(0, 1), UP, 0.0) == 0


def test_weights_outside_are_refused():
    rule = chain(STDP(), Soft(0, 1))
    with pytest.raises(ValueError, match=r"between `w_min` and `w_max` \[1\], 0 and 1, got -0.5 to -0.5"):
        rule.check(_layer(-0.5))
    rule.check(_layer(1.0))
    with torch.device("meta"):
        rule.check(nn.Linear(2, 2))
    mask = torch.tensor([[True, False]])
    masked = Dense(2, 1, mask=mask, weight=torch.tensor([[0.5, 0.0]]))
    chain(STDP(), Soft(0.2, 1)).check(masked)


def test_errors():
    with pytest.raises(ValueError, match=r"`w_min` to be below `w_max` \[1\], got 1 and 1"):
        Soft(1, 1)
    with pytest.raises(ValueError, match=r"`mu` not to be negative \[1\], got -1"):
        Soft(0, 1, mu=-1)
    with pytest.raises(TypeError, match="Bound to define `up"):
        Bound().up(torch.ones(1))
    with pytest.raises(TypeError, match="Bound to define `down"):
        Bound().down(torch.ones(1))
    assert repr(Product()) == "Product(0, 1)"


def test_rates_of_learning():
    layer, spikes = nn.Linear(2, 2), torch.ones(3, 1, 2)
    plain, _ = STDP().update(layer, None, spikes, spikes)
    mask = torch.tensor([[True, False], [False, True]])
    got, _ = chain(STDP(), LearningRate(mask), Soft(-2, 2, mu=0)).update(layer, None, spikes, spikes)
    torch.testing.assert_close(got, plain * mask)
    rule = chain(STDP(), LearningRate(lambda updates: 1 / (1 + updates)))
    changes = [rule.update(layer, None, spikes, spikes)[0] for _ in range(3)]
    torch.testing.assert_close(changes[2], plain / 3)
    again = chain(STDP(), LearningRate(lambda updates: 1 / (1 + updates)))
    again.load_state_dict(rule.state_dict())
    torch.testing.assert_close(again.eval().update(layer, None, spikes, spikes)[0], plain / 4)
    torch.testing.assert_close(again.update(layer, None, spikes, spikes)[0], plain / 4)
    with pytest.raises(TypeError, match=r"`rate` to be a number or a real tensor \[1\]"):
        LearningRate("fast")
    assert repr(LearningRate(0.5)) == "LearningRate(0.5)"
    assert repr(LearningRate(torch.ones(1))) == "LearningRate(Tensor)"
