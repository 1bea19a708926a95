"""How a network is cut into parts: against brute force."""

import itertools
import random

import pytest

from conex_nn.structure.graph import Edge, arrange


def reaches(edges, start):
    """What can be reached from a population by one connection or more."""
    seen, left = set(), [start]
    while left:
        here = left.pop()
        for edge in edges:
            if edge.source == here and edge.target not in seen:
                seen.add(edge.target)
                left.append(edge.target)
    return seen


def largest_block(members, edges):
    """Try every order: the block is the shortest delay of those connections that lead backwards."""
    best = 0
    for order in itertools.permutations(members):
        place = {p: i for i, p in enumerate(order)}
        best = max(best, min(e.delay for e in edges if place[e.source] >= place[e.target]))
    return best


def random_graph(seed):
    rng = random.Random(seed)
    names = [f"n{i}" for i in range(rng.randint(1, 6))]
    shown = rng.sample(names, len(names))
    edges = []
    for i in range(rng.randint(0, 12)):
        source, target = rng.choice(names), rng.choice(names)
        least = 0 if shown.index(source) < shown.index(target) else 1
        edges.append(Edge(f"e{i}", source, target, rng.randint(least, 5)))
    return names, edges


@pytest.mark.parametrize("seed", range(60))
def test_parts_of_random_graphs(seed):
    names, edges = random_graph(seed)
    parts = arrange(names, edges)
    assert sorted(p for part in parts for p in part.populations) == sorted(names)
    number = {p: i for i, part in enumerate(parts) for p in part.populations}
    for a, b in itertools.combinations(names, 2):
        together = b in reaches(edges, a) and a in reaches(edges, b)
        assert (number[a] == number[b]) == together
    for edge in edges:
        part = parts[number[edge.target]]
        inner = number[edge.source] == number[edge.target]
        assert number[edge.source] <= number[edge.target]
        assert (edge in part.inner, edge in part.outer) == (inner, not inner)
    for part in parts:
        if not part.inner:
            assert part.block is None
            assert len(part.populations) == 1
            continue
        assert part.block == largest_block(part.populations, part.inner)
        place = {p: i for i, p in enumerate(part.populations)}
        assert all(e.delay >= part.block for e in part.inner if place[e.source] >= place[e.target])
    assert sum(len(part.inner) + len(part.outer) for part in parts) == len(edges)


def test_the_order_can_put_the_long_way_back():
    """Of two ways round a loop, the block is as long as the longest delay on its way back."""
    (part,) = arrange(["a", "b"], [Edge("x", "a", "b", 1), Edge("y", "b", "a", 7)])
    assert (part.populations, part.block) == (("a", "b"), 7)
    (part,) = arrange(["a", "b"], [Edge("x", "a", "b", 7), Edge("y", "b", "a", 1)])
    assert (part.populations, part.block) == (("b", "a"), 7)


def test_a_loop_without_delay_is_named():
    edges = [("a", "b", 0), ("b", "c", 0), ("c", "d", 1), ("c", "b", 0), ("d", "a", 0), ("a", "a", 1)]
    with pytest.raises(ValueError, match=r"delay of 1 step at least, got b -> c -> b without any. .*`latency=1`"):
        arrange("abcd", [Edge(f"e{i}", *edge) for i, edge in enumerate(edges)])
    with pytest.raises(ValueError, match=r"got v1\.exc -> v1\.exc without any"):
        arrange(["v1.exc"], [Edge("self", "v1.exc", "v1.exc", 0)])


def test_a_long_chain_is_no_deep_recursion():
    names = [str(i) for i in range(1500)]
    parts = arrange(names, [Edge(f"e{i}", names[i + 1], names[i], 0) for i in range(1499)])
    assert [part.populations for part in parts] == [(name,) for name in reversed(names)]
