"""Every neuron is lawful, whatever its options, and its fused path computes what its steps do."""

import pytest
import snntorch
import torch
from torch import nn

from conex_nn import surrogate
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF, FromSnnTorch, Izhikevich
from conex_nn.testing import check_fused, check_module

N = 5
PER_NEURON = torch.linspace(0.6, 1.4, N)
ROWS = torch.linspace(0.1, 0.9, 2 * N).reshape(2, N)


def learnt(value):
    return nn.Parameter(torch.as_tensor(value).clone())


NEURONS = {
    "LIF": LIF,
    "LIF cortical": lambda: LIF.cortical(resistance=400.0),
    "LIF refractory, soft": lambda: LIF(refractory_time=2.0, soft_reset=True, tau_mem=5.0),
    "LIF per neuron": lambda: LIF(
        tau_mem=learnt(6 * PER_NEURON), v_threshold=learnt(PER_NEURON), v_reset=learnt(-PER_NEURON), v_rest=-0.5,
        resistance=learnt(1.5), refractory_time=2 * PER_NEURON, method="euler", detach_reset=False,
    ),
    "IF": IF,
    "IF per neuron": lambda: IF(capacitance=learnt(2 * PER_NEURON), v_reset=-PER_NEURON, soft_reset=True),
    "LI": LI,
    "LI per neuron": lambda: LI(tau_mem=learnt(6 * PER_NEURON), v_rest=PER_NEURON, resistance=learnt(PER_NEURON)),
    "ELIF": ELIF,
    "ELIF per neuron": lambda: ELIF(delta_t=0.2 * PER_NEURON, v_rh=learnt(PER_NEURON / 2), refractory_time=1.0),
    "ELIF Euler": lambda: ELIF(method="euler", tau_mem=learnt(6.0)),
    "AELIF": AELIF,
    "AELIF Euler": lambda: AELIF(method="euler", tau_w=[5.0, 20.0], a=learnt([0.2, 0.1]), tau_mem=learnt(6.0)),
    "AELIF two currents": lambda: AELIF(tau_w=[5.0, 20.0], a=0.1, b=learnt([0.2, 0.1]), refractory_time=2.0),
    "AELIF per neuron": lambda: AELIF(tau_w=[5.0, 20.0], a=ROWS, b=learnt(ROWS[:1] / 4), v_reset=-PER_NEURON),
    "Izhikevich": lambda: Izhikevich(a=learnt(0.02), b=0.2 * PER_NEURON),
    "a spike function of the user's": lambda: LIF(spike_fn=surrogate.stochastic(variance=0.0)),
}  # fmt: skip


def current(seed=0):
    return 4 * torch.rand(9, 3, N, generator=torch.Generator().manual_seed(seed)) - 0.5


@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_is_lawful(name):
    check_module(NEURONS[name], current() * (30 if name == "Izhikevich" else 1))


SNNTORCH = {
    "Leaky": lambda **options: snntorch.Leaky(beta=0.9, **options),
    "Leaky per neuron": lambda **options: snntorch.Leaky(
        beta=0.7 * PER_NEURON, learn_beta=True, learn_threshold=True, reset_mechanism="zero", **options
    ),
    "Leaky at once": lambda **options: snntorch.Leaky(beta=0.9, reset_delay=False, **options),
    "Synaptic": lambda **options: snntorch.Synaptic(alpha=0.7, beta=0.9, learn_alpha=True, **options),
    "Alpha": lambda **options: snntorch.Alpha(alpha=0.9, beta=0.8, **options),
    "Lapicque": lambda **options: snntorch.Lapicque(beta=0.8, **options),
    "RLeaky": lambda **options: snntorch.RLeaky(beta=0.8, all_to_all=False, V=0.3, **options),
    "RSynaptic": lambda **options: snntorch.RSynaptic(alpha=0.8, beta=0.7, linear_features=N, **options),
}


@pytest.mark.parametrize("name", SNNTORCH)
def test_a_neuron_of_snntorch_is_lawful(name):
    # snnTorch reads values while it is made, so not on the meta device; its own surrogates are closures: no pickle.
    skip = ["meta", *(["permutation"] if name == "RSynaptic" else [])]
    check_module(lambda: FromSnnTorch(SNNTORCH[name](spike_grad=surrogate.atan())), current(), skip=skip)


FUSED = [name for name in NEURONS if name not in ("Izhikevich", "a spike function of the user's")]


@pytest.mark.parametrize("dt", [0.5, 1.0])
@pytest.mark.parametrize("name", FUSED)
def test_the_fused_path_is_the_steps(name, dt):
    check_fused(NEURONS[name], current(1), dt=dt)


def test_neurons_without_a_kernel_say_so():
    x = torch.ones(2, 3)
    for neuron in (Izhikevich(), LIF(spike_fn=surrogate.stochastic()), LIF(spike_fn=torch.sigmoid)):
        assert neuron.fused(x, neuron.initial_state(x[0]), dt=1.0) is None
    assert LIF().bfloat16().fused(x.bfloat16(), LIF().bfloat16().initial_state(x[0].bfloat16()), dt=1.0) is None
