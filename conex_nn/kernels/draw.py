"""Lists of whole numbers by row, drawn at random or turned by column, on all threads of the CPU."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from conex_nn.kernels.threads import launch

__all__ = ["by_column", "draw_rows", "narrow_index"]

_PIECES = 16  # pieces of work for each thread
_SLAB = 1 << 24  # entries after which it says how far it is


def narrow_index(size: int) -> torch.dtype:
    """Return the narrowest dtype in which neurons are counted.

    Args:
        size: How many there are.

    Example:
        >>> narrow_index(65_536), narrow_index(65_537)
        (torch.uint16, torch.int32)
    """
    return torch.uint16 if size <= 1 << 16 else torch.int32


def draw_rows(
    begins: Tensor,
    columns: int,
    *,
    repeats: bool,
    skip_own: bool,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Draw columns for each row, every set of them as likely as every other.

    Args:
        begins: Number of the first entry of each row, and of all entries, ``(rows + 1,)``, int64.
        columns: How many columns there are.
        repeats: Whether a row may have one column several times, each draw being independent of the others.
        skip_own: Whether a row cannot have the column of its own number.
        seed: What is drawn follows from it alone, whatever the number of threads.
        advance: Told from time to time how many more have been drawn.

    Returns:
        Columns, ascending within each row, of the dtype of :func:`narrow_index`.

    Example:
        >>> draw_rows(torch.tensor([0, 2, 4]), 3, repeats=False, skip_own=True, seed=1)
        tensor([1, 2, 0, 2], dtype=torch.uint16)
    """
    rows, kind = len(begins) - 1, narrow_index(columns)
    entries = torch.empty(int(begins[-1]), dtype=kind, device="cpu")
    candidates = columns - skip_own
    threads, words = torch.get_num_threads(), -(-candidates // 64)
    room = max(1, int(begins.diff().max()) if rows else 1)
    working = (
        torch.zeros(threads, words, dtype=torch.int64, device="cpu"),
        torch.empty(threads, 2 * room, dtype=torch.int32, device="cpu"),
        torch.empty(threads, 256, dtype=torch.int64, device="cpu"),
    )
    cuts = torch.searchsorted(begins, torch.arange(0, len(entries), _SLAB, device="cpu")).tolist()
    for first, end in itertools.pairwise(sorted({*cuts, 0, rows})):
        chunks = min(end - first, threads * _PIECES)
        launch(
            "draw.rows",
            (kind == torch.uint16,),
            torch.float32,
            (
                candidates,
                -(-(end - first) // chunks),
                chunks,
                int(repeats),
                int(skip_own),
                seed,
                words,
                room,
                first,
                end,
            ),
            (begins, entries, *working, torch.zeros(1, dtype=torch.int64, device="cpu")),
            int(begins[end] - begins[first]),
        )
        if advance is not None:
            advance(int(begins[end] - begins[first]))
    return entries


def by_column(begins: Tensor, entries: Tensor, columns: int, numbers: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Turn lists of columns by row into lists of rows by column.

    Args:
        begins: Number of the first entry of each row, and of all entries, ``(rows + 1,)``, int64.
        entries: Columns, ascending within each row, of the dtype of :func:`narrow_index`.
        columns: How many columns there are.
        numbers: Takes the number of each entry in the new order, ``int32``.

    Returns:
        The same of the columns: where each begins, and its rows, ascending.

    Example:
        >>> by_column(torch.tensor([0, 2, 3]), torch.tensor([0, 2, 0], dtype=torch.uint16), 3)
        (tensor([0, 2, 2, 3]), tensor([0, 1, 0], dtype=torch.uint16))
    """
    rows = len(begins) - 1
    out = torch.empty(len(entries), dtype=narrow_index(rows), device="cpu")
    chunks = min(columns, torch.get_num_threads() * _PIECES)
    sizes = (rows, columns, -(-columns // max(1, chunks)), chunks)
    turned = torch.zeros(columns + 1, dtype=torch.int64, device="cpu")
    narrow = entries.dtype == torch.uint16
    launch("draw.count", (narrow,), torch.float32, sizes, (begins, entries, turned[1:]), len(entries))
    turned = turned.cumsum(0)
    variant = (narrow, out.dtype == torch.uint16)
    tensors = (begins, entries, turned[:-1].clone(), out, numbers)
    launch("draw.spread", variant, torch.float32, sizes, tensors, len(entries))
    return turned, out
