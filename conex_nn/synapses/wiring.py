"""An index of sparse edges by source and by target."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Part", "Wiring", "index_edges", "part_of"]


class Wiring(NamedTuple):
    """Edges, sorted by source and then by target, and their order by target."""

    source: Tensor
    """Source of every edge."""
    target: Tensor
    """Target of every edge."""
    indptr: Tensor
    """Edges of source i are those from ``indptr[i]`` up to ``indptr[i + 1]``."""
    by_target: Tensor
    """The edges in the order of their targets."""
    target_indptr: Tensor
    """Edges of target j are ``by_target[target_indptr[j] : target_indptr[j + 1]]``."""
    source_by_target: Tensor
    """Their sources, in that order."""


class Part(NamedTuple):
    """Some of the edges, indexed among themselves."""

    edges: Tensor
    """Which edges of the whole they are, ascending."""
    wiring: Wiring
    """Their index."""


def _starts(index: Tensor, size: int) -> Tensor:
    """Return where each number from 0 to ``size`` begins among the counts of an index."""
    counts = torch.bincount(index, minlength=size)
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)]).to(index.dtype)


def index_edges(source: Tensor, target: Tensor, *, n_source: int, n_target: int) -> Wiring:
    """Index edges.

    Args:
        source: Source of every edge, ascending.
        target: Target of every edge, ascending within a source.
        n_source: Neurons that send.
        n_target: Neurons that receive.

    Example:
        >>> index_edges(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]), n_source=3, n_target=2)[2:]
        (tensor([0, 2, 2, 3]), tensor([0, 2, 1]), tensor([0, 2, 3]), tensor([0, 2, 0]))
    """
    order = torch.sort(target, stable=True).indices.to(source.dtype)
    return Wiring(source, target, _starts(source, n_source), order, _starts(target, n_target), source[order])


def part_of(wiring: Wiring, edges: Tensor) -> Part:
    """Index some of the edges, without sorting them again.

    Args:
        wiring: The index of all.
        edges: Which to keep, in any order.

    Example:
        >>> whole = index_edges(torch.tensor([0, 0, 2]), torch.tensor([0, 1, 0]), n_source=3, n_target=2)
        >>> kept, part = part_of(whole, torch.tensor([2, 1]))
        >>> kept, part.source, part.by_target
        (tensor([1, 2]), tensor([0, 2]), tensor([1, 0]))
    """
    kept = torch.zeros(len(wiring.source), dtype=torch.bool, device=edges.device)
    kept[edges] = True
    kept_by_target = kept[wiring.by_target]
    before = torch.cat([kept.new_zeros(1), kept]).cumsum(0)  # how many are kept before each edge
    before_by_target = torch.cat([kept.new_zeros(1), kept_by_target]).cumsum(0)
    dtype = wiring.indptr.dtype
    index = Wiring(
        wiring.source[kept],
        wiring.target[kept],
        before[wiring.indptr].to(dtype),
        before[wiring.by_target[kept_by_target]].to(dtype),
        before_by_target[wiring.target_indptr].to(dtype),
        wiring.source_by_target[kept_by_target],
    )
    return Part(kept.nonzero().flatten(), index)
