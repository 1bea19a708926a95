"""How tensors are laid before a kernel: parameters as rows of equal length, sequences as (time, everything else)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import STRETCH

__all__ = ["check_dtype", "chunks_of", "in_line", "reduce_rows", "stack_rows", "tile_rows"]


def in_line(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor as a kernel of this dtype reads it: contiguous.

    Args:
        tensor: Any tensor.
        dtype: Floating type of the kernel.

    Example:
        >>> in_line(torch.ones(3).expand(2, 3), torch.float64).stride()
        (3, 1)
    """
    return tensor if tensor.dtype == dtype and tensor.is_contiguous() else tensor.to(dtype).contiguous()


def stack_rows(parameters: Sequence[Tensor], neurons: torch.Size) -> Tensor:
    """Stack parameters to one row each, differentiably.

    Args:
        parameters: Each of a shape that broadcasts to ``neurons``.
        neurons: Axes of one state, batch included.

    Returns:
        Shape ``(parameters, n)`` where n is 1, or the neurons that the widest parameter spans.

    Example:
        >>> stack_rows([torch.tensor([1.0]), torch.tensor([[2.0], [3.0]])], torch.Size([8, 2, 2]))
        tensor([[1., 1., 1., 1.],
                [2., 2., 3., 3.]])
    """
    axes = max([0, *[p.dim() for p in parameters if p.numel() > 1]])
    if axes == 0:
        return torch.stack([p.reshape(1) for p in parameters])
    shape = neurons[len(neurons) - axes :]
    return torch.stack([(p.reshape(()) if p.numel() == 1 else p).expand(shape).reshape(-1) for p in parameters])


def check_dtype(rows: Tensor, v: Tensor) -> None:
    """Raise unless the constants have the dtype of the state: a kernel reads them as that.

    Args:
        rows: From :func:`stack_rows`.
        v: The state.

    Raises:
        TypeError: They have not.

    Example:
        >>> check_dtype(torch.ones(2, 1), torch.zeros(3))
    """
    if rows.dtype != v.dtype:
        raise TypeError(
            f"Expected every constant of the neurons as {v.dtype}, like their state, got one of {rows.dtype}. "
            f"Convert them all: `neuron.to({v.dtype})`."
        )


def tile_rows(rows: Tensor, total: int) -> Tensor:
    """Repeat parameter rows until a block of neurons finds its values in a straight line.

    Rows of one value stay as they are: the kernels have a variant for them.

    Args:
        rows: From :func:`stack_rows`, ``(parameters, n)``.
        total: Neurons of the whole batch.

    Returns:
        Shape ``(parameters, period)``; the values of neuron j stand in column ``j % period``, or in the only one.

    Example:
        >>> tile_rows(torch.tensor([[1.0, 2.0]]), total=4)
        tensor([[1., 2., 1., 2.]])
    """
    times = 1 if rows.shape[1] == 1 else max(1, min(STRETCH, total) // rows.shape[1])
    return rows.contiguous() if times == 1 else rows.repeat(1, times)


def chunks_of(rows: Tensor, total: int) -> int:
    """Return into how many chunks the neurons are cut for these parameters.

    Args:
        rows: From :func:`tile_rows`, ``(parameters, period)``.
        total: Neurons of the whole batch.

    Example:
        >>> chunks_of(torch.ones(1, 1), total=5000), chunks_of(torch.ones(1, 3000), total=6000)
        (3, 4)
    """
    period = total if rows.shape[1] == 1 else rows.shape[1]
    return -(-total // period) * -(-period // STRETCH)


def reduce_rows(sums: Tensor, rows: Tensor) -> Tensor:
    """Sum the gradients of parameters over the batch.

    Args:
        sums: One per neuron of the batch, ``(parameters, total)``.
        rows: The parameters, ``(parameters, n)``.

    Example:
        >>> reduce_rows(torch.ones(2, 4), torch.ones(2, 2))
        tensor([[2., 2.],
                [2., 2.]])
    """
    return sums.reshape(len(rows), -1, rows.shape[1]).sum(1)
