"""Draw the edges of a sparse graph, in memory proportional to their number."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.kernels.draw import by_column, draw_rows, narrow_index
from conex_nn.synapses.wiring import starts

__all__ = ["Rows", "draw_edges", "draw_partners", "rows_of"]

_CROWDED = 16  # a table of one byte per candidate costs no more than two indices per edge when 1 in 16 is drawn


def draw_partners(
    rows: int, candidates: int, count: int, *, generator: torch.Generator | None, device: torch.device | None
) -> Tensor:
    """Draw distinct partners for each of several rows, every set of them as likely as every other.

    Args:
        rows: How many rows draw.
        candidates: How many partners each chooses from.
        count: How many partners each gets.
        generator: Source of randomness.
        device: Where to draw.

    Returns:
        ``row * candidates + partner`` of every edge, ascending.

    Example:
        >>> (draw_partners(2, 3, 3, generator=None, device=None) % 3).tolist()
        [0, 1, 2, 0, 1, 2]
    """
    if count * _CROWDED > candidates:
        return _by_table(rows, candidates, count, generator, device)
    number = torch.arange(rows, device=device)
    missing = torch.full((rows,), count, device=device)
    done, open_keys = [], number.new_empty(0)
    while len(number):  # rows that drew a partner twice draw what they lack again: a draw without replacement
        drawn = _draw(number.repeat_interleave(missing), candidates, generator)
        open_keys = torch.cat([open_keys, drawn]).unique()
        row = torch.searchsorted(number, open_keys // candidates)
        missing = count - torch.bincount(row, minlength=len(number))
        lacks = missing > 0
        done.append(open_keys[~lacks[row]])
        open_keys, number, missing = open_keys[lacks[row]], number[lacks], missing[lacks]
    return torch.cat(done).sort().values if len(done) > 1 else torch.cat([open_keys, *done])


def _draw(row: Tensor, candidates: int, generator: torch.Generator | None) -> Tensor:
    partner = torch.randint(candidates, row.shape, generator=generator, device=row.device)
    return row * candidates + partner


def _by_table(
    rows: int, candidates: int, count: int, generator: torch.Generator | None, device: torch.device | None
) -> Tensor:
    """Draw with a table of all candidates; of the chosen or of the left out, whichever are fewer."""
    fewer = min(count, candidates - count)
    table = torch.zeros(rows, candidates, dtype=torch.bool, device=device)
    missing = torch.full((rows,), fewer, device=device)
    while missing.any():
        row = torch.arange(rows, device=device).repeat_interleave(missing)
        table.view(-1)[_draw(row, candidates, generator)] = True
        missing = fewer - table.sum(1)
    if fewer != count:
        table = ~table
    return table.view(-1).nonzero().flatten()


class Rows(NamedTuple):
    """Edges, by source."""

    indptr: Tensor
    """Edges of source i are those from ``indptr[i]`` up to ``indptr[i + 1]``, ``(sources + 1,)``."""
    target: Tensor
    """Target of every edge, ascending within a source, of the dtype of ``narrow_index``."""


def draw_edges(
    n_source: int,
    n_target: int,
    *,
    number: int | None = None,
    probability: float | None = None,
    in_degree: int | None = None,
    out_degree: int | None = None,
    multapses: bool = False,
    self_connections: bool = True,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
    advance: Callable[[int], None] | None = None,
) -> Rows:
    """Draw edges between two populations: so many in all, per target, or per source.

    On the CPU it takes 6 bytes of working memory for each edge at most, on other devices some tens.

    Args:
        n_source: Neurons that send.
        n_target: Neurons that receive.
        number: How many edges in all.
        probability: Chance of each pair to be connected, on its own.
        in_degree: How many each target gets.
        out_degree: How many each source gets.
        multapses: Draw with replacement, so that a pair may have several; otherwise edges are distinct.
        self_connections: False draws no edge between neurons of the same index.
        generator: Source of randomness.
        device: Where to draw.
        advance: Told on the CPU from time to time how many more edges have been drawn.

    Returns:
        The edges, sorted by source and then by target.

    Example:
        >>> indptr, target = draw_edges(4, 4, out_degree=3, self_connections=False)
        >>> indptr.tolist(), target.tolist()
        ([0, 3, 6, 9, 12], [1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2])
    """
    by_target = in_degree is not None
    rows, columns = (n_target, n_source) if by_target else (n_source, n_target)
    others = columns if self_connections else columns - 1
    degree = in_degree if by_target else out_degree
    place = torch.empty(0, device=device).device
    if probability is not None:
        pairs = torch.tensor(float(rows * others), dtype=torch.float64, device=place)
        number = int(torch.binomial(pairs, torch.full_like(pairs, probability), generator=generator))
    if not _on_cpu(place):
        return _by_keys(rows, columns, others, number, degree, multapses, generator, place, by_target=by_target)
    if number is not None:
        counts = _shares(number, rows, others, multapses=multapses, generator=generator)
    else:
        counts = torch.full((rows,), degree or 0, device=place)
    begins = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    seed = int(torch.randint(2**63 - 1, (), generator=generator, device=place))
    entries = draw_rows(begins, columns, repeats=multapses, skip_own=not self_connections, seed=seed, advance=advance)
    if by_target:
        begins, entries = by_column(begins, entries, columns)
    return Rows(begins.int(), entries)


def _on_cpu(place: torch.device) -> bool:
    """Whether the kernel can draw there."""
    return place.type == "cpu"


def _shares(number: int, rows: int, candidates: int, *, multapses: bool, generator: torch.Generator | None) -> Tensor:
    """Return how many of the edges fall to each row.

    Rows draw on their own, from the distribution that they have given their sum; the few that the sum then lacks, or
    has too many, are drawn one by one, which is the distribution for that sum.
    """
    like = torch.empty(rows, dtype=torch.float64, device="cpu")
    if multapses:
        counts = torch.poisson(like.fill_(number / max(rows, 1)), generator=generator).long()
    else:
        chance = torch.full_like(like, number / max(rows * candidates, 1))
        counts = torch.binomial(like.fill_(candidates), chance, generator=generator).long()
    lacks = number - int(counts.sum())
    if lacks > 0 and multapses:
        more = torch.randint(rows, (lacks,), generator=generator, device="cpu")
        return counts + torch.bincount(more, minlength=rows)
    if lacks == 0:
        return counts
    pool = candidates - counts if lacks > 0 else counts
    ends = pool.cumsum(0)
    chosen = draw_partners(1, int(ends[-1]), abs(lacks), generator=generator, device=like.device)
    moved = torch.bincount(torch.searchsorted(ends, chosen, right=True), minlength=rows)
    return counts + moved if lacks > 0 else counts - moved


def _by_keys(
    rows: int,
    columns: int,
    others: int,
    number: int | None,
    degree: int | None,
    multapses: bool,
    generator: torch.Generator | None,
    device: torch.device,
    *,
    by_target: bool,
) -> Rows:
    """Draw edges with operations of torch, as numbers of pairs that are sorted."""
    if number is not None and multapses:
        row = torch.randint(rows, (number,), generator=generator, device=device)
        keys = _draw(row, others, generator).sort().values
    elif number is not None:
        keys = draw_partners(1, rows * others, number, generator=generator, device=device)
    elif multapses:
        row = torch.arange(rows, device=device).repeat_interleave(degree or 0)
        keys = _draw(row, others, generator).sort().values
    else:
        keys = draw_partners(rows, others, degree or 0, generator=generator, device=device)
    row, column = keys // max(others, 1), keys % max(others, 1)
    if others < columns:
        column += column >= row  # the others, counted past the neuron itself
    if by_target:
        order = torch.sort(column, stable=True).indices  # the rows, targets here, ascend already
        row, column, rows, columns = column[order], row[order], columns, rows
    return rows_of(row, column, rows, columns)


def rows_of(source: Tensor, target: Tensor, n_source: int, n_target: int) -> Rows:
    """Return edges by source.

    Args:
        source: Source of every edge, ascending.
        target: Target of every edge, ascending within a source.
        n_source: Neurons that send.
        n_target: Neurons that receive.

    Example:
        >>> rows_of(torch.tensor([0, 0, 2]), torch.tensor([1, 2, 0]), 3, 3)
        Rows(indptr=tensor([0, 2, 2, 3], dtype=torch.int32), target=tensor([1, 2, 0], dtype=torch.uint16))
    """
    return Rows(starts(source, n_source).int(), target.to(narrow_index(n_target)))
