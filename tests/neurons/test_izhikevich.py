"""Izhikevich's cell types."""

import pytest
import torch

from conex_nn import surrogate
from conex_nn.neurons import Izhikevich


def rate(neuron, current, dt=0.25, time=500):
    spikes, _ = neuron(torch.full((round(time / dt), 1), current), dt=dt)
    return spikes.flatten().nonzero().flatten() * dt


def test_a_regular_spiking_cell_adapts_and_rests_without_input():
    times = rate(Izhikevich(), 10.0)
    assert times.diff()[-1] > 1.5 * times.diff()[0]
    assert rate(Izhikevich(), 0.0).numel() == 0


def test_a_fast_spiking_cell_is_faster_and_hardly_adapts():
    times = rate(Izhikevich.fast_spiking(), 10.0)
    assert times.numel() > 2 * rate(Izhikevich(), 10.0).numel()
    assert times.diff()[-1] < 1.2 * times.diff()[1]
    assert Izhikevich.fast_spiking(a=0.05).a.item() == pytest.approx(0.05)


def test_it_starts_at_its_own_potential_with_recovery_to_match():
    state = Izhikevich(b=torch.tensor([0.2, 0.25]), v_init=-70.0).initial_state(torch.zeros(3, 2))
    assert state.v.unique().item() == -70
    assert torch.equal(state.u[0], torch.tensor([-14.0, -17.5]))


def test_the_surrogate_is_wide_enough_for_millivolts():
    assert Izhikevich().spike_fn == surrogate.fast_sigmoid(0.1)
    assert Izhikevich(spike_fn=surrogate.atan()).spike_fn == surrogate.atan()


def test_the_peak_lies_above_the_reset():
    with pytest.raises(ValueError, match=r"`v_peak` to be above `c` \[mV\], got -70 against -65"):
        Izhikevich(v_peak=-70.0)
