"""What a compartment makes of its current, and what it refuses."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.dendrites import Compartment, Drive, Pull
from conex_nn.neurons import IF, LIF, Izhikevich

CORTICAL = LIF.cortical().double()  # 10 ms, 40 MOhm, -65 mV at rest, threshold -50 mV


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_a_drive_is_its_current():
    x = torch.randn(3, 4)
    assert Drive()(x, None, None) is x


def test_a_pull_by_hand():
    pull = Pull(0.8).double()
    got = pull(f64(0.5, -0.5, 0.5, 0.5), f64(-65.0, -65.0, -53.0, -52.0), CORTICAL)
    assert_close(got, 10 / 40 * f64(0.5, -0.5, 0.5, 0.5).tanh() * f64(12.0, 12.0, 0.0, 0.0))


def test_a_pull_on_neurons_without_a_leak():
    got = Pull(0.5).double()(f64(1.0), f64(0.0), IF(capacitance=3.0).double())
    assert_close(got, 3 * f64(1.0).tanh() * 0.5)


def test_a_target_per_neuron():
    pull = Pull(torch.tensor([0.25, 1.0])).double()
    assert_close(pull.ceiling(CORTICAL), f64(-61.25, -50.0))
    assert (pull(f64(9.0, 9.0), f64(-61.0, -61.0), CORTICAL) > 0).tolist() == [False, True]


def test_gradients_reach_the_current_the_potential_and_the_neurons():
    neuron = LIF(tau_mem=nn.Parameter(torch.tensor(7.0)), v_threshold=nn.Parameter(torch.tensor(1.5))).double()
    current, v = f64(0.3, -1.0, 2.0).requires_grad_(), f64(0.1, -0.4, 0.7).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, v: Pull(0.8).double()(i, v, neuron), (current, v))
    Pull(0.8)(current, v, neuron).sum().backward()
    assert neuron.log_tau_mem.grad.abs() > 0
    assert neuron.v_threshold.grad.abs() > 0


@pytest.mark.parametrize("p", [0.0, 1.25, -0.5, torch.tensor([0.5, 2.0])])
def test_a_target_out_of_range(p):
    with pytest.raises(ValueError, match=r"`p` to be above 0 and at most 1 \[1\], got"):
        Pull(p)


@pytest.mark.parametrize("make", [Drive, lambda tau: Pull(0.5, tau_syn=tau)])
def test_bad_time_constants(make):
    with pytest.raises(ValueError, match=r"`tau_syn` to be positive \[ms\], got 0"):
        make(0.0)
    with pytest.raises(ValueError, match=r"`tau_syn` to be finite \[ms\], got nan"):
        make(float("nan"))
    with pytest.raises(TypeError, match=r"`tau_syn` to be fixed \[ms\]"):
        make(nn.Parameter(torch.ones(1)))
    with pytest.raises(TypeError, match=r"`tau_syn` to be a number or a tensor \[ms\], got 'long'"):
        make("long")


def test_neurons_that_cannot_be_pulled():
    with pytest.raises(TypeError, match=r"a constant `v_rest`.*got Izhikevich.*Connect to .* `proximal`"):
        Pull(0.8)(torch.ones(1), torch.ones(1), Izhikevich())
    with pytest.raises(TypeError, match=r"`v`, the membrane potential \[mV\], and `neuron`.*got None"):
        Pull(0.8)(torch.ones(1), None, nn.Identity())


def test_a_compartment_without_a_forward():
    with pytest.raises(TypeError, match=r"Nothing to define `forward\(self, current, v, neuron\)`"):
        type("Nothing", (Compartment,), {})()(torch.ones(1), None, None)


def test_constants_move_and_are_shown():
    pull = Pull(0.75, tau_syn=torch.tensor([2, 3]))
    assert pull.double().tau_syn.dtype == torch.float64
    assert set(pull.state_dict()) == {"p", "tau_syn"}
    assert set(Drive().state_dict()) == set()
    assert repr(pull) == "Pull(p=0.75, tau_syn=<2>)"
    with torch.device("meta"):
        repr(Pull(0.5, tau_syn=1.0))
