"""Small networks that learn by rules, for the tests of training."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import conex_nn as cx
from conex_nn.plasticity import attach, chain
from conex_nn.training import SpikingClassifier, mean_membrane, spike_count
from conex_nn.training.plastic_weights import plastic_weights

from .stripes import CLASSES, FEATURES

NEURONS = 5


def layer(n_in: int, n_out: int) -> nn.Linear:
    linear = nn.Linear(n_in, n_out, bias=False)
    nn.init.uniform_(linear.weight, 0.1, 0.9)
    return linear


def reward(outputs: Tensor, labels: Tensor) -> Tensor:
    """Pay for each spike of the right class, and take it off for each of another."""
    counts = outputs.sum(0)
    return 2 * counts.gather(1, labels[:, None])[:, 0] - counts.sum(1)


def stdp(**options: Any) -> SpikingClassifier:
    """One layer by STDP; labels are assigned."""
    net = cx.Sequential(layer(FEATURES, NEURONS), cx.LIF(tau_mem=5.0))
    rule = chain(cx.STDP(a_plus=0.05, a_minus=0.02), cx.plasticity.Soft(0, 1), cx.plasticity.Normalise(3.0))
    attach(rule, synapse=net[0], neuron=net[1], gradient=False)
    return SpikingClassifier(net, num_classes=CLASSES, assignment=True, **options)


def rstdp(**options: Any) -> SpikingClassifier:
    """One layer by reward; each output is a class."""
    net = cx.Sequential(layer(FEATURES, CLASSES), cx.LIF(tau_mem=5.0))
    rule = chain(cx.RSTDP(tau_c=50.0), cx.plasticity.Clip(0, 1))
    attach(rule, synapse=net[0], neuron=net[1], gradient=False)
    surprise = cx.plasticity.RewardPredictionError(rate=0.2)
    modulators = {"dopamine": nn.Sequential(surprise, cx.plasticity.Dopamine(tau=50.0))}
    return SpikingClassifier(
        net, **{"num_classes": CLASSES, "decode": spike_count, "payoff": reward, "modulators": modulators, **options}
    )


def hybrid(into: str = "grad", **options: Any) -> SpikingClassifier:
    """A layer by STDP and gradient, and one by gradient."""
    net = cx.Sequential(layer(FEATURES, NEURONS), cx.LIF(tau_mem=5.0), nn.Linear(NEURONS, CLASSES), cx.LI())
    attach(cx.STDP(a_plus=0.002, a_minus=0.002), synapse=net[0], neuron=net[1], into=into, gradient=True)  # pyright: ignore
    optimizer = partial(torch.optim.SGD, lr=0.1)
    return SpikingClassifier(
        net, **{"num_classes": CLASSES, "decode": mean_membrane, "optimizer": optimizer, **options}
    )


def hybrid_in_the_weight(**options: Any) -> SpikingClassifier:
    return hybrid(into="weight", **options)


def _cortex(neurons: int, **connection: Any) -> cx.Neocortex:
    net = cx.Neocortex(eye=cx.InputLayer(FEATURES), v1=cx.Population(neurons, cx.LIF(tau_mem=5.0)))
    net.connect("eye", "v1", cx.Dense, latency=0, init=partial(nn.init.uniform_, a=0.1, b=0.9), **connection)
    return net


def cortex_stdp(**options: Any) -> SpikingClassifier:
    """A network whose connection changes at each step."""
    rule = chain(cx.STDP(a_plus=0.05, a_minus=0.02), cx.plasticity.Soft(0, 1), cx.plasticity.Normalise(3.0))
    return SpikingClassifier(_cortex(NEURONS, rule=rule, when="step"), num_classes=CLASSES, assignment=True, **options)


def cortex_rstdp(**options: Any) -> SpikingClassifier:
    """A network whose connection waits for a reward."""
    net = _cortex(CLASSES, rule=chain(cx.RSTDP(tau_c=50.0), cx.plasticity.Clip(0, 1)))
    modulators = {"dopamine": cx.plasticity.Dopamine(tau=50.0)}
    return SpikingClassifier(net, num_classes=CLASSES, payoff=reward, modulators=modulators, **options)


def cortex_hybrid(**options: Any) -> SpikingClassifier:
    """A network with a connection by STDP and gradient, and one by gradient."""
    net = _cortex(NEURONS, rule=cx.STDP(a_plus=0.002, a_minus=0.002), into="grad")
    net.add("decision", cx.Population(CLASSES, cx.LI())).connect("v1", "decision", cx.Dense, latency=0)
    options = {"optimizer": partial(torch.optim.SGD, lr=0.1), "readout": "decision", **options}
    return SpikingClassifier(net, num_classes=CLASSES, decode=mean_membrane, **options)


KINDS = {
    "stdp": stdp,
    "rstdp": rstdp,
    "hybrid": hybrid,
    "hybrid in the weight": hybrid_in_the_weight,
    "stdp in a cortex": cortex_stdp,
    "rstdp in a cortex": cortex_rstdp,
    "hybrid in a cortex": cortex_hybrid,
}


def first_weight(model: SpikingClassifier) -> Tensor:
    """Return the weight that a rule changes."""
    return next(each.weight for each in plastic_weights(model.net))
