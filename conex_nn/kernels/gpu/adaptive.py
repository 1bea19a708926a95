"""Exponential integrate-and-fire neurons with K >= 0 adaptation currents over a whole sequence.

Rows of the parameters: decay, gain, drive, v_threshold, v_reset, refractory_time, sharpness, inverse delta_t, v_rh,
v_rest, then decay, coupling and jump of each adaptation current. What there is of each current is a tuple over k.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportAssignmentType=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import torch
import triton
import triton.language as tl
from torch import Tensor

from conex_nn.kernels.gpu.intrinsics import (
    Double,
    add_each,
    flush,
    load_each,
    locate,
    parameters,
    reset_where,
    store_each,
    widen,
    zero_each,
)
from conex_nn.kernels.gpu.layout import by_time, launch_options, precision
from conex_nn.kernels.gpu.surrogates import derivative
from conex_nn.kernels.layout import reduce_rows

__all__ = ["backward", "forward"]


@triton.jit(do_not_specialize=["steps"])
def _forward(
    current, rows, start, start_w, start_left, spikes, charged, held, history, end, end_w, end_left,
    steps, stride, total, period, dt: Double,
    currents: tl.constexpr, pauses: tl.constexpr, soft: tl.constexpr, save: tl.constexpr, trace: tl.constexpr,
    shared: tl.constexpr, real: tl.constexpr, block: tl.constexpr, stages: tl.constexpr,
):  # fmt: skip
    lanes, inside, columns = locate(total, period, shared, block)
    decay, gain, drive, threshold, reset = parameters(rows, period, columns, 0, 5, 1, real)
    sharp, inverse, v_rh, v_rest = parameters(rows, period, columns, 6, 4, 1, real)
    decay_w = parameters(rows, period, columns, 10, currents, 3, real)
    coupling = parameters(rows, period, columns, 11, currents, 3, real)
    jump = parameters(rows, period, columns, 12, currents, 3, real)
    wide = widen(total)
    v = tl.load(start + lanes, mask=inside, other=0).to(real)
    w = load_each(start_w, wide, lanes, inside, currents, real)
    if pauses:
        (pause,) = parameters(rows, period, columns, 5, 1, 1, real)
        dt = tl.full((), dt, real)
        left = tl.load(start_left + lanes, mask=inside, other=0).to(real)
    for _ in tl.range(0, steps, num_stages=stages):
        arriving = tl.load(current + lanes, mask=inside, other=0).to(real)
        adaptation = tl.zeros([block], real)
        for k in tl.static_range(currents):
            adaptation += w[k]
        upstroke = tl.exp(tl.minimum((v - v_rh) * inverse, 20.0))  # functional.exponential_lif.EXPONENT_CAP
        x = flush(decay * v + (gain * (arriving - adaptation) + drive) + sharp * upstroke)
        # What is compared is what is saved, so that backward sees the same spikes in half precision too.
        x = x.to(start.dtype.element_ty).to(real)
        if pauses:
            holds = left > 0.5 * dt
            x = tl.where(holds, v, x)
            fires = (x >= threshold) & ~holds
            left = tl.where(fires, pause, tl.maximum(left - dt, 0.0))
        else:
            fires = x >= threshold
        if save:
            tl.store(charged + lanes, x, mask=inside)
            charged += total
            if pauses:
                tl.store(held + lanes, holds.to(real), mask=inside)
                held += total
        if trace:
            store_each(history, steps * wide, lanes, inside, w, currents)
            history += total
        spike = fires.to(real)
        tl.store(spikes + lanes, spike, mask=inside)
        v = reset_where(fires, x, threshold, reset, soft)
        following = ()
        for k in tl.static_range(currents):
            following += (flush(decay_w[k] * w[k] + (coupling[k] * (v - v_rest) + jump[k] * spike)),)
        w = following
        current += stride
        spikes += total
    tl.store(end + lanes, v, mask=inside)
    store_each(end_w, wide, lanes, inside, w, currents)
    if pauses:
        tl.store(end_left + lanes, left, mask=inside)


@triton.jit(do_not_specialize=["steps"])
def _backward(
    grads, grad_v, grad_w, charged, held, history, start, rows, out, carried, carried_w, sums,
    steps, stride, total, period, first: Double, second: Double,
    code: tl.constexpr, currents: tl.constexpr, pauses: tl.constexpr, soft: tl.constexpr, detach: tl.constexpr,
    learn: tl.constexpr, shared: tl.constexpr, real: tl.constexpr, block: tl.constexpr, stages: tl.constexpr,
):  # fmt: skip
    lanes, inside, columns = locate(total, period, shared, block)
    decay, gain, drive, threshold, reset = parameters(rows, period, columns, 0, 5, 1, real)
    sharp, inverse, v_rh, v_rest = parameters(rows, period, columns, 6, 4, 1, real)
    decay_w = parameters(rows, period, columns, 10, currents, 3, real)
    coupling = parameters(rows, period, columns, 11, currents, 3, real)
    jump = parameters(rows, period, columns, 12, currents, 3, real)
    first, second = tl.full((), first, real), tl.full((), second, real)
    wide, last = widen(total), widen(steps) - 1
    grads += last * stride
    charged += last * wide
    out += last * wide
    carry = tl.zeros([block], real)
    if grad_v is not None:
        carry = tl.load(grad_v + lanes, mask=inside, other=0).to(real)
    carry_w = load_each(grad_w, wide, lanes, inside, currents, real)
    v_start = tl.load(start + lanes, mask=inside, other=0).to(real)
    x = tl.load(charged + lanes, mask=inside, other=0).to(real)
    if pauses:
        held += last * wide
        holds = tl.load(held + lanes, mask=inside, other=0) > 0
    if learn:
        history += last * wide
        per_gain = 1.0 / gain
        totals = zero_each(10 + 3 * currents, real, block)
    for back in tl.range(0, steps, num_stages=stages):
        grad = tl.load(grads + lanes, mask=inside, other=0).to(real)
        preceded = lanes < tl.where(back < last, total, 0)  # none at the first step
        charged -= total
        earlier = tl.load(charged + lanes, mask=preceded, other=0).to(real)
        fires, fired = x >= threshold, earlier >= threshold
        if pauses:
            held -= total
            earlier_holds = tl.load(held + lanes, mask=preceded, other=0) > 0
            fires, fired = fires & ~holds, fired & ~earlier_holds
        v = tl.where(preceded, reset_where(fired, earlier, threshold, reset, soft), v_start)
        to_rest = tl.zeros([block], real)
        for k in tl.static_range(currents):
            to_rest += carry_w[k] * coupling[k]
            grad += carry_w[k] * jump[k]
        g_v = carry + to_rest
        if not detach:
            grad += g_v * (reset - threshold if soft else reset - x)
        through = derivative(x - threshold, first, second, code) * grad
        g = through + (g_v if soft else tl.where(fires, 0.0, g_v))
        if pauses:
            through, g = tl.where(holds, 0.0, through), tl.where(holds, 0.0, g)
        exponent = (v - v_rh) * inverse
        upstroke = tl.exp(tl.minimum(exponent, 20.0))
        bend = tl.where(exponent > 20.0, 0.0, sharp * upstroke)
        if learn:
            at_spike = tl.where(fires, g_v, 0.0)
            charge = (x - decay * v - drive - sharp * upstroke) * per_gain
            d_threshold = -through - at_spike if soft else -through
            none = tl.zeros([block], real)  # a number of steps, the refractory time, has no gradient
            terms = (
                g * v, g * charge, g, d_threshold, at_spike, none,
                g * upstroke, g * bend * (v - v_rh), -g * bend * inverse, -to_rest,
            )  # fmt: skip
            before_w = load_each(history, steps * wide, lanes, inside, currents, real)
            history -= total
            lift = reset_where(fires, x, threshold, reset, soft) - v_rest
            for k in tl.static_range(currents):
                terms += (carry_w[k] * before_w[k], carry_w[k] * lift, carry_w[k] * fires.to(real))
            totals = add_each(totals, terms, 10 + 3 * currents)
        following = flush(g * (decay + bend * inverse))
        carry = tl.where(holds, g_v, following) if pauses else following
        g *= gain
        tl.store(out + lanes, g, mask=inside)
        following_w = ()
        for k in tl.static_range(currents):
            following_w += (flush(carry_w[k] * decay_w[k] - g),)
        carry_w = following_w
        x = earlier
        if pauses:
            holds = earlier_holds
        grads -= stride
        out -= total
    tl.store(carried + lanes, carry, mask=inside)
    store_each(carried_w, wide, lanes, inside, carry_w, currents)
    if learn:
        store_each(sums, wide, lanes, inside, totals, 10 + 3 * currents)


def forward(
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
    """Advance (adaptive) exponential neurons over a sequence; the operator ``conex_nn::adaptive`` says of what."""
    total, full = v.numel(), current.shape
    source, stride = by_time(current)
    spikes, end, end_w = current.new_empty(full), v.new_empty(v.shape), w.new_empty(w.shape)
    left = v.new_empty(v.shape if pauses else 0)
    charged, held = v.new_empty(full if save else 0), v.new_empty(full if save and pauses else 0)
    history = v.new_empty((len(w), *full) if trace else 0)
    grid, options = launch_options(total, loads=current.element_size())
    with torch.cuda.device_of(v):
        _forward[grid](
            source, rows.contiguous(), v.contiguous(), w.contiguous(), refractory.contiguous(),
            spikes, charged, held, history, end, end_w, left,
            full[0], stride, total, rows.shape[1], dt,
            currents=len(w), pauses=pauses, soft=soft_reset, save=save, trace=trace,
            shared=rows.shape[1] == 1, real=precision(v.dtype)[1], **options,
        )  # fmt: skip
    return spikes, end, end_w, left, charged, held, history


def backward(
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
    """Return the gradients of the currents, of ``v`` and ``w`` at the start, and of the rows if these learn."""
    total, currents = v.numel(), len(grad_w)
    source, stride = by_time(grad_spikes)
    grad_v = None if grad_v is None else grad_v.contiguous()
    out, carry, carry_w = torch.empty_like(charged), v.new_empty(v.shape), grad_w.new_empty(grad_w.shape)
    dtype, real = precision(v.dtype)
    sums = v.new_empty((len(rows), total) if learn else 0, dtype=dtype)
    loads = grad_spikes.element_size() + (1 + pauses + learn * currents) * v.element_size()
    grid, options = launch_options(total, loads=loads)
    with torch.cuda.device_of(v):
        _backward[grid](
            source, grad_v, grad_w.contiguous(), charged, held, history, v.contiguous(), rows.contiguous(),
            out, carry, carry_w, sums,
            charged.shape[0], stride, total, rows.shape[1], first, second,
            code=code, currents=currents, pauses=pauses, soft=soft_reset, detach=detach_reset, learn=learn,
            shared=rows.shape[1] == 1, real=real, **options,
        )  # fmt: skip
    return out, carry, carry_w, reduce_rows(sums, rows).to(rows.dtype) if learn else rows.new_empty(0)
