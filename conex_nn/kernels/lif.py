"""Leaky and perfect integrate-and-fire neurons over a whole sequence, as operators of torch.

One pass forward keeps only the potentials before the reset; one pass backward computes the rest from them. The
operators have fake and autograd registrations, so ``torch.compile`` and ``torch.export`` pass through them.
"""

import math
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from conex_nn.kernels.direct import call, differentiable, refuse_if_spent
from conex_nn.kernels.layout import check_dtype, chunks_of, in_line, reduce_rows, stack_rows, tile_rows
from conex_nn.kernels.spare import is_spare
from conex_nn.kernels.threads import launch
from conex_nn.surrogate import Surrogate

__all__ = ["lif_rows", "lif_sequence"]


def _advance(
    current: Tensor,
    v: Tensor,
    refractory: Tensor,
    rows: Tensor,
    dt: float,
    pauses: bool,
    soft_reset: bool,
    save: bool,
    spare: bool,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor | None]:
    """Run the kernel; the potentials that it keeps may be written over spare currents."""
    steps, total, dtype = current.shape[0], v.numel(), v.dtype
    constant = steps > 1 and current.stride(0) == 0  # the same current at each step: read it once
    source = in_line(current[0] if constant else current, dtype)
    in_place = save and not constant and (spare or source is not current)
    uniform, tiled = rows.shape[1] == 1, tile_rows(rows, total)
    start, end = in_line(v, dtype), v.new_empty(v.shape)
    spikes = end.new_empty(current.shape)
    held = torch.empty_like(spikes) if save and pauses else None
    charged = None
    if in_place:
        charged = source.detach()
        if source is current:
            increment_version(current)  # whoever has kept them after all is told, not given potentials
    elif save:
        charged = torch.empty_like(spikes)
    start_left, left = (in_line(refractory, dtype), torch.empty_like(end)) if pauses else (None, None)
    launch(
        "lif.forward",
        (uniform, pauses, in_place),
        dtype,
        (steps, total, 0 if constant else total, tiled.shape[1], chunks_of(tiled, total), soft_reset, save),
        (source, tiled, start, start_left, end, left, spikes, charged, held),
        steps * total,
        scalars=(dt,),
    )
    return spikes if dtype == current.dtype else spikes.to(current.dtype), end, left, charged, held


def _forward_cpu(
    current: Tensor,
    v: Tensor,
    refractory: Tensor,
    rows: Tensor,
    dt: float,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
    code: int,
    first: float,
    second: float,
    save: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    spikes, end, *kept = _advance(current, v, refractory, rows, dt, pauses, soft_reset, save, spare=False)
    left, charged, held = (end.new_empty(0) if tensor is None else tensor for tensor in kept)
    return spikes, end, left, charged, held


def _forward_alone(*inputs: Any, spare: bool = False) -> tuple[Tensor | None, ...]:
    current, v, refractory, rows, dt, pauses, soft_reset, *_, save = inputs
    return _advance(current, v, refractory, rows, dt, pauses, soft_reset, save, spare)


def _forward_cuda(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    from conex_nn.kernels.gpu.lif import forward

    return forward(*inputs)


_forward = torch.library.custom_op("conex_nn::lif", _forward_cpu, mutates_args=(), device_types="cpu")
_forward.register_kernel("cuda")(_forward_cuda)
_FORWARD_ON = {"cpu": _forward_alone, "cuda": _forward_cuda}
_FORWARD_IN_PLACE = {"cpu": partial(_forward_alone, spare=True), "cuda": _forward_cuda}


@_forward.register_fake
def _(current, v, refractory, rows, dt, pauses, soft_reset, detach_reset, code, first, second, save):
    full, none = current.shape, (0,)
    return (
        current.new_empty(full),
        v.new_empty(v.shape),
        v.new_empty(v.shape if pauses else none),
        v.new_empty(full if save else none),
        v.new_empty(full if save and pauses else none),
    )


def _backward_in_place(
    grad_spikes: Tensor,
    grad_v: Tensor | None,
    charged: Tensor,
    held: Tensor | None,
    v: Tensor | None,
    rows: Tensor,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
    code: int,
    first: float,
    second: float,
    learn: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:
    steps, total, dtype = charged.shape[0], math.prod(charged.shape[1:]), charged.dtype
    uniform, tiled = rows.shape[1] == 1, tile_rows(rows, total)
    carry = charged.new_empty(charged.shape[1:])
    sums = charged.new_zeros(len(rows), total) if learn else None
    launch(
        "lif.backward",
        (uniform, code, pauses, learn),
        dtype,
        (steps, total, tiled.shape[1], chunks_of(tiled, total), soft_reset, detach_reset),
        (
            in_line(grad_spikes, dtype), tiled, charged, held, None if v is None else in_line(v, dtype),
            None if grad_v is None else in_line(grad_v, dtype), carry, sums,
        ),
        steps * total,
        scalars=(first, second),
    )  # fmt: skip
    # A tensor of its own can become a leaf's gradient as it is; the context still holds the other.
    return charged.detach(), carry, None if sums is None else reduce_rows(sums, rows)


def _backward_cpu(
    grad_spikes: Tensor,
    grad_v: Tensor | None,
    charged: Tensor,
    held: Tensor | None,
    v: Tensor | None,
    rows: Tensor,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
    code: int,
    first: float,
    second: float,
    learn: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    options = (pauses, soft_reset, detach_reset, code, first, second, learn)
    d_current, d_v, d_rows = _backward_in_place(grad_spikes, grad_v, charged.clone(), held, v, rows, *options)
    return d_current, d_v, rows.new_empty(0) if d_rows is None else d_rows


def _backward_cuda(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    from conex_nn.kernels.gpu.lif import backward

    return backward(*inputs)


_backward = torch.library.custom_op("conex_nn::lif_backward", _backward_cpu, mutates_args=(), device_types="cpu")
_backward.register_kernel("cuda")(_backward_cuda)
_BACKWARD_ON = {"cpu": _backward_cpu, "cuda": _backward_cuda}
_BACKWARD_IN_PLACE = {"cpu": _backward_in_place, "cuda": _backward_cuda}


@_backward.register_fake
def _(grad_spikes, grad_v, charged, held, v, rows, pauses, soft_reset, detach_reset, code, first, second, learn):
    return (
        torch.empty_like(charged),
        charged.new_empty(charged.shape[1:]),
        rows.new_empty(rows.shape if learn else (0,)),
    )


def _setup_context(ctx, inputs, output):
    current, v, _, rows, _, *options, _ = inputs
    _, _, *kept = output
    _, charged, held = kept
    ctx.mark_non_differentiable(*(tensor for tensor in kept if tensor is not None))
    ctx.set_materialize_grads(False)
    ctx.options, ctx.dtype = options, current.dtype
    # Only the gradients of the parameters look at the potentials at the start.
    ctx.save_for_backward(charged, held, v if rows.requires_grad else None, rows)


def _differentiate(ctx, grad_spikes, grad_v, *_):
    charged, held, v, rows = ctx.saved_tensors
    refuse_if_spent(ctx)
    grad_spikes = torch.zeros_like(charged) if grad_spikes is None else grad_spikes
    learn = ctx.needs_input_grad[3]
    kernels = _BACKWARD_IN_PLACE if ctx.spent else _BACKWARD_ON
    d_current, d_v, d_rows = call(_backward, kernels, grad_spikes, grad_v, charged, held, v, rows, *ctx.options, learn)
    d_current = d_current if d_current.dtype == ctx.dtype else d_current.to(ctx.dtype)
    return d_current, d_v, None, d_rows if learn else None, None, None, None, None, None, None, None, None


_forward.register_autograd(_differentiate, setup_context=_setup_context)
_apply = differentiable(_forward, _FORWARD_ON, setup_context=_setup_context, derivative=_differentiate)
_apply_in_place = differentiable(_forward, _FORWARD_IN_PLACE, setup_context=_setup_context, derivative=_differentiate)


def lif_rows(
    neurons: torch.Size,
    *,
    decay: Tensor,
    gain: Tensor,
    drive: Tensor,
    v_threshold: Tensor,
    v_reset: Tensor,
    refractory_time: Tensor | None,
) -> Tensor:
    """Lay out the constants of integrate-and-fire neurons as :func:`lif_sequence` reads them, differentiably.

    Args:
        neurons: Axes of one state, batch included.
        decay: What a step leaves of the potential [1].
        gain: Potential that a step adds per current [MOhm].
        drive: Potential that a step adds by itself [mV].
        v_threshold: Threshold [mV].
        v_reset: Potential after a spike [mV].
        refractory_time: Absolute refractory time [ms]; None for none.

    Example:
        >>> one = torch.ones(1)
        >>> lif_rows(torch.Size([2]), decay=0.5 * one, gain=one, drive=0 * one, v_threshold=one, v_reset=0 * one,
        ...          refractory_time=None).flatten()
        tensor([0.5000, 1.0000, 0.0000, 1.0000, 0.0000, 0.0000])
    """
    pause = torch.zeros_like(v_reset) if refractory_time is None else refractory_time
    return stack_rows([decay, gain, drive, v_threshold, v_reset, pause], neurons)


def lif_sequence(
    current: Tensor,
    v: Tensor,
    refractory: Tensor,
    rows: Tensor,
    *,
    dt: float,
    surrogate: Surrogate,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Advance integrate-and-fire neurons over a sequence: :func:`conex_nn.functional.lif_step`, fused.

    Args:
        current: Input current, ``(time, *batch, *neurons)`` [nA].
        v: Potential at the start [mV].
        refractory: Refractory time left at the start [ms].
        rows: Constants, from :func:`lif_rows`.
        dt: Length of the step [ms].
        surrogate: Spike function, one with a ``code``.
        pauses: Whether neurons are refractory after a spike.
        soft_reset: Subtract instead of setting.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Returns:
        Spikes of the whole sequence [1]; potential [mV] and refractory time left [ms] at the end.

    Example:
        >>> import conex_nn.surrogate
        >>> one, none = torch.ones(1), torch.zeros(1)
        >>> rows = lif_rows(torch.Size([1]), decay=one, gain=0.5 * one, drive=none, v_threshold=one, v_reset=none,
        ...                 refractory_time=None)
        >>> spikes, v, _ = lif_sequence(
        ...     torch.ones(3, 1), none, none, rows, dt=1.0, surrogate=conex_nn.surrogate.atan(), pauses=False,
        ...     soft_reset=False, detach_reset=True)
        >>> spikes.flatten(), v
        (tensor([0., 1., 0.]), tensor([0.5000]))
    """
    check_dtype(rows, v)
    save = torch.is_grad_enabled() and (current.requires_grad or v.requires_grad or rows.requires_grad)
    first, second, *_ = (*surrogate.params, 0.0, 0.0)
    apply = _apply_in_place if is_spare(current) else _apply
    spikes, v, left, _, _ = apply(
        current, v, refractory, rows, dt, pauses, soft_reset, detach_reset, surrogate.code, first, second, save
    )
    return spikes, v, left if pauses else refractory
