"""Weight gradients made once of all steps, against autograd's own at each step."""

import gc
import weakref

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.structure import deferred
from conex_nn.structure.deferred import Deferred, _Book


class Scaled(cx.Synapse):
    """A user's own: one weight for all neurons."""

    def __init__(self, source_shape, target_shape):
        super().__init__(source_shape, target_shape)
        self.weight = nn.Parameter(torch.rand(1))

    def project(self, spikes, weight):
        return spikes * weight + 0.5 * spikes.flip(-1) * weight


KINDS = {
    "dense": lambda: cx.Dense((2, 4, 4), 5),
    "masked": lambda: cx.Dense(6, 5, mask=torch.rand(5, 6) < 0.5),
    "one_to_one": lambda: cx.OneToOne(6, 6),
    "sparse": lambda: cx.Sparse(8, (2, 3), density=0.4),
    "conv": lambda: cx.Conv2d((2, 4, 4), (3, 2, 2), kernel_size=3),
    "strided": lambda: cx.Conv2d((2, 5, 5), (3, 3, 3), kernel_size=3, stride=2, padding=1),
    "local": lambda: cx.Local2d((2, 4, 4), (3, 4, 4), kernel_size=3, padding=1),
    "lateral": lambda: cx.Lateral((2, 4, 4), (2, 4, 4), kernel_size=3, centre=False),
    "own": lambda: Scaled(4, 4),
}


class Case:
    """A synapse, blocks of input, and what comes back to each."""

    def __init__(self, kind: str) -> None:
        self.synapse = KINDS[kind]().double()
        lead = [(1, 2), (3, 2), (2, 2), (1, 2)]
        self.xs = [torch.randn(*b, *self.synapse.source_shape).double().requires_grad_() for b in lead]
        self.weigh = [torch.randn(*b, *self.synapse.target_shape).double() for b in lead]

    def weight(self):
        """Between the parameter and the synapse, as in a connection from an inhibitory population."""
        return self.synapse.weight_in_force().abs()

    def plain(self):
        weight = self.weight()
        return [self.synapse.project(x, weight) for x in self.xs]

    def deferred(self):
        project = Deferred(self.synapse, self.weight())
        return [project(x) for x in self.xs]

    def loss(self, ys, steps=range(4)):
        return sum((self.weigh[i] * ys[i]).sum() for i in steps)

    def leaves(self):
        return [self.synapse.weight, *self.xs]


@pytest.fixture(params=KINDS)
def case(request):
    return Case(request.param)


def same(got, expected):
    for mine, theirs in zip(got, expected, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert_close(mine, theirs, rtol=1e-12, atol=1e-12)


def test_values_and_gradients(case):
    plain, deferred = case.plain(), case.deferred()
    same(deferred, plain)
    expected = torch.autograd.grad(case.loss(plain), case.leaves())
    same(torch.autograd.grad(case.loss(deferred), case.leaves()), expected)


def test_a_second_backward_pass_through_a_kept_graph(case):
    deferred = case.deferred()
    expected = torch.autograd.grad(case.loss(case.plain()), case.leaves())
    loss = case.loss(deferred)
    for _ in range(2):
        same(torch.autograd.grad(loss, case.leaves(), retain_graph=True), expected)
    loss.backward(retain_graph=True)
    loss.backward()
    assert_close(case.synapse.weight.grad, 2 * expected[0])


@pytest.mark.parametrize("steps", [(0,), (1, 3), (2,)])
def test_some_outputs_alone(case, steps):
    plain, deferred = case.plain(), case.deferred()
    expected = torch.autograd.grad(case.loss(plain, steps), case.leaves(), allow_unused=True)
    same(torch.autograd.grad(case.loss(deferred, steps), case.leaves(), allow_unused=True), expected)


def test_one_output_after_the_other(case):
    plain, deferred = case.plain(), case.deferred()
    for steps in ([3], [0, 1], [1, 2], range(4)):
        expected = torch.autograd.grad(case.loss(plain, steps), case.synapse.weight, retain_graph=True)
        same(torch.autograd.grad(case.loss(deferred, steps), case.synapse.weight, retain_graph=True), expected)


def test_a_gradient_of_the_input_alone_leaves_nothing_behind(case):
    """The weight's gradient of some steps, after a pass through all steps that did not ask for it."""
    plain, deferred = case.plain(), case.deferred()
    expected = torch.autograd.grad(case.loss(plain), case.xs, retain_graph=True)
    same(torch.autograd.grad(case.loss(deferred), case.xs, retain_graph=True), expected)
    expected = torch.autograd.grad(case.loss(plain, [1]), case.synapse.weight)
    same(torch.autograd.grad(case.loss(deferred, [1]), case.synapse.weight), expected)


def test_a_backward_pass_that_broke_off_leaves_nothing_behind(case):
    plain, deferred = case.plain(), case.deferred()

    def fail(_):
        raise RuntimeError("a hook of the user's")

    handle = deferred[0].register_hook(fail)
    with pytest.raises(RuntimeError, match="a hook"):
        case.loss(deferred).backward(retain_graph=True)
    handle.remove()
    expected = torch.autograd.grad(case.loss(plain, [0]), case.synapse.weight)
    same(torch.autograd.grad(case.loss(deferred, [0]), case.synapse.weight), expected)


def test_input_without_gradient(case):
    case.xs = [x.detach() for x in case.xs]
    expected = torch.autograd.grad(case.loss(case.plain()), case.synapse.weight)
    same(torch.autograd.grad(case.loss(case.deferred()), case.synapse.weight), expected)


def test_frozen_weight(case):
    case.synapse.weight.requires_grad_(False)
    expected = torch.autograd.grad(case.loss(case.plain()), case.xs)
    same(torch.autograd.grad(case.loss(case.deferred()), case.xs), expected)


def test_two_forward_passes_before_one_backward_pass(case):
    project = Deferred(case.synapse, case.weight())
    both = case.loss([project(x) for x in case.xs]) + 2 * case.loss(case.deferred())
    expected = torch.autograd.grad(3 * case.loss(case.plain()), case.leaves())
    same(torch.autograd.grad(both, case.leaves()), expected)


def test_the_steps_of_a_chain(case):
    """Each step's input comes of the step before, as in a loop."""
    shape = case.synapse.source_shape

    def loss(project):
        x, total = case.xs[0], 0.0
        for _ in range(4):
            y = project(x)
            total = total + (y * y).sum()
            x = torch.tanh(y.sum()) * case.xs[0] + x[..., :1].expand(*x.shape[: -len(shape)], *shape)
        return total

    weight = case.weight()
    expected = torch.autograd.grad(loss(lambda x: case.synapse.project(x, weight)), case.leaves()[:2])
    same(torch.autograd.grad(loss(Deferred(case.synapse, case.weight())), case.leaves()[:2]), expected)


def test_without_gradients(case):
    with torch.no_grad():
        project = Deferred(case.synapse, case.weight())
        same([project(x) for x in case.xs], case.plain())
        assert not project.book.pre
        assert not project(case.xs[0]).requires_grad


def test_one_product_for_all_steps(monkeypatch):
    """What it is for: in a loop of a network the weight's gradient is one product, whatever the number of steps."""
    net = cx.Neocortex(retina=cx.InputLayer(4), pop=cx.Population(4, cx.LIF()))
    net.connect("retina", "pop", cx.OneToOne, gain=5.0)
    net.connect("pop", "pop", cx.Dense)
    calls = []
    hebbian = cx.Dense.hebbian
    monkeypatch.setattr(cx.Dense, "hebbian", lambda *args: (calls.append(args[1].shape), hebbian(*args))[1])
    out, _ = net(torch.ones(12, 3, 4))
    out["pop"].sum().backward()
    assert len(calls) == 1
    assert calls[0] == (36, 4)


def test_a_gradient_of_a_gradient_is_refused():
    case = Case("dense")
    loss = sum((y * y).sum() for y in case.deferred())
    (grad,) = torch.autograd.grad(loss, case.xs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@pytest.mark.parametrize("kind", [cx.Dense, cx.Sparse, cx.OneToOne])
def test_gradients_come_back_through_mixed_precision(kind):
    torch.manual_seed(0)
    options = {"in_degree": 3} if kind is cx.Sparse else {}
    net = cx.Neocortex(eye=cx.InputLayer(6), a=cx.Population(6, cx.LIF(tau_mem=2.0, resistance=4.0)))
    net.connect("eye", "a", cx.OneToOne, weight=torch.ones(6))
    net.connect("a", "a", kind, **options)
    spikes = (torch.rand(8, 3, 6) < 0.6).float()
    with torch.autocast("cpu", torch.bfloat16):
        out, _ = net(spikes)
    out["a"].float().sum().backward()
    for name, weight in net.named_parameters():
        assert weight.grad.dtype == torch.float32, name
        assert weight.grad.isfinite().all(), name


def test_the_graph_frees_what_it_holds_without_the_garbage_collector(monkeypatch):
    books = weakref.WeakSet()

    class Seen(_Book):
        def __init__(self, synapse, weight):
            super().__init__(synapse, weight)
            books.add(self)

    monkeypatch.setattr(deferred, "_Book", Seen)
    net = cx.Neocortex(eye=cx.InputLayer(6), a=cx.Population(6, cx.LIF()))
    net.connect("eye", "a", cx.OneToOne)
    net.connect("a", "a", cx.Dense)
    gc.disable()
    try:
        out, state = net(torch.ones(4, 2, 6))
        assert len(books) == 1
        out["a"].sum().backward()
        del out, state
        assert not books
    finally:
        gc.enable()
