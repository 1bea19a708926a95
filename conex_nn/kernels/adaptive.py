"""Exponential and adaptive exponential integrate-and-fire neurons over a whole sequence, as operators of torch."""

from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels.direct import call, differentiable, refuse_if_spent
from conex_nn.kernels.layout import check_dtype, chunks_of, in_line, reduce_rows, stack_rows, tile_rows
from conex_nn.kernels.threads import launch
from conex_nn.surrogate import Surrogate

__all__ = ["adaptive_rows", "adaptive_sequence"]


def _forward_cpu(
    current: Tensor,
    v: Tensor,
    w: Tensor,
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
    trace: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    steps, total = current.shape[0], v.numel()
    constant = steps > 1 and current.stride(0) == 0  # the same current at each step: read it once
    source = in_line(current[0] if constant else current, v.dtype)
    uniform, tiled = rows.shape[1] == 1, tile_rows(rows, total)
    spikes = torch.empty_like(current, dtype=v.dtype, memory_format=torch.contiguous_format)
    charged = torch.empty_like(spikes) if save else spikes.new_empty(0)
    held = torch.empty_like(spikes) if save and pauses else spikes.new_empty(0)
    history = spikes.new_empty((len(w), *current.shape) if trace else 0)
    v, w = v.clone(memory_format=torch.contiguous_format), w.clone(memory_format=torch.contiguous_format)
    left = refractory.clone(memory_format=torch.contiguous_format) if pauses else refractory.new_empty(0)
    launch(
        "adaptive.forward",
        (uniform, len(w), pauses),
        v.dtype,
        (
            steps,
            total,
            0 if constant else total,
            tiled.shape[1],
            chunks_of(tiled, total),
            soft_reset,
            save,
            trace,
        ),
        (source, tiled, v, w, left, spikes, charged, held, history),
        spikes.numel(),
        scalars=(dt,),
    )
    return spikes.to(current.dtype), v, w, left, charged, held, history


def _forward_cuda(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    from conex_nn.kernels.gpu.adaptive import forward

    return forward(*inputs)


_forward = torch.library.custom_op("conex_nn::adaptive", _forward_cpu, mutates_args=(), device_types="cpu")
_forward.register_kernel("cuda")(_forward_cuda)
_FORWARD_ON = {"cpu": _forward_cpu, "cuda": _forward_cuda}


@_forward.register_fake
def _(current, v, w, refractory, rows, dt, pauses, soft_reset, detach_reset, code, first, second, save, trace):
    full, none = current.shape, (0,)
    return (
        current.new_empty(full),
        v.new_empty(v.shape),
        w.new_empty(w.shape),
        v.new_empty(v.shape if pauses else none),
        v.new_empty(full if save else none),
        v.new_empty(full if save and pauses else none),
        v.new_empty((len(w), *full) if trace else none),
    )


def _backward_in_place(
    grad_spikes: Tensor,
    grad_v: Tensor | None,
    grad_w: Tensor,
    charged: Tensor,
    held: Tensor,
    history: Tensor,
    v: Tensor,
    rows: Tensor,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
    code: int,
    first: float,
    second: float,
    learn: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    steps, total = charged.shape[0], v.numel()
    uniform, tiled = rows.shape[1] == 1, tile_rows(rows, total)
    whole = torch.contiguous_format
    carry = torch.zeros_like(v, memory_format=whole) if grad_v is None else grad_v.clone(memory_format=whole)
    carry_w = grad_w.clone(memory_format=torch.contiguous_format)
    sums = charged.new_zeros(len(rows), total) if learn else charged.new_empty(0)
    launch(
        "adaptive.backward",
        (uniform, code, len(grad_w), pauses, learn),
        v.dtype,
        (steps, total, tiled.shape[1], chunks_of(tiled, total), soft_reset, detach_reset),
        (
            in_line(grad_spikes, v.dtype), tiled, charged, held, history,
            v.contiguous(), carry, carry_w, torch.empty_like(carry), sums,
        ),
        charged.numel(),
        scalars=(first, second),
    )  # fmt: skip
    # A tensor of its own can become a leaf's gradient as it is; the context still holds the other.
    return charged.detach(), carry, carry_w, reduce_rows(sums, rows) if learn else sums


def _backward_cpu(
    grad_spikes: Tensor,
    grad_v: Tensor | None,
    grad_w: Tensor,
    charged: Tensor,
    held: Tensor,
    history: Tensor,
    v: Tensor,
    rows: Tensor,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
    code: int,
    first: float,
    second: float,
    learn: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _backward_in_place(
        grad_spikes,
        grad_v,
        grad_w,
        charged.clone(),
        held,
        history,
        v,
        rows,
        pauses,
        soft_reset,
        detach_reset,
        code,
        first,
        second,
        learn,
    )


def _backward_cuda(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    from conex_nn.kernels.gpu.adaptive import backward

    return backward(*inputs)


_backward = torch.library.custom_op("conex_nn::adaptive_backward", _backward_cpu, mutates_args=(), device_types="cpu")
_backward.register_kernel("cuda")(_backward_cuda)
_BACKWARD_ON = {"cpu": _backward_cpu, "cuda": _backward_cuda}
_BACKWARD_IN_PLACE = {"cpu": _backward_in_place, "cuda": _backward_cuda}


@_backward.register_fake
def _(grad_spikes, grad_v, grad_w, charged, held, history, v, rows, *options):
    learn = options[-1]
    return (
        torch.empty_like(charged),
        v.new_empty(v.shape),
        grad_w.new_empty(grad_w.shape),
        rows.new_empty(rows.shape if learn else (0,)),
    )


def _setup_context(ctx, inputs, output):
    current, v, w, _, rows, _, *options, _, _ = inputs
    _, _, _, left, charged, held, history = output
    ctx.mark_non_differentiable(left, charged, held, history)
    ctx.set_materialize_grads(False)
    ctx.options, ctx.dtype, ctx.w_shape = options, current.dtype, w.shape
    ctx.save_for_backward(charged, held, history, v, rows)


def _differentiate(ctx, grad_spikes, grad_v, grad_w, *_):
    charged, held, history, v, rows = ctx.saved_tensors
    refuse_if_spent(ctx)
    grad_spikes = torch.zeros_like(charged) if grad_spikes is None else grad_spikes
    grad_w = v.new_zeros(ctx.w_shape) if grad_w is None else grad_w
    learn = ctx.needs_input_grad[4]
    d_current, d_v, d_w, d_rows = call(
        _backward,
        _BACKWARD_IN_PLACE if ctx.spent else _BACKWARD_ON,
        grad_spikes,
        grad_v,
        grad_w,
        charged,
        held,
        history,
        v,
        rows,
        *ctx.options,
        learn,
    )
    return d_current.to(ctx.dtype), d_v, d_w, None, d_rows if learn else None, *[None] * 9


_forward.register_autograd(_differentiate, setup_context=_setup_context)
_apply = differentiable(_forward, _FORWARD_ON, setup_context=_setup_context, derivative=_differentiate)


def adaptive_rows(
    neurons: torch.Size,
    *,
    decay: Tensor,
    gain: Tensor,
    drive: Tensor,
    v_threshold: Tensor,
    v_reset: Tensor,
    refractory_time: Tensor | None,
    sharpness: Tensor,
    inverse_delta: Tensor,
    v_rh: Tensor,
    v_rest: Tensor,
    decay_w: Tensor,
    coupling: Tensor,
    jump: Tensor,
) -> Tensor:
    """Lay out the constants of exponential neurons as :func:`adaptive_sequence` reads them, differentiably.

    Args:
        neurons: Axes of one state, batch included.
        decay: What a step leaves of the potential [1].
        gain: Potential that a step adds per current [MOhm].
        drive: Potential that a step adds by itself [mV].
        v_threshold: Threshold [mV].
        v_reset: Potential after a spike [mV].
        refractory_time: Absolute refractory time [ms]; None for none.
        sharpness: ``(1 - decay) * delta_t`` [mV].
        inverse_delta: ``1 / delta_t`` [1/mV].
        v_rh: Rheobase threshold [mV].
        v_rest: Resting potential [mV].
        decay_w: What a step leaves of each adaptation current; no row for an ELIF [1].
        coupling: Adaptation that a step adds per potential [1/MOhm].
        jump: Adaptation that a spike adds [nA].

    Example:
        >>> one, none = torch.ones(1), torch.zeros(0, 1)
        >>> adaptive_rows(
        ...     torch.Size([2]), decay=one, gain=one, drive=one, v_threshold=one, v_reset=one, refractory_time=None,
        ...     sharpness=one, inverse_delta=one, v_rh=one, v_rest=one, decay_w=none, coupling=none, jump=none).shape
        torch.Size([10, 1])
    """
    pause = torch.zeros_like(v_reset) if refractory_time is None else refractory_time
    parameters = [decay, gain, drive, v_threshold, v_reset, pause, sharpness, inverse_delta, v_rh, v_rest]
    for triple in zip(decay_w.unbind(0), coupling.unbind(0), jump.unbind(0), strict=True):
        parameters += triple
    return stack_rows(parameters, neurons)


def adaptive_sequence(
    current: Tensor,
    v: Tensor,
    w: Tensor,
    refractory: Tensor,
    rows: Tensor,
    *,
    dt: float,
    surrogate: Surrogate,
    pauses: bool,
    soft_reset: bool,
    detach_reset: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Advance (adaptive) exponential neurons over a sequence: :func:`conex_nn.functional.aelif_step`, fused.

    Args:
        current: Input current, ``(time, *batch, *neurons)`` [nA].
        v: Potential at the start [mV].
        w: Adaptation currents at the start, ``(currents, *batch, *neurons)``; no row for an ELIF [nA].
        refractory: Refractory time left at the start [ms].
        rows: Constants, from :func:`adaptive_rows`.
        dt: Length of the step [ms].
        surrogate: Spike function, one with a ``code``.
        pauses: Whether neurons are refractory after a spike.
        soft_reset: Subtract instead of setting.
        detach_reset: Let no gradient pass from the reset into the spikes.

    Returns:
        Spikes of the whole sequence [1]; potential [mV], adaptation [nA] and refractory time left [ms] at the end.

    Example:
        >>> import conex_nn.surrogate
        >>> one, none = torch.ones(1), torch.zeros(0, 1)
        >>> rows = adaptive_rows(
        ...     torch.Size([1]), decay=one, gain=0.5 * one, drive=0 * one, v_threshold=one, v_reset=0 * one,
        ...     refractory_time=None, sharpness=0 * one, inverse_delta=one, v_rh=one, v_rest=0 * one,
        ...     decay_w=none, coupling=none, jump=none)
        >>> spikes, v, _, _ = adaptive_sequence(
        ...     torch.ones(3, 1), torch.zeros(1), none, torch.zeros(1), rows, dt=1.0,
        ...     surrogate=conex_nn.surrogate.atan(), pauses=False, soft_reset=False, detach_reset=True)
        >>> spikes.flatten(), v
        (tensor([0., 1., 0.]), tensor([0.5000]))
    """
    check_dtype(rows, v)
    save = torch.is_grad_enabled() and any(t.requires_grad for t in (current, v, w, rows))
    first, second, *_ = (*surrogate.params, 0.0, 0.0)
    spikes, v, w, left, _, _, _ = _apply(
        current, v, w, refractory, rows, dt, pauses, soft_reset, detach_reset, surrogate.code, first, second, save,
        save and rows.requires_grad and len(w) > 0,
    )  # fmt: skip
    return spikes, v, w, left if pauses else refractory
