"""Whether what a population puts out is spikes."""

from typing import Any

from conex_nn.neurons import LI

__all__ = ["emits_spikes"]


def emits_spikes(population: Any) -> bool:
    """Return whether the output of a population is spikes: of every model but LI, unless it says ``spiking = False``.

    Args:
        population: The population; input is taken for spikes.

    Example:
        >>> import conex_nn as cx
        >>> emits_spikes(cx.Population(3, cx.LIF())), emits_spikes(cx.Population(3, cx.LI()))
        (True, False)
    """
    neuron = getattr(population, "neuron", None)
    return bool(getattr(neuron, "spiking", not isinstance(neuron, LI)))
