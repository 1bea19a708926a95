"""Any number of adaptation currents, and the shapes of their constants."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from conex_nn.neurons import AELIF, ELIF


@pytest.mark.parametrize(
    ("rows", "currents"), [(20.0, 1), ([20.0], 1), ([20.0, 30.0], 2), (torch.ones(3, 4), 3), ([], 0)]
)
def test_the_number_of_currents(rows, currents):
    b = [] if currents == 0 else 0.1
    neuron = AELIF(tau_w=rows, a=b, b=b)
    assert neuron.currents == currents
    _, state = neuron(torch.ones(3, 2, 4))
    assert state.w.shape == (currents, 2, 4)


def test_rows_that_do_not_match():
    with pytest.raises(ValueError, match="Expected `b` to have 1 or 3 rows, one for each adaptation current, got 2"):
        AELIF(tau_w=[1.0, 2.0, 3.0], b=[0.1, 0.2])


def test_a_nested_list_is_one_row_per_current():
    neuron = AELIF(tau_w=[[5.0, 6.0, 7.0], [8.0, 9.0, 10.0]])
    assert neuron.currents == 2
    assert neuron.tau_w.shape == (2, 3)


def test_rows_of_the_wrong_number_of_neurons():
    with pytest.raises(ValueError, match=r"axes that fit `tau_w` of shape \(4,\)"):
        AELIF(tau_w=torch.ones(2, 4))(torch.ones(3, 5))


def test_constants_of_different_shapes_are_the_same_written_out():
    x = 4 * torch.rand(40, 3, 2)
    a, b = torch.tensor([[0.1, 0.9], [0.3, 0.4]]), torch.tensor([0.1, 0.4])
    mixed = AELIF(tau_w=[5.0, 20.0], a=a, b=b)
    written = AELIF(tau_w=torch.tensor([[5.0, 5.0], [20.0, 20.0]]), a=a, b=b[:, None].expand(2, 2))
    assert_close(mixed(x), written(x))
    assert_close(mixed(x, observe=lambda y, s: None), written(x))


def test_one_current_shared_by_rows_has_one_gradient():
    neuron = AELIF(tau_w=[5.0, 20.0], b=nn.Parameter(torch.tensor(0.3)))
    _, state = neuron(3 * torch.rand(20, 2, 4))
    state.w.sum().backward()
    assert neuron.b.grad.shape == (1,)


def test_without_currents_it_is_an_elif():
    x = 2 * torch.rand(40, 3, 2)
    ours, (v, _, _) = AELIF(tau_w=[], a=[], b=[])(x)
    expected, state = ELIF()(x)
    assert_close((ours, v), (expected, state.v))


def test_adaptation_slows_the_firing():
    x = torch.full((400, 1), 1.5)
    fired = AELIF(tau_w=100.0, b=0.2)(x)[0].flatten().nonzero().flatten().diff()
    assert fired[-1] > 1.5 * fired[0]
