"""Leaky and perfect integrate-and-fire neurons over a whole sequence.

Rows of the parameters: decay, gain, drive, v_threshold, v_reset, refractory_time.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportAssignmentType=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from conex_nn.kernels.gpu.intrinsics import (
    Double,
    add_each,
    flush,
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
    current, rows, start, start_left, spikes, charged, held, end, end_left,
    steps, stride, total, period, dt: Double,
    pauses: tl.constexpr, soft: tl.constexpr, save: tl.constexpr,
    shared: tl.constexpr, real: tl.constexpr, block: tl.constexpr, stages: tl.constexpr,
):  # fmt: skip
    lanes, inside, columns = locate(total, period, shared, block)
    decay, gain, drive, threshold, reset = parameters(rows, period, columns, 0, 5, 1, real)
    v = tl.load(start + lanes, mask=inside, other=0).to(real)
    if pauses:
        (pause,) = parameters(rows, period, columns, 5, 1, 1, real)
        dt = tl.full((), dt, real)
        left = tl.load(start_left + lanes, mask=inside, other=0).to(real)
    for _ in tl.range(0, steps, num_stages=stages):
        arriving = tl.load(current + lanes, mask=inside, other=0).to(real)
        x = flush(decay * v + (gain * arriving + drive))
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
        tl.store(spikes + lanes, fires.to(real), mask=inside)
        v = reset_where(fires, x, threshold, reset, soft)
        current += stride
        spikes += total
    tl.store(end + lanes, v, mask=inside)
    if pauses:
        tl.store(end_left + lanes, left, mask=inside)


@triton.jit(do_not_specialize=["steps"])
def _backward(
    grads, grad_v, charged, held, start, rows, out, carried, sums,
    steps, stride, total, period, first: Double, second: Double,
    code: tl.constexpr, pauses: tl.constexpr, soft: tl.constexpr, detach: tl.constexpr, learn: tl.constexpr,
    shared: tl.constexpr, real: tl.constexpr, block: tl.constexpr, stages: tl.constexpr,
):  # fmt: skip
    lanes, inside, columns = locate(total, period, shared, block)
    decay, gain, drive, threshold, reset = parameters(rows, period, columns, 0, 5, 1, real)
    first, second = tl.full((), first, real), tl.full((), second, real)
    wide, last = widen(total), widen(steps) - 1
    grads += last * stride
    charged += last * wide
    out += last * wide
    carry = tl.zeros([block], real)
    if grad_v is not None:
        carry = tl.load(grad_v + lanes, mask=inside, other=0).to(real)
    if pauses:
        held += last * wide
    if learn:
        x = tl.load(charged + lanes, mask=inside, other=0).to(real)
        if pauses:
            holds = tl.load(held + lanes, mask=inside, other=0) > 0
        v_start = tl.load(start + lanes, mask=inside, other=0).to(real)
        per_gain = 1.0 / gain
        totals = zero_each(6, real, block)
    for back in tl.range(0, steps, num_stages=stages):
        grad = tl.load(grads + lanes, mask=inside, other=0).to(real)
        if learn:  # this step has been loaded with the one after it; what it started from is in the one before
            preceded = lanes < tl.where(back < last, total, 0)  # none at the first step
            charged -= total
            earlier = tl.load(charged + lanes, mask=preceded, other=0).to(real)
            if pauses:
                held -= total
                earlier_holds = tl.load(held + lanes, mask=preceded, other=0) > 0
        else:
            x = tl.load(charged + lanes, mask=inside, other=0).to(real)
            charged -= total
            if pauses:
                holds = tl.load(held + lanes, mask=inside, other=0) > 0
                held -= total
        fires = x >= threshold
        if not detach:
            grad += carry * (reset - threshold if soft else reset - x)
        through = derivative(x - threshold, first, second, code) * grad
        g = through + (carry if soft else tl.where(fires, 0.0, carry))
        if pauses:
            through, g = tl.where(holds, 0.0, through), tl.where(holds, 0.0, g)
        if learn:
            fired = earlier >= threshold
            at_spike = tl.where(fires, carry, 0.0)
            if pauses:
                fired = fired & ~earlier_holds
                at_spike = tl.where(holds, 0.0, at_spike)
            before = tl.where(preceded, reset_where(fired, earlier, threshold, reset, soft), v_start)
            charge = (x - decay * before - drive) * per_gain
            d_threshold = -through - at_spike if soft else -through
            none = tl.zeros([block], real)  # a number of steps, the refractory time, has no gradient
            totals = add_each(totals, (g * before, g * charge, g, d_threshold, at_spike, none), 6)
        tl.store(out + lanes, g * gain, mask=inside)
        following = flush(g * decay)
        carry = tl.where(holds, carry, following) if pauses else following
        if learn:
            x = earlier
            if pauses:
                holds = earlier_holds
        grads -= stride
        out -= total
    tl.store(carried + lanes, carry, mask=inside)
    if learn:
        store_each(sums, wide, lanes, inside, totals, 6)


def forward(
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
    """Advance integrate-and-fire neurons over a sequence; the operator ``conex_nn::lif`` says of what."""
    total, full = v.numel(), current.shape
    source, stride = by_time(current)
    spikes, end = current.new_empty(full), v.new_empty(v.shape)
    left = v.new_empty(v.shape if pauses else 0)
    charged, held = v.new_empty(full if save else 0), v.new_empty(full if save and pauses else 0)
    grid, options = launch_options(total, loads=current.element_size())
    with torch.cuda.device_of(v):
        _forward[grid](
            source, rows.contiguous(), v.contiguous(), refractory.contiguous(), spikes, charged, held, end, left,
            full[0], stride, total, rows.shape[1], dt,
            pauses=pauses, soft=soft_reset, save=save,
            shared=rows.shape[1] == 1, real=precision(v.dtype)[1], **options,
        )  # fmt: skip
    return spikes, end, left, charged, held


def backward(
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
    """Return the gradients of the currents, of the potential at the start, and of the rows if these learn."""
    steps, total = charged.shape[0], math.prod(charged.shape[1:])
    source, stride = by_time(grad_spikes)
    grad_v = None if grad_v is None else grad_v.contiguous()
    out, carry = torch.empty_like(charged), charged.new_empty(charged.shape[1:])
    dtype, real = precision(charged.dtype)
    sums = charged.new_empty((len(rows), total) if learn else 0, dtype=dtype)
    grid, options = launch_options(total, loads=grad_spikes.element_size() + (1 + pauses) * charged.element_size())
    with torch.cuda.device_of(charged):
        _backward[grid](
            source, grad_v, charged, held, None if v is None else v.contiguous(), rows.contiguous(), out, carry, sums,
            steps, stride, total, rows.shape[1], first, second,
            code=code, pauses=pauses, soft=soft_reset, detach=detach_reset, learn=learn,
            shared=rows.shape[1] == 1, real=real, **options,
        )  # fmt: skip
    return out, carry, reduce_rows(sums, rows).to(rows.dtype) if learn else rows.new_empty(0)
