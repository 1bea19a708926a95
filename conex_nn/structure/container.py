"""A container: named parts, connections among them, and ports through which others reach them."""

import copy
import fnmatch
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity import Rule
from conex_nn.structure.addresses import nearest, population_paths, resolve
from conex_nn.structure.connection import Connection
from conex_nn.structure.fit import check_conductance, check_excitatory, check_fit, check_magnitudes, opens_conductance
from conex_nn.structure.population import Population, Source
from conex_nn.structure.storable import Storable
from conex_nn.structure.synapsis import Synapsis
from conex_nn.synapses import Distribution

__all__ = ["Container"]

_This = TypeVar("_This", bound="Container")


class Container(Storable):
    """Populations and containers by name, connections among them, and ports.

    Args:
        parts: Populations and containers, by name.
        tags: Names by which it can be found.

    Example:
        >>> import conex_nn as cx
        >>> layer = Container({"exc": cx.Population(8, cx.LIF()), "inh": cx.Population(2, cx.LIF(), inhibitory=True)})
        >>> synapsis = layer.connect("exc", "inh", cx.Dense)
        >>> synapsis.only.synapse.weight.shape, list(layer.find(cx.Population))
        (torch.Size([2, 8]), ['exc', 'inh'])
    """

    stands_for: tuple[str, ...] | None = None
    """Parts that a connection to the container itself reaches; None for all."""

    def __init__(self, parts: dict[str, nn.Module] | None = None, *, tags: Sequence[str] = ()) -> None:
        super().__init__()
        self.tags = (tags,) if isinstance(tags, str) else tuple(tags)
        self.ports: dict[str, tuple[str, ...]] = {}
        self._late: list[tuple[Any, ...]] = []
        self.connections = nn.ModuleDict()
        for name, part in (parts or {}).items():
            self.add(name, part)

    def add(self: _This, name: str, part: nn.Module) -> _This:
        """Put a population or a container in.

        Args:
            name: Its name here, without dots.
            part: The population or container.

        Raises:
            TypeError: It is neither.
            ValueError: The name is taken or cannot be one, or the part is in another container already.
        """
        if not isinstance(part, Population | Source | Container):
            raise TypeError(f"Expected `{name}` to be a population or a container, got {type(part).__name__}.")
        if name in self._modules or name in self.ports:
            raise ValueError(f"Expected a name that is free in this {type(self).__name__}, got {name!r} twice.")
        if not name.isidentifier() or name.startswith("_") or hasattr(self, name):
            raise ValueError(
                f"Expected a part's name to be an identifier that {type(self).__name__} does not use, got {name!r}."
            )
        here = {id(module): path for path, module in self.parts().items()}
        for path, module in {"": part, **(part.parts() if isinstance(part, Container) else {})}.items():
            if id(module) in here:
                raise ValueError(
                    f"Expected each part to be in a network once, got {here[id(module)]!r} again as "
                    f"{f'{name}.{path}'.strip('.')!r}. Use `replicate()` for another of its kind."
                )
        self.add_module(name, part)
        self._bind()
        return self

    def _bind(self) -> None:
        """Make the late connections whose ends are there now."""
        for late in self._late[:]:
            if all(resolve(self, end, strict=False) for end in late[:2]):
                self._connect(*late)
                self._late = [other for other in self._late if other is not late]

    def parts(self) -> dict[str, nn.Module]:
        """Return all populations and containers within, by address."""
        found: dict[str, nn.Module] = {}
        for name, part in self._modules.items():
            if isinstance(part, Population | Source | Container):
                found[name] = part
                if isinstance(part, Container):
                    found |= {f"{name}.{path}": module for path, module in part.parts().items()}
        return found

    def populations(self) -> "dict[str, Population | Source]":
        """Return all populations within, by address."""
        return {path: module for path, module in self.parts().items() if isinstance(module, Population | Source)}

    def all_connections(self) -> dict[str, Connection]:
        """Return all connections within, by address."""
        found: dict[str, Connection] = {}
        for path, container in [("", self), *self.parts().items()]:
            if isinstance(container, Container):
                for group, synapsis in container.connections._modules.items():
                    for name, connection in synapsis._modules.items():  # pyright: ignore[reportOptionalMemberAccess]
                        found[f"{path}.connections.{group}.{name}".strip(".")] = connection  # pyright: ignore[reportArgumentType]
        return found

    def port(self: _This, name: str, *targets: str) -> _This:
        """Name a way in or out: connections to the port reach every population behind it.

        Args:
            name: The port's name.
            targets: Addresses, from here, of populations, containers or their ports.

        Raises:
            ValueError: The name is taken, there is no target, or one does not exist.

        Example:
            >>> import conex_nn as cx
            >>> layer = Container({"exc": cx.Population(8, cx.LIF())}).port("input", "exc")
            >>> layer.ports
            {'input': ('exc',)}
        """
        if not targets:
            raise ValueError(f"Expected port {name!r} to lead to one population at least, got none.")
        if name in self._modules or name in self.ports or not name.isidentifier():
            raise ValueError(f"Expected a port's name to be a free identifier, got {name!r}.")
        for target in targets:
            population_paths(self, target)
        self.ports[name] = targets
        self._bind()
        return self

    def connect(
        self,
        source: "str | nn.Module",
        target: "str | nn.Module",
        synapse: Callable[..., nn.Module] | nn.Module,
        *,
        compartment: str = "proximal",
        latency: int = 1,
        axon_delay: int | Tensor = 0,
        dendrite_delay: int | Tensor = 0,
        gain: float = 1.0,
        inhibitory: bool | None = None,
        rule: Rule | None = None,
        when: Literal["sequence", "step"] = "sequence",
        into: Literal["weight", "grad"] = "weight",
        gradient: bool | None = None,
        differentiable: bool = False,
        name: str | None = None,
        late: bool = False,
        tags: Sequence[str] = (),
        **options: Any,
    ) -> Synapsis | None:
        """Connect populations, ports or whole containers: every population of one side to every one of the other.

        A spike at t reaches the membrane at ``t + latency + axon_delay + dendrite_delay``.

        Args:
            source: What sends: an address from here, or the part itself.
            target: What receives, likewise.
            synapse: A class of :mod:`conex_nn.synapses` or your own, made as ``synapse(source_shape, target_shape,
                **options)`` for each pair; or, for one pair, a synapse.
            compartment: Where the current arrives.
            latency: Delay that all spikes share [1].
            axon_delay: Further delay of each source neuron: a whole number of steps, or a tensor of them [1].
            dendrite_delay: Further delay of each target neuron, likewise [1].
            gain: Factor of the current [1].
            inhibitory: Whether the current is negative; None for what the source is.
            rule: How the weight learns by itself, in ``train()``: a rule or a chain; the first connection takes it, all
                others a copy.
            when: The weight changes after every ``"step"``, or once after a ``"sequence"``.
            into: The change goes into the ``"weight"``, or into its gradient (``"grad"``).
            gradient: Whether the weight is trained by gradient; None for where no rule changes it.
            differentiable: Let gradients pass through what the rule does.
            name: What to call the connections; default ``<source>_to_<target>``.
            late: Wait for ends that do not exist yet.
            tags: Names by which the connections can be found.
            options: What the synapse is made with.

        Returns:
            The connections made; None while they wait.

        Raises:
            ValueError: An end or a compartment that does not exist, shapes that do not fit, a delay out of range, a
                name that is taken, negative weights of an inhibitory source.
            TypeError: An option that the synapse does not know.

        Example:
            >>> import conex_nn as cx
            >>> net = Container({"a": cx.Population(4, cx.LIF()), "b": cx.Population(2, cx.LIF())})
            >>> net.connect("a", "b", cx.Sparse, in_degree=2, latency=3).only.synapse
            Sparse(4 -> 2, 4 weights)
        """
        arguments = {
            "compartment": compartment, "latency": latency, "axon_delay": axon_delay, "dendrite_delay": dendrite_delay,
            "gain": gain, "rule": rule, "when": when, "into": into, "gradient": gradient, "tags": tags,
            "differentiable": differentiable,
        }  # fmt: skip
        call = (self._address(source), self._address(target), synapse, inhibitory, name, arguments, options)
        if late and not all(resolve(self, end, strict=False) for end in call[:2]):
            self._late.append(call)
            return None
        return self._connect(*call)

    def _connect(
        self,
        source: str,
        target: str,
        synapse: Callable[..., nn.Module] | nn.Module,
        inhibitory: bool | None,
        name: str | None,
        arguments: dict[str, Any],
        options: dict[str, Any],
    ) -> Synapsis:
        pairs = [(s, t) for s in population_paths(self, source) for t in population_paths(self, target)]
        if isinstance(synapse, nn.Module) and (len(pairs) > 1 or options):
            raise ValueError(
                f"Expected a synapse's class, to make one for each of {len(pairs)} pairs with its options, got a "
                f"{type(synapse).__name__} already made."
            )
        made = {}
        for s, t in pairs:
            sender, receiver = self.get_submodule(s), self.get_submodule(t)
            if not isinstance(receiver, Population):
                raise ValueError(f"Expected a target that takes currents, got {t!r}, through which input enters.")
            compartment, known = arguments["compartment"], receiver.dendrite.names
            if compartment not in known:
                raise ValueError(
                    f"Expected `compartment` to be one of {', '.join(known)} of {t!r}, got {compartment!r}."
                    f"{nearest(compartment, known)}"
                )
            made_synapse = (
                synapse if isinstance(synapse, nn.Module) else _make(synapse, s, t, sender, receiver, options)
            )
            check_fit(made_synapse, s, t, sender, receiver)
            negative = bool(sender.inhibitory if inhibitory is None else inhibitory)
            given = options.get("weight") is not None or isinstance(synapse, nn.Module)
            if opens := opens_conductance(receiver, compartment):
                check_conductance(made_synapse if given else None, compartment, receiver, source=s, inhibitory=negative)
            elif negative and given:
                check_magnitudes(made_synapse, s)
            elif isinstance(options.get("weight"), int | float | Distribution):
                check_excitatory(made_synapse, s)
            key = _free_key(_pair_name(s, t), made)
            own = {"rule": _own(arguments["rule"])}
            made[key] = Connection(made_synapse, s, t, inhibitory=negative, conductance=opens, **{**arguments, **own})
        synapsis = Synapsis(made)
        self.connections[self._free_name(name, _pair_name(source or "self", target or "self"))] = synapsis
        return synapsis

    def _free_name(self, name: str | None, default: str) -> str:
        if name is not None:
            if name == "connections" or hasattr(self.connections, name) or not name.isidentifier():
                raise ValueError(f"Expected `name` to be an identifier that no connection here has, got {name!r}.")
            return name
        return _free_key(default, self.connections)

    def _address(self, part: "str | nn.Module") -> str:
        if isinstance(part, str):
            return part
        if part is self:
            return ""
        path = next((path for path, module in self.named_modules() if module is part), None)
        if path is None:
            raise ValueError(
                f"Expected a part of this {type(self).__name__}, got a {type(part).__name__} that is not in it. "
                "Connections do not lead from one network into another: put both in one container."
            )
        return path

    def find(self, what: "str | type", /) -> dict[str, nn.Module]:
        """Return the parts, connections, synapses, neurons and behaviors that match, by address.

        Args:
            what: A tag, a pattern of addresses such as ``"*.exc"``, an address or port, or a type.

        Example:
            >>> import conex_nn as cx
            >>> layer = Container({"a": cx.Population(8, cx.LIF(), tags=["deep"]), "b": cx.Population(2, cx.LIF())})
            >>> list(layer.find("deep")), list(layer.find(cx.LIF))
            (['a'], ['a.neuron', 'b.neuron'])
        """
        if isinstance(what, type):
            return {path: module for path, module in self.named_modules() if path and isinstance(module, what)}
        found: dict[str, nn.Module] = {
            path: module
            for path, module in self.named_modules()
            if path and (fnmatch.fnmatchcase(path, what) or what in getattr(module, "tags", ()))
        }
        return found or {path: self.get_submodule(path) for path in resolve(self, what, strict=False)}  # of a port

    def __getitem__(self, address: str) -> nn.Module:
        """Return what lies at an address, ``net["v1.l4.exc"]``."""
        try:
            return self.get_submodule(address)
        except AttributeError:
            known = [path for path, _ in self.named_modules() if path]
            raise KeyError(f"There is nothing at {address!r}.{nearest(address, known)}") from None

    def switch(self, what: "str | type", /, *, on: bool) -> list[str]:
        """Switch behaviors, connections and input populations on or off.

        What is off does nothing: a behavior is left out of the step, a connection delivers no current, an input
        population emits nothing.

        Args:
            what: A tag, a pattern of addresses, or a type; see :meth:`find`.
            on: Whether they shall be on.

        Returns:
            Addresses of what was switched.

        Raises:
            ValueError: Nothing that can be switched matches.

        Example:
            >>> import conex_nn as cx
            >>> layer = Container({"a": cx.Population(8, cx.LIF(), winners=cx.KWinners(2))})
            >>> layer.switch("a.winners", on=False)
            ['a.winners']
        """
        able = (each for each in self.find(what).items() if hasattr(each[1], "enabled"))
        found = {path: module for path, module in able if not isinstance(module, Synapsis)}
        found |= {
            path: connection
            for path, connection in self.all_connections().items()
            if any(path.startswith(f"{group}.") for group in self.find(what) if isinstance(self[group], Synapsis))
        }
        if not found:
            known = [path for path, module in self.named_modules() if hasattr(module, "enabled")]
            cells = " Populations are silenced by their connections." if self.find(what) else ""
            raise ValueError(
                f"Expected something that can be switched (a behavior, a connection, an input population), got "
                f"{what!r}.{cells}{nearest(str(what), known)}"
            )
        for module in found.values():
            module.enabled = on  # pyright: ignore[reportArgumentType]
        return list(found)

    @override
    def __repr__(self) -> str:
        from conex_nn.structure.summary import describe

        return describe(self)


def _own(rule: Any) -> Any:
    """Return a rule, or a copy where a connection has it already."""
    if not isinstance(rule, Rule):
        return rule
    rule = copy.deepcopy(rule) if getattr(rule, "_taken", False) else rule
    rule._taken = True  # pyright: ignore[reportArgumentType]
    return rule


def _pair_name(source: str, target: str) -> str:
    return f"{source.replace('.', '_')}_to_{target.replace('.', '_')}"


def _free_key(name: str, taken: Mapping[str, Any] | nn.ModuleDict) -> str:
    """Return a name, with a number after it where it is taken."""
    count = 1
    while (free := name if count == 1 else f"{name}_{count}") in taken:
        count += 1
    return free


def _make(
    synapse: Callable[..., nn.Module], s: str, t: str, sender: Any, receiver: Any, options: dict[str, Any]
) -> nn.Module:
    """Make the synapse of a pair."""
    known = _options_of(synapse)
    if known is not None and (unknown := [name for name in options if name not in known]):
        near = nearest(unknown[0], [*known, *inspect.signature(Container.connect).parameters])
        name, takes = getattr(synapse, "__name__", synapse), ", ".join(known) or "which takes none"
        raise TypeError(
            f"Expected options of `connect` or of {name} ({takes}), got {', '.join(map(repr, unknown))}.{near}"
        )
    try:
        return synapse(sender.shape, receiver.shape, **options)
    except ValueError as error:
        raise ValueError(
            f"Cannot connect {s!r} {tuple(sender.shape)} to {t!r} {tuple(receiver.shape)}: {error}"
        ) from error


def _options_of(synapse: Callable[..., nn.Module]) -> list[str] | None:
    """Return the options that a synapse's class takes, or None where it takes any."""
    parameters = list(inspect.signature(synapse).parameters.values())
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p.name for p in parameters[2:]] if inspect.isclass(synapse) else [p.name for p in parameters]
