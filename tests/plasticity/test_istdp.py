"""Inhibitory plasticity does what it is for."""

import pytest
import torch

from conex_nn.neurons import LIF
from conex_nn.plasticity import ISTDP, Clip, chain, learn
from conex_nn.synapses import Dense


@pytest.mark.parametrize("rho", [10.0, 20.0])
def test_it_drives_a_neuron_to_its_target_rate(rho):
    inhibition = Dense(200, 3, init=torch.nn.init.zeros_)
    neuron, dt, batch, steps = LIF(tau_mem=20.0), 0.5, 20, 200
    rule, state = chain(ISTDP(rate=0.05, rho=rho, tau=20.0), Clip(0, None)), None
    membrane, rates = None, []
    drive = torch.tensor([1.2, 1.4, 1.6])  # without inhibition each fires at another rate, above the target
    for _ in range(120):
        pre = (torch.rand(steps, batch, 200) < 20 * dt / 1000).float()
        with torch.no_grad():
            current = drive + 0.7 * torch.randn(steps, batch, 3) - 2 * inhibition(pre)
            spikes, membrane = neuron(current, membrane, dt=dt)
        state = learn(rule, inhibition, state, pre, spikes, dt=dt)
        rates.append(spikes.mean((0, 1)) / dt * 1000)
    torch.testing.assert_close(torch.stack(rates[60:]).mean(0), torch.full((3,), rho), rtol=0.05, atol=0)
    assert (rates[0] > 1.05 * rho).all()


def test_errors():
    with pytest.raises(ValueError, match=r"`rho` to be positive \[Hz\], got 0.0"):
        ISTDP(rho=0.0)
