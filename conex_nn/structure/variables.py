"""What there is to be seen in a step of a population, by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.structure.population import Population

__all__ = ["Variables", "variables_of"]

Look = Callable[[Mapping[str, Any]], Tensor]
"""Finds a variable in what an observer of a population is shown."""


class Variables(Mapping[str, Tensor]):
    """The variables of one step, each looked up when it is asked for.

    Args:
        looks: How each is found, from :func:`variables_of`.
        seen: What an observer of the population was shown.

    Example:
        >>> Variables({"twice": lambda seen: 2 * seen["spikes"]}, {"spikes": torch.ones(1)})["twice"]
        tensor([2.])
    """

    def __init__(self, looks: Mapping[str, Look], seen: Mapping[str, Any]) -> None:
        self._looks, self._seen = looks, seen

    @override
    def __getitem__(self, name: str) -> Tensor:
        return self._looks[name](self._seen)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._looks)

    @override
    def __len__(self) -> int:
        return len(self._looks)


def variables_of(population: Population) -> dict[str, Look]:
    """Return how each variable of a population is found in what its observers are shown.

    ``spikes`` (also ``output``); ``current``, into the membrane; the state of its neurons; what arrives at each
    compartment, by its name; ``synaptic.<compartment>``, the currents that decay; state and buffers of its behaviors,
    ``<behavior>.<name>``; the constants of its neurons.

    Args:
        population: Whose variables.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> [name for name in variables_of(Population(3, LIF())) if "_" not in name]
        ['spikes', 'output', 'current', 'v', 'refractory', 'proximal', 'distal', 'apical', 'noise', 'resistance']
    """
    example = population._example()
    with torch.random.fork_rng(devices=[example.device] if example.is_cuda else []):
        state = population.initial_state(example)
    looks: dict[str, Look] = {"spikes": lambda seen: seen["spikes"], "output": lambda seen: seen["spikes"]}
    looks["current"] = lambda seen: seen["current"]
    for name, part in _parts(state.neuron).items():
        looks.setdefault(name, lambda seen, part=part: part(seen["state"].neuron))
    for name in population.dendrite.names:
        looks.setdefault(name, lambda seen, name=name: _or_nothing(seen["arrivals"], name, seen))
        if name in state.dendrite:
            looks[f"synaptic.{name}"] = lambda seen, name=name: _or_nothing(seen["state"].dendrite, name, seen)
    for i, (name, behavior) in enumerate(population._named_behaviors()):
        for key, part in _parts(state.behaviors[i]).items():
            looks[f"{name}.{key}"] = lambda seen, i=i, part=part: part(seen["state"].behaviors[i])
        for key in _tensors(behavior):
            looks.setdefault(f"{name}.{key}", lambda _, key=key, behavior=behavior: _tensor(behavior, key))
    for key in _tensors(population.neuron):
        looks.setdefault(key, lambda _, key=key: _tensor(population.neuron, key))
    return looks


def _or_nothing(currents: Mapping[str, Tensor], name: str, seen: Mapping[str, Any]) -> Tensor:
    """Return the current of a compartment: none where nothing is connected."""
    return currents[name] if name in currents else torch.zeros_like(seen["current"])


def _parts(state: Any) -> dict[str, Callable[[Any], Tensor]]:
    """Return the tensors of a state by the names of its fields, its keys, or its places."""
    if isinstance(state, Tensor):
        return {"state": lambda state: state}
    if isinstance(state, Mapping):
        return {str(key): lambda state, key=key: state[key] for key in state if isinstance(state[key], Tensor)}
    if not isinstance(state, tuple | list):
        return {}
    names = getattr(state, "_fields", range(len(state)))
    return {str(name): lambda state, i=i: state[i] for i, name in enumerate(names) if isinstance(state[i], Tensor)}


def _tensors(module: nn.Module) -> list[str]:
    """Return the names of a module's buffers and parameters, those kept as logarithms by their own."""
    names = [name for name, _ in module.named_buffers()] + [name for name, _ in module.named_parameters()]
    return [name.removeprefix("log_") if hasattr(module, name.removeprefix("log_")) else name for name in names]


def _tensor(module: nn.Module, name: str) -> Tensor:
    for part in name.split("."):
        module = getattr(module, part)
    return module  # pyright: ignore[reportReturnType]
