"""The same training step of a rate network in each library: Dale's law and a sparse mask on the recurrent weights.

``torch.nn.RNN`` has neither constraints nor time constants; it is there as the yardstick of what torch offers.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tasks.bench.train import device

__all__ = ["CASES", "CONTESTANTS", "Case"]

Step = Callable[[], object]
INPUTS, OUTPUTS, DENSITY, EXCITATORY = 3, 2, 0.2, 0.8


@dataclass(frozen=True, kw_only=True)
class Case:
    """One size of the benchmark."""

    name: str
    """How the table calls it."""
    time: int
    """Steps of a sequence [1]."""
    batch: int
    """Samples [1]."""
    neurons: int
    """Recurrent neurons [1]."""


CASES = {
    "100": Case(name="100 neurons", time=100, batch=64, neurons=100),
    "256": Case(name="256 neurons", time=100, batch=64, neurons=256),
}


def _mask(case: Case) -> Tensor:
    return torch.rand(case.neurons, case.neurons) < DENSITY


def _trainer(net: nn.Module, forward: Callable[[Tensor], Tensor], case: Case) -> Step:
    xs = torch.randn(case.time, case.batch, INPUTS, device=device())

    def step() -> None:
        net.zero_grad(set_to_none=True)
        forward(xs).square().mean().backward()

    return step


def conex_nn(case: Case) -> Step:
    """Run ours."""
    from conex_nn.rates import CTRNN, Dale, NoSelf, Sparsity, ei_signs

    signs = ei_signs(case.neurons, excitatory=EXCITATORY)
    net = CTRNN(
        INPUTS,
        case.neurons,
        output_size=OUTPUTS,
        tau=100.0,
        method="euler",
        recurrent_constraints=[Dale(signs), Sparsity(_mask(case)), NoSelf()],
        readout_constraints=[Dale(signs)],
    ).to(device())
    return _trainer(net, lambda xs: net(xs, dt=10.0)[0], case)


def nn4n(case: Case) -> Step:
    """Run NN4N with its masks, in training, where it keeps them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, on importing
        from nn4n.model import CTRNN  # pyright: ignore[reportMissingImports]

    signs = torch.ones(case.neurons, 1)
    signs[round(EXCITATORY * case.neurons) :] = -1  # its masks are (pre, post)
    net = CTRNN(
        dims=[INPUTS, case.neurons, OUTPUTS],
        ei_masks=[None, signs.expand(-1, case.neurons).clone(), signs.expand(-1, OUTPUTS).clone()],
        sparsity_masks=[None, _mask(case).float(), None],
        biases="zero",
        dt=10,
        tau=100,
    )
    net.train()
    return _trainer(net, lambda xs: net(xs)[0], case)


def torch_rnn(case: Case) -> Step:
    """Run ``torch.nn.RNN`` and a readout, without constraints."""
    net = nn.ModuleList([nn.RNN(INPUTS, case.neurons, nonlinearity="relu"), nn.Linear(case.neurons, OUTPUTS)])
    rnn, readout = net.to(device())
    return _trainer(net, lambda xs: readout(rnn(xs)[0]), case)


def products(case: Case) -> Step:
    """Run the recurrent matrix products alone: one forward and one backward at each step, and all steps' at the end."""
    shape = (case.time, case.batch, case.neurons)
    rates, grads = torch.rand(shape, device=device()), torch.rand(shape, device=device())
    weight, out = torch.rand(case.neurons, case.neurons, device=device()), torch.empty(shape[1:], device=device())

    def step() -> None:
        for rate in rates:
            torch.mm(rate, weight.t(), out=out)
        for grad in grads:
            torch.mm(grad, weight, out=out)
        torch.mm(grads.flatten(0, 1).t(), rates.flatten(0, 1))

    return step


CONTESTANTS: dict[str, Callable[[Case], Step]] = {
    "products": products,
    "conex_nn": conex_nn,
    "nn4n": nn4n,
    "torch.nn.RNN": torch_rnn,
}
