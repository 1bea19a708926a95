"""Which modules of a network spike."""

from torch import nn

from conex_nn.neurons import LI, Neuron

__all__ = ["is_spiking", "spiking_layers"]


def is_spiking(module: nn.Module) -> bool:
    """Return whether a module is a neuron model whose output is spikes.

    Every :class:`~conex_nn.neurons.Neuron` is taken to spike, except LI and models with an attribute
    ``spiking = False``.

    Args:
        module: Any module.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> is_spiking(LIF()), is_spiking(LI()), is_spiking(nn.ReLU())
        (True, False, False)
    """
    return isinstance(module, Neuron) and bool(getattr(module, "spiking", not isinstance(module, LI)))


def spiking_layers(net: nn.Module) -> dict[str, nn.Module]:
    """Return the spiking modules of a network by their addresses, in its order.

    Args:
        net: Any module.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 8), cx.LIF(), nn.Linear(8, 2), cx.LI())
        >>> list(spiking_layers(net))
        ['1']
    """
    return {address: module for address, module in net.named_modules() if is_spiking(module)}
