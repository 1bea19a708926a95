"""The LIF module against snnTorch on the same numbers."""

import pytest
import snntorch
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.neurons import LIF

BETA = 0.875  # a decay that is exact in binary, as are the inputs: no sum is rounded for long


def numbers(shape=(40, 3, 16)):
    """Inputs of at most 1, so that no potential reaches twice the threshold, where snnTorch resets twice."""
    return torch.randint(-32, 65, shape) / 64


def snntorch_run(neuron, x):
    """snnTorch's own loop; fires above the threshold, where we fire at it too."""
    mem, spikes, potentials = neuron.reset_mem(), [], []
    for step in x:
        spike, mem = neuron(step, mem)
        spikes.append(spike)
        potentials.append(mem)
    return torch.stack(spikes), torch.stack(potentials)


def euler_lif(**options):
    """LIF with decay BETA and gain 1."""
    tau = 1 / (1 - BETA)
    return LIF(tau_mem=tau, resistance=tau, method="euler", v_threshold=0.99, **options)


# snnTorch's reset to zero comes a step late, before the leak, and is detached: our detached hard reset. Without
# `reset_delay` it comes at once, and its gradient passes into the spikes: our resets with detach_reset=False.
PAIRS = {
    "zero, detached": ({"reset_mechanism": "zero"}, {}),
    "zero": ({"reset_mechanism": "zero", "reset_delay": False}, {"detach_reset": False}),
    "subtract": ({"reset_mechanism": "subtract", "reset_delay": False}, {"soft_reset": True, "detach_reset": False}),
}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("pair", PAIRS)
def test_values_and_gradients_are_those_of_snntorch_leaky(pair, fused):
    theirs, ours = PAIRS[pair]
    neuron = euler_lif(**ours)
    weight = torch.randint(-8, 9, (40, 3, 16)) / 8
    found = []
    for run in (
        lambda x: snntorch_run(snntorch.Leaky(beta=BETA, threshold=0.99, **theirs), x)[0],
        lambda x: neuron(x, observe=None if fused else lambda y, s: None)[0],
    ):
        torch.manual_seed(1)
        x = numbers().requires_grad_()
        spikes = run(x)
        (spikes * weight).sum().backward()
        found.append((spikes, x.grad))
    assert found[0][0].sum() > 100
    assert_close(found[1][0], found[0][0], rtol=0, atol=0)
    assert_close(found[1][1], found[0][1], rtol=1e-4, atol=1e-6)


def test_potentials_are_those_of_snntorch_leaky():
    x = numbers()
    _, potentials = snntorch_run(
        snntorch.Leaky(beta=BETA, threshold=0.99, reset_mechanism="subtract", reset_delay=False), x
    )
    ours = []
    euler_lif(soft_reset=True)(x, observe=lambda y, s: ours.append(s.v))
    assert_close(torch.stack(ours), potentials, rtol=1e-5, atol=1e-6)


def test_the_threshold_is_a_spike_here_and_none_in_snntorch():
    x = torch.ones(1, 1, 1)
    ours = LIF(tau_mem=8.0, resistance=8.0, method="euler")
    assert ours(x)[0].item() == 1
    assert snntorch_run(snntorch.Leaky(beta=BETA), x)[0].item() == 0


@pytest.mark.parametrize("dt", [0.1, 0.5, 1.0, 1.5])
def test_the_refractory_time_in_steps(dt):
    neuron = LIF(tau_mem=1e-3, refractory_time=3.0)
    spikes, _ = neuron(torch.full((200, 1, 1), 5.0), dt=dt)
    gaps = spikes.flatten().nonzero().flatten().diff()
    assert (gaps == round(3.0 / dt) + 1).all()


@pytest.mark.parametrize("step", [1e9, -1e9])
def test_a_trainable_time_constant_stays_positive(step):
    neuron = LIF(tau_mem=nn.Parameter(torch.tensor([2.0, 20.0])))
    x = torch.full((20, 1, 2), 1.5)
    for _ in range(3):
        optimizer = torch.optim.SGD(neuron.parameters(), lr=1.0)
        _, state = neuron(x)
        neuron.zero_grad()
        state.v.sum().backward()
        assert neuron.log_tau_mem.grad.isfinite().all()
        neuron.log_tau_mem.grad = neuron.log_tau_mem.grad.sign() * step
        torch.nn.utils.clip_grad_value_(neuron.parameters(), 20.0)
        optimizer.step()
        assert (neuron.tau_mem > 0).all()


def test_learning_a_time_constant_finds_it():
    x = torch.rand(60, 4, 1) * 0.8
    _, target = LIF(tau_mem=20.0)(x)
    neuron = LIF(tau_mem=nn.Parameter(torch.tensor(5.0)))
    optimizer = torch.optim.Adam(neuron.parameters(), lr=0.1)
    for _ in range(80):
        optimizer.zero_grad()
        ((neuron(x)[1].v - target.v) ** 2).sum().backward()
        optimizer.step()
    assert neuron.tau_mem.item() == pytest.approx(20.0, rel=0.02)


def test_the_cortical_preset():
    neuron = LIF.cortical(tau_mem=20.0)
    assert neuron.tau_mem.item() == 20
    assert neuron.initial_state(torch.zeros(3)).v.tolist() == [-65.0] * 3
    assert not neuron(torch.full((200, 1), 0.37))[0].any()  # the rheobase is 15 mV / 40 MOhm = 0.375 nA
    assert neuron(torch.full((200, 1), 0.38))[0].any()


def test_repr_shows_what_differs():
    assert "tau_mem=10" in repr(LIF())
    shown = repr(
        LIF(tau_mem=nn.Parameter(torch.tensor(3.0)), v_threshold=torch.ones(7), soft_reset=True, method="euler")
    )
    for text in (
        "tau_mem=3 (trainable)",
        "v_threshold=<7>",
        "soft_reset=True",
        "method='euler'",
        "spike_fn=atan(2.0)",
    ):
        assert text in shown
