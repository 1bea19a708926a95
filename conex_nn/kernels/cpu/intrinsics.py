"""What the numba kernels need and numba does not give: raw pointers, shared counters, a vectorised exponential."""

import functools
import math
import os

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from conex_nn.kernels.cpu.compiler import Inner, Sweep
from conex_nn.kernels.cpu.record import LANES

__all__ = [
    "as_double", "as_pointer", "choose", "count_ones", "decay_and_add", "decay_or_set", "fetch_add", "finish", "fused",
    "fused_sweep", "inline", "locate", "lowest", "make_exp", "make_room", "make_total", "not_below", "not_zero",
    "offset", "prefetch", "sweep", "transpose", "wait",
]  # fmt: skip


_OPTIONS = {"error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}  # only kernels call them

sweep = numba.njit(pipeline_class=Sweep, **_OPTIONS)
"""Compile one pass over a block of neurons whose pointers do not overlap."""

inline = numba.njit(pipeline_class=Inner, **_OPTIONS)
"""Compile a scalar function for use inside a sweep."""

fused_sweep = numba.njit(pipeline_class=Sweep, fastmath={"contract"}, **_OPTIONS)
"""Compile a sweep in which a product and the sum it is for are rounded once, where the processor can do both at once.

On one that cannot, results differ in their last digit.
"""

fused = numba.njit(pipeline_class=Inner, fastmath={"contract"}, **_OPTIONS)
"""Compile a scalar function with products and sums that a sweep of either kind may round once."""


@intrinsic
def as_pointer(typingctx, address, dtype):
    """Read an address as a pointer to ``dtype``."""
    signature = types.CPointer(dtype.dtype)(address, dtype)

    def codegen(context, builder, signature, args):
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return signature, codegen


@intrinsic
def offset(typingctx, pointer, elements):
    """Move a pointer on by so many elements."""

    def codegen(context, builder, signature, args):
        return builder.gep(args[0], [args[1]], inbounds=True)

    return pointer(pointer, elements), codegen


@functools.cache
def make_room(real, numbers):
    """Make what returns room for so many numbers on the stack of a thread, which nobody else's cache asks for.

    Nothing is in it, and a call gives the same room each time that it is reached.
    """

    @intrinsic
    def room(typingctx):
        def codegen(context, builder, signature, args):
            place = cgutils.alloca_once(builder, context.get_value_type(real), size=numbers)
            place.align = 64
            return place

        return types.CPointer(real)(), codegen

    return room


@intrinsic
def fetch_add(typingctx, pointer, value):
    """Add to a counter shared by all threads and return what it held before."""

    def codegen(context, builder, signature, args):
        return builder.atomic_rmw("add", args[0], args[1], "monotonic")

    return types.int64(pointer, value), codegen


@intrinsic
def finish(typingctx, pointer):
    """Count one more piece of work as done: whoever has waited for it sees what it wrote."""

    def codegen(context, builder, signature, args):
        one = context.get_constant(types.int64, 1)
        return builder.atomic_rmw("add", args[0], one, "release")

    return types.int64(pointer), codegen


@intrinsic
def _acquire(typingctx, pointer):
    """Read a counter that other threads move on."""

    def codegen(context, builder, signature, args):
        return builder.load_atomic(args[0], "acquire", 8, typ=ir.IntType(64))

    return types.int64(pointer), codegen


@intrinsic
def choose(typingctx, condition, this, that):
    """Return one of two numbers of a type without a branch: of Python's own choice LLVM makes slow masked stores."""

    def codegen(context, builder, signature, args):
        return builder.select(args[0], args[1], args[2])

    return this(types.boolean, this, this), codegen


@intrinsic
def prefetch(typingctx, pointer):
    """Ask for the memory where a pointer stands, which will be read soon."""

    def codegen(context, builder, signature, args):
        number = ir.IntType(32)
        address = builder.bitcast(args[0], ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [address.type], kind)
        builder.call(function, [address, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(pointer), codegen


if os.name == "posix":
    _give_way = types.ExternalFunction("sched_yield", types.int32())
else:

    @inline
    def _give_way():
        return 0


@inline
def wait(pointer, pieces):
    """Wait until so many pieces of work are done, whichever threads do them."""
    tries = 0
    while _acquire(pointer) < pieces:
        tries += 1
        if tries > 20_000:  # a thread that is not running cannot finish; to yield may cost a whole slice of time
            _give_way()
            tries = 0


def _lanes(context, builder, pointer, kind):
    """Load the numbers that a pointer stands at."""
    vector = ir.VectorType(context.get_value_type(kind.dtype), LANES)
    return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=kind.dtype.bitwidth // 8)


def _as_bits(builder, comparison):
    return builder.zext(builder.bitcast(comparison, ir.IntType(LANES)), ir.IntType(64))


@intrinsic
def not_zero(typingctx, pointer):
    """Return which of the next numbers are not 0: bit i stands for number i."""

    def codegen(context, builder, signature, args):
        found = _lanes(context, builder, args[0], signature.args[0])
        return _as_bits(builder, builder.fcmp_unordered("!=", found, ir.Constant(found.type, [0.0] * LANES)))

    return types.int64(pointer), codegen


@intrinsic
def not_below(typingctx, pointer, bars):
    """Return which of the next numbers have reached their bars: bit i stands for number i."""

    def codegen(context, builder, signature, args):
        found, wanted = (_lanes(context, builder, *each) for each in zip(args, signature.args, strict=True))
        return _as_bits(builder, builder.fcmp_ordered(">=", found, wanted))

    return types.int64(pointer, bars), codegen


@intrinsic
def lowest(typingctx, bits):
    """Return the number of the lowest bit that is set; there has to be one."""

    def codegen(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(bits), codegen


def _spread(builder, value, vector):
    """Return a vector of a number."""
    lane = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(lane, lane, places)


def _decayed(context, builder, signature, args, combine):
    """Replace the numbers that a pointer stands at by what ``combine`` makes of them, decayed, and of others."""
    pointer, kind = args[0], signature.args[0]
    x, other = (_lanes(context, builder, each, kind) for each in (pointer, args[-1]))

    def spread(value):
        return _spread(builder, value, x.type)

    y = combine(builder.fmul(x, spread(args[1])), other, spread)
    zero, tiny = (ir.Constant(x.type, [each] * LANES) for each in (0.0, 1e-30))  # denormals are slow
    small = builder.and_(builder.fcmp_ordered("<", y, tiny), builder.fcmp_ordered("<", builder.fsub(zero, y), tiny))
    there = builder.bitcast(pointer, x.type.as_pointer())
    builder.store(builder.select(small, zero, y), there, align=kind.dtype.bitwidth // 8)
    return context.get_dummy_value()


@intrinsic
def decay_and_add(typingctx, pointer, keep, gain, other):
    """Multiply the next numbers by ``keep`` and add ``gain`` times others."""

    def codegen(context, builder, signature, args):
        def add(decayed, other, spread):
            return builder.fadd(decayed, builder.fmul(other, spread(args[2])))

        return _decayed(context, builder, signature, args, add)

    return types.void(pointer, pointer.dtype, pointer.dtype, pointer), codegen


@intrinsic
def decay_or_set(typingctx, pointer, keep, other):
    """Multiply the next numbers by ``keep`` and replace those that are then smaller than others by them."""

    def codegen(context, builder, signature, args):
        def larger(decayed, other, spread):
            return builder.select(builder.fcmp_ordered(">", decayed, other), decayed, other)

        return _decayed(context, builder, signature, args, larger)

    return types.void(pointer, pointer.dtype, pointer), codegen


@functools.cache
def make_total(width):
    """Make what sets so many numbers to a sum of rows that are listed, times factors, in registers until it is done."""

    @intrinsic
    def total(typingctx, out, rows, pitch, listed, factors, count):
        def codegen(context, builder, signature, args):
            out, rows, pitch, listed, factors, count = args
            kind = signature.args[0]
            vector, align = ir.VectorType(context.get_value_type(kind.dtype), width), kind.dtype.bitwidth // 8
            sums = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * width))
            with cgutils.for_range(builder, count) as loop:
                number, factor = (
                    builder.load(builder.gep(each, [loop.index], inbounds=True)) for each in (listed, factors)
                )
                row = builder.gep(rows, [builder.mul(builder.sext(number, pitch.type), pitch)], inbounds=True)
                values = builder.load(builder.bitcast(row, vector.as_pointer()), align=align)
                product = builder.fmul(values, _spread(builder, factor, vector), flags=("contract",))
                builder.store(builder.fadd(builder.load(sums), product, flags=("contract",)), sums)
            builder.store(builder.load(sums), builder.bitcast(out, vector.as_pointer()), align=align)
            return context.get_dummy_value()

        return types.void(out, rows, pitch, listed, factors, count), codegen

    return total


@intrinsic
def count_ones(typingctx, bits):
    """Return how many bits are set."""

    def codegen(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(bits), codegen


@intrinsic
def transpose(typingctx, source, stride, target, pitch):
    """Copy a square of ``LANES`` by ``LANES`` numbers and swap its axes; rows are ``stride`` and ``pitch`` apart."""

    def codegen(context, builder, signature, args):
        source, stride, target, pitch = args
        kind, count = signature.args[0], ir.IntType(64)

        def place(pointer, step, row):
            return builder.gep(pointer, [builder.mul(step, ir.Constant(count, row))], inbounds=True)

        rows = [_lanes(context, builder, place(source, stride, i), kind) for i in range(LANES)]
        apart = 1
        while apart < LANES:  # blocks off the diagonal change places, then those of twice the size
            low = [i if not i & apart else i - apart + LANES for i in range(LANES)]
            high = [i + apart if not i & apart else i + LANES for i in range(LANES)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), LANES), each) for each in (low, high)]
            for i in range(LANES):
                if not i & apart:
                    pair = rows[i], rows[i + apart]
                    rows[i], rows[i + apart] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            apart *= 2
        for i, row in enumerate(rows):
            there = builder.bitcast(place(target, pitch, i), row.type.as_pointer())
            builder.store(row, there, align=kind.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(source, stride, target, pitch), codegen


@intrinsic
def _float32_of_bits(typingctx, bits):
    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def as_double(typingctx, bits):
    """Read an integer as the bits of a double."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@inline
def locate(chunk, period, block, total):
    """Return where a chunk begins in the parameters and in the neurons, and its length.

    The neurons of all samples lie in rows of ``period``, the length of the parameters; a row is cut into blocks.
    """
    pieces = (period + block - 1) // block
    row = chunk // pieces
    begin = (chunk - row * pieces) * block
    return begin, row * period + begin, min(block, min(period - begin, total - (row * period + begin)))


@functools.cache
def make_exp(real):
    """Make exp(x) for x < 80: range reduction and a Taylor polynomial, in operations that LLVM can vectorise."""
    half, log2e = real(0.5), real(math.log2(math.e))
    if real == types.float32:
        # Cody-Waite: ln 2 in a part with trailing zeros and a rest, so that n * high is exact.
        high, low, floor = np.float32(0.693359375), np.float32(-2.12194440e-4), np.float32(-87.0)
        terms, shift, bias = 8, 23, 127
        to_int, of_bits = types.int32, _float32_of_bits
    else:
        high, low, floor = np.float64(6.93145751953125e-1), np.float64(1.42860682030941723212e-6), np.float64(-708.0)
        terms, shift, bias = 14, 52, 1023
        to_int, of_bits = types.int64, as_double
    coefficients = tuple(real(1 / math.factorial(k)) for k in range(terms))
    last = coefficients[-1]
    shift, bias = to_int(shift), to_int(bias)

    @inline
    def exp(x):
        x = max(x, floor)
        n = types.int32(x * log2e + (half if x > 0 else -half))
        count = real(n)
        r = (x - count * high) - count * low
        result = last
        for k in range(2, terms + 1):
            result = result * r + coefficients[terms - k]
        return result * of_bits(to_int((to_int(n) + bias) << shift))

    return exp
