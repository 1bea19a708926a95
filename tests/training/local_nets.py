"""Small networks that learn by rules, for the tests of training."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

import conex_nn as cx
from conex_nn.plasticity import attach, chain
from conex_nn.training import SpikingClassifier, mean_membrane, spike_count

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


KINDS = {"stdp": stdp, "rstdp": rstdp, "hybrid": hybrid, "hybrid in the weight": hybrid_in_the_weight}
