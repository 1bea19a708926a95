"""The kernels as operators of torch: lawful to torch's own checks, to torch.compile and to torch.export."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from conex_nn.neurons import AELIF, ELIF, IF, LI, LIF, Neuron

# torch's own: dynamo and opcheck look at `.grad` of whatever they trace.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")


def learnt(value):
    return nn.Parameter(torch.tensor(value))


NEURONS = {
    "LIF": lambda: LIF(tau_mem=learnt(5.0), v_threshold=learnt([0.8, 0.9, 1.0])),
    "LIF refractory": lambda: LIF(refractory_time=2.0, soft_reset=True),
    "IF": IF,
    "LI": lambda: LI(tau_mem=learnt(5.0)),
    "ELIF": lambda: ELIF(delta_t=learnt(0.2), refractory_time=1.0),
    "AELIF": lambda: AELIF(tau_w=[5.0, 20.0], b=learnt([0.1, 0.2])),
}


def current(steps=7):
    return 3 * torch.rand(steps, 2, 3)


class Capture(TorchDispatchMode):
    """Note the calls of our operators."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "conex_nn":
            self.calls.append((func, args, kwargs or {}))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("differentiated", [False, True])
@pytest.mark.parametrize("name", NEURONS)
def test_opcheck(name, differentiated):
    neuron = NEURONS[name]()
    x = current().requires_grad_(differentiated)
    with Capture() as capture, torch.set_grad_enabled(differentiated):
        ys, _ = neuron(x)
        if differentiated:
            ys.sum().backward()
    assert len(capture.calls) == 1 + differentiated
    for function, args, kwargs in capture.calls:
        args = tuple(a.detach().clone() if isinstance(a, torch.Tensor) else a for a in args)
        if differentiated and not function.name().endswith("backward"):
            for i in (0, 1):  # the current and the potential
                args[i].requires_grad_()
        torch.library.opcheck(function, args, kwargs)


class Net(nn.Module):
    """A small network with the neuron inside; its state goes in and comes out."""

    def __init__(self, neuron: Neuron):
        super().__init__()
        self.inner, self.neuron, self.outer = nn.Linear(3, 3), neuron, nn.Linear(3, 2)

    def forward(self, x, state=None):
        ys, state = self.neuron(self.inner(x), state)
        return self.outer(ys), state


def compare(compiled, net, x):
    for state in (None, net(x)[1]):
        state = state if state is None else type(state)(*(t.detach() for t in state))
        found = []
        for run in (net, compiled):
            net.zero_grad()
            x = x.detach().clone().requires_grad_()
            ys, last = run(x, state)
            (ys.cumsum(0).sum() + last.v.sum()).backward()
            found.append((ys, *last, x.grad, *(p.grad for p in net.parameters())))
        assert_close(found[0], found[1])


@pytest.mark.compile
@pytest.mark.parametrize(
    "name", [name if name in ("LIF", "AELIF") else pytest.param(name, marks=pytest.mark.long) for name in NEURONS]
)
def test_compile_without_graph_break(name):
    torch._dynamo.reset()
    net = Net(NEURONS[name]())
    compare(torch.compile(net, fullgraph=True, backend="aot_eager"), net, current())


@pytest.mark.compile
@pytest.mark.slow
def test_inductor():
    torch._dynamo.reset()
    net = Net(NEURONS["LIF"]())
    compare(torch.compile(net, fullgraph=True), net, current())


@pytest.mark.long
@pytest.mark.compile
def test_compile_takes_another_number_of_steps():
    torch._dynamo.reset()
    net = Net(NEURONS["LIF"]())
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager", dynamic=True)
    for steps in (3, 8):
        compare(compiled, net, current(steps))


@pytest.mark.compile
def test_compile_of_the_steps():
    torch._dynamo.reset()
    neuron = NEURONS["AELIF"]()
    step = torch.compile(neuron.step, fullgraph=True, backend="aot_eager")
    state = expected = neuron.initial_state(current()[0])
    for x in current():
        ys, state = step(x, state)
        ys_expected, expected = neuron.step(x, expected)
        assert_close((ys, *state), (ys_expected, *expected))


@pytest.mark.compile
@pytest.mark.parametrize("name", NEURONS)
def test_export(name):
    net, x = Net(NEURONS[name]()).eval(), current()
    exported = torch.export.export(net, (x,))
    assert any("conex_nn" in str(node.target) for node in exported.graph.nodes)
    ys, state = exported.module()(x)
    expected, expected_state = net(x)
    assert_close((ys, *state), (expected, *expected_state))
