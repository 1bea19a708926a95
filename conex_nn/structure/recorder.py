"""Recording in a network: who listens to what, and how little of a run changes for it."""

import fnmatch
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.neurons.threshold import MembraneNeuron
from conex_nn.structure.addresses import resolve
from conex_nn.structure.connection import Connection
from conex_nn.structure.events import Events
from conex_nn.structure.listeners import WeightWatch, join
from conex_nn.structure.population import Population, Source
from conex_nn.structure.recording import Recording, nearest
from conex_nn.structure.sampler import Sampler
from conex_nn.structure.spiking import emits_spikes
from conex_nn.structure.synapsis import Synapsis
from conex_nn.structure.variables import Variables, variables_of
from conex_nn.structure.where import Where, neurons_at

__all__ = ["in_backward", "recording_of"]

Function = Callable[[Mapping[str, Tensor]], Tensor]
"""Makes a tensor of the variables of a step."""


def in_backward() -> bool:
    """Return whether autograd runs: what is checkpointed is then computed again, and must not be recorded again.

    Example:
        >>> in_backward()
        False
    """
    return torch._C._current_graph_task_id() >= 0


@contextmanager
def recording_of(
    net: Any,
    asked: Mapping[str, Sequence[str | Mapping[str, Function]]],
    *,
    every: int,
    last: int | None,
    where: Where | int | None,
    detach: bool,
    events: bool = False,
) -> Iterator[Recording]:
    """Record variables of a network while the block runs: see ``Neocortex.record``.

    Args:
        net: The network.
        asked: Variables, or functions of them by name, by the address of populations, connections or behaviors.
        every: Keep the first of so many steps [1].
        last: Keep the last so many of these [1].
        where: Which neurons.
        detach: Keep the values only.
        events: Keep spikes as events.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(4))
        >>> options = {"every": 1, "last": None, "where": None, "detach": True}
        >>> with recording_of(net, {"retina": ["spikes"]}, **options) as rec:
        ...     _ = net(torch.ones(3, 1, 4))
        >>> rec["retina.sensory.spikes"].shape
        torch.Size([3, 1, 4])
    """
    watches: list[tuple[Any, ...]] = []
    variables: dict[str, str] = {}
    for address, names in asked.items():
        wanted, functions = _names(names)
        if events and last is not None and "spikes" in wanted:
            raise ValueError(f"Expected no `last` where spikes are kept as `events`, all of them, got {last}.")
        targets, prefix, exact = _targets(net, address)
        wanted = [prefix + name for name in wanted]
        looks = {path: _looks(module) for path, module in targets.items()}
        _check_names(address, wanted, looks, exact=exact)
        for path, module in targets.items():
            own = () if isinstance(module, Source) and not exact else functions
            silent = events and not exact and not emits_spikes(module)
            chosen = [name for name in wanted if name in looks[path] and not (silent and name == "spikes")]
            chosen = [name for name in (*chosen, *own) if f"{path}.{name}" not in variables]
            if chosen:
                watches.append((path, module, looks[path], chosen, functions))
                variables |= {f"{path}.{name}": name for name in chosen}
    recording = Recording(variables, every=every, last=last)
    with ExitStack() as stack:
        for path, module, looks, names, functions in watches:
            watch = _OfConnection if isinstance(module, Connection) else _OfPopulation
            watch(recording, path, module, looks, names, functions, where, detach, events).listen(net, stack)
        yield recording


def _names(names: Sequence[str | Mapping[str, Function]]) -> tuple[list[str], dict[str, Function]]:
    """Return the names of variables, and the functions of them by name."""
    functions: dict[str, Function] = {}
    for given in names:
        if isinstance(given, Mapping) and all(callable(function) for function in given.values()):
            functions |= given
        elif not isinstance(given, str):
            raise TypeError(f"Expected names of variables, or functions of them by name, got {given!r}.")
    wanted = [name for name in names if isinstance(name, str)]
    if not wanted and not functions:
        raise ValueError("Expected at least one variable to record, such as 'spikes', got none.")
    if twice := [name for name in functions if name in wanted]:
        raise ValueError(f"Expected a function by a name that no variable asked for has, got {twice[0]!r} twice.")
    return list(dict.fromkeys(wanted)), functions


def _targets(net: Any, address: str) -> tuple[dict[str, Any], str, bool]:
    """Return populations and connections by address, what to put before names, and whether one was meant exactly."""
    populations, connections = net.populations(), net.all_connections()
    for found in (populations, connections):
        if address in found:
            return {address: found[address]}, "", True
    for path, population in populations.items():
        behaviors = dict(population._named_behaviors()) if isinstance(population, Population) else {}
        if (name := address.removeprefix(f"{path}.")) in behaviors:
            return {path: population}, f"{name}.", True
    everything = {**populations, **connections}
    if inside := resolve(net, address, strict=False):
        return {path: everything[path] for path in inside}, "", False
    matching = {
        path: module
        for path, module in net.named_modules()
        if path and (fnmatch.fnmatchcase(path, address) or address in getattr(module, "tags", ()))
    }
    groups = tuple(f"{path}." for path, module in matching.items() if isinstance(module, Synapsis))
    found = {path: module for path, module in everything.items() if path in matching or path.startswith(groups or "?")}
    if not found:
        ports = [f"{path}.{port}".strip(".") for path, m in net.named_modules() for port in getattr(m, "ports", ())]
        raise ValueError(
            f"Expected the address of a population, a connection or a behavior, or a pattern or tag of such, got "
            f"{address!r}.{nearest(address, [*everything, *ports])}"
        )
    return found, "", False


def _looks(module: Any) -> dict[str, Any]:
    """Return the variables of a population or a connection, by name."""
    if isinstance(module, Population):
        return variables_of(module)
    return dict.fromkeys(("spikes", "output") if isinstance(module, Source) else _of_connection(module))


def _of_connection(connection: Connection) -> tuple[str, ...]:
    return ("current",) if connection.weight is None else ("current", "weight")


def _check_names(address: str, wanted: list[str], looks: Mapping[str, Mapping[str, Any]], *, exact: bool) -> None:
    """Raise for a variable that nobody has."""
    known = list(dict.fromkeys(name for found in looks.values() for name in found))
    for name in wanted:
        if name not in known:
            where = repr(address) if exact or len(looks) == 1 else f"{address!r} ({', '.join(list(looks)[:5])})"
            raise ValueError(f"Expected a variable of {where}, got {name!r}.{nearest(name, known)}")


class _Watch(ABC):
    """Watches one population or connection."""

    def __init__(
        self,
        recording: Any,  # a Recording, which a checker of types would look into before there is anything
        path: str,
        module: Any,
        looks: Mapping[str, Any],
        names: Sequence[str],
        functions: Mapping[str, Function],
        where: Where | int | None,
        detach: bool,
        events: bool,
    ) -> None:
        self.recording, self.path, self.module, self.looks = recording, path, module, looks
        self.names, self.functions, self.detach, self.events = list(names), functions, detach, events
        of: Any = module.synapse.target_shape if isinstance(module, Connection) else module.shape
        self.shape = torch.Size(of)
        self.neurons = None if where is None else neurons_at(where, self.shape, path)
        self.as_many = isinstance(where, int)

    def watch(self, seen: Any) -> None:
        """Look at a step of a population or a block of currents."""
        if not in_backward():
            # What is computed here leaves nothing for a backward pass to save, or checkpoints would miss it.
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach):
                self.look(seen)

    @abstractmethod
    def look(self, seen: Any) -> None:
        """Keep what was asked for."""

    def key(self, name: str) -> str:
        return f"{self.path}.{name}"

    def select(self, values: Tensor) -> Tensor:
        """Return the values of the neurons that were asked for."""
        values = values.detach() if self.detach else values
        if self.neurons is None or not self.of_neurons(values):
            return values
        return values.flatten(values.dim() - len(self.shape))[..., self.neurons.to(values.device)]

    def of_neurons(self, values: Tensor) -> bool:
        """Whether values are of neurons: a constant that all share is not."""
        return values.dim() >= len(self.shape) and values.shape[values.dim() - len(self.shape) :] == self.shape

    def layout(self, values: Tensor, *, time: int = 0) -> dict[str, Any]:
        """Return how what is selected of values is laid out."""
        if not self.of_neurons(values):
            return {"axes": values.dim() - time}
        axes = len(self.shape) if self.neurons is None else 1
        return {"axes": axes, "neurons": self.neurons, "shape": self.shape}


class _OfPopulation(_Watch):
    """Watches a population: its spikes as they pass the axon, all else step by step."""

    def listen(self, net: Any, stack: ExitStack) -> None:
        self.steps = 0
        of_output = [name for name in self.names if name in ("spikes", "output") and name not in self.functions]
        of_step = [name for name in self.names if name not in of_output]
        self.of_events = [name for name in of_output if name == "spikes" and self.events]
        self.of_axon = [name for name in of_output if name not in self.of_events]
        if isinstance(self.module, Source) and self.functions:
            raise ValueError(f"Expected functions of the variables of populations, got input at {self.path!r}.")
        if self.of_events and not emits_spikes(self.module):
            raise ValueError(
                f"Expected a population that spikes, to keep its spikes as events, got {self.path!r} of "
                f"{type(self.module.neuron).__name__}, which does not. Record its 'output'."
            )
        self.entries: dict[str, deque[Tensor]] = {name: deque(maxlen=self.recording.last) for name in of_step}
        self.layouts: dict[str, dict[str, Any]] = {}
        if self.of_events:
            join(net._spike_listeners, self.path, self.hear, stack)
        if self.samples(of_step):
            sampler = Sampler(len(self.shape), self.neurons, self.kept, self.sample)
            join(net._samplers, self.path, sampler, stack)
            of_step, self.entries = [], {}
        if of_step:
            join(net._observers, self.path, self.watch, stack)
            join(net._starters, "", self.forget, stack)
        if of_step or self.of_axon:
            stack.callback(self.module.axon.register_forward_hook(self.flush).remove)

    def hear(self, spikes: Tensor | Events, dt: float) -> None:
        """Keep the spikes of a stretch of time as events, of whatever kind they come."""
        if in_backward():
            return
        if isinstance(spikes, Tensor):
            layout = self.layout(spikes, time=1)
            heard = Events.of(self.select(spikes), axes=layout["axes"], dt=dt, shape=self.shape, neurons=self.neurons)
        else:
            heard = spikes if self.neurons is None else spikes.only(self.neurons)
        self.recording.put_events(self.key("spikes"), heard)

    def samples(self, names: list[str]) -> bool:
        """Whether the potential is all that is wanted of the steps, which a run by events can give too."""
        own = isinstance(getattr(self.module, "neuron", None), MembraneNeuron)
        return names == ["v"] and not self.functions and self.detach and own

    def kept(self, steps: int) -> range:
        """Return after which of so many coming steps the potential is kept."""
        return self.recording.kept(self.key("v"), steps)

    def sample(self, v: Tensor, steps: int) -> None:
        """Keep the potentials of a stretch of time."""
        if in_backward():
            return
        layout = {"axes": 1, "neurons": self.neurons, "shape": self.shape}
        if self.neurons is None:
            v, layout["axes"] = v.unflatten(-1, self.shape), len(self.shape)
        last = self.recording.last
        self.recording.put(self.key("v"), v if last is None else v[-last:].clone(), steps=steps, **layout)

    def forget(self) -> None:
        """Forget the steps of a run that came to no end."""
        self.steps = 0
        for entries in self.entries.values():
            entries.clear()

    def look(self, seen: Mapping[str, Any]) -> None:
        variables = Variables(self.looks, seen)
        self.steps += 1
        for name, entries in self.entries.items():
            if self.steps - 1 in self.recording.kept(self.key(name), self.steps):
                values = self.functions[name](variables) if name in self.functions else variables[name]
                entries.append(self.select(values))
                self.layouts[name] = self.layout(values)

    def flush(self, _: nn.Module, __: Any, spikes: Tensor) -> None:
        if in_backward():
            return
        for name, entries in self.entries.items():
            stacked = torch.stack(list(entries)) if entries else None
            self.recording.put(self.key(name), stacked, steps=self.steps, **self.layouts.get(name, {}))
        self.forget()
        for name in self.of_axon:
            values = self.select(spikes)
            if isinstance(self.module, Source) and self.neurons is None:
                values = values.clone()  # whose memory is the caller's
            self.recording.append(self.key(name), values, **self.layout(spikes, time=1))


class _OfConnection(_Watch):
    """Watches a connection: every block of currents that it delivers, and the weights in force then."""

    def listen(self, net: Any, stack: ExitStack) -> None:
        self.weight: Tensor | None = None
        if self.neurons is not None and not self.as_many and "weight" in self.names:
            raise ValueError(f"Expected `where` for values of neurons, got the weight of {self.path!r}.")
        weight_alone = self.names == ["weight"] and not self.functions and self.detach
        join(net._listeners, self.path, _OfWeight(self) if weight_alone else self.watch, stack)

    def look(self, current: Tensor) -> None:
        for name in self.names:
            key, steps = self.key(name), len(current)
            kept = self.recording.kept(key, steps)
            if name == "current" and name not in self.functions:
                self.recording.append(key, self.select(current), **self.layout(current, time=1))
            elif name == "weight" and name not in self.functions:
                # To look at it where it is not kept would cost more than a step of a small network.
                self.put_weight(self.in_force() if kept else None, steps)
            else:
                shown = (
                    {"current": current[t], **({"weight": self.in_force()} if len(self.looks) > 1 else {})}
                    for t in kept
                )
                values = [self.functions[name](variables) for variables in shown]
                stacked = torch.stack([self.select(value) for value in values]) if values else None
                layout = self.layout(values[0]) if values else {}
                self.recording.put(key, stacked, steps=steps, **layout)

    def put_weight(self, weight: Tensor | None, steps: int) -> None:
        """Keep a weight that stays the same for some steps; None where none of these is kept."""
        key = self.key("weight")
        kept = len(self.recording.kept(key, steps))
        entries = None if weight is None else weight.expand(kept, *weight.shape)
        self.recording.put(key, entries, steps=steps, axes=self.module.weight.dim())

    def in_force(self) -> Tensor:
        """Return the weights in force, in the same memory while they stay the same."""
        weight: Any = self.module.weight
        if not self.detach:
            return weight.clone()
        if self.weight is None or not torch.equal(self.weight, weight):
            self.weight = weight.detach().clone()
        return self.weight  # pyright: ignore[reportReturnType]


class _OfWeight(WeightWatch):
    """Watches the weight of a connection alone, which a run by events stops for."""

    def __init__(self, watch: _OfConnection) -> None:
        self.watch, self.key = watch, watch.key("weight")

    @override
    def until_next(self) -> int:
        every = self.watch.recording.every
        return self.watch.recording.kept(self.key, every)[0] or every

    @override
    def due(self) -> Tensor | None:
        return self.watch.in_force() if self.watch.recording.kept(self.key, 1) else None

    @override
    def keep(self, weight: Tensor | None, steps: int) -> None:
        if not in_backward():
            self.watch.put_weight(weight, steps)

    @override
    def __call__(self, current: Tensor) -> None:
        self.watch.watch(current)
