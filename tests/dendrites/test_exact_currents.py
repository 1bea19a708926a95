"""Synaptic currents that decay within a step: potentials equal the closed form, whatever the step."""

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.dendrites import Dendrite, Drive
from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF, Izhikevich
from conex_nn.structure import Population

SILENT = {"v_threshold": 1e9}
CELL = {"tau_mem": 10.0, "resistance": 40.0, "v_rest": -65.0, "v_reset": -65.0, **SILENT}


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def potentials(neuron, tau_syn, arrivals, *, dt, fused=True):
    """The potential after each step of a population of one, by whole sequences or step by step."""
    population = Population(1, neuron, dendrite=Dendrite({"proximal": Drive(tau_syn)})).double()
    seen = []
    if isinstance(neuron, LI) and fused:
        return population({"proximal": arrivals[:, None]}, dt=dt)[0].flatten()
    if fused:  # the potential at the end of every prefix
        for steps in range(1, len(arrivals) + 1):
            seen.append(population({"proximal": arrivals[:steps, None]}, dt=dt)[1].neuron.v)
    else:
        population({"proximal": arrivals[:, None]}, dt=dt, observe=lambda step: seen.append(step["state"].neuron.v))
    return torch.cat(seen)


def psp(t, *, tau_mem, tau_syn, resistance=40.0):
    """Potential above rest a time after a current of 1 nA began to decay."""
    if tau_mem == tau_syn:
        return resistance * t / tau_mem * math.exp(-t / tau_mem)
    rise = math.exp(-t / tau_mem) - math.exp(-t / tau_syn)
    return resistance * tau_syn / (tau_mem - tau_syn) * rise


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("tau_syn", [0.5, 10.0, 25.0])
@pytest.mark.parametrize("dt", [0.1, 1.0, 2.5])
def test_one_postsynaptic_potential(tau_syn, dt, fused):
    arrivals = torch.zeros(20, dtype=torch.float64)
    arrivals[2] = 0.3
    found = potentials(LIF(**CELL), tau_syn, arrivals, dt=dt, fused=fused)
    expected = [-65 + 0.3 * psp((t - 1) * dt, tau_mem=10.0, tau_syn=tau_syn) * (t > 1) for t in range(20)]
    assert_close(found, f64(*expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("tau_syn", [0.5, 10.0])
def test_a_train_of_postsynaptic_currents(tau_syn):
    arrivals = torch.rand(200, dtype=torch.float64) * (torch.rand(200) < 0.2) - 0.2 * (torch.rand(200) < 0.05)
    found = potentials(LIF(**CELL), tau_syn, arrivals, dt=0.1, fused=False)
    for t in (0, 57, 120, 199):
        each = (x * psp((t + 1 - s) * 0.1, tau_mem=10.0, tau_syn=tau_syn) for s, x in enumerate(arrivals[: t + 1]))
        assert_close(found[t], f64(-65 + sum(each))[0], rtol=0, atol=1e-9)


def test_a_constant_current_from_rest():
    found = potentials(LIF(**CELL), None, torch.full((100,), 0.3, dtype=torch.float64), dt=0.1)
    expected = [-65 + 12 * -math.expm1(-(t + 1) * 0.1 / 10) for t in range(100)]
    assert_close(found, f64(*expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize("neuron", [LIF(**CELL), LI(tau_mem=10.0), IF(**SILENT)])
def test_half_the_step_gives_the_same_potentials_at_common_times(neuron):
    coarse = torch.rand(40, dtype=torch.float64)
    fine = torch.stack([coarse, torch.zeros_like(coarse)], 1).flatten()
    one, two = (potentials(neuron, 3.0, x, dt=dt, fused=False) for x, dt in ((coarse, 1.0), (fine, 0.5)))
    assert_close(two[1::2], one, rtol=0, atol=1e-9)


@pytest.mark.parametrize("neuron", [ELIF, AELIF])
def test_the_linear_part_of_exponential_neurons(neuron):
    cell = {**CELL, "v_rh": 1e6, "delta_t": 1.0}
    extra = {"a": 0.0, "b": 0.0} if neuron is AELIF else {}
    arrivals = torch.rand(50, dtype=torch.float64)
    expected = potentials(LIF(**CELL), 0.5, arrivals, dt=0.1, fused=False)
    for fused in (True, False):
        assert_close(potentials(neuron(**cell, **extra), 0.5, arrivals, dt=0.1, fused=fused), expected)


@pytest.mark.parametrize("neuron", [LIF(**CELL, method="euler"), Izhikevich()])
def test_neurons_of_eulers_method_take_the_current_at_the_start(neuron):
    drive = Drive(3.0)
    assert drive.factor(neuron, dt=1.0) is None
    assert Drive().factor(LIF(), dt=1.0) is None
    current, _ = Dendrite({"proximal": drive}).step({"proximal": torch.ones(1)}, {}, None, neuron)
    assert current == 1


def test_a_user_s_compartment_has_a_factor_of_its_own():
    class Halved(Drive):
        def factor(self, neuron, *, dt):
            return torch.tensor([0.5 * dt])

    dendrite, x = Dendrite({"proximal": Halved()}), torch.rand(5, 3)
    assert_close(dendrite({"proximal": x}, dt=0.5)[0], x / 4)
    assert_close(dendrite.step({"proximal": x[0]}, {}, None, nn.Identity(), dt=0.5)[0], x[0] / 4)


def test_the_constants_may_change_between_calls():
    drive, neuron = Drive(torch.tensor([2.0, 5.0])), LIF(tau_mem=10.0)
    before = drive.factor(neuron, dt=1.0)
    assert drive.factor(neuron, dt=1.0) is before
    neuron.tau_mem.fill_(3.0)
    assert_close(drive.factor(neuron, dt=1.0), Drive(torch.tensor([2.0, 5.0])).factor(LIF(tau_mem=3.0), dt=1.0))
    assert (drive.factor(neuron, dt=1.0) != before).all()
    drive.tau_syn = torch.tensor([4.0])
    assert drive.factor(neuron, dt=1.0).shape == (1,)
    assert_close(drive.factor(LIF(tau_mem=3.0, method="exact"), dt=0.5), Drive(4.0).factor(LIF(tau_mem=3.0), dt=0.5))


def test_gradients_pass_to_the_arrivals_and_to_a_trainable_time_constant():
    def run(arrivals, tau, observe=None):
        cell = LIF(**CELL)
        del cell._buffers["tau_mem"]
        cell.__dict__["tau_mem"] = tau
        population = Population(1, cell, dendrite=Dendrite({"proximal": Drive(10.0)})).double()
        return population({"proximal": arrivals[:, None]}, observe=observe)[1].neuron.v

    arrivals, tau = torch.rand(6, dtype=torch.float64, requires_grad=True), f64(10.0).requires_grad_()
    for observe in (None, lambda step: None):
        assert torch.autograd.gradcheck(lambda x, tau, o=observe: run(x, tau, o), (arrivals, tau))
