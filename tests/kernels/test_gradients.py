"""The fused kernels against autograd through the steps: values and every gradient, on many shapes and options."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF
from conex_nn.testing import check_fused

SURROGATES = {
    "straight_through": surrogate.straight_through(),
    "fast_sigmoid": surrogate.fast_sigmoid(3.0),
    "atan": surrogate.atan(1.5),
    "sigmoid": surrogate.sigmoid(4.0),
    "triangle": surrogate.triangle(0.8, 0.7),
    "triangular": surrogate.triangular(0.6),
    "heaviside": surrogate.heaviside(),
    "exponential": surrogate.exponential(2.0, 0.7),
    "spike_rate_escape": surrogate.spike_rate_escape(1.5, 2.0),
    "sparse_fast_sigmoid": surrogate.sparse_fast_sigmoid(3.0, -0.3),
    "leaky": surrogate.leaky(0.2),
}


class Draw:
    """Trainable constants around a value, of one shape."""

    def __init__(self, shape=(1,), seed=0):
        self.shape, self.generator = shape, torch.Generator().manual_seed(seed)

    def __call__(self, value, spread=0.2):
        drawn = value + spread * (torch.rand(self.shape, generator=self.generator, dtype=torch.float64) - 0.5)
        return nn.Parameter(drawn)


def membrane(draw):
    return {"tau_mem": draw(5.0), "v_rest": draw(-0.1), "resistance": draw(1.5)}


def threshold(draw):
    return {"v_threshold": draw(0.9), "v_reset": draw(-0.3)}


def exponential(draw):
    return {**membrane(draw), **threshold(draw), "delta_t": draw(0.25), "v_rh": draw(0.6)}


def adaptation(shape, currents):
    draw = Draw((currents, *shape), seed=1)
    return {"tau_w": draw(8.0, 4.0), "a": draw(0.2, 0.3), "b": draw(0.2, 0.3)}


MODELS = {
    "LIF": lambda shape, **o: LIF(**membrane(Draw(shape)), **threshold(Draw(shape, 1)), **o),
    "IF": lambda shape, **o: IF(capacitance=Draw(shape)(2.0), **threshold(Draw(shape, 1)), **o),
    "ELIF": lambda shape, **o: ELIF(**exponential(Draw(shape)), **o),
    "AELIF 1": lambda shape, **o: AELIF(**exponential(Draw(shape)), **adaptation(shape, 1), **o),
    "AELIF 2": lambda shape, **o: AELIF(**exponential(Draw(shape)), **adaptation(shape, 2), **o),
}  # fmt: skip
OPTIONS = [
    {"soft_reset": soft, "detach_reset": detach, "refractory_time": pause}
    for soft in (False, True) for detach in (False, True) for pause in (0.0, 2.0)
]  # fmt: skip


def current(shape, seed=3):
    return 4 * torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.8


# With none and with two adaptation currents, a kernel is compiled for either shape and for either pause, not for both.
EVERY_OPTION = [
    pytest.param(model, shape, options, id="-".join([model, of, *(str(v) for v in options.values())]))
    for model in MODELS
    for shape, of in [((1,), "scalar"), ((5,), "per neuron")]
    for options in OPTIONS
    if model not in ("ELIF", "AELIF 2") or (of == "scalar") == (options["refractory_time"] == 0)
]


@pytest.mark.parametrize(("model", "shape", "options"), EVERY_OPTION)
def test_every_option(model, shape, options):
    check_fused(lambda: MODELS[model](shape, **options), current((11, 3, 5)))


def fixed(**options):
    """Neurons whose constants do not learn: their backward pass is another."""
    return LIF(v_threshold=torch.linspace(0.5, 1.0, 5), **options).double()


@pytest.mark.parametrize("spike_fn", SURROGATES.values(), ids=SURROGATES)
def test_every_surrogate(spike_fn):
    assert {s.code for s in SURROGATES.values()} == set(range(11))
    check_fused(lambda: fixed(spike_fn=spike_fn, detach_reset=False), current((11, 3, 5)))


@pytest.mark.parametrize("spike_fn", SURROGATES.values(), ids=SURROGATES)
def test_every_surrogate_at_exactly_the_threshold(spike_fn):
    x = torch.tensor([0.25, 0.75, 1.0, -1.0, 2.0, 1.5]).reshape(6, 1, 1).expand(6, 1, 5)
    capacitance = torch.ones(5)  # one per neuron: compiled for the test above
    assert IF(capacitance=capacitance)(x)[0][..., 0].flatten().tolist() == [0, 1, 1, 0, 1, 1]
    check_fused(
        lambda: IF(capacitance=capacitance, spike_fn=spike_fn), x, state=IF().double().initial_state(x[0].double())
    )


@pytest.mark.parametrize("name", ["sigmoid", "exponential"])
def test_surrogates_of_trainable_constants(name):
    check_fused(lambda: MODELS["LIF"]((5,), spike_fn=SURROGATES[name], detach_reset=False), current((11, 3, 5)))


@pytest.mark.parametrize("soft", [False, True])
def test_pauses_of_fixed_constants(soft):
    bars = torch.linspace(0.5, 1.0, 3001)  # one row of constants is longer than a chunk
    options = {"refractory_time": 2.0, "soft_reset": soft, "detach_reset": False}
    check_fused(lambda: LIF(v_threshold=bars, **options).double(), current((6, 2, 3001)))


@pytest.mark.parametrize("name", ["sigmoid", "triangle"])
def test_surrogates_in_the_adaptive_kernel(name):
    check_fused(lambda: MODELS["AELIF 1"]((5,), spike_fn=SURROGATES[name]), current((11, 3, 5)))


SHAPES = [
    ((4, 1), ()),
    ((1, 1, 1), (1,)),
    ((3, 2, 3, 4), (3, 4)),
    ((3, 2, 3, 4), (4,)),
    ((3, 2, 3, 4), (3, 1)),
    ((3, 2, 3), (2, 3)),
    ((2, 1, 5000), (1,)),
    ((2, 2, 3001), (3001,)),  # one row of parameters is longer than a block
    ((2, 7, 600), (600,)),  # several rows to a block, the last chunk not full
    ((2, 3, 2048), (2048,)),
    ((2, 0, 4), (4,)),
]


@pytest.mark.parametrize(("x", "constants"), SHAPES, ids=str)
@pytest.mark.parametrize("model", ["LIF", "AELIF 2"])
def test_every_shape(model, x, constants):
    check_fused(lambda: MODELS[model](constants, detach_reset=False), current(x))


@pytest.mark.parametrize(("x", "constants"), SHAPES, ids=str)
def test_every_shape_of_integrators(x, constants):
    check_fused(lambda: LI(**membrane(Draw(constants))), current(x))


@pytest.mark.parametrize("model", ["LIF", "AELIF 1"])
def test_constants_of_different_shapes(model):
    make = MODELS[model]

    def mixed():
        neuron = make((1,))
        neuron.v_threshold = nn.Parameter(torch.linspace(0.5, 1.0, 5))
        neuron.v_rest = nn.Parameter(torch.linspace(-0.5, 0.1, 20).reshape(4, 5))
        return neuron

    check_fused(mixed, current((6, 3, 4, 5)))


@pytest.mark.parametrize("soft", [False, True])
def test_where_the_upstroke_is_capped(soft):
    """A soft reset leaves a neuron that ran away far above its threshold; the exponent then has no slope."""

    def steep():
        draw = Draw((5,))
        return ELIF(**membrane(draw), **threshold(draw), delta_t=draw(0.02, 0.002), v_rh=draw(0.3), soft_reset=soft)

    _, state = steep().double()(current((11, 3, 5)))
    assert bool((state.v > 1).any()) == soft
    # The kernel finds the current again as the rest of a sum in which the capped upstroke is a million times larger.
    check_fused(steep, current((11, 3, 5)), rtol=1e-7 if soft else 1e-9)


@pytest.mark.parametrize("model", ["LIF", "AELIF 2", "LI"])
def test_without_trainable_constants_the_input_still_has_its_gradient(model):
    neuron = {"LIF": LIF(refractory_time=1.0), "AELIF 2": AELIF(tau_w=[5.0, 9.0], a=0.2), "LI": LI()}[model]
    check_fused(lambda: neuron, current((9, 3, 5)))


@pytest.mark.parametrize("model", ["LIF", "AELIF 2", "LI"])
def test_strides_of_inputs_and_gradients_do_not_matter(model):
    neuron = (LI(**membrane(Draw())) if model == "LI" else MODELS[model]((1,))).double()
    x = current((3, 5, 7))
    found = []
    for laid in (x.movedim(1, 0), x.movedim(1, 0).contiguous()):
        laid = laid.detach().requires_grad_()
        ys, state = neuron(laid)
        (ys.transpose(0, 2).cumsum(0).sum() + state.v.expand(4, *state.v.shape).sum()).backward()
        found.append((ys, laid.grad))
    assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.parametrize("model", ["LIF", "AELIF 2", "LI"])
def test_only_the_last_state_or_only_the_output_may_be_differentiated(model):
    neuron = (LI(**membrane(Draw())) if model == "LI" else MODELS[model]((1,))).double()
    for pick in (lambda ys, state: ys.sum(), lambda ys, state: state.v.sum()):
        found = []
        for watch in (None, lambda y, s: None):
            x = current((5, 2, 3)).requires_grad_()
            pick(*neuron(x, observe=watch)).backward()
            found.append(x.grad)
        assert_close(found[0], found[1])


@pytest.mark.parametrize("make", [LIF, ELIF, AELIF])
def test_a_retained_graph_can_be_differentiated_again(make):
    current = (3 * torch.rand(9, 2, 5)).requires_grad_()
    spikes, state = make(tau_mem=3.0)(current)
    loss = (spikes * torch.rand_like(spikes)).sum() + state.v.sum()
    (first,) = torch.autograd.grad(loss, current, retain_graph=True)
    (second,) = torch.autograd.grad(loss, current, retain_graph=True)
    (last,) = torch.autograd.grad(loss, current)
    assert first.abs().sum() > 0
    assert torch.equal(first, second)
    assert torch.equal(first, last)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, current)


def test_an_operator_called_in_a_backward_pass_leaves_what_was_saved():
    from torch.utils.checkpoint import checkpoint

    current = (3 * torch.rand(9, 2, 5)).requires_grad_()
    neuron = LIF(tau_mem=3.0)
    (plain,) = torch.autograd.grad(neuron(current)[0].sum(), current)
    twice = checkpoint(lambda x: neuron(x)[0] + neuron(x)[0], current, use_reentrant=False)
    (checked,) = torch.autograd.grad(twice.sum(), current)
    assert_close(checked, 2 * plain)
