"""From parts within parts to the flat graph that is run."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from conex_nn.structure.container import Container
from conex_nn.structure.engine import Network
from conex_nn.structure.graph import Edge, arrange

__all__ = ["flat"]


def flat(net: Any, before: tuple[Any, Network] | None = None) -> tuple[Any, Network]:
    """Return the flat graph of a network, and what it was made of.

    Args:
        net: The network.
        before: What this returned the last time, which is returned again where nothing has changed since.

    Raises:
        ValueError: A connection without a population at one of its ends, a population that is there twice, or a loop
            without delay.

    Example:
        >>> import conex_nn as cx
        >>> key, network = flat(cx.Neocortex(retina=cx.InputLayer(4)))
        >>> list(network.populations)
        ['retina.sensory']
    """
    for container in (net, *(part for part in net.parts().values() if isinstance(part, Container))):
        container._bind()
    populations, connections = net.populations(), net.all_connections()
    key = (tuple(populations.items()), tuple((path, c, c.delay, _plastic(c)) for path, c in connections.items()))
    if before is not None and before[0] == key:
        return before
    _check_late(net)
    _check_once(populations)
    edges = [_edge(path, connection, populations) for path, connection in connections.items()]
    return key, Network(populations, connections, arrange(list(populations), edges))


def _edge(path: str, connection: Any, populations: Mapping[str, nn.Module]) -> Edge:
    prefix = path[: path.rindex("connections.")]
    for end in (prefix + connection.source, prefix + connection.target):
        if end not in populations:
            group, name = path.rsplit(".", 2)[0], path.split(".")[-2]
            raise ValueError(
                f"Expected populations at both ends of {path!r}, got none at {end!r}. Delete the connection too: "
                f"`del net[{group!r}][{name!r}]`."
            )
    return Edge(path, prefix + connection.source, prefix + connection.target, connection.delay, _plastic(connection))


def _plastic(connection: Any) -> bool:
    """Whether the weights of a connection change after every step."""
    return connection.learns and connection.when == "step"


def _check_late(net: Any) -> None:
    for path, module in [("", net), *net.parts().items()]:
        if waiting := getattr(module, "_late", None):
            raise ValueError(
                f"Expected both ends of every connection, got {len(waiting)} in {path or 'the network'!r} made "
                "with `late=True` that still wait for one."
            )


def _check_once(populations: Mapping[str, nn.Module]) -> None:
    """Raise where one population is at two addresses: it would have one state for both."""
    seen: dict[int, str] = {}
    for path, population in populations.items():
        if (before := seen.setdefault(id(population), path)) != path:
            raise ValueError(
                f"Expected each population to be in a network once, got {before!r} again as {path!r}. "
                "Use `replicate()` for another of its kind."
            )
