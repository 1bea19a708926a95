"""The rate network's forward pass against NN4N 1.1.1 on shared weights; skipped where it is absent (group `bench`).

NN4N steps by Euler's method, starts from 0 and has both biases: `method="euler"` is its equation. Its noise is scaled
with alpha, not with sqrt(dt), and its constraints rest in `eval()`; neither is compared.
"""

import warnings

import pytest
import torch
from torch.testing import assert_close

from conex_nn.rates import CTRNN


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_forward_is_nn4ns(activation):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = pytest.importorskip("nn4n.model")
        theirs = model.CTRNN(dims=[3, 50, 2], biases="uniform", activation=activation, tau=70, dt=10)
    ours = CTRNN(3, 50, output_size=2, activation=getattr(torch, activation), tau=70.0, method="euler")
    layers = (theirs.recurrent_layer.input_layer, theirs.recurrent_layer.hidden_layer, theirs.readout_layer)
    with torch.no_grad():
        for mine, other in zip((ours.input, ours.recurrent, ours.readout), layers, strict=True):
            mine.weight.copy_(other.weight)
            mine.bias.copy_(other.bias)
        x = torch.randn(60, 4, 3)
        theirs.eval()
        expected, states = theirs(x)
        rates, _ = ours.rates(x, dt=10.0)
    assert expected.abs().max() > 0.01
    assert_close(rates, states[0], rtol=1e-5, atol=1e-5)
    assert_close(ours.readout(rates), expected, rtol=1e-5, atol=1e-5)
