"""How the spike of a neuron goes out: into the rings of its targets, at the step at which it reaches each."""

from numba import types

from conex_nn.kernels.cpu.intrinsics import as_pointer, inline, offset, prefetch, sweep
from conex_nn.kernels.cpu.ring_fields import (
    BEGINS,
    DELAYS,
    KIND,
    LATE,
    LONG_BEGINS,
    TARGETS,
    WEIGHT_STEP,
    WEIGHTS,
    WIDE_DELAYS,
    WIDE_TARGETS,
)

__all__ = ["make_send"]


def make_send(real):
    """Make what adds the row of one neuron that spiked to the ring, asks for it, and finds a part of it."""
    bytes_of_weight = real.bitwidth // 8

    @sweep
    def dense(ring, weights, size, n):
        for j in range(n):
            ring[j] += size * weights[j]

    def edges(index, late):
        @inline
        def together(ring, targets, weights, weight_step, size, begin, end):
            wide = as_pointer(targets, index)
            for e in range(begin, end):
                ring[types.int64(wide[e])] += size * weights[e * weight_step]

        @inline
        def apart(ring, stride, mask, at, targets, delays, weights, weight_step, size, begin, end):
            wide, later = as_pointer(targets, index), as_pointer(delays, late)
            for e in range(begin, end):
                slot = (at + types.int64(later[e])) & mask
                ring[slot * stride + types.int64(wide[e])] += size * weights[e * weight_step]

        @inline
        def bound(targets, begin, end, wanted):
            wide = as_pointer(targets, index)
            while begin < end:
                middle = (begin + end) // 2
                if types.int64(wide[middle]) < wanted:
                    begin = middle + 1
                else:
                    end = middle
            return begin

        return together, apart, bound

    together_16, apart_16, bound_16 = edges(types.uint16, types.uint8)
    together_32, apart_32, bound_32 = edges(types.int32, types.uint8)
    _, long_apart_16, _ = edges(types.uint16, types.int16)
    _, long_apart_32, _ = edges(types.int32, types.int16)

    @inline
    def span(link, i, low, high, n):
        """Return which edges of source neuron i are onto the targets from low up to high."""
        if link[LONG_BEGINS] != 0:
            long = as_pointer(link[BEGINS], types.int64)
            begin, end = long[i], long[i + 1]
        else:
            short = as_pointer(link[BEGINS], types.int32)
            begin, end = types.int64(short[i]), types.int64(short[i + 1])
        targets, wide = link[TARGETS], link[WIDE_TARGETS] != 0
        if low > 0:
            begin = bound_32(targets, begin, end, low) if wide else bound_16(targets, begin, end, low)
        if high < n:
            end = bound_32(targets, begin, end, high) if wide else bound_16(targets, begin, end, high)
        return begin, end

    @inline
    def row(link, ring, stride, mask, at, i, size, low, high, n):
        """Send a spike of source neuron i, of this size, to the targets from low up to high."""
        if link[LATE] != 0:
            at += types.int64(as_pointer(link[LATE], types.int32)[i])
        weights, kind = as_pointer(link[WEIGHTS], real), link[KIND]
        onto = offset(ring, (at & mask) * stride)
        if kind == 0:
            dense(offset(onto, low), offset(weights, i * n + low), size, high - low)
            return
        if kind == 2:
            if low <= i and i < high:
                onto[i] += size * weights[i * link[WEIGHT_STEP]]
            return
        begin, end = span(link, i, low, high, n)
        targets, wide, delays, step = link[TARGETS], link[WIDE_TARGETS] != 0, link[DELAYS], link[WEIGHT_STEP]
        if delays == 0:
            if wide:
                together_32(onto, targets, weights, step, size, begin, end)
            else:
                together_16(onto, targets, weights, step, size, begin, end)
        elif link[WIDE_DELAYS] != 0:
            if wide:
                long_apart_32(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)
            else:
                long_apart_16(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)
        elif wide:
            apart_32(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)
        else:
            apart_16(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)

    line = 64

    @inline
    def lines(address, begin, end):
        for at in range(address + begin, address + end, line):
            prefetch(as_pointer(at, types.int8))

    @inline
    def ready(link, i):
        """Ask for the row of a source neuron, which is sent next."""
        if link[KIND] != 1:
            return
        if link[LONG_BEGINS] != 0:
            long = as_pointer(link[BEGINS], types.int64)
            begin, end = long[i], long[i + 1]
        else:
            short = as_pointer(link[BEGINS], types.int32)
            begin, end = types.int64(short[i]), types.int64(short[i + 1])
        wide = 4 if link[WIDE_TARGETS] != 0 else 2
        lines(link[TARGETS], begin * wide, end * wide)
        if link[DELAYS] != 0:
            wide = 2 if link[WIDE_DELAYS] != 0 else 1
            lines(link[DELAYS], begin * wide, end * wide)
        if link[WEIGHT_STEP] != 0:
            lines(link[WEIGHTS], begin * bytes_of_weight, end * bytes_of_weight)

    return row, ready, span
