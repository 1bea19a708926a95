"""The same training step in each library: forward and backward of three layers of LIF neurons, or of a conv net.

Each function takes a :class:`Case` and returns a callable that does one step. Imports are inside, so that a process
that runs one contestant pays for that one alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tasks.bench.elapsed import Elapsed

__all__ = ["CASES", "CONTESTANTS", "Case"]

Step = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One size of the training benchmark."""

    name: str
    """How the table calls it."""
    time: int
    """Steps of a sequence [1]."""
    batch: int
    """Samples [1]."""
    hidden: int
    """Neurons of a hidden layer, or channels of the first convolution [1]."""
    conv: bool = False
    """Whether it is the conv net on 28 x 28 images."""


CASES = {
    "small": Case(name="784-128-128-10", time=100, batch=32, hidden=128),
    "large": Case(name="784-1000-1000-10", time=50, batch=128, hidden=1000),
    "conv": Case(name="conv 16-32, 28x28", time=8, batch=64, hidden=16, conv=True),
    "huge": Case(name="784-4096-4096-10", time=100, batch=256, hidden=4096),
}


def device() -> torch.device:
    """Return the GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def spikes_in(case: Case) -> Tensor:
    """Draw input spikes, one tenth of them 1."""
    shape = (1, 28, 28) if case.conv else (784,)
    return (torch.rand(case.time, case.batch, *shape) < 0.1).float().to(device())


def labels_of(case: Case) -> Tensor:
    """Draw labels."""
    return torch.randint(10, (case.batch,), device=device())


def layers(case: Case) -> list[nn.Module]:
    """Return the stateless layers; a LIF layer follows each."""
    if case.conv:
        c = case.hidden
        return [
            nn.Conv2d(1, c, 5, padding=2),
            nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(c, 2 * c, 5, padding=2)),
            nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2 * c * 49, 10)),
        ]
    return [nn.Linear(784, case.hidden), nn.Linear(case.hidden, case.hidden), nn.Linear(case.hidden, 10)]


def _trainer(net: nn.Module, forward: Callable[[Tensor], Tensor], case: Case) -> Step:
    xs, labels = spikes_in(case), labels_of(case)

    def step() -> None:
        net.zero_grad(set_to_none=True)
        F.cross_entropy(forward(xs).mean(0), labels).backward()

    return step


def conex_nn(case: Case) -> Step:
    """Run our fused kernels."""
    import conex_nn as cx

    modules = [module for layer in layers(case) for module in (*_flat(layer), cx.LIF(tau_mem=2.0, resistance=2.0))]
    net = cx.Sequential(*modules).to(device())
    return _trainer(net, lambda xs: net(xs)[0], case)


def _flat(layer: nn.Module) -> list[nn.Module]:
    return list(layer) if isinstance(layer, nn.Sequential) else [layer]


def snntorch(case: Case) -> Step:
    """Run snnTorch's ``Leaky`` in a loop over time, its tutorials' way."""
    import snntorch as snn
    from snntorch import surrogate

    stages = nn.ModuleList(layers(case)).to(device())
    neurons = [snn.Leaky(beta=0.6, spike_grad=surrogate.atan(), reset_mechanism="zero") for _ in stages]

    def forward(xs: Tensor) -> Tensor:
        membranes = [neuron.reset_mem().to(xs.device) for neuron in neurons]
        outputs = []
        for x in xs:
            for i, (stage, neuron) in enumerate(zip(stages, neurons, strict=True)):
                x, membranes[i] = neuron(stage(x), membranes[i])
            outputs.append(x)
        return torch.stack(outputs)

    return _trainer(stages, forward, case)


def spikingjelly(case: Case) -> Step:
    """Run SpikingJelly in multi-step mode, layer by layer; on a GPU with the kernels that its version has."""
    from spikingjelly.activation_based import (  # pyright: ignore[reportMissingImports]
        functional,
        layer,
        neuron,
        surrogate,
    )

    def lif() -> nn.Module:
        return neuron.LIFNode(tau=2.0, step_mode="m", surrogate_function=surrogate.ATan(), detach_reset=True)

    stages = nn.ModuleList(layers(case)).to(device())
    neurons = nn.ModuleList([lif() for _ in stages]).to(device())
    if torch.cuda.is_available() and hasattr(neurons[0], "backend"):
        functional.set_backend(neurons, "cupy")  # pyright: ignore[reportAttributeAccessIssue]  before version 2, which chooses Triton or CUDA by itself
    wrapped = [layer.SeqToANNContainer(stage) for stage in stages]

    def forward(xs: Tensor) -> Tensor:
        functional.reset_net(neurons)
        for stage, node in zip(wrapped, neurons, strict=True):
            xs = node(stage(xs))
        return xs

    return _trainer(stages, forward, case)


def products(case: Case) -> Step:
    """Run the matrix products alone, over time and batch together: the floor."""
    stages = nn.ModuleList(layers(case)).to(device())
    xs = spikes_in(case)
    inputs, grads = [xs.flatten(0, 1)], []
    with torch.no_grad():
        for stage in stages:
            ys = stage(inputs[-1])
            grads.append(torch.randn_like(ys))
            inputs.append((torch.rand_like(ys) < 0.1).float())

    def step() -> None:
        stages.zero_grad(set_to_none=True)
        for i, (stage, x, grad) in enumerate(zip(stages, inputs, grads, strict=False)):
            stage(x.requires_grad_(i > 0)).backward(grad)
            x.grad = None

    return step


def layer(case: Case) -> Step:
    """Run one hidden layer of our LIF neurons alone, forward and backward."""
    import conex_nn as cx

    neuron = cx.LIF(tau_mem=2.0, resistance=2.0).to(device())
    current = torch.rand(case.time, case.batch, case.hidden, device=device()).requires_grad_()
    grad = torch.randn_like(current)

    def step() -> None:
        current.grad = None
        neuron(current)[0].backward(grad)

    return step


def scan(case: Case) -> Step:
    """Run the same layer, but count its two passes alone and not what torch does around them; on a CPU."""
    from conex_nn.kernels import lif  # not for users: no public name stands for what is between two of its calls

    step, launch, spent = layer(case), lif.launch, []

    def timed(*args: Any, **kwargs: Any) -> None:
        begin = time.perf_counter()
        launch(*args, **kwargs)
        spent.append(time.perf_counter() - begin)

    def passes() -> Elapsed:
        spent.clear()
        lif.launch = timed
        try:
            step()
        finally:
            lif.launch = launch
        forward, backward = spent
        return Elapsed(forward + backward)

    return passes


def copies(case: Case) -> Step:
    """Copy what a scan has to touch: read the currents, write spikes and potentials, and the same backward."""
    source = torch.rand(case.time, case.batch, case.hidden, device=device())
    targets = [torch.empty_like(source) for _ in range(3)]

    def step() -> None:
        for target in targets:
            target.copy_(source)

    return step


class _Copied(torch.autograd.Function):
    """A function of Python that does nothing but touch what a scan touches."""

    @staticmethod
    def forward(ctx: Any, current: Tensor) -> Tensor:
        potentials = current.detach().clone()
        ctx.save_for_backward(potentials)
        return current.detach().clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (potentials,) = ctx.saved_tensors
        return grad + potentials


def function(case: Case) -> Step:
    """Copy the same inside a function that torch differentiates: what is left to win where calls cost most."""
    current = torch.rand(case.time, case.batch, case.hidden, device=device()).requires_grad_()
    grad = torch.randn_like(current)

    def step() -> None:
        current.grad = None
        _Copied.apply(current).backward(grad)  # pyright: ignore[reportOptionalMemberAccess]

    return step


CONTESTANTS: dict[str, Callable[[Case], Step]] = {
    "products": products,
    "conex_nn": conex_nn,
    "snntorch": snntorch,
    "spikingjelly": spikingjelly,
    "layer": layer,
    "scan": scan,
    "function": function,
    "copies": copies,
}
