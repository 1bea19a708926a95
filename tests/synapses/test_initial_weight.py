"""What a weight starts with."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.synapses import Conv2d, Dense, Lateral, Local2d, OneToOne, Sparse
from conex_nn.synapses.initial_weight import initial_weight

DEFAULTS = {  # and the sources of one target
    "Dense": (lambda **options: Dense(400, 50, **options), 400),
    "Dense mask": (lambda **options: Dense(400, 50, mask=torch.arange(400).expand(50, 400) < 100, **options), 100),
    "OneToOne": (lambda **options: OneToOne(2000, 2000, **options), 1),
    "Sparse": (lambda **options: Sparse(400, 50, in_degree=25, **options), 25),
    "Conv2d": (lambda **options: Conv2d((4, 9, 9), (20, 5, 5), kernel_size=5, **options), 100),
    "Local2d": (lambda **options: Local2d((1, 9, 9), (4, 5, 5), kernel_size=5, **options), 25),
    "Lateral": (lambda **options: Lateral((9, 9, 9), (9, 9, 9), kernel_size=9, centre=False, **options), 728),
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_default_is_that_of_a_linear_layer(name):
    make, fan_in = DEFAULTS[name]
    synapse = make()
    weight = synapse.weight if synapse.mask is None else synapse.weight[synapse.mask]
    bound = fan_in**-0.5
    assert weight.abs().max() <= bound
    assert weight.max() > 0.95 * bound
    assert weight.min() < -0.95 * bound
    assert weight.mean().abs() < 0.1 * bound
    assert isinstance(synapse.weight, nn.Parameter)


@pytest.mark.parametrize("name", DEFAULTS)
def test_init_fills_it_in_place_or_returns_it(name):
    make, _ = DEFAULTS[name]
    for init, low, high in (
        (partial(nn.init.uniform_, a=0.25, b=0.5), 0.25, 0.5),
        (nn.init.ones_, 1, 1),
        (lambda w: torch.full(w.shape, 2, dtype=torch.long), 2, 2),
        (lambda w: None, 0, 0),
    ):
        synapse = make(init=init)
        weight = synapse.weight if synapse.mask is None else synapse.weight[synapse.mask]
        assert weight.dtype == torch.float32
        assert low <= weight.min() <= weight.max() <= high


@pytest.mark.parametrize("name", DEFAULTS)
def test_given_values_are_copied(name):
    make, _ = DEFAULTS[name]
    shape = make().weight.shape
    values = torch.rand(shape, dtype=torch.float64)
    synapse = make(weight=values)
    kept = values if synapse.mask is None else values * synapse.mask
    assert_close(synapse.weight.detach(), kept, rtol=0, atol=0)
    values.zero_()
    assert synapse.weight.any()
    assert make(weight=torch.ones(shape, dtype=torch.int64)).weight.dtype == torch.float32
    with pytest.raises(ValueError, match=r"Expected `weight` of shape \(.*\), got \(.*\)\."):
        make(weight=torch.rand(*shape, 1))


def test_a_weight_that_is_none():
    options = {"fan_in": 2.0}
    with pytest.raises(ValueError, match="Expected one of `init` and `weight`, got both"):
        initial_weight((2,), init=nn.init.ones_, weight=torch.ones(2), **options)
    with pytest.raises(TypeError, match=r"Expected `weight` to be a real tensor, got list"):
        initial_weight((2,), init=None, weight=[1.0, 2.0], **options)
    with pytest.raises(TypeError, match=r"Expected `weight` to be a real tensor, got torch.complex64"):
        initial_weight((2,), init=None, weight=torch.ones(2) * 1j, **options)
    with pytest.raises(TypeError, match=r"Expected `init` to be a callable that fills a tensor, got 0.5"):
        initial_weight((2,), init=0.5, weight=None, **options)
    with pytest.raises(ValueError, match=r"Expected `init\(weight\)` of shape \(2,\), got \(3,\)"):
        initial_weight((2,), init=lambda w: torch.ones(3), weight=None, **options)
