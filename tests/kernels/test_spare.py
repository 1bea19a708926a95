"""Currents that a kernel may write over."""

import threading

import pytest
import torch
from torch.testing import assert_close

from conex_nn.kernels.spare import Spare, is_spare
from conex_nn.neurons import IF, LIF


def _everything(neuron, current, *, spare):
    neuron.zero_grad()
    leaf = current.clone().requires_grad_()
    made = leaf * 2
    with Spare(made if spare else torch.empty(0)):
        spikes, state = neuron(made)
    (spikes.cumsum(0).sum() + state.v.sum()).backward()
    return made, (spikes, state, leaf.grad, [p.grad for p in neuron.parameters()])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"refractory_time": 2.0}, {"soft_reset": True, "detach_reset": False}])
@pytest.mark.parametrize("make", [IF, LIF])
def test_results_and_gradients_are_the_same(make, options, dtype):
    neuron = make(v_threshold=torch.nn.Parameter(0.5 + torch.rand(33)), **options).to(dtype)
    current = torch.rand(9, 3, 33, dtype=dtype)
    kept, wanted = _everything(neuron, current, spare=False)
    over, found = _everything(neuron, current, spare=True)
    assert wanted[0].any()
    assert_close(found, wanted, rtol=0, atol=0)
    assert torch.equal(kept, 2 * current)
    assert not torch.equal(over, 2 * current)


def test_without_a_gradient_nothing_is_kept_and_nothing_overwritten():
    current = torch.rand(9, 3, 5)
    before = current.clone()
    with Spare(current):
        LIF()(current)
    assert torch.equal(current, before)


def test_the_same_current_at_each_step_stays():
    current = torch.rand(3, 5, requires_grad=True).exp().expand(9, 3, 5)
    before = current.clone()
    with Spare(current):
        spikes, _ = LIF(resistance=4.0)(current)
    spikes.sum().backward()
    assert torch.equal(current, before)


def test_who_needed_the_currents_after_all_is_told():
    made = torch.rand(9, 3, 5, requires_grad=True).exp()  # its derivative is its result
    with Spare(made):
        spikes, _ = LIF()(made)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        spikes.sum().backward()


def test_only_this_tensor_in_this_thread_and_only_inside():
    first, second, seen = torch.ones(2), torch.ones(2), []
    with Spare(first):
        with Spare(second):
            assert is_spare(second)
            assert not is_spare(first)
        thread = threading.Thread(target=lambda: seen.append(is_spare(first)))
        thread.start()
        thread.join()
        assert is_spare(first)
        assert not is_spare(first.view(2))
    assert seen == [False]
    assert not is_spare(first)
