"""The comparison of a fused path passes what is equal and catches planted defects."""

import pytest
import torch
from torch import nn

from conex_nn.neurons import LI, LIF, LIState
from conex_nn.testing import check_fused


class FusedLI(LI):
    """LI whose fused path is the steps' arithmetic in torch, with a place for a defect."""

    def defect(self, v):
        return v

    def fused(self, current, state, *, dt):
        decay, gain, drive = self._coefficients(dt)
        v, vs = state.v, []
        for x in current:
            v = self.defect(decay * v + (gain * x + drive))
            vs.append(v)
        return torch.stack(vs), LIState(v)


class WrongValue(FusedLI):
    def defect(self, v):
        return v * (1 + 1e-7)


class WrongGradient(FusedLI):
    def defect(self, v):
        return v.detach() + 0.999 * (v - v.detach())


class NoGradientOfTheState(FusedLI):
    def fused(self, current, state, *, dt):
        return super().fused(current, LIState(state.v.detach()), dt=dt)


class NoGradientOfAParameter(FusedLI):
    def _coefficients(self, dt):
        return tuple(c.detach() for c in super()._coefficients(dt))

    def step(self, current, state, *, dt=1.0):
        return LI.step(self, current, state, dt=dt)


def current():
    return torch.rand(8, 2, 5)


def make(model):
    return lambda: model(tau_mem=nn.Parameter(torch.tensor(5.0)), v_rest=0.3)


def test_equal_paths_pass():
    check_fused(make(FusedLI), current())
    check_fused(make(LI), current(), dt=0.5)
    check_fused(make(LI), current(), state=LIState(torch.ones(2, 5, dtype=torch.float64)))
    check_fused(lambda: LIF(refractory_time=2.0), 3 * current()[:, 0])


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (WrongValue, "output: fused against plain"),
        (WrongGradient, "gradient of input: fused against plain"),
        (NoGradientOfTheState, "gradient of last state v|gradient of state v: fused against plain"),
        (NoGradientOfAParameter, "gradient of log_tau_mem: fused against plain"),
    ],
)
def test_a_planted_defect_is_caught(model, what):
    with pytest.raises(AssertionError, match=what):
        check_fused(make(model), current())


def test_a_neuron_without_a_fused_path():
    with pytest.raises(AssertionError, match="Expected LIF to have a fused path for this input, got None"):
        check_fused(lambda: LIF(spike_fn=torch.sigmoid), current())
