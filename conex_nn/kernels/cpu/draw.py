"""Draws the partners of many neurons at once, and turns lists by row into lists by column.

Random numbers are those of SplitMix64 (Steele, Lea & Flood, OOPSLA 2014), a stream of its own for each row: what a row
draws depends on the seed and on its number, not on which thread draws it. A number below n is had by multiplication
(Lemire, ACM TOMACS 29:3, 2019), without bias.
"""

import numpy as np
from numba import types

from conex_nn.kernels.cpu.intrinsics import as_pointer, fetch_add, inline, lowest, offset

__all__ = ["count", "rows", "spread"]

_STEP, _ROW = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_FEW = 48  # values that are sorted by insertion
_SCARCE = 16  # words of a set for each of its members above which the members are sorted and not looked for


@inline
def _mix(z):
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@inline
def _below(state, n, least):
    """Return the next state, and a number below n; ``least`` is 2**32 modulo n."""
    state += _STEP
    product = (_mix(state) >> _32) * n
    while (product & _LOW) < least:
        state += _STEP
        product = (_mix(state) >> _32) * n
    return state, types.int64(product >> _32)


@inline
def _sort(values, spare, counts, size, largest):
    """Sort whole numbers up to the largest: few by insertion, many by their bytes."""
    if size <= _FEW:
        for i in range(1, size):
            value, j = values[i], i - 1
            while j >= 0 and values[j] > value:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = value
        return
    shift = types.int64(0)
    here, there = values, spare
    while largest >> shift > 0:
        for c in range(256):
            counts[c] = 0
        for i in range(size):
            counts[(types.int64(here[i]) >> shift) & 255] += 1
        before = types.int64(0)
        for c in range(256):
            number = counts[c]
            counts[c] = before
            before += number
        for i in range(size):
            c = (types.int64(here[i]) >> shift) & 255
            there[counts[c]] = here[i]
            counts[c] += 1
        here, there = there, here
        shift += 8
    if (shift // 8) % 2 == 1:
        for i in range(size):
            values[i] = spare[i]


def rows(real, narrow):
    """Make the kernel that draws, for each row, so many columns, ascending."""
    kind = types.uint16 if narrow else types.int32

    @inline
    def put(out, e, column, row, skip):
        out[e] = kind(column + 1 if skip != 0 and column >= row else column)

    @inline
    def with_repetitions(out, size, row, skip, state, n, least, values, spare, counts):
        for e in range(size):
            state, value = _below(state, n, least)
            values[e] = types.int32(value)
        _sort(values, spare, counts, size, types.int64(n) - 1)
        for e in range(size):
            put(out, e, types.int64(values[e]), row, skip)

    @inline
    def distinct(out, size, row, skip, state, n, least, members, words, values, spare, counts):
        columns = types.int64(n)
        drawn = min(size, columns - size)  # those drawn, or those left out
        number = 0
        while number < drawn:
            state, value = _below(state, n, least)
            word, bit = value >> 6, types.int64(1) << (value & 63)
            if members[word] & bit == 0:
                members[word] |= bit
                values[number] = types.int32(value)
                number += 1
        if drawn == size and drawn * _SCARCE < words:
            _sort(values, spare, counts, size, columns - 1)
            for e in range(size):
                value = types.int64(values[e])
                put(out, e, value, row, skip)
                members[value >> 6] = 0
            return
        e = 0
        for word in range(words):
            bits = members[word]
            members[word] = 0
            if drawn < size:
                bits = ~bits
                if word == words - 1 and columns & 63 != 0:
                    bits &= (types.int64(1) << (columns & 63)) - 1
            while bits != 0:
                put(out, e, word * 64 + lowest(bits), row, skip)
                e += 1
                bits &= bits - 1

    def kernel(args):
        columns, block, chunks, repeats, skip = args[1], args[2], args[3], args[4], args[5]
        seed, words, room, first, end = types.uint64(args[6]), args[7], args[8], args[9], args[10]
        begins, out = as_pointer(args[11], types.int64), as_pointer(args[12], kind)
        place = fetch_add(as_pointer(args[16], types.int64), 1)
        members = offset(as_pointer(args[13], types.int64), place * words)
        values = offset(as_pointer(args[14], types.int32), place * 2 * room)
        counts = offset(as_pointer(args[15], types.int64), place * 256)
        n = types.uint64(columns)
        least = (types.uint64(1) << _32) % n if columns > 0 else types.uint64(0)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            for row in range(first + chunk * block, min(end, first + (chunk + 1) * block)):
                size = begins[row + 1] - begins[row]
                here = offset(out, begins[row])
                state = _mix(seed + types.uint64(row) * _ROW)
                if repeats != 0:
                    with_repetitions(here, size, row, skip, state, n, least, values, offset(values, room), counts)
                else:
                    distinct(
                        here, size, row, skip, state, n, least, members, words, values, offset(values, room), counts
                    )

    return kernel


@inline
def _lower_bound(values, begin, end, wanted):
    """Return where the first value that is not below another stands."""
    while begin < end:
        middle = (begin + end) // 2
        if types.int64(values[middle]) < wanted:
            begin = middle + 1
        else:
            end = middle
    return begin


def count(real, narrow):
    """Make the kernel that counts how often each column occurs in the rows, each of which ascends."""
    kind = types.uint16 if narrow else types.int32

    def kernel(args):
        number, columns, block, chunks = args[1], args[2], args[3], args[4]
        begins, entries = as_pointer(args[5], types.int64), as_pointer(args[6], kind)
        totals = as_pointer(args[7], types.int64)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            first, last = chunk * block, min(columns, (chunk + 1) * block)
            for row in range(number):
                end = begins[row + 1]
                e = _lower_bound(entries, begins[row], end, first)
                while e < end and types.int64(entries[e]) < last:
                    totals[types.int64(entries[e])] += 1
                    e += 1

    return kernel


def spread(real, narrow, narrow_out):
    """Make the kernel that writes to each column the rows that it occurs in, ascending, and the numbers of entries."""
    kind = types.uint16 if narrow else types.int32
    kind_out = types.uint16 if narrow_out else types.int32

    def kernel(args):
        number, columns, block, chunks = args[1], args[2], args[3], args[4]
        begins, entries = as_pointer(args[5], types.int64), as_pointer(args[6], kind)
        places, out = as_pointer(args[7], types.int64), as_pointer(args[8], kind_out)
        numbered, numbers = args[9] != 0, as_pointer(args[9], types.int32)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            first, last = chunk * block, min(columns, (chunk + 1) * block)
            for row in range(number):
                end = begins[row + 1]
                e = _lower_bound(entries, begins[row], end, first)
                while e < end and types.int64(entries[e]) < last:
                    column = types.int64(entries[e])
                    out[places[column]] = kind_out(row)
                    if numbered:
                        numbers[places[column]] = types.int32(e)
                    places[column] += 1
                    e += 1

    return kernel
