"""How connections learn from one step: traces of each sample, then rows of the weight, then sums of its columns.

A chunk is a few rows, all weights of a few source neurons. What samples have to say about a row is added up in their
order, so the number of threads does not matter.
"""

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, inline, offset, sweep
from conex_nn.kernels.cpu.plastic_edges import make_edges
from conex_nn.kernels.cpu.plastic_row import make_rows
from conex_nn.kernels.cpu.plastic_touch import make_touch
from conex_nn.kernels.cpu.traces import make_remember, make_sides

__all__ = ["ROWS", "make_learning"]

ROWS = 32
"""Rows of a chunk of a dense weight, with a batch."""


def make_learning(real):
    """Make the four passes: of one sample, of some rows, of the sums of some columns, of the scaling of some rows."""
    pre_of, post_of = make_sides(real)
    remember = make_remember(real)
    touch, touch_one, touch_few = make_touch(real)
    clear, add, times, decay, clip, scale_row, total = make_rows(real)
    zero, one = real(0), real(1)

    @inline
    def signal(record, t, b, batch):
        """Return how much the changes of a sample count."""
        if record[of.MODULATOR] == 0 or record[of.ELIGIBILITY] != 0:
            return one
        return as_pointer(record[of.MODULATOR], real)[t * batch + b]

    @inline
    def dense_single(record, table, populations, t, c, slots, width, lists, counts, sums, inverse):
        n, m = record[of.SOURCES], record[of.TARGETS]
        pre, events, _ = pre_of(record, table, populations, t, 0, 1, slots, width, lists, counts)
        post, fired, number = post_of(record, table, populations, t, 0, 1, slots, width, lists, counts)
        x, y = as_pointer(record[of.TRACE_PRE], real), as_pointer(record[of.TRACE_POST], real)
        d, shift = signal(record, t, 0, 1), real(as_double(record[of.SHIFT]))
        places = as_pointer(record[of.PLACES], types.int32)
        k, end = places[c], places[c + 1]
        for i in range(c * record[of.ROWS], min(n, (c + 1) * record[of.ROWS])):
            px = x[i] * d
            if k < end and events[k] == i:
                k += 1
                touch(record, i * m, post, y, sums, px, pre[i] * d, shift, inverse, m)
            elif px != zero:
                touch_few(record, i * m, post, sums, px, inverse, fired, number)

    @inline
    def dense_batch(
        record, table, populations, t, c, batch, slots, width, lists, counts, sums, inverse, scratch, marks
    ):
        n, m = record[of.SOURCES], record[of.TARGETS]
        area, wide = record[of.AREA], record[of.WIDE]
        ups, downs, columns = scratch, offset(scratch, area), offset(scratch, 2 * area)
        shifts = offset(scratch, 3 * area + wide)
        flags, fired = marks, offset(marks, width)
        x, y = as_pointer(record[of.TRACE_PRE], real), as_pointer(record[of.TRACE_POST], real)
        shift = real(as_double(record[of.SHIFT]))
        chunks = record[of.CHUNKS]
        begin = c * ROWS
        rows = min(n, begin + ROWS) - begin
        number, touched = 0, types.int64(0)
        for b in range(batch):
            d = signal(record, t, b, batch)
            post, post_events, post_count = post_of(
                record, table, populations, t, b, batch, slots, width, lists, counts
            )
            source = offset(x, b * n + begin)
            for q in range(post_count):
                j = types.int64(post_events[q])
                column = offset(columns, j * ROWS)
                if flags[j] == 0:
                    flags[j] = 1
                    fired[number] = j
                    number += 1
                    for r in range(ROWS):
                        column[r] = zero
                add(column, source, post[j] * d, rows)
            pre, events, _ = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            places = offset(as_pointer(record[of.PLACES], types.int32), b * (chunks + 1))
            for k in range(places[c], places[c + 1]):
                i = types.int64(events[k])
                r = i - begin
                down = offset(downs, r * m)
                if (touched >> r) & 1 == 0:
                    touched |= types.int64(1) << r
                    clear(down, m)
                    shifts[r] = zero
                shifts[r] += pre[i] * d * shift
                add(down, offset(y, b * m), pre[i] * d, m)
        for q in range(number):
            j = types.int64(fired[q])
            flags[j] = 0
            for r in range(rows):
                ups[r * m + j] = columns[j * ROWS + r]
        many = number * 16 > m
        for r in range(rows):
            up, down = offset(ups, r * m), offset(downs, r * m)
            if (touched >> r) & 1 == 1:
                touch(record, (begin + r) * m, up, down, sums, one, one, shifts[r], inverse, m)
            elif many:
                clear(down, m)
                touch(record, (begin + r) * m, up, down, sums, one, one, zero, inverse, m)
            else:
                touch_few(record, (begin + r) * m, up, sums, one, inverse, fired, number)
            if many:
                clear(up, m)
        for q in range(0 if many else number):
            j = types.int64(fired[q])
            for r in range(rows):
                ups[r * m + j] = zero

    learn_edges, sum_edges, scale_edges = make_edges(real, pre_of, post_of, signal, touch, touch_one)

    @inline
    def one_to_one(record, table, populations, t, batch, slots, width, lists, counts, sums, inverse, scratch):
        n = record[of.SOURCES]
        ups, downs = offset(scratch, record[of.AREA]), offset(scratch, 2 * record[of.AREA])
        x, y = as_pointer(record[of.TRACE_PRE], real), as_pointer(record[of.TRACE_POST], real)
        shift = real(as_double(record[of.SHIFT]))
        clear(ups, n)
        clear(downs, n)
        for b in range(batch):
            d = signal(record, t, b, batch)
            post, events, count = post_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            for q in range(count):
                i = types.int64(events[q])
                ups[i] += post[i] * d * x[b * n + i]
            pre, events, count = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            for q in range(count):
                i = types.int64(events[q])
                downs[i] += pre[i] * d * (y[b * n + i] + shift)
        touch(record, 0, ups, downs, sums, one, one, zero, inverse, n)

    @sweep
    def scale_all(w, factor, least, most, n):
        for j in range(n):
            x = w[j] * factor
            x = least if x < least else x
            x = most if x > most else x
            w[j] = x

    @inline
    def learn(record, table, populations, t, c, batch, slots, width, lists, counts, dt, scratch, marks):
        n, m, kind = record[of.SOURCES], record[of.TARGETS], record[of.KIND]
        normalise, mask, trace = record[of.NORMALISE], record[of.MASK], record[of.ELIGIBILITY]
        weights = as_pointer(record[of.WEIGHT], real)
        begins = as_pointer(record[of.BEGINS], types.int32)
        spare = offset(scratch, 3 * record[of.AREA])
        sums = offset(as_pointer(record[of.SUMS], real), c * m) if normalise == 1 else spare
        first = c * record[of.ROWS]
        last = min(n, first + record[of.ROWS])
        begin, end = first, last
        if kind == 0:
            begin, end = first * m, last * m
        elif kind == 1:
            begin, end = types.int64(begins[first]), types.int64(begins[last])
        inverse, extra = one, zero
        if trace != 0:
            scales = as_pointer(record[of.SCALES], types.float64)
            inverse = real(1.0 / scales[0])
            extra = real(scales[0]) * dt * as_pointer(record[of.MODULATOR], real)[t * batch]
            if scales[1] != 1.0:
                decay(offset(as_pointer(trace, real), begin), real(scales[1]), end - begin)
        if kind == 1:
            learn_edges(
                record, table, populations, t, c, batch, slots, width, lists, counts, sums, inverse, scratch,
            )  # fmt: skip
        elif kind == 2:
            one_to_one(record, table, populations, t, batch, slots, width, lists, counts, sums, inverse, scratch)
        elif batch == 1:
            dense_single(record, table, populations, t, c, slots, width, lists, counts, sums, inverse)
        else:
            dense_batch(
                record, table, populations, t, c, batch, slots, width, lists, counts, sums, inverse, scratch, marks
            )
        if mask != 0:
            times(offset(weights, begin), offset(as_pointer(mask, real), begin), end - begin)
            if trace != 0:
                times(offset(as_pointer(trace, real), begin), offset(as_pointer(mask, real), begin), end - begin)
        if extra != zero:
            add(offset(weights, begin), offset(as_pointer(trace, real), begin), extra, end - begin)
        beyond = normalise != 0 and record[of.CLIPS] != 0  # sums carry weights past ends that come before them
        all_of_them = t == 0 or extra != zero or mask != 0 or beyond
        least, most = real(as_double(record[of.LOW])), real(as_double(record[of.HIGH]))
        if normalise == 1:
            if kind == 1:
                sum_edges(record, begin, end, sums, least, most)
            elif all_of_them:
                clear(sums, m)
                for i in range(first, last):
                    clip(offset(weights, i * m), sums, least, most, m)
        else:
            if all_of_them and record[of.CLIPS] != 0:
                scale_all(offset(weights, begin), one, least, most, end - begin)
            if normalise == 2:
                low, high = real(as_double(record[of.LOW_AFTER])), real(as_double(record[of.HIGH_AFTER]))
                for i in range(first, last):
                    here = types.int64(begins[i]) if kind == 1 else i * m
                    length = types.int64(begins[i + 1]) - here if kind == 1 else m
                    size = total(offset(weights, here), length)
                    factor = real(as_double(record[of.TOTAL])) / size if size > zero else one
                    scale_all(offset(weights, here), factor, low, high, length)

    @inline
    def factors(record, block):
        m = record[of.TARGETS]
        begin = block * of.BLOCK
        n = min(m, begin + of.BLOCK) - begin
        found, sums = offset(as_pointer(record[of.FACTORS], real), begin), as_pointer(record[of.SUMS], real)
        wanted = real(as_double(record[of.TOTAL]))
        clear(found, n)
        for c in range(record[of.CHUNKS]):
            add(found, offset(sums, c * m + begin), one, n)
        for j in range(n):
            found[j] = wanted / found[j] if found[j] > zero else one

    @inline
    def scale(record, c):
        m = record[of.TARGETS]
        weights, found = as_pointer(record[of.WEIGHT], real), as_pointer(record[of.FACTORS], real)
        low, high = real(as_double(record[of.LOW_AFTER])), real(as_double(record[of.HIGH_AFTER]))
        sums = offset(as_pointer(record[of.SUMS], real), c * m)
        first = c * record[of.ROWS]
        last = min(record[of.SOURCES], first + record[of.ROWS])
        if record[of.KIND] == 1:
            scale_edges(record, first, last, found, low, high)
            return
        clear(sums, m)
        for i in range(first, last):
            scale_row(offset(weights, i * m), found, sums, low, high, m)

    return remember, learn, factors, scale
