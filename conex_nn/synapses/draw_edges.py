"""Draw the edges of a sparse graph, in memory proportional to their number."""

import torch
from torch import Tensor

__all__ = ["draw_edges", "draw_partners"]

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


def draw_edges(
    n_source: int,
    n_target: int,
    *,
    edges: int | None = None,
    in_degree: int | None = None,
    out_degree: int | None = None,
    self_connections: bool = True,
    generator: torch.Generator | None = None,
    device: torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Draw distinct edges between two populations: so many in all, per target, or per source.

    Args:
        n_source: Neurons that send.
        n_target: Neurons that receive.
        edges: How many edges in all.
        in_degree: How many each target gets.
        out_degree: How many each source gets.
        self_connections: False draws no edge between neurons of the same index.
        generator: Source of randomness.
        device: Where to draw.

    Returns:
        The source and the target of every edge, sorted by source and then by target.

    Example:
        >>> source, target = draw_edges(4, 4, out_degree=3, self_connections=False)
        >>> source.tolist(), target.tolist()
        ([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3], [1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2])
    """
    by_target = in_degree is not None
    rows, columns = (n_target, n_source) if by_target else (n_source, n_target)
    others = columns if self_connections else columns - 1
    if edges is not None:
        keys = draw_partners(1, rows * others, edges, generator=generator, device=device)
    else:
        count = in_degree if by_target else out_degree or 0
        keys = draw_partners(rows, others, count or 0, generator=generator, device=device)
    row, column = keys // max(others, 1), keys % max(others, 1)
    if not self_connections:
        column += column >= row  # the others, counted past the neuron itself
    if not by_target:
        return row, column
    order = torch.sort(column, stable=True).indices  # the rows, targets here, ascend already
    return column[order], row[order]
