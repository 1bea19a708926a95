"""How some rows of a matrix of weights, all weights of a few source neurons, learn from one step.

With a batch, what its samples have to say is added up before weights are touched: from what the targets have fired in
columns, which are then turned into rows, and from what a source has sent in a row at a time, for which samples are
listed by source. Either way they are added in their order.
"""

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, inline, make_total, offset, transpose
from conex_nn.kernels.cpu.plastic_row import make_rows

__all__ = ["make_matrix"]


def make_matrix(real, pre_of, post_of, pre_spans, post_spans, touch, touch_divided, touch_few, touch_column):
    """Make what changes the rows of a chunk: of one sample, and of a batch."""
    clear, add, *_ = make_rows(real)
    zero, one = real(0), real(1)
    room, span = of.ROOM, 8 * of.LANES * 4 // (real.bitwidth // 8)  # as much as eight registers of 256 bits hold
    total_span, total_lanes, total_one = make_total(span), make_total(of.LANES), make_total(1)

    @inline
    def single(record, table, populations, t, c, slots, width, lists, counts, sums, inverse, scratch, d):
        n, m = record[of.SOURCES], record[of.TARGETS]
        b, batch = types.int64(0), types.int64(1)  # bare numbers are types of their own to numba, which compiles twice
        pre, events, _ = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
        post, fired, number = post_of(record, table, populations, t, b, batch, slots, width, lists, counts)
        x, y = as_pointer(record[of.TRACE_PRE], real), as_pointer(record[of.TRACE_POST], real)
        shift = real(as_double(record[of.SHIFT]))
        places = as_pointer(record[of.PLACES], types.int32)
        gained = record[of.GAINS] != 0
        gains, tops = as_pointer(record[of.GAINS], real), offset(as_pointer(record[of.TOPS], real), 2 * c * m)
        begin = c * record[of.ROWS]
        rows = min(n, begin + record[of.ROWS]) - begin
        say = scratch  # what the sources say of targets that have fired; those that have spiked do so themselves
        for r in range(rows):
            say[r] = x[begin + r] * d
        for k in range(places[c], places[c + 1]):
            i = types.int64(events[k])
            if gained:
                touch_divided(record, i * m, post, y, sums, tops, x[i] * d, pre[i] * d, shift, inverse, m)
            else:
                touch(record, i * m, post, y, sums, x[i] * d, pre[i] * d, shift, inverse, m)
            say[i - begin] = zero
        ends = offset(scratch, rows)
        for q in range(number):
            j = types.int64(fired[q])
            if gained:
                ends[0], ends[1], ends[2] = sums[j], tops[j], tops[m + j]
                touch_column(record, begin, j, post[j], say, ends, gains[j], gains[m + j], inverse, rows)
                sums[j], tops[j], tops[m + j] = ends[0], ends[1], ends[2]
            else:
                ends[0], ends[1], ends[2] = sums[j], zero, zero
                touch_column(record, begin, j, post[j], say, ends, one, one, inverse, rows)
                sums[j] = ends[0]

    @inline
    def by_source(record, spans, c, begin, batch, lengths, samples):
        """List the samples in which each source of a chunk has spiked."""
        _, events, apart, _, _ = spans
        chunks = record[of.CHUNKS]
        for r in range(room):
            lengths[r] = 0
        for b in range(batch):
            places = offset(as_pointer(record[of.PLACES], types.int32), b * (chunks + 1))
            own = offset(events, b * apart)
            for k in range(places[c], places[c + 1]):
                r = types.int64(own[k]) - begin
                samples[r * batch + lengths[r]] = b
                lengths[r] += 1

    @inline
    def from_targets(record, spans, begin, rows, signals, batch, columns, marks, width):
        """Add up, in columns, what targets that have fired say of the rows; return how many did, and squares."""
        post, events, apart, numbers, between = spans
        n, m = record[of.SOURCES], record[of.TARGETS]
        x = offset(as_pointer(record[of.TRACE_PRE], real), begin)
        flags, fired = marks, offset(marks, width)
        known, squares = offset(marks, 2 * width), offset(marks, 3 * width)
        number, count = 0, 0
        for b in range(batch):
            own, source, row = offset(events, b * apart), offset(x, b * n), offset(post, b * m)
            for q in range(numbers[b * between]):
                j = types.int64(own[q])
                if flags[j] == 0:
                    flags[j] = 1
                    fired[number] = j
                    number += 1
                    square = j // of.LANES
                    if known[square] == 0:
                        known[square] = 1
                        squares[count] = square
                        count += 1
                        clear(offset(columns, square * of.LANES * room), of.LANES * room)
                add(offset(columns, j * room), source, row[j] * signals[b], rows)
        for q in range(number):
            flags[fired[q]] = 0
        for q in range(count):
            known[squares[q]] = 0
        return number, count

    @inline
    def from_source(record, spans, r, i, signals, batch, lengths, samples, amounts, down):
        """Add up, in a row, what samples in which a source has spiked say of it; return what they say of a shift."""
        pre = spans[0]
        n, m = record[of.SOURCES], record[of.TARGETS]
        y, own = as_pointer(record[of.TRACE_POST], real), offset(samples, r * batch)
        length, total = types.int64(lengths[r]), zero
        for k in range(length):
            b = types.int64(own[k])
            amounts[k] = pre[b * n + i] * signals[b]
            total += amounts[k]
        j = 0
        while j + span <= m:
            total_span(offset(down, j), offset(y, j), m, own, amounts, length)
            j += span
        while j + of.LANES <= m:
            total_lanes(offset(down, j), offset(y, j), m, own, amounts, length)
            j += of.LANES
        while j < m:
            total_one(offset(down, j), offset(y, j), m, own, amounts, length)
            j += 1
        return total * real(as_double(record[of.SHIFT]))

    @inline
    def batched(
        record, table, populations, t, c, batch, slots, width, lists, counts, sums, inverse, scratch, marks, signals
    ):
        n, m = record[of.SOURCES], record[of.TARGETS]
        area, wide = record[of.AREA], record[of.WIDE]
        ups, columns, down = scratch, offset(scratch, area), offset(scratch, 2 * area + wide)
        pitch = (m + of.LANES - 1) // of.LANES * of.LANES
        begin = c * record[of.ROWS]
        rows = min(n, begin + record[of.ROWS]) - begin
        post = post_spans(record, table, populations, t, batch, slots, width, lists, counts)
        number, count = from_targets(record, post, begin, rows, signals, batch, columns, marks, width)
        squares = offset(marks, 3 * width)
        for q in range(count):
            j = types.int64(squares[q]) * of.LANES
            for r in range(0, rows, of.LANES):
                transpose(offset(columns, j * room + r), room, offset(ups, r * pitch + j), pitch)
        pre = pre_spans(record, table, populations, t, batch, slots, width, lists, counts)
        lengths, samples = offset(marks, 4 * width), offset(marks, 4 * width + room)
        amounts = offset(signals, batch)
        by_source(record, pre, c, begin, batch, lengths, samples)
        many = number * 16 > m
        for r in range(rows):
            up, here = offset(ups, r * pitch), (begin + r) * m
            if many or lengths[r] > 0:
                shift = from_source(record, pre, r, begin + r, signals, batch, lengths, samples, amounts, down)
                touch(record, here, up, down, sums, one, one, shift, inverse, m)
            else:
                touch_few(record, here, up, sums, one, inverse, offset(marks, width), number)
            if many:
                clear(up, pitch)
        for q in range(0 if many else count):
            j = types.int64(squares[q]) * of.LANES
            for r in range(rows):
                clear(offset(ups, r * pitch + j), of.LANES)

    return single, batched
