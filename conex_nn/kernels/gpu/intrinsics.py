"""What the Triton kernels share. Several values per neuron, such as its adaptation currents, are a tuple of blocks."""

# pyright: reportArgumentType=false, reportGeneralTypeIssues=false

from typing import TYPE_CHECKING

import triton
import triton.language as tl

__all__ = [
    "Double",
    "add_each",
    "flush",
    "load_each",
    "locate",
    "parameters",
    "reset_where",
    "store_each",
    "widen",
    "zero_each",
]

if TYPE_CHECKING:
    Double = float
else:
    Double = tl.float64  # without it Triton rounds an argument to single precision


@triton.jit
def widen(number):
    """Take an integer argument to 64 bits: products with it may exceed 32."""
    return tl.cast(number, tl.int64)


@triton.jit
def locate(total, period, shared: tl.constexpr, block: tl.constexpr):
    """Return this program's neurons, which of them exist, and their columns in the parameters."""
    lanes = widen(tl.program_id(0)) * block + tl.arange(0, block)
    columns = 0 if shared else lanes % period  # parameters that all neurons share are scalars
    return lanes, lanes < total, columns


@triton.jit
def parameters(
    rows, period, columns, begin: tl.constexpr, count: tl.constexpr, every: tl.constexpr, real: tl.constexpr
):
    """Load rows of the parameters."""
    values = ()
    for i in tl.static_range(count):
        values += (tl.load(rows + (widen(period) * (begin + i * every) + columns)).to(real),)
    return values


@triton.jit
def load_each(pointer, distance, lanes, inside, count: tl.constexpr, real: tl.constexpr):
    """Load blocks that are some distance apart."""
    values = ()
    for i in tl.static_range(count):
        values += (tl.load(pointer + (i * distance + lanes), mask=inside, other=0).to(real),)
    return values


@triton.jit
def store_each(pointer, distance, lanes, inside, values, count: tl.constexpr):
    """Store blocks some distance apart."""
    for i in tl.static_range(count):
        tl.store(pointer + (i * distance + lanes), values[i], mask=inside)


@triton.jit
def zero_each(count: tl.constexpr, real: tl.constexpr, block: tl.constexpr):
    """Make blocks of zeros."""
    values = ()
    for _ in tl.static_range(count):
        values += (tl.zeros([block], real),)
    return values


@triton.jit
def add_each(sums, terms, count: tl.constexpr):
    """Add one tuple of blocks to another."""
    values = ()
    for i in tl.static_range(count):
        values += (sums[i] + terms[i],)
    return values


@triton.jit
def flush(x):
    """Take as 0 what is on its way to denormals, as the CPU kernels do."""
    return tl.where(tl.abs(x) < 1e-30, 0.0, x)


@triton.jit
def reset_where(fires, x, threshold, reset, soft: tl.constexpr):
    """Return the potential after firing and reset."""
    after = x - (threshold - reset) if soft else reset
    return tl.where(fires, after, x)
