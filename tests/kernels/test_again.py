"""Spikes that are made again for a backward pass instead of kept."""

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

import conex_nn as cx
from conex_nn.kernels.again import MadeAgain, can_be_made_again


def _neurons(**options):
    return cx.LIF(v_threshold=0.5 + torch.rand(7), **{"resistance": 4.0, **options})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize(
    "options", [{}, {"refractory_time": 2.0}, {"refractory_time": 2.0, "soft_reset": True, "resistance": 40.0}]
)
def test_they_are_what_they_were(options, dtype):
    neurons = _neurons(**options).to(torch.float32 if dtype == torch.bfloat16 else dtype)
    spikes, _ = neurons(torch.rand(9, 3, 7, dtype=dtype).requires_grad_())
    again = spikes.grad_fn.again(spikes.grad_fn)
    assert spikes.any()
    assert again.dtype == dtype
    assert torch.equal(again, spikes)


def _chain():
    torch.manual_seed(0)
    return cx.Sequential(
        nn.Conv1d(2, 3, 1), cx.LIF(resistance=20.0), nn.Conv1d(3, 3, 1), cx.LIF(resistance=40.0, refractory_time=2.0),
        nn.Flatten(), nn.Linear(12, 5), cx.LI(),
    ).double()  # fmt: skip


def _gradients(net, xs, **options):
    net.zero_grad()
    ys, _ = net(xs, **options)
    ys.cumsum(0).sum().backward(retain_graph=True)
    ys.cumsum(0).sum().backward()
    return ys, [p.grad for p in net.parameters()]


@pytest.mark.parametrize("options", [{}, {"checkpoint_every": 4}, {"detach_every": 4}])
def test_gradients_are_the_same(options):
    net, xs = _chain(), torch.rand(9, 3, 2, 4, dtype=torch.float64)
    found = _gradients(net, xs, **options)
    with saved_tensors_hooks(lambda x: x.clone(), lambda x: x):  # everything is kept
        wanted = _gradients(net, xs, **options)
    assert all(g.any() for g in found[1])
    assert_close(found, wanted)


class Erase(TorchFunctionMode):
    """Erases what linear layers get, once they have read it."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function is nn.functional.linear:
            args[0].data.zero_()
        return result


def test_a_layer_keeps_none_of_the_spikes_it_gets():
    net, xs = _chain(), torch.rand(9, 3, 2, 4, dtype=torch.float64)
    net(xs)[0].cumsum(0).sum().backward()
    wanted, net[5].weight.grad = net[5].weight.grad, None
    with Erase():
        ys, _ = net(xs)
    ys.cumsum(0).sum().backward()
    assert wanted.any()
    assert_close(net[5].weight.grad, wanted)


def test_who_keeps_tensors_elsewhere_sees_them_all():
    spikes, _ = _neurons()(torch.rand(9, 3, 7).requires_grad_())
    assert can_be_made_again(spikes.grad_fn)
    with saved_tensors_hooks(lambda x: x, lambda x: x):
        assert not can_be_made_again(spikes.grad_fn)
    with torch.autograd.graph.disable_saved_tensors_hooks("none here"):
        assert not can_be_made_again(spikes.grad_fn)
    net, xs = _chain(), torch.rand(9, 3, 2, 4, dtype=torch.float64)
    assert_close(checkpoint(lambda x: net(x)[0], xs, use_reentrant=False), net(xs)[0])


def test_weights_changed_before_the_backward_pass_are_refused():
    net = _chain()
    ys, _ = net(torch.rand(9, 3, 2, 4, dtype=torch.float64))
    with torch.no_grad():
        net[5].weight.add_(1)
    with pytest.raises(RuntimeError, match="inplace operation"):
        ys.sum().backward()


def test_potentials_that_are_used_up_are_refused():
    layer, (spikes, state) = nn.Linear(7, 2), _neurons()(torch.rand(9, 3, 7).requires_grad_())
    with MadeAgain(spikes, spikes.grad_fn):
        current = layer(spikes)
    state.v.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(current.sum(), layer.weight)
