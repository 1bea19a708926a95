"""The leaky integrator as a module, and the noise of a membrane, against closed forms."""

import math

import pytest
import torch

from conex_nn.neurons import IF, LI, LIF

N = 20_000


def settle(neuron, dt, time):
    """The potentials after a time, of many neurons without input."""
    state = None
    for _ in range(math.ceil(time / dt / 50)):
        _, state = neuron(torch.zeros(50, N), state, dt=dt)
    return state.v.double()


@pytest.mark.parametrize("dt", [0.2, 1.0, 5.0])
def test_noise_settles_to_the_ornstein_uhlenbeck_process_whatever_the_step(dt):
    sigma, tau = 0.3, 5.0
    v = settle(LI(tau_mem=tau, v_rest=-1.0, resistance=3.0, noise=sigma), dt, 50.0)
    variance = sigma**2 * tau / 2
    assert v.mean().item() == pytest.approx(-1.0, abs=5 * math.sqrt(variance / N))
    assert v.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / N))


def test_noise_by_eulers_method_has_the_variance_of_its_recursion():
    sigma, tau, dt = 0.3, 5.0, 1.0
    v = settle(LI(tau_mem=tau, noise=sigma, method="euler"), dt, 50.0)
    assert v.var().item() == pytest.approx(sigma**2 * dt / (1 - (1 - dt / tau) ** 2), rel=5 * math.sqrt(2 / N))


def test_noise_of_a_perfect_integrator_diffuses():
    v = settle(IF(v_threshold=1e6, capacitance=4.0, noise=0.3), 0.5, 25.0)
    assert v.var().item() == pytest.approx(0.3**2 * 25.0, rel=5 * math.sqrt(2 / N))


def test_noise_is_independent_from_step_to_step_and_seeded():
    x, neuron = torch.zeros(2000, 30), LI(tau_mem=1e-3, noise=1.0)
    torch.manual_seed(3)
    v, _ = neuron(x)
    assert (v[1:] * v[:-1]).mean().abs() < 5 / math.sqrt(v.numel())
    torch.manual_seed(3)
    assert torch.equal(neuron(x)[0], v)
    assert not torch.equal(neuron(x)[0], v)


def test_trainable_noise_has_a_gradient():
    neuron = LIF(noise=torch.nn.Parameter(torch.tensor(0.0)), spike_fn=None)
    spikes, _ = neuron(torch.rand(20, 5))
    spikes.sum().backward()
    assert neuron.noise.grad.abs().item() > 0


@pytest.mark.parametrize("dt", [0.1, 2.0])
def test_the_charging_curve(dt):
    v, state = LI(tau_mem=7.0, resistance=2.0).double()(torch.ones(40, 1, dtype=torch.float64), dt=dt)
    times = dt * torch.arange(1, 41, dtype=torch.float64)
    torch.testing.assert_close(v[:, 0], 2 * (1 - torch.exp(-times / 7)), rtol=1e-12, atol=1e-12)
    assert torch.equal(state.v, v[-1])
