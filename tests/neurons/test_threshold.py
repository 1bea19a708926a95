"""What the threshold models refuse, and what is read once at construction."""

import pytest
import snntorch
import torch
from torch import nn

from conex_nn import surrogate
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF, Izhikevich

MEMBRANES = [LIF, ELIF, AELIF, IF, LI, Izhikevich]
THRESHOLDS = [LIF, ELIF, AELIF, IF]


def test_an_unknown_method():
    with pytest.raises(ValueError, match=r"`method` to be one of \('exact', 'euler'\), got 'rk4'"):
        LIF(method="rk4")


@pytest.mark.parametrize("model", THRESHOLDS)
def test_a_trainable_refractory_time(model):
    with pytest.raises(TypeError, match=r"`refractory_time` to be fixed \[ms\]"):
        model(refractory_time=nn.Parameter(torch.ones(1)))


@pytest.mark.parametrize("model", THRESHOLDS)
def test_a_spike_function_that_is_none(model):
    with pytest.raises(TypeError, match=r"`spike_fn` to be a callable such as surrogate.atan\(\), got 'atan'"):
        model(spike_fn="atan")


@pytest.mark.parametrize("model", THRESHOLDS)
def test_a_threshold_below_the_reset(model):
    with pytest.raises(ValueError, match=r"`v_threshold` to be above `v_reset` \[mV\], got 1 against 2"):
        model(v_reset=2.0)


@pytest.mark.parametrize(
    ("model", "name"),
    [(LIF, "tau_mem"), (ELIF, "tau_mem"), (AELIF, "tau_mem"), (AELIF, "tau_w"), (LI, "tau_mem")],
)
@pytest.mark.parametrize("value", [0.0, -5.0])
def test_a_time_constant_that_is_not_positive(model, name, value):
    with pytest.raises(ValueError, match=rf"`{name}` to be positive \[ms\], got {value:g}"):
        model(**{name: value})


@pytest.mark.parametrize("model", [LIF, ELIF, AELIF, IF])
def test_noise_moves_the_potential(model):
    """Where nothing fires and nothing comes in, the potential is the noise alone, drawn anew by the same seed."""
    spread = []
    for noise in (0.0, 0.01):
        torch.manual_seed(0)
        _, state = model(noise=noise)(torch.zeros(5, 2000))
        spread.append(float(state.v.std()))
    assert spread[0] < 1e-9
    assert 0.01 < spread[1] < 0.03


@pytest.mark.parametrize("model", MEMBRANES)
def test_negative_noise(model):
    with pytest.raises(ValueError, match=r"`noise` not to be negative \[mV/sqrt\(ms\)\], got -1"):
        model(noise=-1.0)


@pytest.mark.parametrize("model", MEMBRANES)
def test_an_input_of_a_wider_dtype(model):
    neuron = model()
    neuron(torch.ones(2, 3))  # one that is right vouches for no other
    with pytest.raises(
        TypeError, match=r"`current` to be torch.float32, .* got torch.float64.*neuron.to\(torch.float64\)"
    ):
        neuron(torch.ones(2, 3, dtype=torch.float64))


@pytest.mark.parametrize("model", MEMBRANES)
def test_a_state_is_a_tensor_of_its_own(model):
    neuron, x = model(), torch.ones(1)
    rest = neuron.initial_state(x).v.clone()
    neuron.initial_state(x).v.add_(1.0)
    assert torch.equal(neuron.initial_state(x).v, rest)


@pytest.mark.parametrize("model", MEMBRANES)
def test_an_input_on_another_device(model):
    neuron = model()
    neuron(torch.ones(2, 3))
    with pytest.raises(TypeError, match=r"`current` on cpu, .* got meta.*neuron.to\('meta'\)"):
        neuron(torch.ones(2, 3, device="meta"))


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 3), (5, 4, 1)])
def test_an_input_that_does_not_fit_the_constants(shape):
    neuron = LIF(v_threshold=torch.ones(4))
    neuron(torch.ones(5, 4))
    with pytest.raises(ValueError, match=r"axes that fit `v_threshold` of shape \(4,\), .* = \(.*The layer before it"):
        neuron(torch.ones(shape))


def test_a_constant_of_one_value_but_too_many_axes():
    with pytest.raises(ValueError, match=r"axes that fit `v_threshold` of shape \(1, 1\)"):
        LIF(v_threshold=torch.ones(1, 1))(torch.ones(2, 5))


def test_switches_follow_load_state_dict():
    quiet, noisy = LIF(), LIF(noise=1.0, refractory_time=2.0)
    quiet.load_state_dict(noisy.state_dict())
    x = torch.full((30, 1, 50), 1.5)
    assert not torch.equal(quiet(x)[0], quiet(x)[0])
    steady = LIF(refractory_time=0.0)
    steady.load_state_dict(LIF(refractory_time=5.0).state_dict())
    assert torch.equal(steady(x)[0], LIF(refractory_time=5.0)(x)[0])


def test_the_surrogates_of_snntorch_reach_the_kernels():
    neuron = LIF(spike_fn=snntorch.surrogate.fast_sigmoid(slope=7))
    assert neuron.spike_fn == surrogate.fast_sigmoid(7.0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("model", MEMBRANES)
def test_a_neuron_in_half_precision_runs_its_steps(model, dtype):
    ys, state = model().to(dtype)(torch.rand(3, 2, 4).to(dtype))
    assert {t.dtype for t in (ys, *state)} == {dtype}


def test_constants_of_several_dtypes():
    with pytest.raises(TypeError, match=r"every constant of the neurons as torch\.float32.*got one of torch\.float64"):
        LIF(tau_mem=torch.full((3,), 5.0, dtype=torch.float64))(torch.rand(4, 2, 3))


def test_a_constant_written_in_place_counts():
    neuron, current = LIF(tau_mem=2.0), torch.full((10, 1), 3.0)
    often = neuron(current)[0].sum()
    neuron.refractory_time.fill_(3.0)
    assert neuron(current)[0].sum() < often
    neuron.noise.fill_(1.0)
    assert not torch.equal(neuron(current)[1].v, neuron(current)[1].v)


def test_a_computed_tensor_is_no_constant():
    with pytest.raises(TypeError, match=r"`tau_mem` to be a number.*computed from others"):
        LIF(tau_mem=torch.nn.functional.softplus(torch.ones(1, requires_grad=True)))
