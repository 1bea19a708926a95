"""An index of sparse edges by source and by target."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor

from conex_nn.kernels.draw import by_column

__all__ = ["Columns", "KeptWiring", "Part", "Wiring", "columns_of", "index_edges", "part_of", "starts"]


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


class Columns(NamedTuple):
    """Edges in the order of their targets, in 6 bytes for each."""

    begins: Tensor
    """Edges of target j are those from ``begins[j]`` up to ``begins[j + 1]`` in the following lists."""
    edges: Tensor
    """The edges; ``int32``."""
    sources: Tensor
    """Their sources: ``uint16``, or ``int32`` where there are more than 65 536."""


class Part(NamedTuple):
    """Some of the edges, indexed among themselves."""

    edges: Tensor
    """Which edges of the whole they are, ascending."""
    wiring: Wiring
    """Their index."""


_Index = TypeVar("_Index")


class KeptWiring(Generic[_Index]):
    """An index of edges that is made when it is first asked for, and anew when the edges are others.

    It takes 16 bytes for an edge, or 6 by target alone, which edges that nothing multiplies or learns need not have.
    Copies and pickles of it are empty.

    Example:
        >>> kept, edges = KeptWiring(), torch.zeros(1, dtype=torch.int32)
        >>> first = kept.of((edges,), lambda: index_edges(edges, edges, n_source=1, n_target=1))
        >>> kept.of((edges,), lambda: None) is first
        True
    """

    def __init__(self) -> None:
        self._edges: tuple[Tensor, ...] = ()
        self._wiring: _Index | None = None

    def of(self, edges: tuple[Tensor, ...], make: Callable[[], _Index]) -> _Index:
        """Return the index of some edges.

        Args:
            edges: The tensors that hold them.
            make: Makes the index.
        """
        same = len(edges) == len(self._edges) and all(a is b for a, b in zip(edges, self._edges, strict=True))
        if same and self._wiring is not None:
            return self._wiring
        if torch.compiler.is_compiling():
            return make()
        with torch.inference_mode(mode=False):  # what is kept has to serve autograd as well
            self._edges, self._wiring = edges, make()
        return self._wiring

    def clear(self) -> None:
        """Forget it."""
        self._edges, self._wiring = (), None

    def __deepcopy__(self, memo: Any) -> "KeptWiring[_Index]":
        return KeptWiring()

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptWiring, ()


def starts(index: Tensor, size: int) -> Tensor:
    """Return where each number from 0 to ``size`` begins among the counts of an index.

    Args:
        index: Whole numbers below ``size``.
        size: How many there can be.

    Example:
        >>> starts(torch.tensor([0, 0, 2]), 3)
        tensor([0, 2, 2, 3])
    """
    counts = index.new_zeros(size, dtype=torch.long).index_add_(0, index, torch.ones_like(index, dtype=torch.long))
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
    return Wiring(source, target, starts(source, n_source), order, starts(target, n_target), source[order])


def columns_of(indptr: Tensor, target: Tensor, n_target: int) -> Columns:
    """Index edges by target alone.

    Args:
        indptr: Where the edges of each source begin, and how many there are in all.
        target: Target of every edge, of the dtype of ``narrow_index``, ascending within a source.
        n_target: Neurons that receive.

    Example:
        >>> columns_of(torch.tensor([0, 2, 2, 3]), torch.tensor([0, 1, 0], dtype=torch.uint16), 2).edges
        tensor([0, 2, 1], dtype=torch.int32)
    """
    edges = torch.empty(len(target), dtype=torch.int32, device="cpu")
    begins, sources = by_column(indptr.long(), target, n_target, edges)
    return Columns(begins, edges, sources)


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
