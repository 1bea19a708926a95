"""What to call a class with to get an object of the same structure."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from conex_nn.dendrites import Dendrite
from conex_nn.neurons import Background, Behavior, FromSnnTorch, VoltageHomeostasis
from conex_nn.plasticity import Rule
from conex_nn.structure.connection import Connection
from conex_nn.structure.container import Container
from conex_nn.structure.input_layer import InputLayer
from conex_nn.structure.neocortex import Neocortex
from conex_nn.structure.output_layer import OutputLayer
from conex_nn.structure.population import Source
from conex_nn.structure.synapsis import Synapsis
from conex_nn.synapses import Dense, Lateral, Sparse, Synapse

__all__ = ["Edges", "arguments_of", "options_of", "parameters_of"]


class Edges(NamedTuple):
    """The edges of a sparse synapse, and how to draw others like them."""

    source: Tensor
    """Source of every edge."""
    target: Tensor
    """Target of every edge."""
    neurons: tuple[int, int]
    """How many sources and targets there are."""
    otherwise: dict[str, float | int]
    """The argument by which as many can be drawn between other numbers of neurons."""


def _attributes(thing: Any, *without: str) -> dict[str, Any]:
    """Return the arguments that a class takes, read as attributes of their names."""
    found, missing = {}, []
    for name in parameters_of(type(thing)):
        if name in without:
            continue
        if not hasattr(thing, name):
            missing.append(name)
        else:
            found[name] = getattr(thing, name)
    if missing:
        cls = type(thing).__name__
        raise ValueError(
            f"Expected to read what {cls} was made with as attributes, got none called {', '.join(missing)}. "
            f"Keep it (`self.{missing[0]} = {missing[0]}`), or define `arguments()` in {cls}, which returns what to "
            "call the class with."
        )
    return found


def _dendrite(dendrite: Dendrite) -> dict[str, Any]:
    return {"compartments": dict(dendrite.compartments.items())}


def _synapsis(synapsis: Synapsis) -> dict[str, Any]:
    return {"connections": dict(synapsis.named_children())}


def _container(container: Container) -> dict[str, Any]:
    return _attributes(container, "parts", *container._modules)


def _voltage_homeostasis(behavior: VoltageHomeostasis) -> dict[str, Any]:
    return _attributes(behavior, "target_voltage")


def _synapse(synapse: Synapse) -> dict[str, Any]:
    return _attributes(synapse, "source_shape", "target_shape", "weight")


def _dense(synapse: Dense) -> dict[str, Any]:
    found = _synapse(synapse)
    if (
        synapse.mask is not None
        and not synapse.self_connections
        and bool((synapse.mask == ~torch.eye(len(synapse.mask), dtype=torch.bool, device=synapse.mask.device)).all())
    ):
        found["mask"] = None  # it says no more than `self_connections`
    return found


def _lateral(synapse: Lateral) -> dict[str, Any]:
    return {"kernel_size": tuple(synapse.weight.shape), "centre": synapse.mask is None, "init": synapse.init}


def _sparse(synapse: Sparse) -> dict[str, Any]:
    amounts = {name: getattr(synapse, name) for name in ("density", "number", "in_degree", "out_degree")}
    amounts = {name: amount for name, amount in amounts.items() if amount is not None}
    neurons = (synapse.source_shape.numel(), synapse.target_shape.numel())
    pairs = neurons[0] * (neurons[1] - (not synapse.self_connections))
    edges = Edges(
        synapse.source, synapse.target, neurons, amounts or {"density": min(1.0, synapse.num_edges / max(pairs, 1))}
    )
    delays = synapse.delays()
    delay = synapse.delay if len(delays) != 1 or synapse.stored_delay is None else delays[0]
    return {
        "edges": edges,
        "multapses": synapse.multapses,
        "self_connections": synapse.self_connections,
        "delay": delay,
        "init": synapse.init,
        "shared": synapse.shared,
        "dtype": synapse.weight.dtype if synapse.weight.dtype.itemsize == 2 else None,  # others are the network's
    }


_ADAPTERS: dict[type, Callable[[Any], dict[str, Any]]] = {
    Dendrite: _dendrite,
    Dense: _dense,
    FromSnnTorch: lambda neuron: {"neuron": neuron.neuron},
    InputLayer: lambda layer: {"tags": layer.tags},
    Lateral: _lateral,
    OutputLayer: lambda layer: {"tags": layer.tags},
    Sparse: _sparse,
    Synapsis: _synapsis,
    VoltageHomeostasis: _voltage_homeostasis,
}


def arguments_of(thing: nn.Module) -> dict[str, Any]:
    """Return what to call a module's class with to get another one of the same structure.

    By convention every argument can be read as an attribute of its name; a class that is otherwise defines
    ``arguments()``. What comes from elsewhere is left out: the parts of a container, both shapes of a synapse, and its
    weight, which is no structure.

    Args:
        thing: A neuron, a synapse, a population, a container ...

    Raises:
        ValueError: An argument cannot be read.

    Example:
        >>> import conex_nn as cx
        >>> arguments_of(cx.KWinners(3)), arguments_of(cx.Conv2d((1, 5, 5), (2, 3, 3), kernel_size=3))
        ({'k': 3, 'axis': None}, {'kernel_size': (3, 3), 'stride': (1, 1), 'padding': (0, 0), 'init': None})
    """
    own = getattr(thing, "arguments", None)
    if inspect.ismethod(own):
        found = own()
        if not isinstance(found, Mapping):
            raise ValueError(f"Expected `arguments()` of {type(thing).__name__} to return a dict, got {found!r}.")
        return dict(found)
    # A subclass with an `__init__` of its own has arguments of its own.
    owner = next(cls for cls in type(thing).__mro__ if "__init__" in vars(cls))
    if owner in _ADAPTERS:
        return _ADAPTERS[owner](thing)
    if isinstance(thing, Container):
        return _container(thing)
    return _synapse(thing) if isinstance(thing, Synapse) else _attributes(thing)


def options_of(cls: type) -> tuple[str, ...]:
    """Return the names of what belongs to a structure besides arguments: what is set after a thing is made.

    Args:
        cls: The thing's class.

    Example:
        >>> import conex_nn as cx
        >>> options_of(cx.Source), options_of(cx.Noise), options_of(cx.Population)
        (('enabled',), ('enabled', 'tags'), ())
    """
    if issubclass(cls, Neocortex):
        return ("block", "by_events")
    names = ("enabled",) if issubclass(cls, Background | Behavior | Connection | Rule | Source) else ()
    return (*names, "tags") if issubclass(cls, Background | Behavior) and "tags" not in parameters_of(cls) else names


def parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class, without ``**parts``.

    Args:
        cls: The class.

    Example:
        >>> import conex_nn as cx
        >>> list(parameters_of(cx.KWinners)), list(parameters_of(cx.CorticalColumn))
        (['k', 'axis'], ['tags'])
    """
    found = inspect.signature(cls).parameters
    return {name: parameter for name, parameter in found.items() if parameter.kind is not parameter.VAR_KEYWORD}
