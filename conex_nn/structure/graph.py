"""Which populations must advance together, and in blocks of how many steps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Edge", "Part", "arrange"]


@dataclass(frozen=True)
class Edge:
    """A connection as the scheduler sees it.

    Args:
        name: Its address.
        source: Address of the population that sends.
        target: Address of the population that receives.
        delay: Steps after which the first of its spikes can arrive [1].
        plastic: Whether its weights change after every step, so that they depend on what the target does.

    Example:
        >>> Edge("a_to_b", "a", "b", delay=1).delay
        1
    """

    name: str
    source: str
    target: str
    delay: int
    plastic: bool = False


@dataclass(frozen=True)
class Part:
    """Populations that advance together.

    Args:
        populations: Their addresses, in the order in which a block is run.
        inner: Connections among them.
        outer: Connections that reach them from parts before.
        block: Most steps of a block; None where nothing loops, and the whole sequence is run at once [1].
        streamed: Connections from parts before whose weights change after every step: all of their source's spikes are
            known, and yet they are projected step by step.

    Example:
        >>> Part(("a",), inner=(), outer=(), block=None).block is None
        True
    """

    populations: tuple[str, ...]
    inner: tuple[Edge, ...]
    outer: tuple[Edge, ...]
    block: int | None
    streamed: tuple[Edge, ...] = ()


def arrange(populations: Sequence[str], edges: Iterable[Edge]) -> list[Part]:
    """Cut a network into parts, each of which needs only those before it.

    Strongly connected populations are one part. It runs in blocks of the most steps for which some order of its
    populations leaves no connection waiting: the connections with a shorter delay than the block form no loop. Where
    weights change after every step, a block is one step.

    Args:
        populations: Addresses of all populations.
        edges: Connections among them.

    Returns:
        Parts, in the order in which they run.

    Raises:
        ValueError: A loop without delay.

    Example:
        >>> loop = [Edge("in", "x", "exc", 1), Edge("ei", "exc", "inh", 0), Edge("ie", "inh", "exc", 3)]
        >>> [(part.populations, part.block) for part in arrange(["x", "exc", "inh"], loop)]
        [(('x',), None), (('exc', 'inh'), 3)]
    """
    edges = list(edges)
    after: dict[str, list[str]] = {p: [] for p in populations}
    for edge in edges:
        after[edge.source].append(edge.target)
    components = _components(after)
    home = {path: number for number, members in enumerate(components) for path in members}
    reaching: list[list[Edge]] = [[] for _ in components]
    for edge in edges:
        reaching[home[edge.target]].append(edge)
    rank = {path: number for number, path in enumerate(populations)}
    parts = []
    for number, members in enumerate(components):
        inner = tuple(e for e in reaching[number] if home[e.source] == number)
        outer = tuple(e for e in reaching[number] if home[e.source] != number and not e.plastic)
        streamed = tuple(e for e in reaching[number] if home[e.source] != number and e.plastic)
        if not inner:
            parts.append(Part(tuple(members), inner, outer, 1 if streamed else None, streamed))
            continue
        ordered = sorted(members, key=rank.__getitem__)
        sizes = {1} if streamed or any(e.plastic for e in inner) else {e.delay for e in inner}
        block = max((size for size in sizes if size and _order(ordered, inner, size)), default=0)
        if not block:
            raise ValueError(_loop_message(ordered, inner))
        parts.append(Part(tuple(_order(ordered, inner, block) or ()), inner, outer, block, streamed))
    return parts


def _order(populations: Sequence[str], edges: Iterable[Edge], block: int) -> list[str] | None:
    """Return an order in which no connection shorter than a block leads backwards, or None where there is none."""
    waiting = {p: {e.source for e in edges if e.target == p and e.delay < block} for p in populations}
    order: list[str] = []
    while waiting:
        ready = next((p for p, sources in waiting.items() if not sources), None)
        if ready is None:
            return None
        del waiting[ready]
        order.append(ready)
        for sources in waiting.values():
            sources.discard(ready)
    return order


def _loop_message(populations: Sequence[str], edges: Sequence[Edge]) -> str:
    """Name one loop whose connections all have no delay."""
    after = {p: [e.target for e in edges if e.source == p and e.delay == 0] for p in populations}
    for members in _components(after):
        start = members[0]
        if len(members) > 1 or start in after[start]:
            return (
                f"Expected every loop to have a delay of 1 step at least, got {' -> '.join(_cycle(start, after))} "
                "without any. Give one of its connections `latency=1`, the default."
            )
    raise AssertionError("there is no loop")


def _cycle(start: str, after: Mapping[str, list[str]]) -> list[str]:
    """Return a shortest way from a population back to itself."""
    paths, seen = [[start]], set()
    while paths:
        path = paths.pop(0)
        for target in after[path[-1]]:
            if target == start:
                return [*path, start]
            if target not in seen:
                seen.add(target)
                paths.append([*path, target])
    raise AssertionError("there is no way back")


def _components(after: Mapping[str, list[str]]) -> list[list[str]]:
    """Return the strongly connected components, sources first (Tarjan 1972, without recursion)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in after:
        if root in number:
            continue
        work = [(root, iter(after[root]))]
        number[root] = low[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in number:
                    number[target] = low[target] = len(number)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(after[target])))
                    break
                if target in on_stack:
                    low[node] = min(low[node], number[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == number[node]:
                    members: list[str] = []
                    while not members or members[-1] != node:
                        members.append(stack.pop())
                        on_stack.discard(members[-1])
                    found.append(members[::-1])
    return found[::-1]
