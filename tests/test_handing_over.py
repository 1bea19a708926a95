"""What a chain keeps of a sequence: what only the next module sees may be written over."""

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close

import conex_nn as cx


def _chain():
    return cx.Sequential(nn.Linear(6, 16), cx.LIF(resistance=40.0), nn.Linear(16, 5), cx.LIF(resistance=40.0)).double()


def _everything(net, xs):
    net.zero_grad()
    xs = xs.clone().requires_grad_()
    ys, state = net(xs)
    states = [s for s in state if s is not None]
    (ys.cumsum(0).sum() + states[0].v.sum()).backward()
    return ys, states, xs.grad, [p.grad.clone() for p in net.parameters()]


@pytest.fixture
def xs():
    return torch.rand(9, 3, 6, dtype=torch.float64)


@pytest.mark.parametrize(
    "keep",
    [
        lambda net, keep: net[0].register_forward_hook(lambda module, args, ys: keep(ys)),
        lambda net, keep: net[1].register_forward_pre_hook(lambda module, args: keep(args[0])),
        lambda net, keep: net[1].register_forward_hook(lambda module, args, ys: keep(args[0])),
    ],
    ids=["what the layer returns", "what the neurons get", "what the neurons got"],
)
def test_a_hook_sees_currents_that_stay_what_they_are(xs, keep):
    net, kept = _chain(), []
    wanted = _everything(net, xs)
    keep(net, lambda currents: kept.append((currents.detach(), currents.detach().clone())))
    found = _everything(net, xs)
    assert_close(found, wanted, rtol=0, atol=0)
    assert wanted[0].any()
    for now, then in kept:
        assert torch.equal(now, then)


@pytest.mark.parametrize("register", [
    lambda seen: nn.modules.module.register_module_forward_hook(lambda module, args, ys: seen(module, ys)),
    lambda seen: nn.modules.module.register_module_forward_pre_hook(lambda module, args: seen(module, args[0])),
], ids=["after", "before"])  # fmt: skip
def test_hooks_on_all_modules_count_too(xs, register):
    net, kept = _chain(), []
    handle = register(lambda module, x: kept.append((x, x.detach().clone())) if isinstance(x, torch.Tensor) else None)
    try:
        net(xs)
    finally:
        handle.remove()
    assert len(kept) > 1
    assert all(torch.equal(now, then) for now, then in kept)


class Echo(cx.LIF):
    """Neurons of a user, which look at their currents again."""

    def fused(self, current, state, *, dt):
        result = super().fused(current, state, dt=dt)
        assert result is not None
        return result[0] + current, result[1]


def test_neurons_of_a_user_keep_their_currents(xs):
    torch.manual_seed(0)
    net = cx.Sequential(nn.Linear(6, 16), Echo()).double()
    with torch.no_grad():
        wanted, _ = net(xs)
    assert_close(net(xs)[0], wanted)


def test_a_layer_whose_derivative_is_its_result_keeps_it(xs):
    net = cx.Sequential(nn.Linear(6, 16), nn.Sigmoid(), cx.LIF(resistance=4.0)).double()
    found = _everything(net, xs)
    net[2].register_forward_pre_hook(lambda module, args: None)
    assert_close(found, _everything(net, xs))
    assert found[2].any()


class Products(TorchFunctionMode):
    """Notes where the results of linear layers lie."""

    def __init__(self):
        super().__init__()
        self.places = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if function is nn.functional.linear:
            self.places.append(result.data_ptr())
        return result


def test_the_potentials_that_are_kept_lie_where_the_currents_lay(xs):
    net = cx.Sequential(nn.Linear(6, 16), cx.LIF(resistance=4.0)).double()
    with Products() as products:
        ys, _ = net(xs)
    charged = ys.grad_fn.saved_tensors[0]
    assert products.places == [charged.data_ptr()]
    assert torch.equal((charged >= 1).to(ys.dtype), ys)
