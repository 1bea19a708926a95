"""Sums of rows picked by events: what a Hebbian product comes to where one of its sides is mostly zeros.

``out[e] = sum over k of events[k, e] * rows[k]``, for the entries of ``events`` that are not zero, which are listed by
their column: a chunk is a few columns, a thread adds up one row of the result at a time, and the order is that of k.
"""

from numba import types

from conex_nn.kernels.cpu.intrinsics import as_pointer, fetch_add, inline, lowest, not_zero, offset
from conex_nn.kernels.cpu.plastic_row import make_add_four, make_rows
from conex_nn.kernels.cpu.record import LANES, WIDE_COLUMNS

__all__ = ["gather"]


def gather(real):
    """Make the kernel: ``count`` rows of ``events`` and of ``rows``, added onto ``out``."""
    zero = real(0)

    add_four = make_add_four(real)
    _, add, *_ = make_rows(real)

    @inline
    def by_column(events, columns, begin, end, count, lengths, places, values):
        """List, for each column of a chunk, the rows in which it is not zero, and what it is there."""
        for e in range(end - begin):
            lengths[e] = 0
        for k in range(count):
            row, e = offset(events, k * columns + begin), 0
            while e + LANES <= end - begin:
                found = not_zero(offset(row, e))
                while found != 0:
                    r = e + lowest(found)
                    places[r * count + lengths[r]] = k
                    values[r * count + lengths[r]] = row[r]
                    lengths[r] += 1
                    found &= found - 1
                e += LANES
            while e < end - begin:
                if row[e] != zero:
                    places[e * count + lengths[e]] = k
                    values[e * count + lengths[e]] = row[e]
                    lengths[e] += 1
                e += 1

    @inline
    def add_rows(x, own, factors, length, rows, width):
        """Add the listed rows, each times its factor."""
        k = 0
        while k + 4 <= length:
            a, b = types.int64(own[k]), types.int64(own[k + 1])
            c, d = types.int64(own[k + 2]), types.int64(own[k + 3])
            add_four(
                x, offset(rows, a * width), offset(rows, b * width), offset(rows, c * width), offset(rows, d * width),
                factors[k], factors[k + 1], factors[k + 2], factors[k + 3], width,
            )  # fmt: skip
            k += 4
        while k < length:
            a = types.int64(own[k])
            add(x, offset(rows, a * width), factors[k], width)
            k += 1

    def kernel(args):
        count, columns, width, chunks = args[1], args[2], args[3], args[4]
        events, rows, out = as_pointer(args[5], real), as_pointer(args[6], real), as_pointer(args[7], real)
        shared, scratch = as_pointer(args[8], types.int64), as_pointer(args[9], types.int32)
        thread = fetch_add(shared, 1)
        lengths = offset(scratch, thread * WIDE_COLUMNS * (count + 1))
        places = offset(lengths, WIDE_COLUMNS)
        values = offset(as_pointer(args[10], real), thread * WIDE_COLUMNS * count)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            begin = chunk * WIDE_COLUMNS
            end = min(columns, begin + WIDE_COLUMNS)
            by_column(events, columns, begin, end, count, lengths, places, values)
            for r in range(end - begin):
                own, factors = offset(places, r * count), offset(values, r * count)
                add_rows(offset(out, (begin + r) * width), own, factors, lengths[r], rows, width)

    return kernel
