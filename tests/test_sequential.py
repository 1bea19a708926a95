"""The chain of modules over sequences."""

import copy
import pickle

import pytest
import snntorch
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx

T, B = 7, 3


def mlp():
    return cx.Sequential(
        nn.Flatten(), nn.Linear(12, 16), cx.LIF(tau_mem=3.0, resistance=4.0), nn.Linear(16, 5), cx.LI()
    )


@pytest.fixture
def xs():
    return torch.rand(T, B, 3, 4)


def _reference(net, xs):
    """One step after the other, module by module, in plain Python."""
    _, linear, lif, readout, li = net
    v1, v2, out = torch.zeros(B, 16), torch.zeros(B, 5), []
    decay1, decay2 = torch.exp(-1 / lif.tau_mem), torch.exp(-1 / li.tau_mem)
    for x in xs:
        v1 = decay1 * v1 + (1 - decay1) * lif.resistance * linear(x.reshape(B, 12))
        s = (v1 >= 1).float()
        v1 = v1 * (1 - s)
        v2 = decay2 * v2 + (1 - decay2) * readout(s)
        out.append(v2)
    return torch.stack(out)


def test_it_is_its_modules_in_a_loop(xs):
    net = mlp()
    assert_close(net(xs)[0], _reference(net, xs))


def test_two_halves_are_the_whole(xs):
    net = mlp()
    whole, end = net(xs)
    first, state = net(xs[:4])
    second, state = net(xs[4:], state)
    assert_close(torch.cat([first, second]), whole)
    assert_close(state[2].v, end[2].v)


def test_steps_are_the_sequence(xs):
    net = mlp()
    observed = []
    whole, end = net(xs)
    stepped, state = net(xs, observe=lambda y, s: observed.append(s[2].v))
    assert_close(stepped, whole)
    assert_close(state, end)
    assert len(observed) == T


def test_observing_is_running_once_also_where_activations_are_computed_again(xs):
    net, observed = mlp(), []
    ys, _ = net(xs, observe=lambda y, s: observed.append(y), checkpoint_every=2)
    ys.sum().backward()
    assert_close(torch.stack(observed), ys)


def test_looking_for_the_initial_state_moves_no_running_statistics():
    net = cx.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), cx.SequenceDropout(0.5), cx.LIF())
    state = net.initial_state(torch.rand(2, 4))
    assert net[1].num_batches_tracked == 0
    assert all(module.training for module in net.modules())
    assert set(state[2].unique().tolist()) <= {0.0, 2.0}


def test_a_nested_chain_is_a_flat_one(xs):
    net = mlp()
    nested = cx.Sequential(net[0], cx.Sequential(net[1], net[2]), net[3], net[4])
    assert_close(nested(xs)[0], net(xs)[0])
    _, state = nested(xs[:3])
    assert_close(nested(xs[3:], state)[0], net(xs)[0][3:])


def test_batch_norm_sees_time_and_batch_together(xs):
    net = cx.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), cx.LIF())
    images = torch.rand(T, B, 3, 4, 4)
    bn = copy.deepcopy(net[1])
    net(images)
    bn(net[0](images.flatten(0, 1)))
    assert_close(net[1].running_var, bn.running_var)


@pytest.mark.parametrize("start", [1, 2])
def test_flatten_keeps_time_and_batch(start):
    assert cx.Sequential(nn.Flatten(start))(torch.rand(T, B, 2, 3, 4))[0].shape == (T, B, 24)


@pytest.mark.parametrize(("end", "shape"), [(1, (2, 3, 4)), (2, (6, 4)), (3, (24,)), (-2, (6, 4))])
def test_flatten_counts_axes_of_a_sample(end, shape):
    assert cx.Sequential(nn.Flatten(1, end))(torch.rand(T, B, 2, 3, 4))[0].shape == (T, B, *shape)


def test_dropout_in_a_nested_chain_is_on_where_it_is_run_step_by_step():
    net = cx.Sequential(cx.Sequential(cx.SequenceDropout(0.5), nn.BatchNorm1d(200)), nn.Identity())
    before = net[0][1].running_mean.clone()
    ((mask, _), _) = net.initial_state(torch.ones(2, 200))
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(net[0][1].running_mean, before)
    assert all(module.training for module in net.modules())
    net.eval()
    assert (net.initial_state(torch.ones(2, 200))[0][0] == 1).all()


def test_the_same_input_at_each_step_is_computed_once():
    calls = []
    conv = nn.Conv2d(1, 2, 3)
    conv.register_forward_hook(lambda module, args, out: calls.append(args[0].shape[0]))
    net = cx.Sequential(conv, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 4), cx.LIF(), nn.Linear(4, 2), cx.LI())
    image = torch.rand(B, 1, 8, 8, requires_grad=True)
    xs = cx.encoders.ConstantCurrent(time=T)(image)
    ys, _ = net(xs)
    ys.sum().backward()
    grads = [p.grad.clone() for p in net.parameters()]
    image_grad = image.grad.clone()
    net.zero_grad()
    image.grad = None
    written_out, _ = net(cx.encoders.ConstantCurrent(time=T)(image).contiguous())
    written_out.sum().backward()
    assert calls == [B, T * B]
    assert_close(ys, written_out)
    assert_close(grads, [p.grad for p in net.parameters()])
    assert_close(image_grad, image.grad)


def test_batch_norm_of_the_same_input_at_each_step():
    once = cx.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), cx.LIF())
    written_out = copy.deepcopy(once)
    xs = torch.rand(1, B, 1, 8, 8).expand(T, B, 1, 8, 8)
    assert_close(once[:2](xs)[0], written_out[:2](xs.contiguous())[0])
    assert_close(once[1].running_mean, written_out[1].running_mean)
    # The unbiased variance divides by the samples that were counted, less one.
    n = B * 36
    unbiased = (written_out[1].running_var - 0.9) * (T * n - 1) / (T * n) * n / (n - 1) + 0.9
    assert_close(once[1].running_var, unbiased)


def test_dropout_per_step_and_per_sequence():
    ones = torch.ones(20, 1, 50)
    per_step, _ = cx.Sequential(nn.Dropout(0.5))(ones)
    per_sequence, (mask,) = cx.Sequential(cx.SequenceDropout(0.5))(ones)
    assert not torch.equal(per_step[0], per_step[1])
    assert_close(per_sequence, mask.expand_as(ones))
    assert set(mask.unique().tolist()) == {0.0, 2.0}
    assert_close(cx.SequenceDropout(0.5).eval()(ones)[0], ones)


def test_snntorch_neurons_in_place_of_ours():
    leaky = snntorch.Leaky(beta=0.8, spike_grad=snntorch.surrogate.atan())
    linear = nn.Linear(4, 6)
    net = cx.Sequential(linear, leaky)
    xs = torch.rand(T, B, 4) * 4
    spikes, _ = net(xs)
    reference, membrane = [], torch.zeros(B, 6)
    for x in xs:
        s, membrane = leaky(linear(x), membrane)
        reference.append(s)
    assert spikes.sum() > 0
    assert_close(spikes, torch.stack(reference))


def test_blocks_detach_and_checkpoint(xs):
    net = mlp()

    def grads(**options):
        net.zero_grad()
        ys, _ = net(xs, **options)
        ys.square().sum().backward()
        return ys.detach(), [p.grad.clone() for p in net.parameters()]

    whole, full = grads()
    again, checkpointed = grads(checkpoint_every=3)
    cut, truncated = grads(detach_every=3)
    both, nested = grads(detach_every=3, checkpoint_every=2)
    for ys in (again, cut, both):
        assert_close(ys, whole)
    assert_close(checkpointed, full)
    assert_close(nested, truncated)
    assert not torch.allclose(truncated[0], full[0])


def test_it_copies_pickles_and_moves(xs):
    net = mlp()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_close(twin(xs)[0], net(xs)[0])
    other = mlp()
    other.load_state_dict(net.state_dict())
    assert_close(other(xs)[0], net(xs)[0])
    assert net.double()(xs.double())[0].dtype == torch.float64


def test_bf16_autocast_keeps_the_potential_in_float32(xs):
    net = mlp()
    with torch.autocast("cpu", torch.bfloat16):
        _, state = net(xs)
    assert state[2].v.dtype == torch.float32


def test_a_mask_is_not_applied_in_eval_however_it_is_run():
    net = cx.Sequential(cx.SequenceDropout(0.5))
    _, state = net(torch.ones(3, 1, 50))
    net.eval()
    for observe in (None, lambda y, s: None):
        assert_close(net(torch.ones(3, 1, 50), state, observe=observe)[0], torch.ones(3, 1, 50))


def conv_net():
    return cx.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), cx.LIF(tau_mem=3.0, resistance=9.0, v_threshold=0.5), nn.AvgPool2d(2),
        nn.Dropout(0.0), nn.Conv2d(3, 4, 3), cx.LIF(refractory_time=2.0, resistance=9.0, detach_reset=False),
        nn.Flatten(), nn.Linear(16, 5), cx.LI(tau_mem=3.0),
    )  # fmt: skip


def calls_of(module):
    """Note how many samples each call of a module gets, without a hook."""
    forward, calls = module.forward, []
    module.forward = lambda x: calls.append(len(x)) or forward(x)
    return calls


def everything(net, xs, **options):
    net.zero_grad()
    xs = xs.clone().requires_grad_()
    ys, state = net(xs, **options)
    (ys.cumsum(0).sum() + state[1].v.sum()).backward()
    return ys, [s for s in state if s is not None], xs.grad, [p.grad.clone() for p in net.parameters()]


@pytest.mark.parametrize("options", [{}, {"detach_every": 6}, {"checkpoint_every": 5}])
def test_a_chain_with_convolutions_goes_through_time_in_blocks(options):
    net, xs = conv_net(), (torch.rand(11, 80, 1, 8, 8) < 0.3).double()
    net.double()
    calls = calls_of(net[0])
    found = everything(net, xs, **options)
    assert max(calls) <= 256
    assert sum(calls) >= 880
    for part in net:
        part.register_forward_pre_hook(lambda module, args: None)
    calls.clear()
    whole = everything(net, xs, **options)
    assert calls[0] == 80 * min([11, *options.values()])
    assert whole[0].any()
    assert whole[2].any()
    assert_close(found, whole)


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.insert(1, nn.BatchNorm2d(3)),
        lambda net: net.insert(1, cx.Sequential(nn.BatchNorm2d(3))),
        lambda net: net.insert(1, nn.Softmax(0)),
        lambda net: net[-1].register_forward_hook(lambda *_: None),
        lambda net: net[-1].register_full_backward_hook(lambda *_: None),
    ],
    ids=["batch norm", "batch norm inside", "a module that may mix samples", "a hook", "a hook of the backward pass"],
)
def test_what_sees_all_steps_together_goes_on_seeing_them(change):
    net = conv_net()
    change(net)
    calls = calls_of(net[0])
    net(torch.rand(11, 80, 1, 8, 8))
    assert calls == [880]


def test_a_chain_without_convolutions_takes_all_steps_at_once():
    net = mlp()
    calls = calls_of(net[1])
    net(torch.rand(11, 80, 3, 4))
    assert calls == [880]


def test_an_average_keeps_no_input_for_its_derivative():
    net = cx.Sequential(nn.AvgPool2d(2))
    xs = torch.rand(T, B, 2, 4, 4, requires_grad=True)
    ys, _ = net(xs)
    assert ys.grad_fn.next_functions[0][0]._saved_self.untyped_storage().nbytes() == 4
    ys.cumsum(0).sum().backward()
    found, xs.grad = xs.grad, None
    torch.nn.functional.avg_pool2d(xs.flatten(0, 1), 2).unflatten(0, (T, B)).cumsum(0).sum().backward()
    assert_close(found, xs.grad)
