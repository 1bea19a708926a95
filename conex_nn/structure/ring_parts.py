"""Which populations and connections the kernel of ring buffers knows."""

from typing import Any

from torch import Tensor

from conex_nn.dendrites import Drive
from conex_nn.neurons import AELIF, ELIF, IF, LIF, ConstantDrive, Izhikevich, PoissonDrive
from conex_nn.structure.connection import Connection
from conex_nn.surrogate import Surrogate
from conex_nn.synapses import Dense, OneToOne, Sparse

__all__ = ["MODELS", "backgrounds", "drives", "known", "magnitudes", "simple"]

MODELS = {LIF: "lif", IF: "lif", ELIF: "exponential", AELIF: "exponential", Izhikevich: "izhikevich"}
"""Models of neurons, under the names that the kernel has for them."""
_FARTHEST = 32767  # steps that the kernel can tell single edges apart by


def backgrounds(population: Any) -> list[Any]:
    """Return what arrives by itself and is switched on.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> backgrounds(Population(3, LIF(), background=ConstantDrive(0.5)))
        [ConstantDrive(current=0.5)]
    """
    return [each for each in population.background.values() if each.enabled]


def drives(population: Any) -> list[str]:
    """Return the compartments whose current goes into the membrane whatever its potential.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> drives(Population(3, LIF()))
        ['proximal']
    """
    return [name for name, compartment in population.dendrite.compartments.items() if type(compartment) is Drive]


def known(population: Any) -> bool:
    """Whether a population is of neurons that the kernel knows, to which nothing that it does not know happens.

    Args:
        population: A population.

    Example:
        >>> from conex_nn.structure.population import Population
        >>> known(Population(3, LIF())), known(Population(3, LIF(noise=1.0)))
        (True, False)
    """
    neuron = population.neuron
    familiar = type(neuron) in MODELS and isinstance(neuron.spike_fn, Surrogate) and not neuron._noisy
    arrives = {(type(each), each.compartment) for each in backgrounds(population)}
    straight = drives(population)
    fits = arrives <= {
        (ConstantDrive, None),
        *((kind, at) for kind in (ConstantDrive, PoissonDrive) for at in straight),
    }
    return familiar and fits and not population._active() and bool(straight)


def magnitudes(connection: Connection) -> Tensor:
    """Return the weights in force, which are copied only where one that has to be a magnitude is negative.

    Args:
        connection: A connection.

    Example:
        >>> import torch
        >>> magnitudes(Connection(OneToOne(2, 2, weight=torch.tensor([1.0, 2.0])), "a", "b", inhibitory=True))
        tensor([1., 2.])
    """
    synapse: Any = connection.synapse
    weight = synapse.weight_in_force().detach()
    if not connection.inhibitory or not weight.numel() or bool(weight.min() >= 0):
        return weight
    positive: Any = connection.weight
    return positive.detach()


def simple(connection: Connection, target: Any) -> bool:
    """Whether the kernel knows a connection.

    Args:
        connection: A connection.
        target: The population that it reaches.

    Example:
        >>> import torch
        >>> from conex_nn.structure.population import Population
        >>> late = [Connection(OneToOne(2, 2), "a", "b", dendrite_delay=torch.tensor([0, most])) for most in (0, 1)]
        >>> [simple(each, Population(2, LIF())) for each in late]
        [True, False]
    """
    synapse: Any = connection.synapse
    if type(synapse) not in (Dense, OneToOne, Sparse) or connection.learns or connection.dendrite.maximum > 0:
        return False
    return connection.compartment in drives(target) and connection._first + connection._reach <= _FARTHEST
