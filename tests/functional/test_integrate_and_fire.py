"""The perfect integrate-and-fire neuron against its closed form."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import if_step


@pytest.mark.parametrize("dt", [0.125, 0.5, 1.0])
def test_it_counts_charge(dt):
    one = torch.ones(1, dtype=torch.float64)
    current = torch.tensor([0.0, 0.3, 1.3, -2.0], dtype=torch.float64)
    v, fired, potentials = torch.zeros(4, dtype=torch.float64), [], []
    for _ in range(round(64 / dt)):
        spikes, v, _ = if_step(current, v, v_threshold=5 * one, v_reset=0 * one, capacitance=2 * one, dt=dt,
                               spike_fn=surrogate.atan())  # fmt: skip
        fired.append(spikes)
        potentials.append(v)
    fired, potentials = torch.stack(fired), torch.stack(potentials)
    times = dt * torch.arange(1, len(fired) + 1, dtype=torch.float64)
    assert_close(potentials[:, 3], -2.0 * times / 2)
    assert not fired[:, [0, 3]].any()
    for i in (1, 2):
        steps = math.ceil(5 * 2 / current[i].item() / dt - 1e-9)
        assert fired[:, i].nonzero().flatten()[0] == steps - 1
        assert (fired[:, i].nonzero().flatten().diff() == steps).all()


def test_a_soft_reset_keeps_the_surplus_so_that_the_rate_is_exact():
    one, v, count = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64), 0
    for _ in range(1000):
        spikes, v, _ = if_step(0.3 * one, v, v_threshold=one, v_reset=0 * one, capacitance=one, dt=1.0,
                               spike_fn=surrogate.atan(), soft_reset=True)  # fmt: skip
        count += int(spikes)
    assert abs(count - 300) <= 1
