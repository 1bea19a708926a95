"""Addresses within a container: from a dotted path, a port or a whole container to populations."""

import difflib
from collections.abc import Iterable
from typing import Any

from torch import nn

__all__ = ["nearest", "population_paths", "resolve"]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a sentence that suggests the names nearest to one that does not exist, or nothing.

    Args:
        name: What was asked for.
        known: What there is.

    Example:
        >>> nearest("proximl", ["proximal", "distal"])
        ' Did you mean proximal?'
    """
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" Did you mean {', '.join(close)}?" if close else ""


def _step_down(container: Any, address: str) -> tuple[Any, str, list[str]]:
    """Walk to the last part of an address that exists; return it, its path, and what is left of the address."""
    here, path, left = container, "", [name for name in address.split(".") if name]
    while left and hasattr(here, "ports") and left[0] in here._modules and left[0] != "connections":
        here, path = here._modules[left[0]], f"{path}.{left[0]}".strip(".")
        left = left[1:]
    return here, path, left


def resolve(container: nn.Module, address: str, *, strict: bool = True) -> list[str]:
    """Return the addresses of the populations that an address stands for.

    Args:
        container: Where the address begins.
        address: Of a population, a port or a container.
        strict: Raise where there is nothing; otherwise return an empty list.

    Raises:
        ValueError: There is nothing at the address.

    Example:
        >>> import conex_nn as cx
        >>> layer = cx.CorticalLayer(exc=cx.Population(3, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
        >>> resolve(layer.port("out", "exc"), "out"), resolve(layer, "")
        (['exc'], ['exc', 'inh'])
    """
    part, path, left = _step_down(container, address)
    if len(left) == 1 and left[0] in getattr(part, "ports", {}):
        found = [f"{path}.{below}".strip(".") for target in part.ports[left[0]] for below in resolve(part, target)]
        return list(dict.fromkeys(found))
    if left:
        if not strict:
            return []
        here = f"in {path!r}" if path else "here"
        known = [*getattr(part, "_modules", {}), *getattr(part, "ports", {})]
        known = [name for name in known if name != "connections"]
        raise ValueError(
            f"Expected an address of a population, a port or a container, got {address!r}: there is no {left[0]!r} "
            f"{here} among {', '.join(known) or 'nothing'}.{nearest(left[0], known)}"
        )
    if not hasattr(part, "ports"):
        return [path]
    inside = part.stands_for if part.stands_for is not None else [n for n in part._modules if n != "connections"]
    return [f"{path}.{below}".strip(".") for name in inside for below in resolve(part, name)]


def population_paths(container: nn.Module, address: str) -> list[str]:
    """Return the addresses of the populations behind an address; there has to be one at least.

    Args:
        container: Where the address begins.
        address: Of a population, a port or a container.

    Raises:
        ValueError: There is nothing at the address, or no population behind it.

    Example:
        >>> import conex_nn as cx
        >>> population_paths(cx.CorticalLayer(exc=cx.Population(3, cx.LIF())), "exc")
        ['exc']
    """
    paths = resolve(container, address)
    if not paths:
        raise ValueError(f"Expected a population behind {address!r}, got none.")
    return paths
