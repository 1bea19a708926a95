"""Products of two sequences, one of which is mostly zeros."""

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import WIDE_COLUMNS
from conex_nn.kernels.direct import plain
from conex_nn.kernels.layout import in_line
from conex_nn.kernels.threads import launch

__all__ = ["DENSEST", "correlate", "event_product", "mostly_zeros"]

_ROWS = 512
"""Rows that are worked through at a time: few enough to stay in a cache, many enough to be listed cheaply."""

_LOOK = 256
"""Rows that are looked at to see how much spikes."""
_GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, modulo 1, fall all over: even spacing could meet the same sample of a batch again and again."""
DENSEST = 0.1
"""Fraction of what is not zero above which a dense product is faster than one by events."""


def mostly_zeros(x: Tensor) -> bool:
    """Return whether so little of a tensor is not zero that working by events pays; a part of its rows is looked at.

    Args:
        x: ``(rows, columns)`` on the CPU.

    Example:
        >>> mostly_zeros(torch.eye(20)), mostly_zeros(torch.ones(2, 2))
        (True, False)
    """
    some = x
    if len(x) > _LOOK:
        place = torch.arange(_LOOK, dtype=torch.float64, device=x.device) * _GOLDEN % 1
        some = x[(place * len(x)).long()]
    return int(torch.count_nonzero(some)) <= DENSEST * some.numel()


def correlate(pre: Tensor, post: Tensor) -> Tensor:
    """Return ``pre.T @ post``, by events where either side is mostly zeros.

    Args:
        pre: ``(rows, sources)``, without gradient.
        post: ``(rows, targets)``, likewise.

    Returns:
        ``(sources, targets)``.

    Example:
        >>> correlate(torch.tensor([[0.0, 2.0]]), torch.tensor([[3.0]]))
        tensor([[0.],
                [6.]])
    """
    able = pre.device.type == "cpu" and pre.dtype == post.dtype and pre.dtype in (torch.float32, torch.float64)
    if not able or not plain(pre) or not plain(post) or len(pre) != len(post):
        return pre.mT @ post
    if mostly_zeros(pre):
        return event_product(pre, post)
    return event_product(post, pre).mT.contiguous() if mostly_zeros(post) else pre.mT @ post


def event_product(events: Tensor, rows: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``events.T @ rows``, at the cost of what is not zero in ``events``.

    Args:
        events: ``(count, columns)``, mostly zeros, such as spikes [1].
        rows: ``(count, width)`` on the same device and of the same dtype [1].
        out: ``(columns, width)``, contiguous, to which the product is added; a new tensor of zeros by default.

    Returns:
        ``(columns, width)`` [1].

    Raises:
        ValueError: Another number of rows on either side.

    Example:
        >>> event_product(torch.tensor([[0.0, 1.0], [0.0, 2.0]]), torch.tensor([[3.0], [4.0]]))
        tensor([[ 0.],
                [11.]])
    """
    if len(events) != len(rows):
        raise ValueError(f"Expected `events` and `rows` of as many rows, got {len(events)} and {len(rows)}.")
    columns, width = events.shape[1], rows.shape[1]
    events, rows = in_line(events, rows.dtype), in_line(rows, rows.dtype)
    out = rows.new_zeros(columns, width) if out is None else out
    chunks, threads = -(-columns // WIDE_COLUMNS), torch.get_num_threads()
    size = max(1, min(_ROWS, len(rows)))
    scratch = torch.empty(threads, WIDE_COLUMNS * (size + 1), dtype=torch.int32)
    values = rows.new_empty(threads, WIDE_COLUMNS * size)
    for begin in range(0, len(rows), size):
        some, theirs = events[begin : begin + size], rows[begin : begin + size]
        launch(
            "hebbian.gather",
            (),
            rows.dtype,
            (len(theirs), columns, width, chunks),
            (some, theirs, out, torch.zeros(1, dtype=torch.int64), scratch, values),
            theirs.numel() * columns,
        )
    return out
