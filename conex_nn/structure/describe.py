"""From a structure to a tree of plain values, as JSON holds them, and the tensors beside it.

A thing is ``{"class": name, argument: value, ...}``. Of the values, ``{"tensor": shape, "otherwise": value}`` is the
tensor that lies at its address, or the value where that does not fit; ``{"learned": shape, "start": value}`` a constant
that a behavior moves from its start; ``{"trainable": value}`` an ``nn.Parameter``.
"""

import copy
import math
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from conex_nn.neurons import AELIF, FromSnnTorch, Izhikevich
from conex_nn.structure.arguments import Edges, arguments_of, options_of
from conex_nn.structure.connection import Connection
from conex_nn.structure.container import Container
from conex_nn.structure.population import Population, Source
from conex_nn.structure.registry import DISTRIBUTIONS, REGISTERED, SURROGATES, Names
from conex_nn.surrogate import Surrogate
from conex_nn.synapses import Lateral, Sparse, Synapse

__all__ = ["MARKS", "PARTS", "Described", "broadcasts", "check_late", "derived", "describe", "shortest", "state_of"]

_PLAIN = (bool, int, float, str)

MARKS = (
    "class", "copy", "distribution", "dtype", "function", "learned", "number", "same_as", "surrogate", "tensor",
    "trainable", "unnamed",
)  # fmt: skip
"""Keys by which a value that is no plain one says what it is."""

PARTS = (Population, Source, Container)
"""Classes of what can be in a container."""


class Described(NamedTuple):
    """A structure as plain values, and its tensors by address."""

    tree: dict[str, Any]
    """The part itself."""
    extras: dict[str, Any]
    """Its dtype, which parameters are frozen, which are one and the same."""
    arguments: dict[str, Tensor]
    """Tensors that things are made with."""
    state: dict[str, Tensor]
    """Weights, and what else is learned."""


def describe(part: nn.Module, names: Names) -> Described:
    """Describe a population or a container.

    Args:
        part: The population or container.
        names: Gives its classes and functions names.

    Raises:
        ValueError: Something has no name, no readable arguments, or cannot be stored.

    Example:
        >>> import conex_nn as cx
        >>> from conex_nn.structure.registry import REGISTERED
        >>> describe(cx.Source(3, tags=["dots"]), REGISTERED).tree
        {'class': 'conex_nn.Source', 'shape': [3], 'tags': ['dots'], 'enabled': True}
    """
    check_late(part)
    state = state_of(part)
    floating = Counter(t.dtype for t in state.values() if t.is_floating_point())
    dtype = floating.most_common(1)[0][0] if floating else torch.get_default_dtype()
    describer = _Describer(names, dtype)
    tree = describer.module(part, "")
    extras = {
        "dtype": str(dtype).removeprefix("torch."),
        "frozen": [name for name, p in part.named_parameters() if not p.requires_grad],
        "tied": _tied(part),
    }
    skipped = derived(part) | describer.decided
    return Described(tree, extras, describer.tensors, {k: t for k, t in state.items() if k not in skipped})


def state_of(part: nn.Module) -> dict[str, Tensor]:
    """Return the state of a module by address, what is shared only once.

    Args:
        part: The module.

    Raises:
        ValueError: Some of it is no tensor.

    Example:
        >>> shared = nn.Linear(2, 1, bias=False)
        >>> list(state_of(nn.Sequential(shared, shared)))
        ['0.weight']
    """
    found, seen = {}, set()
    for key, tensor in part.state_dict(keep_vars=True).items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Expected all state to be tensors, got {type(tensor).__name__} at {key!r}.")
        if id(tensor) not in seen:
            seen.add(id(tensor))
            found[key] = tensor.detach()
    return found


def derived(part: nn.Module) -> set[str]:
    """Return the addresses of state that follows from arguments: delay lines, edges, and the mask of a kernel.

    Args:
        part: A module.

    Example:
        >>> derived(nn.Sequential(Lateral((1, 3, 3), (1, 3, 3), kernel_size=3, centre=False)))
        {'0.mask'}
    """
    found = set()
    for path, module in part.named_modules():
        if isinstance(module, Connection):
            found |= {_join(path, f"{end}.steps") for end in ("axon", "dendrite")}
        elif isinstance(module, Lateral):
            found.add(_join(path, "mask"))
        elif isinstance(module, Sparse):
            found |= {_join(path, name) for name in ("indptr", "target_bytes", "delay_bytes")}
    return found


def _tied(part: nn.Module) -> dict[str, str]:
    """Return the parameters that several modules share: each by the address of the first."""
    first: dict[int, str] = {}
    found = {}
    for path, module in part.named_modules():
        for name, parameter in module._parameters.items():
            if parameter is not None and first.setdefault(id(parameter), _join(path, name)) != _join(path, name):
                found[_join(path, name)] = first[id(parameter)]
    return found


def check_late(part: nn.Module) -> None:
    """Raise while connections wait for their ends.

    Args:
        part: A container or a population.

    Raises:
        ValueError: Some do.
    """
    for path, module in [("", part), *part.named_modules()]:
        if waiting := getattr(module, "_late", None):
            raise ValueError(
                f"Expected both ends of every connection, got {len(waiting)} in {path or 'the network'!r} made with "
                "`late=True` that still wait for one. Add the part that they wait for first."
            )


def _join(*names: str) -> str:
    return ".".join(name for name in names if name)


def shortest(number: Tensor) -> float:
    """Return a number with as few digits as it takes to read it back exactly.

    Args:
        number: A floating tensor of one value.

    Example:
        >>> torch.tensor(0.1).item(), shortest(torch.tensor(0.1))
        (0.10000000149011612, 0.1)
    """
    exact = number.item()
    rounded = (float(f"{exact:.{digits}g}") for digits in range(1, 17))
    return next((value for value in rounded if torch.tensor(value, dtype=number.dtype).item() == exact), exact)


class _Describer:
    """Walks down a structure and notes what is a number, and what is a tensor."""

    def __init__(self, names: Names, dtype: torch.dtype) -> None:
        self.names, self.dtype = names, dtype
        self.tensors: dict[str, Tensor] = {}
        self.decided: set[str] = set()
        self.seen: dict[int, str] = {}
        self.moved: dict[int, dict[str, Tensor]] = {}
        self.shape: torch.Size | None = None

    def module(self, module: nn.Module, path: str) -> dict[str, Any]:
        """Describe a thing."""
        if id(module) in self.seen:
            return {"same_as": self.seen[id(module)]}
        self.seen[id(module)] = path
        name = self.names.name_of(type(module))
        if name is None:
            cls = type(module).__name__
            raise ValueError(
                f"Expected classes that a file may name, got {cls} at {path or 'the top'!r}. Register it: "
                f'`@cx.register("my_lab.{cls}")`.'
            )
        if isinstance(module, Population):
            self.shape = module.shape
            self.moved[id(module.neuron)] = _moved(module)
            if (homeostasis := module.activity_homeostasis) is not None:
                self.moved[id(homeostasis)] = {"updating_rate": homeostasis.first_rate}
        arguments = arguments_of(module)
        self.decided |= {_join(path, key) for key in arguments}
        tree = {"class": name, **{key: self.value(module, path, key, value) for key, value in arguments.items()}}
        tree |= {
            option: self.value(module, path, option, getattr(module, option)) for option in options_of(type(module))
        }
        if isinstance(module, Container):
            parts = {key: child for key, child in module._modules.items() if isinstance(child, PARTS)}
            tree["parts"] = {key: self.module(child, _join(path, key)) for key, child in parts.items()}
            tree["ports"] = {key: list(targets) for key, targets in module.ports.items()}
            tree["connections"] = {
                key: self.module(child, _join(path, "connections", key)) for key, child in module.connections.items()
            }
        if isinstance(module, Population):
            self.shape = None
        return tree

    def value(self, owner: nn.Module, path: str, key: str, value: Any) -> Any:
        """Describe an argument."""
        here = _join(path, key)
        if isinstance(value, Edges):
            return self.edges(path, value)
        if isinstance(value, Tensor):
            return self.tensor(owner, path, key, value)
        if isinstance(owner, FromSnnTorch) and self.names is not REGISTERED:
            return {"copy": self.names.name_of(copy.deepcopy(value))}
        if isinstance(value, nn.Module) and not isinstance(value, nn.ModuleDict):
            return self.module(value, here)
        if isinstance(value, Mapping | nn.ModuleDict):
            if bad := [k for k in value if not isinstance(k, str) or k in MARKS]:
                raise ValueError(f"Expected names other than {', '.join(MARKS)} in {here!r}, got {bad[0]!r}.")
            inside = here if key != "connections" else path  # a Synapsis holds its connections itself
            return {name: self.value(owner, inside, name, each) for name, each in value.items()}
        if isinstance(value, tuple | list):
            return [
                self.module(each, _join(here, str(i)))
                if isinstance(each, nn.Module)
                else self.value(owner, path, key, each)
                for i, each in enumerate(value)
            ]
        if isinstance(value, float) and not math.isfinite(value):
            return {"number": str(value)}
        if value is None or isinstance(value, _PLAIN):
            return value
        if isinstance(value, Surrogate) and value.kind in SURROGATES:
            return {"surrogate": value.kind, **dict(zip(SURROGATES[value.kind], value.params, strict=True))}
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if type(value) in DISTRIBUTIONS.values():
            numbers = {name: number for name, number in vars(value).items() if math.isfinite(number)}
            return {"distribution": type(value).__name__, **numbers}
        if callable(value):
            return self.function(owner, here, key, value)
        raise ValueError(f"Expected something that a file can hold at {here!r}, got {value!r}.")

    def function(self, owner: nn.Module, here: str, key: str, value: Any) -> dict[str, Any]:
        """Describe a callable by its name."""
        inner = value.func if isinstance(value, partial) else value
        if (name := self.names.name_of(value)) is not None:
            return {"function": name}
        name, keywords = self.names.name_of(inner), value.keywords if isinstance(value, partial) else {}
        plain = all(v is None or isinstance(v, _PLAIN) for v in keywords.values())
        if name is not None and plain and not (isinstance(value, partial) and value.args):
            return {"function": name, **keywords}
        shown = getattr(inner, "__qualname__", repr(inner))
        if key == "init" and isinstance(owner, Synapse):
            return {"unnamed": shown}  # the weights that it drew are there; others are drawn by the default
        raise ValueError(
            f"Expected a function that a file may name at {here!r}, with arguments by name, got {shown}. Define it at "
            'the top of a module and register it: `@cx.register("my_lab.name")`.'
        )

    def edges(self, path: str, edges: Edges) -> dict[str, Any]:
        """Describe the edges of a sparse synapse."""
        for end in ("source", "target"):
            self.tensors[_join(path, end)] = getattr(edges, end)
            self.decided.add(_join(path, end))
        return {"tensor": list(edges.source.shape), "neurons": list(edges.neurons), "otherwise": edges.otherwise}

    def tensor(self, owner: nn.Module, path: str, key: str, value: Tensor) -> Any:
        """Describe a tensor that a thing is made with."""
        start = self.moved.get(id(owner), {}).get(key)
        if start is not None:
            self.decided.discard(_join(path, key))
            return {"learned": list(value.shape), "start": self.start(path, key, start)}
        kept = f"log_{key}" if f"log_{key}" in owner._parameters else key
        address = _join(path, kept)
        if kept in owner._parameters:
            self.decided.discard(address)
            self.tensors[address] = owner._parameters[kept]  # pyright: ignore[reportArgumentType]
            return {"trainable": self.reference(owner, key, value)}
        number = self.number(owner, key, value)
        if number is not None:
            return number
        self.tensors[address] = value
        return self.reference(owner, key, value)

    def start(self, path: str, key: str, value: Tensor) -> Any:
        """Describe where a constant began that has moved since."""
        if bool((value == value.flatten()[0]).all()):
            return shortest(value.flatten()[0])
        self.tensors[_join(path, f"{key}.start")] = value
        return {"tensor": list(value.shape), "otherwise": value.double().mean().item()}

    def number(self, owner: nn.Module, key: str, value: Tensor) -> Any:
        """Return a constant as a number, or as one for each adaptation current, where it can be read back exactly."""
        rows = isinstance(owner, AELIF) and key in ("tau_w", "a", "b")
        if value.dtype != self.dtype or value.dim() != 1 or not (rows or len(value) == 1):
            return None
        return shortest(value[0]) if len(value) == 1 else [shortest(each) for each in value]

    def reference(self, owner: nn.Module, key: str, value: Tensor) -> dict[str, Any]:
        """Return what stands for a tensor, with what replaces it where it does not fit."""
        found: dict[str, Any] = {"tensor": list(value.shape)}
        value = value.detach()
        if isinstance(owner, AELIF) and key in ("tau_w", "a", "b") and value.dim() > 1:
            found["otherwise"] = value.double().flatten(1).mean(1).tolist()
        elif value.dtype == torch.bool:
            found["otherwise"] = None
        elif isinstance(owner, Synapse | Connection):
            found["otherwise"] = round(value.double().mean().item()) if value.numel() else 0
        elif value.numel() == 1 or (self.shape is not None and broadcasts(value.shape, self.shape)):
            found["otherwise"] = value.double().mean().item()
        return found


def _moved(population: Population) -> dict[str, Tensor]:
    """Return the neurons' constants that behaviors move, each with where it began."""
    found: dict[str, Tensor] = {}
    for _, behavior in population._named_behaviors():
        if behavior.moves is not None:
            name, value = behavior.moves
            argument = "v_peak" if isinstance(population.neuron, Izhikevich) and name == "v_threshold" else str(name)
            found.setdefault(argument, value)
    return found


def broadcasts(shape: torch.Size, onto: torch.Size) -> bool:
    """Whether a tensor has a value for each neuron, or the same for some."""
    ends = zip(reversed(shape), reversed(onto), strict=False)
    return len(shape) <= len(onto) and all(own in (1, axis) for own, axis in ends)
