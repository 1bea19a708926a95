"""From a tree of plain values, as JSON holds them, and tensors to a structure: the way back of `describe`."""

import inspect
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.functional.grid import population_shape
from conex_nn.structure.addresses import nearest
from conex_nn.structure.arguments import options_of, parameters_of
from conex_nn.structure.connection import Connection
from conex_nn.structure.container import Container
from conex_nn.structure.decode import Decoder, join, only, shown
from conex_nn.structure.describe import PARTS, broadcasts
from conex_nn.structure.fit import opens_conductance
from conex_nn.structure.input_layer import InputLayer
from conex_nn.structure.population import Population, Source
from conex_nn.structure.registry import Names
from conex_nn.structure.synapsis import Synapsis
from conex_nn.structure.weight_shapes import has_shape, weight_shape
from conex_nn.synapses import Sparse, Synapse

__all__ = ["Builder", "require_memory"]

_WIRED = ("source_shape", "target_shape", "weight", "generator", "device")  # what a file does not say of a synapse
_INSIDE = ("parts", "ports", "connections")


class Builder(Decoder):
    """Makes a structure.

    Args:
        names: Finds classes and functions by name.
        tensors: Tensors by address.
        given: Addresses of weights that will be loaded, which need not be drawn.
        sketch: Make only populations, and of synapses find the shapes of their weights.

    Example:
        >>> from conex_nn.structure.registry import REGISTERED
        >>> Builder(REGISTERED, {}).module({"class": "conex_nn.KWinners", "k": 3}, "v1.winners")
        KWinners(k=3)
    """

    def __init__(
        self,
        names: Names,
        tensors: Mapping[str, Tensor],
        *,
        given: Collection[str] = (),
        sketch: bool = False,
    ) -> None:
        super().__init__(names, tensors)
        self.given, self.sketch = given, sketch
        self.made: dict[str, nn.Module] = {}
        """All that was made, by address."""
        self.weights: dict[str, torch.Size | None] = {}
        """Of a sketch, the shapes of weights by address of their synapse."""
        self.shapes: dict[str, torch.Size] = {}
        """Shapes of populations by address."""
        self.unseen: set[str] = set()
        """Addresses of synapses in a sketch whose tensors are unknown: those of a user's class."""
        self.stale: set[str] = set()
        """Addresses of weights that belong to edges which are drawn anew."""
        self._loose: dict[str, set[str]] = {}

    def unsure(self, address: str) -> bool:
        """Whether a sketch cannot say if there is a tensor at an address, since that is up to a user's class.

        Args:
            address: Of a tensor.
        """
        return any(_below(path, address) for path in self.unseen) or any(
            _below(path, address) and address.removeprefix(f"{path}.").split(".")[0] not in known
            for path, known in self._loose.items()
        )

    def module(self, tree: Any, path: str) -> Any:
        """Make a thing.

        Args:
            tree: What describes it.
            path: Its address.

        Raises:
            ValueError: The tree is none of a thing, names what is not in the registry, or its class refuses it.
        """
        if isinstance(tree, dict) and "same_as" in tree:
            only(tree, ("same_as",), path)
            if not isinstance(tree["same_as"], str) or tree["same_as"] not in {*self.made, *self.weights, *self.unseen}:
                raise ValueError(f"Expected `same_as` of {path!r} to be an address before it, got {tree['same_as']!r}.")
            return self.made.get(tree["same_as"])
        cls = self.class_of(tree, path)
        if issubclass(cls, Container):
            return self._container(cls, tree, path)
        if not issubclass(cls, Population | Source):
            arguments, options = self._arguments(cls, tree, path)
            return self._make(cls, path, (), arguments, options)
        shape = self.shapes[path] = self._within(path, population_shape, tree.get("shape"))
        if issubclass(cls, Population):
            require_memory(sum(size.numel() for size in self.shapes.values()) * torch.get_default_dtype().itemsize)
        with self.fitting(lambda key, own: broadcasts(own, shape)):
            arguments, options = self._arguments(cls, tree, path)
        return self._make(cls, path, (), arguments, options)

    def class_of(self, tree: Any, path: str) -> type[nn.Module]:
        """Return the class that a tree names.

        Args:
            tree: The tree.
            path: Its address.

        Raises:
            ValueError: It names none.
        """
        if not isinstance(tree, dict) or "class" not in tree:
            raise ValueError(f'Expected an object with a "class" at {_at(path)}, got {shown(tree)}.')
        try:
            cls = self.names.find(tree["class"])
        except ValueError as error:
            raise ValueError(f"{error} It is the class of {_at(path)}.") from None
        if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
            raise ValueError(f"Expected the name of a module's class at {_at(path)}, got {tree['class']!r}.")
        return cls

    def _arguments(
        self, cls: type, tree: dict[str, Any], path: str, *, without: tuple[str, ...] = ()
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the arguments that a tree gives to a class, and what is set afterwards."""
        parameters, options = parameters_of(cls), options_of(cls)
        known = [name for name in parameters if not (issubclass(cls, Synapse) and name in _WIRED)]
        if issubclass(cls, Container) or not _takes_any(cls):
            only(tree, ("class", *known, *options, *without), path)
        given = {key: value for key, value in tree.items() if key not in ("class", *without)}
        values = {key: self.value(value, path, key, cls) for key, value in given.items()}
        self.decided.update(join(path, name) for name in known if name not in values)  # they take their defaults
        return values, {key: values.pop(key) for key in options if key in values}

    def _make(
        self, cls: type[nn.Module], path: str, args: tuple[Any, ...], values: dict[str, Any], options: dict[str, Any]
    ) -> Any:
        """Call a class, and note what was made."""
        for name, parameter in parameters_of(cls).items():
            if parameter.kind is parameter.VAR_POSITIONAL:
                args = (*args, *values.pop(name, ()))
        try:
            module = cls(*args, **values)
        except Exception as error:  # of our classes a ValueError or TypeError, of a user's whatever it may be
            raise ValueError(f"Cannot make {_at(path)}, a {cls.__name__}: {error}") from error
        for name, value in options.items():
            _check_option(name, value, path)
            if getattr(module, name) != value:
                setattr(module, name, value)
        self.made[path] = module
        return module

    def _container(self, cls: type[Container], tree: dict[str, Any], path: str) -> Any:
        inside = {name: tree.get(name, {}) for name in _INSIDE}
        for name, value in inside.items():
            if not isinstance(value, dict):
                raise ValueError(f"Expected `{name}` of {_at(path)} by name, got {shown(value)}.")
        arguments, options = self._arguments(cls, tree, path, without=_INSIDE)
        parts = {name: self.module(part, join(path, name)) for name, part in inside["parts"].items()}
        container: Any = None
        if not cls.__module__.startswith("conex_nn."):
            self._loose[path] = {*parts, "connections"}
        if not self.sketch:
            container = self._with_parts(cls, arguments, options, parts, path)
            for name, targets in inside["ports"].items():
                if not isinstance(targets, list) or not all(isinstance(target, str) for target in targets):
                    raise ValueError(
                        f"Expected port {name!r} of {_at(path)} as a list of addresses, got {shown(targets)}."
                    )
                self._within(path, container.port, name, *targets)
        for name, group in inside["connections"].items():
            synapsis = self._synapsis(group, join(path, "connections", name), path)
            if not self.sketch:
                self._within(path, container.connections.add_module, name, synapsis)
        return container

    def _with_parts(
        self, cls: type[Container], arguments: dict[str, Any], options: dict[str, Any], parts: dict[str, Any], path: str
    ) -> Container:
        """Make a container with its parts; what its class makes by itself gives way to them."""
        parameters = inspect.signature(cls).parameters
        if cls is InputLayer:
            shapes = {name: part.shape for name, part in parts.items() if isinstance(part, Source)}
            if "sensory" not in shapes:
                raise ValueError(f"Expected a Source `sensory` in `parts` of {_at(path)}, an InputLayer.")
            arguments |= {"shape": shapes["sensory"], "location": shapes.get("location")}
        elif "parts" in parameters and not _takes_any(cls):
            arguments["parts"] = parts
        else:
            arguments |= {name: part for name, part in parts.items() if name in parameters or _takes_any(cls)}
        container: Container = self._make(cls, path, (), arguments, options)
        container.connections, container.ports = nn.ModuleDict(), {}
        for name in [name for name, part in container._modules.items() if isinstance(part, PARTS)]:
            del container._modules[name]
        for name, part in parts.items():
            self._within(path, container.add, name, part)
        return container

    def _synapsis(self, tree: Any, path: str, container: str) -> Any:
        cls = self.class_of(tree, path)
        if not issubclass(cls, Synapsis) or not isinstance(tree.get("connections"), dict):
            raise ValueError(f"Expected a Synapsis with `connections` by name at {_at(path)}, got {shown(tree)}.")
        only(tree, ("class", "connections"), path)
        made = {name: self._connection(each, join(path, name), container) for name, each in tree["connections"].items()}
        return None if self.sketch else self._make(cls, path, (), {"connections": made}, {})

    def _connection(self, tree: Any, path: str, container: str) -> Any:
        cls = self.class_of(tree, path)
        if not issubclass(cls, Connection):
            raise ValueError(f"Expected a Connection at {_at(path)}, got {tree['class']!r}.")
        ends = {end: self._end(tree, end, path, container) for end in ("source", "target")}
        source, target = (self.shapes[address] for address in ends.values())
        with self.fitting(lambda key, own: broadcasts(own, target if key == "dendrite_delay" else source)):
            arguments, options = self._arguments(cls, tree, path, without=("synapse",))
        arguments["synapse"] = self._synapse(tree.get("synapse"), join(path, "synapse"), source, target)
        receiver = self.made.get(ends["target"])
        if receiver is not None:
            if not isinstance(receiver, Population):
                raise ValueError(f"Expected `target` of {_at(path)} to be a Population, got {tree['target']!r}.")
            compartment, names = arguments.get("compartment", "proximal"), receiver.dendrite.names
            if compartment not in names:
                raise ValueError(
                    f"Expected `compartment` of {_at(path)} to be one of {', '.join(names)}, got {compartment!r}."
                    f"{nearest(str(compartment), names)}"
                )
            if bool(arguments.get("conductance")) != opens_conductance(receiver, compartment):
                raise ValueError(
                    f"Expected `conductance` of {_at(path)} to be {opens_conductance(receiver, compartment)}, as "
                    f"{compartment!r} of {tree['target']!r} has it, got {arguments.get('conductance', False)}."
                )
        return None if self.sketch else self._make(cls, path, (), arguments, options)

    def _end(self, tree: dict[str, Any], end: str, path: str, container: str) -> str:
        address = tree.get(end)
        if not isinstance(address, str) or join(container, address) not in self.shapes:
            begin = f"{container}." if container else ""
            known = [known.removeprefix(begin) for known in self.shapes if known.startswith(begin)]
            raise ValueError(
                f"Expected `{end}` of {_at(path)} to be the address of a population, got {address!r}."
                f"{nearest(str(address), known)}"
            )
        return join(container, address)

    def _synapse(self, tree: Any, path: str, source: torch.Size, target: torch.Size) -> Any:
        if isinstance(tree, dict) and "same_as" in tree:
            synapse = self.module(tree, path)
        else:
            synapse = self._new_synapse(self.class_of(tree, path), tree, path, source, target)
        for end, shape in (("source_shape", source), ("target_shape", target)):
            own = getattr(synapse, end, None)
            if synapse is not None and (own is None or torch.Size(own) != shape):
                got = None if own is None else tuple(own)
                raise ValueError(f"Expected `{end}` of {_at(path)} to be that of its end, {tuple(shape)}, got {got}.")
        return synapse

    def _new_synapse(self, cls: type, tree: dict[str, Any], path: str, source: torch.Size, target: torch.Size) -> Any:
        args = (source, target) if list(parameters_of(cls))[:2] == ["source_shape", "target_shape"] else ()
        pairs, edges = (source.numel(), target.numel()), {}
        if issubclass(cls, Sparse) and "edges" in tree:
            edges = self._edges(tree["edges"], path, pairs)
            tree = {key: value for key, value in tree.items() if key != "edges"}
            with self.fitting(lambda key, own: "edges" in edges):
                values, options = self._arguments(cls, tree, path)
        else:
            with self.fitting(lambda key, own: key != "mask" or tuple(own) == (pairs[1], pairs[0])):
                values, options = self._arguments(cls, tree, path)
        if self.sketch:
            if has_shape(cls):
                self.weights[path] = self._within(path, weight_shape, cls, source, target, {**values, **edges})
            else:
                self.unseen.add(path)
            return None
        init = values.get("init")
        if init is not None and not callable(init):
            raise ValueError(f"Expected `init` of {_at(path)} to name a function, got {shown(tree['init'])}.")
        spare = issubclass(cls, Synapse) and "init" in parameters_of(cls) and join(path, "weight") in self.given
        if spare:
            values["init"] = _leave_zeros  # nothing is drawn for what will be loaded
        synapse = self._make(cls, path, args, {**values, **edges}, options)
        if spare and synapse is not None:
            synapse.init = init
        return synapse

    def _edges(self, tree: Any, path: str, neurons: tuple[int, int]) -> dict[str, Any]:
        """Return the edges of a sparse synapse, or how many to draw."""
        here = join(path, "edges")
        if not isinstance(tree, dict) or not isinstance(tree.get("otherwise"), dict):
            raise ValueError(f"Expected `tensor`, `neurons` and `otherwise` at {here!r}, got {shown(tree)}.")
        only(tree, ("tensor", "neurons", "otherwise"), here)
        only(tree["otherwise"], ("density", "number", "in_degree", "out_degree"), here)
        addresses = [join(path, end) for end in ("source", "target")]
        self.used.update(addresses)
        self.decided.update(addresses)
        edges = tuple(self.tensors.get(address) for address in addresses)
        there = [edge for edge in edges if edge is not None and list(edge.shape) == tree.get("tensor")]
        if len(there) == 2 and list(neurons) == tree.get("neurons"):
            return {"edges": tuple(edge.clone() for edge in there)}
        why = "missing" if len(there) < 2 else f"between {tree.get('neurons')} neurons, not {list(neurons)}"
        self.changed[here] = f"{why}: drawn anew"
        self.stale.add(join(path, "weight"))
        return dict(tree["otherwise"])

    def _within(self, path: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function; an error says for which part of the file."""
        try:
            return function(*args)
        except Exception as error:
            raise ValueError(f"Cannot make {_at(path)}: {error}") from error


def require_memory(needed: int) -> None:
    """Raise where a structure is larger than the memory of this machine.

    Args:
        needed: Bytes that it takes at least [1].

    Raises:
        ValueError: It is.

    Example:
        >>> require_memory(1000)
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # no such thing on this system
        return
    if needed > memory:
        raise ValueError(
            f"Expected a structure that the memory of this machine holds, {memory / 2**30:.0f} GiB, got one of at "
            f"least {needed / 2**30:.0f} GiB. Make `shape` smaller."
        )


def _leave_zeros(weight: Tensor) -> None:
    """Draw nothing."""


def _at(path: str) -> str:
    return repr(path) if path else "the top"


def _below(path: str, address: str) -> bool:
    return not path or address == path or address.startswith(f"{path}.")


def _takes_any(cls: type) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(cls).parameters.values())


def _check_option(name: str, value: Any, path: str) -> None:
    if name == "tags" and not (isinstance(value, tuple) and all(isinstance(tag, str) for tag in value)):
        raise ValueError(f"Expected `tags` of {_at(path)} as a list of names, got {shown(value)}.")
    if name in ("enabled", "by_events") and not (isinstance(value, bool) or (value is None and name == "by_events")):
        raise ValueError(f"Expected `{name}` of {_at(path)} to be true or false, got {shown(value)}.")
    if name == "block" and value is not None and (type(value) is not int or value < 1):
        raise ValueError(f"Expected `block` of {_at(path)} to be a number of steps, got {shown(value)}.")
