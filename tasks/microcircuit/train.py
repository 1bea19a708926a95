"""Train the column by surrogate gradient: weights change until its populations fire at given rates."""

from collections.abc import Mapping
from typing import Any, TypedDict

import torch
from rich.progress import track
from torch import Tensor
from torch.utils._pytree import tree_map

import conex_nn as cx
from tasks.microcircuit.circuit import MEAN_RATES, Circuit
from tasks.microcircuit.network import start

__all__ = ["Training", "distance", "train"]


class Training(TypedDict):
    """How it went."""

    loss: list[float]
    """What was to become small, at each step [1]."""
    rates: list[list[float]]
    """Rates of the populations, at each step [Hz]."""


def distance(rates: Tensor, wanted: Tensor) -> Tensor:
    """Return how far rates are from what they shall be: the mean square of the logarithm of their ratio.

    Args:
        rates: ``(populations,)`` [Hz].
        wanted: Likewise [Hz].

    Example:
        >>> distance(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 4.0]))
        tensor(0.)
    """
    least = 0.1  # of silent cells the logarithm has no end
    return ((rates + least) / (wanted + least)).log().square().mean()


def train(
    net: cx.Neocortex,
    circuit: Circuit,
    *,
    steps: int,
    wanted: Mapping[str, float] = MEAN_RATES,
    duration: float = 50.0,
    samples: int = 16,
    lr: float = 0.15,
) -> Training:
    """Change the weights of a network of the column; gradients pass through its spikes and its delays.

    Each step begins where the one before ended, and looks at so much time of some runs side by side.

    Args:
        net: From :func:`tasks.microcircuit.network.build`.
        circuit: Its numbers.
        steps: How often weights change [1].
        wanted: Rates of the populations, by name [Hz].
        duration: How much time a step looks at [ms].
        samples: How many runs are side by side, so that rates are of many spikes [1].
        lr: How far a weight goes in a step, by the mean weight of its connection [1].

    Returns:
        What came of each step.
    """
    names = [f"column.{name}" for name in circuit.names]
    goal = torch.tensor([wanted[name] for name in circuit.names])
    synapses: list[Any] = [connection.synapse for connection in net.all_connections().values()]
    weights = [synapse.weight for synapse in synapses]
    groups = [{"params": [weight], "lr": lr * float(weight.detach().mean())} for weight in weights]
    optimizer = torch.optim.Adam(groups)
    state = start(net, circuit, samples=samples)
    found: Training = {"loss": [], "rates": []}
    for _ in track(range(steps), "training", transient=True):
        optimizer.zero_grad()
        out, after = net(state=state, steps=f"{duration:g} ms", outputs=names)
        rates = torch.stack([out[name].mean() for name in names]) * (1000 / net.dt)
        loss = distance(rates, goal)
        loss.backward()
        optimizer.step()
        for weight in weights:
            weight.data.clamp_(min=0)  # of excitation and inhibition, each keeps its sign
        state = tree_map(lambda x: x.detach() if isinstance(x, Tensor) else x, after)
        found["loss"].append(float(loss.detach()))
        found["rates"].append(rates.detach().tolist())
    return found
