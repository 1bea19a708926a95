"""Spikes kept as bits: a sequence of them in a thirty-second of its memory, and lists of events made from it.

Bit i of a word is neuron i of a group; a group's words of one sample stand in a row, step by step.
"""

from numba import types

from conex_nn.kernels.cpu.intrinsics import (
    as_double,
    as_pointer,
    count_ones,
    fetch_add,
    inline,
    lowest,
    not_zero,
    offset,
    sweep,
)
from conex_nn.kernels.cpu.record import LANES, WORD

__all__ = ["events", "pack"]

_TINY = 1e-30  # as in the kernel of traces


def pack(real):
    """Make the kernel that packs a sequence of spikes and lets their traces follow; a chunk is a sample."""
    zero, one, tiny = real(0), real(1), real(_TINY)

    @sweep
    def follow(x, row, keep, nearest, n):
        odd = types.int32(0)
        for i in range(n):
            y = x[i] * keep
            y = max(y, row[i]) if nearest else y + row[i]
            x[i] = zero if abs(y) < tiny else y
            odd |= types.int32(row[i] != zero) & types.int32(row[i] != one)
        return odd

    @inline
    def word_of(row, n):
        word, i = types.int64(0), 0
        while i + LANES <= n:
            word |= not_zero(offset(row, i)) << i
            i += LANES
        while i < n:
            if row[i] != zero:
                word |= types.int64(1) << i
            i += 1
        return word

    def kernel(args):
        steps, batch, n, groups, nearest = args[1], args[2], args[3], args[4], args[5] != 0
        keep = real(as_double(args[6]))
        spikes, words = as_pointer(args[7], real), as_pointer(args[8], types.int64)
        traces, counts = as_pointer(args[9], real), as_pointer(args[10], types.int64)
        odd = as_pointer(args[11], types.int64)
        while True:
            b = fetch_add(args, 1)
            if b >= batch:
                break
            count, strange = types.int64(0), types.int32(0)
            for t in range(steps):
                row = offset(spikes, (t * batch + b) * n)
                strange |= follow(offset(traces, b * n), row, keep, nearest, n)
                for g in range(groups):
                    word = word_of(offset(row, g * WORD), min(WORD, n - g * WORD))
                    words[(g * batch + b) * steps + t] = word
                    count += count_ones(word)
            counts[b] = count
            odd[b] = strange

    return kernel


def events(real):
    """Make the kernel that lists who spikes when, sample by sample; a chunk is a sample.

    Each event has a value, what its step and sample count, and what it adds to a trace: 1, or where only the last
    spike counts, what the trace lacks of 1.
    """
    zero, one = real(0), real(1)

    def kernel(args):
        steps, batch, n, groups, nearest = args[1], args[2], args[3], args[4], args[5] != 0
        words, begins = as_pointer(args[6], types.int64), as_pointer(args[7], types.int64)
        times, who = as_pointer(args[8], types.int32), as_pointer(args[9], types.int32)
        values, added = as_pointer(args[10], real), as_pointer(args[11], real)
        powers, start, weighs = as_pointer(args[12], real), as_pointer(args[13], real), as_pointer(args[14], real)
        shared, place = as_pointer(args[15], types.int64), types.int64(0)
        place = fetch_add(shared, 1)
        trace = offset(as_pointer(args[16], real), place * n)
        since = offset(as_pointer(args[17], types.int32), place * n)
        while True:
            b = fetch_add(args, 1)
            if b >= batch:
                break
            for i in range(n if nearest else 0):
                trace[i] = start[b * n + i] if args[13] != 0 else zero
                since[i] = -1
            k = begins[b]
            for t in range(steps):
                value = weighs[t * batch + b] if args[14] != 0 else one
                for g in range(groups):
                    found = words[(g * batch + b) * steps + t]
                    while found != 0:
                        i = g * WORD + lowest(found)
                        found &= found - 1
                        times[k], who[k], values[k], added[k] = t, i, value, one
                        if nearest:
                            left = trace[i] * powers[t - since[i]]
                            trace[i] = max(left, one)
                            since[i] = t
                            added[k] = trace[i] - left
                        k += 1

    return kernel
