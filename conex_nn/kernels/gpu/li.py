"""Leaky integrators over a whole sequence."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false
# pyright: reportAssignmentType=false, reportOperatorIssue=false, reportPossiblyUnboundVariable=false

import torch
import triton
import triton.language as tl
from torch import Tensor

from conex_nn.kernels.gpu.intrinsics import add_each, flush, locate, parameters, store_each, widen, zero_each
from conex_nn.kernels.gpu.layout import by_time, launch_options, precision
from conex_nn.kernels.layout import reduce_rows

__all__ = ["backward", "forward"]


@triton.jit(do_not_specialize=["steps"])
def _forward(
    current, rows, start, out,
    steps, stride, total, period,
    shared: tl.constexpr, real: tl.constexpr, block: tl.constexpr, stages: tl.constexpr,
):  # fmt: skip
    lanes, inside, columns = locate(total, period, shared, block)
    decay, gain, drive = parameters(rows, period, columns, 0, 3, 1, real)
    v = tl.load(start + lanes, mask=inside, other=0).to(real)
    for _ in tl.range(0, steps, num_stages=stages):
        arriving = tl.load(current + lanes, mask=inside, other=0).to(real)
        v = flush(decay * v + (gain * arriving + drive))
        tl.store(out + lanes, v, mask=inside)
        current += stride
        out += total


@triton.jit(do_not_specialize=["steps"])
def _backward(
    grad, rows, potentials, start, out, carried, sums,
    steps, stride, total, period,
    learn: tl.constexpr, shared: tl.constexpr, real: tl.constexpr, block: tl.constexpr, stages: tl.constexpr,
):  # fmt: skip
    lanes, inside, columns = locate(total, period, shared, block)
    decay, gain, drive = parameters(rows, period, columns, 0, 3, 1, real)
    wide, last = widen(total), widen(steps) - 1
    grad += last * stride
    out += last * wide
    carry = tl.zeros([block], real)
    if learn:
        per_gain = 1.0 / gain
        potentials += last * wide
        v = tl.load(potentials + lanes, mask=inside, other=0).to(real)
        v_start = tl.load(start + lanes, mask=inside, other=0).to(real)
        totals = zero_each(3, real, block)
    for back in tl.range(0, steps, num_stages=stages):
        g = tl.load(grad + lanes, mask=inside, other=0).to(real) + carry
        if learn:
            preceded = lanes < tl.where(back < last, total, 0)  # none at the first step
            potentials -= total
            earlier = tl.load(potentials + lanes, mask=preceded, other=0).to(real)
            before = tl.where(preceded, earlier, v_start)
            totals = add_each(totals, (g * before, g * ((v - decay * before - drive) * per_gain), g), 3)
            v = earlier
        tl.store(out + lanes, g * gain, mask=inside)
        carry = flush(g * decay)
        grad -= stride
        out -= total
    tl.store(carried + lanes, carry, mask=inside)
    if learn:
        store_each(sums, wide, lanes, inside, totals, 3)


def forward(current: Tensor, v: Tensor, rows: Tensor) -> Tensor:
    """Advance leaky integrators over a sequence; the operator ``conex_nn::li`` says of what."""
    total = v.numel()
    source, stride = by_time(current)
    out = v.new_empty(current.shape)
    grid, options = launch_options(total, loads=current.element_size())
    with torch.cuda.device_of(v):
        _forward[grid](
            source, rows.contiguous(), v.contiguous(), out,
            current.shape[0], stride, total, rows.shape[1],
            shared=rows.shape[1] == 1, real=precision(v.dtype)[1], **options,
        )  # fmt: skip
    return out


def backward(grad: Tensor, potentials: Tensor, v: Tensor, rows: Tensor, learn: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of the currents, of the potential at the start, and of the rows if these learn."""
    total = v.numel()
    source, stride = by_time(grad)
    out, carry = v.new_empty(grad.shape), v.new_empty(v.shape)
    dtype, real = precision(v.dtype)
    sums = v.new_empty((len(rows), total) if learn else 0, dtype=dtype)
    grid, options = launch_options(total, loads=grad.element_size() + learn * v.element_size())
    with torch.cuda.device_of(v):
        _backward[grid](
            source, rows.contiguous(), potentials, v.contiguous(), out, carry, sums,
            grad.shape[0], stride, total, rows.shape[1],
            learn=learn, shared=rows.shape[1] == 1, real=real, **options,
        )  # fmt: skip
    return out, carry, reduce_rows(sums, rows).to(rows.dtype) if learn else rows.new_empty(0)
