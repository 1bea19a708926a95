"""The same learning networks in each library; weights change after every step unless a case says otherwise.

Each function takes a :class:`Plastic` and returns a callable that runs all steps once and learns on the way.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

__all__ = ["CASES", "CONTESTANTS", "Plastic"]

Step = Callable[[], object]

INPUTS = 784
THRESHOLD, TAU_MEM = 3.0, 10.0
TOTAL = 78.4
"""Sum of the weights onto a neuron [1]."""
QUOTED = {
    "diehl": "0.244 ms/step",
    "diehl_batch": "27 to 28 thousand sample-steps/s, that is 1.16 ms/step of the batch",
}
"""What BindsNET 0.3.4 was measured at on two quiet cores of the machine that the targets are from."""


@dataclass(frozen=True, kw_only=True)
class Plastic:
    """One network that learns, and one way to run it."""

    name: str
    """How the table calls it."""
    key: str
    """Name of the case."""
    kind: str = "layer"
    """A ``"layer"``, the network of Diehl and Cook (``"diehl"``), or ``"sparse"``."""
    batch: int = 1
    """Samples [1]."""
    time: int = 250
    """Steps [1]."""
    neurons: int = 400
    """Neurons that learn [1]."""
    density: float = 0.05
    """Fraction of inputs that spike in a step [1]."""
    when: Literal["step", "sequence"] = "step"
    """When weights change."""
    reward: bool = False
    """Whether eligibility waits for a reward, and spikes travel for a few steps."""


_LAYER = "784 -> 400, soft-bound STDP, 5 winners, normalise, clip"
CASES = {
    case.key: case
    for case in (
        Plastic(key="single", name=f"{_LAYER}, each step"),
        Plastic(key="reward", name=f"{_LAYER}, each step, reward and delays", reward=True),
        Plastic(key="batch", name=f"{_LAYER}, each step", batch=128, time=100),
        Plastic(key="reward_batch", name=f"{_LAYER}, each step, reward and delays", reward=True, batch=128, time=100),
        Plastic(key="sequence", name=f"{_LAYER}, once a sequence", batch=128, time=100, when="sequence"),
        Plastic(key="diehl", name="Diehl and Cook, N=400", kind="diehl"),
        Plastic(key="diehl_batch", name="Diehl and Cook, N=400", kind="diehl", batch=32),
        Plastic(
            key="sparse", name="10 000 x 10 000, density 0.01, STDP each step", kind="sparse",
            neurons=10_000, density=0.01, time=20,
        ),
        Plastic(key="memory", name="784 -> 1600, STDP each step", batch=128, time=100, neurons=1600),
    )
}  # fmt: skip


def spikes_in(case: Plastic) -> Tensor:
    """Draw input spikes, ``(time, batch, inputs)``."""
    inputs = case.neurons if case.kind == "sparse" else INPUTS
    return (torch.rand(case.time, case.batch, inputs) < case.density).float()


def first_weights(case: Plastic) -> Tensor:
    """Draw weights, ``(neurons, inputs)``, whose sums are what they are normalised to."""
    weight = 0.3 * torch.rand(case.neurons, INPUTS)
    return weight * (TOTAL / weight.sum(1, keepdim=True))


def products(case: Plastic) -> Step:
    """Run the products alone: the current of each step, and the two of the rule (the current alone where sparse)."""
    xs = spikes_in(case)
    weight = torch.rand(xs.shape[2], case.neurons)
    post = torch.rand(case.batch, case.neurons)

    def step() -> None:
        with torch.no_grad():
            for x in xs:
                torch.mm(x, weight)
                for _ in range(0 if case.kind == "sparse" else 2):
                    torch.mm(x.t(), post)

    return step


def conex_nn(case: Plastic) -> Step:
    """Run our network."""
    import conex_nn as cx

    plasticity = cx.plasticity
    cells = cx.LIF(tau_mem=TAU_MEM, method="euler", v_threshold=THRESHOLD)
    xs = spikes_in(case)
    options: dict[str, Any] = {}
    waits: dict[str, Any] = {}
    if case.kind == "layer":
        links = [cx.STDP(a_plus=0.01, a_minus=0.012), plasticity.Soft(0, 1)]
        if case.reward:
            links.append(plasticity.Modulated("reward", tau=100.0))
            options = {"axon_delay": 2, "dendrite_delay": 1}
            waits = {"modulators": {"reward": torch.rand(case.time)}}
        rule = plasticity.chain(*links, plasticity.Normalise(TOTAL), plasticity.Clip(0, 1))
        net = cx.Neocortex(retina=cx.InputLayer(INPUTS), exc=cx.Population(case.neurons, cells, winners=cx.KWinners(5)))
        net.connect("retina", "exc", cx.Dense, weight=first_weights(case), rule=rule, when=case.when, **options)
    elif case.kind == "diehl":
        adaptive = cx.AdaptiveThreshold(increment=0.05, tau=1e7)
        exc = cx.Population(case.neurons, cells, winners=cx.KWinners(1), behaviors={"adaptive": adaptive})
        inh = cx.Population(case.neurons, cx.LIF(tau_mem=TAU_MEM, method="euler"), inhibitory=True)
        net = cx.Neocortex(retina=cx.InputLayer(INPUTS), exc=exc, inh=inh)
        links = [cx.STDP(a_plus=0.01, a_minus=1e-4), plasticity.Normalise(TOTAL, at="sequence"), plasticity.Clip(0, 1)]
        net.connect("retina", "exc", cx.Dense, weight=first_weights(case), rule=plasticity.chain(*links), when="step")
        net.connect("exc", "inh", cx.OneToOne, init=partial(torch.nn.init.constant_, val=15.0))
        net.connect("inh", "exc", cx.Dense, init=partial(torch.nn.init.constant_, val=17.5), self_connections=False)
    else:
        net = cx.Neocortex(retina=cx.InputLayer(case.neurons), exc=cx.Population(case.neurons, cx.LIF(tau_mem=TAU_MEM)))
        rule = plasticity.chain(cx.STDP(a_plus=0.001, a_minus=0.0012), plasticity.Clip(0, 1))
        weight = partial(torch.nn.init.uniform_, a=0.6, b=1.0)
        net.connect("retina", "exc", cx.Sparse, density=0.01, init=weight, rule=rule, when="step")

    def step() -> Tensor:
        with torch.no_grad():
            return net(xs, outputs=["exc"], **waits)[0]["exc"]

    return step


def neurosush(case: Plastic) -> Step:
    """Run neuroSush: the layer."""
    from neurosush.core.network import Network, NeuronGroup, SynapseGroup  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.axon import Axon  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.competition import KWTA  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.dendrite import (  # pyright: ignore[reportMissingImports]
        DendriteIntegration,
        DendriteStructure,
    )
    from neurosush.neurons.inputs import SpikeInput  # pyright: ignore[reportMissingImports]
    from neurosush.neurons.models import LIF, Fire  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.constraints import (  # pyright: ignore[reportMissingImports]
        WeightClip,
        WeightNormalization,
    )
    from neurosush.synapses.currents import DenseInput  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.init import WeightInit  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.plasticity import STDP  # pyright: ignore[reportMissingImports]
    from neurosush.synapses.traces import SpikeGather, Traces  # pyright: ignore[reportMissingImports]

    net = Network(seed=0, batch_size=None if case.batch == 1 else case.batch)
    frames = list(spikes_in(case).bool().squeeze(1))
    place = [0]

    def stream() -> Iterator[Tensor]:
        while True:
            place[0] += 1
            yield frames[place[0] % len(frames)]

    membrane = [
        DendriteStructure(), DendriteIntegration(), LIF(tau=TAU_MEM, threshold=THRESHOLD, v_reset=0.0, v_rest=0.0),
        KWTA(5), Fire(), Axon(),
    ]  # fmt: skip
    retina = NeuronGroup(net, INPUTS, [SpikeInput(stream()), Axon()])
    exc = NeuronGroup(net, case.neurons, membrane)
    learning = [
        WeightInit(weights=first_weights(case).t().contiguous()), DenseInput(), SpikeGather(), Traces(tau_pre=20.0),
        STDP(a_plus=0.01, a_minus=0.012, bound="soft"), WeightNormalization(norm=TOTAL), WeightClip(),
    ]  # fmt: skip
    SynapseGroup(net, retina, exc, learning)
    net.initialize()

    @torch.no_grad()
    def step() -> None:
        net.reset_state()
        net.run(case.time)

    return step


def bindsnet(case: Plastic) -> Step:
    """Run BindsNET's network of Diehl and Cook."""
    try:
        from bindsnet.models import DiehlAndCook2015  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(f"{error}; elsewhere BindsNET 0.3.4 was measured at {QUOTED[case.key]}") from error
    net = DiehlAndCook2015(n_inpt=INPUTS, n_neurons=case.neurons, batch_size=case.batch, norm=TOTAL)
    xs = spikes_in(case).reshape(case.time, case.batch, INPUTS)

    def step() -> None:
        net.run(inputs={"X": xs}, time=case.time)
        net.reset_state_variables()

    return step


CONTESTANTS: dict[str, Callable[[Plastic], Step]] = {
    "products": products,
    "conex_nn": conex_nn,
    "neurosush": neurosush,
    "bindsnet": bindsnet,
}


def absent(name: str, case: Plastic) -> bool:
    """Whether a contestant has nothing to do in a case.

    Args:
        name: Of the contestant.
        case: The case.
    """
    if name == "neurosush":
        return case.kind != "layer" or case.reward or case.when != "step" or case.key == "memory"
    return name == "bindsnet" and case.kind != "diehl"
