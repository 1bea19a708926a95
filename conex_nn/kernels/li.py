"""Leaky integrators over a whole sequence, as operators of torch."""

from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels.direct import call, differentiable
from conex_nn.kernels.layout import check_dtype, chunks_of, in_line, reduce_rows, stack_rows, tile_rows
from conex_nn.kernels.threads import launch

__all__ = ["li_rows", "li_sequence"]


def _forward_cpu(current: Tensor, v: Tensor, rows: Tensor) -> Tensor:
    steps, total = current.shape[0], v.numel()
    constant = steps > 1 and current.stride(0) == 0  # the same current at each step: read it once
    source = in_line(current[0] if constant else current, v.dtype)
    uniform, tiled = rows.shape[1] == 1, tile_rows(rows, total)
    out = torch.empty_like(current, dtype=v.dtype, memory_format=torch.contiguous_format)
    launch(
        "li.forward",
        (uniform,),
        v.dtype,
        (steps, total, 0 if constant else total, tiled.shape[1], chunks_of(tiled, total)),
        (source, tiled, v.contiguous(), out),
        out.numel(),
    )
    return out


def _forward_cuda(*inputs: Any) -> Tensor:
    from conex_nn.kernels.gpu.li import forward

    return forward(*inputs)


_forward = torch.library.custom_op("conex_nn::li", _forward_cpu, mutates_args=(), device_types="cpu")
_forward.register_kernel("cuda")(_forward_cuda)
_FORWARD_ON = {"cpu": _forward_cpu, "cuda": _forward_cuda}


@_forward.register_fake
def _(current, v, rows):
    return v.new_empty(current.shape)


def _backward_cpu(
    grad: Tensor, potentials: Tensor, v: Tensor, rows: Tensor, learn: bool
) -> tuple[Tensor, Tensor, Tensor]:
    steps, total = grad.shape[0], v.numel()
    uniform, tiled = rows.shape[1] == 1, tile_rows(rows, total)
    out = torch.empty_like(grad, dtype=v.dtype, memory_format=torch.contiguous_format)
    carry = torch.zeros_like(v, memory_format=torch.contiguous_format)
    sums = v.new_zeros(len(rows), total) if learn else v.new_empty(0)
    launch(
        "li.backward",
        (uniform, learn),
        v.dtype,
        (steps, total, tiled.shape[1], chunks_of(tiled, total)),
        (grad.contiguous(), tiled, potentials, v.contiguous(), carry, out, sums),
        out.numel(),
    )
    return out, carry, reduce_rows(sums, rows) if learn else sums


def _backward_cuda(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    from conex_nn.kernels.gpu.li import backward

    return backward(*inputs)


_backward = torch.library.custom_op("conex_nn::li_backward", _backward_cpu, mutates_args=(), device_types="cpu")
_backward.register_kernel("cuda")(_backward_cuda)
_BACKWARD_ON = {"cpu": _backward_cpu, "cuda": _backward_cuda}


@_backward.register_fake
def _(grad, potentials, v, rows, learn):
    return v.new_empty(grad.shape), v.new_empty(v.shape), rows.new_empty(rows.shape if learn else (0,))


def _setup_context(ctx, inputs, output):
    current, v, rows = inputs
    ctx.dtype, ctx.steps = current.dtype, current.shape[0]
    learn = rows.requires_grad
    ctx.save_for_backward(output if learn else v.new_empty(0), v, rows)


def _differentiate(ctx, grad):
    potentials, v, rows = ctx.saved_tensors
    learn = ctx.needs_input_grad[2]
    d_current, d_v, d_rows = call(_backward, _BACKWARD_ON, grad, potentials, v, rows, learn)
    return d_current.to(ctx.dtype), d_v, d_rows if learn else None


_forward.register_autograd(_differentiate, setup_context=_setup_context)
_apply = differentiable(_forward, _FORWARD_ON, setup_context=_setup_context, derivative=_differentiate)


def li_rows(neurons: torch.Size, *, decay: Tensor, gain: Tensor, drive: Tensor) -> Tensor:
    """Lay out the constants of leaky integrators as :func:`li_sequence` reads them, differentiably.

    Args:
        neurons: Axes of one state, batch included.
        decay: What a step leaves of the potential [1].
        gain: Potential that a step adds per current [MOhm].
        drive: Potential that a step adds by itself [mV].

    Example:
        >>> one = torch.ones(1)
        >>> li_rows(torch.Size([1]), decay=0.5 * one, gain=one, drive=0 * one).flatten()
        tensor([0.5000, 1.0000, 0.0000])
    """
    return stack_rows([decay, gain, drive], neurons)


def li_sequence(current: Tensor, v: Tensor, rows: Tensor) -> Tensor:
    """Advance leaky integrators over a sequence: :func:`conex_nn.functional.li_step`, fused.

    Args:
        current: Input current, ``(time, *batch, *neurons)`` [nA].
        v: Potential at the start [mV].
        rows: Constants, from :func:`li_rows`.

    Returns:
        The potential after each step [mV].

    Example:
        >>> one = torch.ones(1)
        >>> rows = li_rows(torch.Size([1]), decay=0.5 * one, gain=one, drive=0 * one)
        >>> li_sequence(torch.ones(2, 1), torch.zeros(1), rows)
        tensor([[1.0000],
                [1.5000]])
    """
    check_dtype(rows, v)
    return _apply(current, v, rows)
