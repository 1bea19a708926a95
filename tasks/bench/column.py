"""The same cortical column in each library: 784 inputs -> 400 excitatory and 100 inhibitory neurons, five connections.

Each function takes a :class:`Column` and returns a callable that runs all steps once. All have the same weights and the
same Euler step, so that the same neurons fire; about one in twenty does in a step.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

__all__ = ["CASES", "CONTESTANTS", "Column"]

Step = Callable[[], object]

INPUTS, EXCITATORY, INHIBITORY = 784, 400, 100
MEAN_WEIGHTS = {
    ("in", "exc"): 0.03, ("exc", "exc"): 0.005, ("exc", "inh"): 0.05, ("inh", "exc"): 0.05, ("inh", "inh"): 0.02,
}  # fmt: skip
SIZES = {"in": INPUTS, "exc": EXCITATORY, "inh": INHIBITORY}
DENSITY = 0.05
"""Fraction of inputs that spike in a step."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One way to run the column."""

    name: str
    """How the table calls it."""
    batch: int
    """Samples [1]."""
    time: int = 100
    """Steps [1]."""
    learn: bool = False
    """Whether gradients of all weights are computed as well."""


CASES = {
    "single": Column(name="column, forward, one sample", batch=1),
    "batch": Column(name="column, forward", batch=128),
    "learn": Column(name="column, forward and backward", batch=128, learn=True),
}


@cache
def weights() -> dict[tuple[str, str], Tensor]:
    """Draw the weights of all five connections, ``(target, source)``."""
    return {(s, t): 2 * mean * torch.rand(SIZES[t], SIZES[s]) for (s, t), mean in MEAN_WEIGHTS.items()}


def spikes_in(case: Column) -> Tensor:
    """Draw input spikes, ``(time, batch, 784)``."""
    return (torch.rand(case.time, case.batch, INPUTS) < DENSITY).float()


def products(case: Column) -> Step:
    """Run the matrix products alone, those of the input over time and batch together, the others step by step."""
    loops = {pair: w for pair, w in weights().items() if pair[0] != "in"}
    entry = weights()["in", "exc"]
    xs = spikes_in(case).flatten(0, 1)
    states = {name: (torch.rand(case.time, case.batch, n) < DENSITY).float() for name, n in SIZES.items()}
    grads = {name: torch.randn(case.time, case.batch, n) for name, n in SIZES.items()}

    def forward() -> None:
        torch.mm(xs, entry.t())
        for t in range(case.time):
            for (source, _), w in loops.items():
                torch.mm(states[source][t], w.t())

    def backward() -> None:
        for t in range(case.time):
            for (_, target), w in loops.items():
                torch.mm(grads[target][t], w)
        for source, target in loops:
            torch.mm(grads[target].flatten(0, 1).t(), states[source].flatten(0, 1))
        torch.mm(grads["exc"].flatten(0, 1).t(), xs)

    def step() -> None:
        with torch.no_grad():
            forward()
            if case.learn:
                backward()

    return step


def conex_nn(case: Column) -> Step:
    """Run our network."""
    import conex_nn as cx

    def lif() -> cx.LIF:
        return cx.LIF(tau_mem=10.0, method="euler")

    net = cx.Neocortex(
        retina=cx.InputLayer(INPUTS),
        l4=cx.CorticalLayer(
            exc=cx.Population(EXCITATORY, lif()), inh=cx.Population(INHIBITORY, lif(), inhibitory=True)
        ),
    )
    for (source, target), weight in weights().items():
        net.connect("retina" if source == "in" else f"l4.{source}", f"l4.{target}", cx.Dense, weight=weight)
    xs = spikes_in(case)

    def forward() -> Tensor:
        return net(xs, outputs=["l4.exc"])[0]["l4.exc"]

    def step() -> float:
        if not case.learn:
            with torch.no_grad():
                return float(forward().mean())
        net.zero_grad(set_to_none=True)
        spikes = forward()
        spikes.mean().backward()
        return float(spikes.detach().mean())

    return step


def neurosush(case: Column) -> Step:
    """Run neuroSush; it has no gradients."""
    if case.learn:
        raise ImportError("neuroSush has no gradients")
    from neurosush.core.network import Network, NeuronGroup, SynapseGroup  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.axon import Axon  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.dendrite import (  # pyright: ignore[reportMissingImports]
        DendriteIntegration,
        DendriteStructure,
    )
    from neurosush.neurons.inputs import SpikeInput  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.models import LIF, Fire  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.currents import DenseInput  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.init import WeightInit  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.traces import SpikeGather  # pyright: ignore[reportMissingImports]

    net = Network(seed=0, batch_size=None if case.batch == 1 else case.batch)
    frames = list(spikes_in(case).bool().squeeze(1))
    place = [0]

    def stream() -> Iterator[Tensor]:
        while True:
            yield frames[place[0] % len(frames)]
            place[0] += 1

    def cells(n: int, *, inhibitory: bool = False) -> object:
        membrane = [
            DendriteStructure(), DendriteIntegration(), LIF(tau=10.0, threshold=1.0, v_reset=0.0, v_rest=0.0), Fire(),
            Axon(),
        ]  # fmt: skip
        return NeuronGroup(net, n, membrane, inhibitory=inhibitory)

    groups = {
        "in": NeuronGroup(net, INPUTS, [SpikeInput(stream()), Axon()]),
        "exc": cells(EXCITATORY),
        "inh": cells(INHIBITORY, inhibitory=True),
    }
    for (source, target), weight in weights().items():
        behaviors = [WeightInit(weights=weight.t().contiguous()), DenseInput(), SpikeGather()]
        SynapseGroup(net, groups[source], groups[target], behaviors)
    net.initialize()

    @torch.no_grad()
    def step() -> None:
        net.reset_state()
        net.run(case.time)

    return step


CONTESTANTS: dict[str, Callable[[Column], Step]] = {
    "products": products,
    "conex_nn": conex_nn,
    "neurosush": neurosush,
}
