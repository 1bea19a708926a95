"""What the base class gives to every model, and what it refuses."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.neurons import AELIF, LIF, Neuron, ThresholdState
from conex_nn.testing import check_module


class Counter(Neuron):
    """A user's own model: three inputs make a spike, two make it tired."""

    class State(NamedTuple):
        count: Tensor
        tired: Tensor

    def step(self, current, state, *, dt=1.0):
        count = state.count + current * dt
        spikes = torch.sigmoid(20 * (count - 3))
        return spikes, self.State(count - 3 * spikes, 0.5 * state.tired + spikes)


def test_a_model_of_ones_own_is_lawful():
    check_module(Counter, torch.rand(8, 2, 4), skip=["pickle"] if __name__ == "__main__" else [])


def test_a_model_without_a_step():
    class Empty(Neuron):
        class State(NamedTuple):
            v: Tensor

    with pytest.raises(TypeError, match=r"Expected Empty to define `step.*or `charge` and `fire`"):
        Empty()(torch.ones(2, 3))


def test_a_model_of_two_halves_has_a_step_and_winners():
    class Halves(Neuron):
        class State(NamedTuple):
            v: Tensor

        def __init__(self):
            super().__init__()
            self.register_buffer("v_threshold", torch.tensor([1.0]))
            self.register_buffer("v_reset", torch.tensor([0.0]))

        def charge(self, current, state, *, dt=1.0):
            return state.v + dt * current

        def fire(self, v, state, *, dt=1.0):
            spikes = (v >= self.v_threshold).to(v.dtype)
            return spikes, self.State(torch.where(spikes > 0, self.v_reset, v))

    spikes, state = Halves()(torch.tensor([[0.4], [0.4], [0.4]]), dt=2.0)
    assert spikes.flatten().tolist() == [0, 1, 0]
    assert state.v.item() == pytest.approx(0.8)
    net = cx.Population(3, Halves(), winners=cx.KWinners(1))
    spikes, _ = net({"proximal": torch.tensor([[1.5, 2.0, 0.4]])})
    assert spikes.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan")])
def test_a_step_that_is_not_positive(dt):
    with pytest.raises(ValueError, match=r"`dt` to be positive \[ms\], got"):
        LIF()(torch.ones(2, 3), dt=dt)


def test_a_sequence_that_is_none():
    with pytest.raises(TypeError, match=r"`current` to be a floating tensor, got torch.int64"):
        LIF()(torch.ones(2, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="`current` of at least one time step"):
        LIF()(torch.ones(0, 3))


def test_a_state_of_another_type():
    with pytest.raises(TypeError, match="`state` to be a ThresholdState, got tuple"):
        LIF()(torch.ones(2, 3), (torch.zeros(3), torch.zeros(3)))
    with pytest.raises(TypeError, match="`state` to be a AELIFState, got ThresholdState"):
        AELIF()(torch.ones(2, 3), LIF().initial_state(torch.ones(3)))


def test_a_state_of_another_batch():
    _, state = LIF()(torch.ones(4, 2, 3))
    with pytest.raises(
        ValueError, match=r"`state.v` of shape \(5, 3\) .*got \(2, 3\): a state belongs to one batch size"
    ):
        LIF()(torch.ones(4, 5, 3), state)
    with pytest.raises(ValueError, match="The input looks batch-first; time comes first"):
        LIF()(torch.ones(2, 7, 3), state)


def test_a_state_of_another_dtype():
    state = LIF().initial_state(torch.ones(3))
    wrong = ThresholdState(state.v, state.refractory.double())
    with pytest.raises(TypeError, match=r"`state.refractory` as torch.float32 on cpu, got torch.float64 on cpu"):
        LIF()(torch.ones(2, 3), wrong)
    with pytest.raises(TypeError, match=r"`state.v` as torch.float32 on cpu, got torch.float32 on meta"):
        LIF()(torch.ones(2, 3), ThresholdState(state.v.to("meta"), state.refractory))


@pytest.mark.parametrize(
    "options", [{}, {"detach_every": 3}, {"checkpoint_every": 3}, {"detach_every": 4, "checkpoint_every": 2}]
)
def test_every_step_is_observed_once_also_when_it_is_computed_again(options):
    seen = []
    x = torch.rand(10, 2, 3, requires_grad=True)
    ys, state = LIF(refractory_time=1.0)(x, observe=lambda y, s: seen.append((y, s.v)), **options)
    ys.sum().backward()
    assert len(seen) == 10
    assert_close(torch.stack([y for y, _ in seen]), ys)
    assert_close(seen[-1][1], state.v)


def test_checkpointing_computes_noise_again_as_it_was():
    found = []
    for options in ({}, {"checkpoint_every": 4}):
        torch.manual_seed(0)
        neuron = LIF(noise=0.5, tau_mem=torch.nn.Parameter(torch.tensor(5.0)))
        ys, _ = neuron(torch.full((12, 20), 1.2), observe=lambda y, s: None, **options)
        ys.sum().backward()
        found.append((ys, neuron.log_tau_mem.grad))
    assert_close(found[0], found[1])


def test_a_trainable_constant_is_not_hidden_by_a_number():
    neuron = LIF(tau_mem=torch.nn.Parameter(torch.tensor(5.0)))
    with pytest.raises(AttributeError, match="`tau_mem` to be changed through its parameter, `log_tau_mem`"):
        neuron.tau_mem = 3.0


@pytest.mark.parametrize("logarithm", [-1000.0, 1000.0])
def test_a_trainable_time_constant_stays_positive_and_finite(logarithm):
    neuron = LIF(tau_mem=torch.nn.Parameter(torch.tensor(5.0)))
    neuron.log_tau_mem.data.fill_(logarithm)
    spikes, state = neuron(torch.rand(3, 2))
    (spikes.sum() + state.v.sum()).backward()
    assert 0 < neuron.tau_mem.item() < float("inf")
    assert neuron.log_tau_mem.grad.isfinite()
