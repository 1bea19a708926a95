"""What a file may name: our classes, a few of torch's functions, and what a user has registered."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import nn
from typing_extensions import override

from conex_nn import surrogate
from conex_nn.dendrites import Compartment, Conductance, Dendrite, Drive, Pull
from conex_nn.neurons import (
    AELIF,
    ELIF,
    IF,
    LI,
    LIF,
    ActivityHomeostasis,
    AdaptiveThreshold,
    ConstantDrive,
    Homeostasis,
    Izhikevich,
    KWinners,
    Noise,
    PoissonDrive,
    VoltageHomeostasis,
)
from conex_nn.plasticity import (
    BCM,
    ISTDP,
    STDP,
    Chain,
    Clip,
    Clopath,
    Dale,
    LearningRate,
    Modulated,
    Normalise,
    Oja,
    Product,
    ShiftSTDP,
    Soft,
    TripletSTDP,
)
from conex_nn.structure.addresses import nearest
from conex_nn.structure.connection import Connection
from conex_nn.structure.container import Container
from conex_nn.structure.cortical_column import CorticalColumn
from conex_nn.structure.cortical_layer import CorticalLayer
from conex_nn.structure.input_layer import InputLayer
from conex_nn.structure.neocortex import Neocortex
from conex_nn.structure.output_layer import OutputLayer
from conex_nn.structure.poisson_input import PoissonInput
from conex_nn.structure.population import Population, Source
from conex_nn.structure.spike_times import SpikeTimes
from conex_nn.structure.synapsis import Synapsis
from conex_nn.synapses import (
    AvgPool2d,
    Conv2d,
    Dense,
    Distribution,
    Lateral,
    Local2d,
    LogNormal,
    Normal,
    OneToOne,
    Sparse,
    Uniform,
)

__all__ = ["DISTRIBUTIONS", "REGISTERED", "SURROGATES", "Names", "register"]

_Thing = TypeVar("_Thing", bound=Callable[..., Any])

_CLASSES = (
    AELIF, ELIF, IF, LI, LIF, Izhikevich,
    ActivityHomeostasis, AdaptiveThreshold, Homeostasis, KWinners, Noise, VoltageHomeostasis,
    ConstantDrive, PoissonDrive,
    Compartment, Conductance, Dendrite, Drive, Pull,
    AvgPool2d, Conv2d, Dense, Lateral, Local2d, OneToOne, Sparse,
    BCM, ISTDP, STDP, Chain, Clip, Clopath, Dale, LearningRate, Modulated, Normalise, Oja, Product, ShiftSTDP, Soft,
    TripletSTDP,
    Connection, Synapsis, Container, CorticalColumn, CorticalLayer, InputLayer, Neocortex, OutputLayer, Population,
    Source, PoissonInput, SpikeTimes,
)  # fmt: skip

_INITIALISERS = (
    "constant_", "dirac_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "orthogonal_", "sparse_",
    "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_",
)  # fmt: skip


SURROGATES: dict[str, tuple[str, ...]] = {
    name: tuple(inspect.signature(getattr(surrogate, name)).parameters)
    for name in (
        "atan", "exponential", "fast_sigmoid", "heaviside", "leaky", "sigmoid", "sparse_fast_sigmoid",
        "spike_rate_escape", "stochastic", "straight_through", "triangle", "triangular",
    )
}  # fmt: skip
"""Surrogates by kind, which is the name of the function that makes one, each with its parameters."""


DISTRIBUTIONS: dict[str, type[Distribution]] = {cls.__name__: cls for cls in (LogNormal, Normal, Uniform)}
"""What weights can be drawn from, by name."""


class Names:
    """What gives classes and functions names, and finds them again: by itself, anything that stays in this process."""

    def __init__(self) -> None:
        self._made_up: list[Any] = []

    def name_of(self, thing: Any) -> str | None:
        """Return the name of a thing, or None where it has none.

        Args:
            thing: A class or function.
        """
        self._made_up.append(thing)
        return str(len(self._made_up) - 1)

    def find(self, name: Any) -> Any:
        """Return what has a name.

        Args:
            name: The name.

        Raises:
            ValueError: Nothing has it.
        """
        return self._made_up[int(name)]


class _Registry(Names):
    """Classes and functions that a file may name. Nothing else is ever looked up, imported or evaluated."""

    def __init__(self) -> None:
        super().__init__()
        self._things: dict[str, Any] = {f"conex_nn.{cls.__name__}": cls for cls in _CLASSES}
        self._things |= {f"torch.nn.init.{name}": getattr(nn.init, name) for name in _INITIALISERS}
        self._things |= {"torch.rand_like": torch.rand_like, "torch.randn_like": torch.randn_like}

    @override
    def name_of(self, thing: Any) -> str | None:
        return next((name for name, known in self._things.items() if known is thing), None)

    @override
    def find(self, name: Any) -> Any:
        if not isinstance(name, str) or name not in self._things:
            hint = nearest(name, self._things) if isinstance(name, str) else ""
            raise ValueError(
                f"Expected a name of the registry, got {name!r}.{hint} A class or function of your own is registered "
                '(`@cx.register("my_lab.Name")`) before the file is loaded.'
            )
        return self._things[name]

    def add(self, name: str, thing: Any) -> None:
        before = self._things.get(name)
        if before is not None and _place(before) != _place(thing):
            raise ValueError(f"Expected a name that is free, got {name!r}, which is that of {before!r}.")
        self._things[name] = thing


def _place(thing: Any) -> tuple[Any, Any]:
    return getattr(thing, "__module__", None), getattr(thing, "__qualname__", thing)


REGISTERED = _Registry()
"""The registry of what files may name."""


def register(name: str) -> Callable[[_Thing], _Thing]:
    """Let files name a class or function of your own, so that networks with it can be saved and loaded.

    A class whose arguments can all be read as attributes of their names needs nothing more; any other defines
    ``arguments()``, which returns what to call the class with to get another one like it.

    Args:
        name: What files call it, with your own prefix: ``"my_lab.Leash"``.

    Returns:
        A decorator, which returns what it is given.

    Raises:
        TypeError: What is registered is no class and no function.
        ValueError: The name has no prefix of your own, or is taken.

    Example:
        >>> import conex_nn as cx
        >>> @register("my_lab.Leash")
        ... class Leash(cx.Behavior):
        ...     def __init__(self, v_min):
        ...         super().__init__()
        ...         self.v_min = v_min
        ...     def membrane(self, v, state, neuron, *, dt):
        ...         return v.clamp(min=self.v_min), state
        >>> cx.Population(2, cx.LIF(), behaviors={"leash": Leash(-1.0)}).replicate().behaviors["leash"].v_min
        -1.0
    """
    if not isinstance(name, str):
        raise TypeError(f'Expected a name, `@cx.register("my_lab.Name")`, got {name!r}.')
    prefix, dot, rest = name.partition(".")
    if not (prefix and dot and rest) or prefix in ("conex_nn", "torch"):
        raise ValueError(f'Expected a name with a prefix of your own, such as "my_lab.Name", got {name!r}.')

    def add(thing: _Thing) -> _Thing:
        if not callable(thing):
            raise TypeError(f"Expected a class or a function to register as {name!r}, got {thing!r}.")
        REGISTERED.add(name, thing)
        return thing

    return add
