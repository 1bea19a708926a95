"""Which parts of a network spike, and where their spikes are seen."""

from torch import nn

from conex_nn.neurons import LI, Neuron
from conex_nn.structure import Population, Source
from conex_nn.structure.spiking import emits_spikes

__all__ = ["is_spiking", "outlet", "spiking_layers"]


def is_spiking(module: nn.Module) -> bool:
    """Return whether a module is a neuron model, or a population of one, whose output is spikes.

    Every :class:`~conex_nn.neurons.Neuron` is taken to spike, and so is every neuron of a population, except LI and
    models with an attribute ``spiking = False``.

    Args:
        module: Any module.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> is_spiking(LIF()), is_spiking(LI()), is_spiking(nn.ReLU()), is_spiking(Population(3, LIF()))
        (True, False, False, True)
    """
    if isinstance(module, Population):
        return emits_spikes(module)
    return isinstance(module, Neuron) and bool(getattr(module, "spiking", not isinstance(module, LI)))


def outlet(module: nn.Module) -> nn.Module:
    """Return the module that everything passes which another one puts out: a hook on it sees that.

    Args:
        module: Any module.

    Example:
        >>> population = Population(3, LI())
        >>> outlet(population) is population.axon, outlet(population.neuron) is population.neuron
        (True, True)
    """
    return module.axon if isinstance(module, Population | Source) else module


def spiking_layers(net: nn.Module) -> dict[str, nn.Module]:
    """Return the spiking populations and other spiking modules of a network by their addresses, in its order.

    The neurons of a population are not listed beside it.

    Args:
        net: Any module.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 8), cx.LIF(), nn.Linear(8, 2), cx.LI())
        >>> list(spiking_layers(net))
        ['1']
        >>> list(spiking_layers(cx.Neocortex(retina=cx.InputLayer(4), v1=Population(3, cx.LIF()))))
        ['v1']
    """
    inside = {id(part) for m in net.modules() if isinstance(m, Population) for part in m.modules() if part is not m}
    return {path: module for path, module in net.named_modules() if is_spiking(module) and id(module) not in inside}
