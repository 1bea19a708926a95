"""Random whole numbers for every neuron, sample and step, drawn in one pass."""

from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.kernels.direct import plain
from conex_nn.kernels.threads import launch

__all__ = ["NumberTable", "draw_numbers", "draws_here", "number_table"]

_ROW = 1 << 12
"""Numbers that a thread takes on at a time, at least."""


class NumberTable(NamedTuple):
    """From which numbers are read: how many entries of a row the bits of a neuron reach."""

    thresholds: Tensor
    """Sorted rows, such as ``functional.poisson_thresholds`` gives, ``(rows, counts)`` [1]."""
    row: Tensor
    """Which row each neuron reads, ``(*shape)`` [1]."""
    guide: Tensor
    """Where in a row the search begins, by the uppermost 8 bits, ``(rows, 256)`` [1]."""


def number_table(thresholds: Tensor, row: Tensor, shape: torch.Size) -> NumberTable:
    """Return what :func:`draw_numbers` reads.

    Args:
        thresholds: Sorted rows, ``(rows, counts)`` [1].
        row: Which row each neuron reads, in axes that broadcast to the shape [1].
        shape: Shape of the population.

    Example:
        >>> number_table(torch.tensor([[2**31]]), torch.tensor([0]), torch.Size([3])).guide[0, 127:129]
        tensor([0, 1])
    """
    begins = (torch.arange(256, device=thresholds.device) << 24).expand(len(thresholds), 256).contiguous()
    return NumberTable(
        thresholds.contiguous(), row.expand(shape).contiguous(), torch.searchsorted(thresholds, begins, right=True)
    )


def draws_here(like: Tensor) -> bool:
    """Return whether :func:`draw_numbers` draws into tensors like this.

    Args:
        like: Such a tensor.

    Example:
        >>> draws_here(torch.ones(1)), draws_here(torch.ones(1, dtype=torch.bfloat16))
        (True, False)
    """
    return like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64) and plain(like)


def draw_numbers(out: Tensor, table: NumberTable, *, seed: int, step: int, sample: Tensor) -> None:
    """Fill a tensor with the numbers of ``functional.poisson_counts`` of ``functional.random_bits``.

    Args:
        out: ``(steps, *batch, *shape)``, contiguous, see :func:`draws_here` [1].
        table: From :func:`number_table`.
        seed: Of the stream [1].
        step: Number of the first step [1].
        sample: Number of every sample, ``(*batch)`` [1].

    Example:
        >>> out, table = torch.empty(2, 3), number_table(torch.tensor([[2**31]]), torch.tensor([0]), torch.Size([3]))
        >>> draw_numbers(out, table, seed=7, step=0, sample=torch.tensor(0))
        >>> out
        tensor([[1., 0., 0.],
                [1., 1., 0.]])
    """
    n, batch = table.row.numel(), sample.numel()
    rows, each = len(out) * batch, max(1, _ROW // max(1, n))
    chunks, (means, counts) = -(-rows // each), table.thresholds.shape
    launch(
        "draws.numbers",
        (means > 1,),
        out.dtype,
        (rows, batch, n, each, chunks, seed, step, counts),
        (sample.contiguous(), table.thresholds, table.guide, table.row, out),
        out.numel() * 4,
    )
