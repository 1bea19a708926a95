"""Threshold, reset and refractoriness."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn import surrogate
from conex_nn.functional import fire

ONE = torch.ones(1, dtype=torch.float64)


def call(charged, v=None, refractory=None, pause=None, **options):
    charged = torch.as_tensor(charged, dtype=torch.float64)
    return fire(
        charged, charged if v is None else torch.as_tensor(v, dtype=torch.float64),
        None if refractory is None else torch.as_tensor(refractory, dtype=torch.float64),
        **{"v_threshold": ONE, "v_reset": -0.5 * ONE, "dt": 1.0, "spike_fn": surrogate.atan(), **options},
        refractory_time=None if pause is None else pause * ONE,
    )  # fmt: skip


def test_it_fires_at_exactly_the_threshold_and_not_below():
    below = torch.nextafter(ONE, 0 * ONE).item()
    spikes, v, none = call([below, 1.0, 2.0])
    assert spikes.tolist() == [0, 1, 1]
    assert v.tolist() == [below, -0.5, -0.5]
    assert none is None


def test_a_soft_reset_takes_the_distance_off():
    _, v, _ = call([0.25, 1.0, 2.75], soft_reset=True)
    assert v.tolist() == [0.25, -0.5, 1.25]


def test_a_refractory_neuron_keeps_its_potential_and_does_not_fire():
    spikes, v, left = call([5.0, 5.0, 0.2], v=[0.1, 0.1, 0.1], refractory=[2.0, 0.0, 0.0], pause=3.0)
    assert spikes.tolist() == [0, 1, 0]
    assert v.tolist() == [0.1, -0.5, 0.2]
    assert left.tolist() == [1, 3, 0]


@pytest.mark.parametrize("dt", [0.1, 0.25, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("pause", [0.0, 1.0, 2.0, 4.6])
def test_the_refractory_time_is_the_nearest_number_of_steps(dt, pause):
    left, fired = torch.zeros(1), []
    for _ in range(200):
        spikes, _, left = fire(
            torch.full((1,), 2.0), torch.zeros(1), left, v_threshold=torch.ones(1), v_reset=torch.zeros(1), dt=dt,
            spike_fn=surrogate.atan(), refractory_time=torch.full((1,), pause),
        )  # fmt: skip
        fired.append(spikes.item())
    gaps = torch.tensor(fired).nonzero().flatten().diff()
    assert gaps.numel() > 3
    assert abs((gaps[0].item() - 1) * dt - pause) <= dt / 2 + 1e-6
    assert (gaps == gaps[0]).all()


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("detach", [False, True])
def test_the_gradient_of_the_reset(soft, detach):
    charged = torch.tensor([0.5, 1.5], dtype=torch.float64, requires_grad=True)
    _, v, _ = call(charged, soft_reset=soft, detach_reset=detach)
    v.sum().backward()
    slope = surrogate.atan().derivative(charged.detach() - 1)
    passes = torch.tensor([1.0, 1.0 if soft else 0.0], dtype=torch.float64)
    jump = -1.5 if soft else -0.5 - charged.detach()
    assert_close(charged.grad, passes + (0 if detach else slope * jump))
