"""How connections learn from one step: traces of each sample, then rows of the weight, then sums of its columns.

A chunk is a few rows, all weights of a few source neurons. What samples have to say about a row is added up in their
order, so the number of threads does not matter.
"""

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, inline, offset, sweep
from conex_nn.kernels.cpu.plastic_edges import make_edges
from conex_nn.kernels.cpu.plastic_matrix import make_matrix
from conex_nn.kernels.cpu.plastic_row import make_divide, make_rows
from conex_nn.kernels.cpu.plastic_touch import make_touch
from conex_nn.kernels.cpu.traces import make_remember, make_sides, make_spans

__all__ = ["make_learning"]

_LARGE = 1e6  # how far a gain may be from 1


def make_learning(real):
    """Make the four passes: of one sample, of some rows, of the sums of some columns, of the scaling of some rows."""
    pre_of, post_of = make_sides(real)
    pre_spans, post_spans = make_spans(real)
    remember = make_remember(real)
    touch, touch_divided, touch_one, touch_few, touch_column = make_touch(real)
    clear, add, times, decay, clip, scale_row, total = make_rows(real)
    divide = make_divide(real)
    zero, one = real(0), real(1)
    large, small = real(_LARGE), real(1 / _LARGE)

    @inline
    def signal(record, t, b, batch):
        """Return how much the changes of a sample count."""
        if record[of.MODULATOR] == 0 or record[of.ELIGIBILITY] != 0:
            return one
        return as_pointer(record[of.MODULATOR], real)[t * batch + b]

    learn_one, learn_batch = make_matrix(
        real, pre_of, post_of, pre_spans, post_spans, touch, touch_divided, touch_few, touch_column
    )
    learn_edges, sum_edges, scale_edges = make_edges(real, pre_of, post_of, signal, touch, touch_one)

    @inline
    def one_to_one(record, table, populations, t, batch, slots, width, lists, counts, sums, inverse, scratch):
        n = record[of.SOURCES]
        area, wide = record[of.AREA], record[of.WIDE]
        ups, downs = offset(scratch, area), offset(scratch, 2 * area + wide)  # where matrices leave no zeros
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
        touch(record, types.int64(0), ups, downs, sums, one, one, zero, inverse, n)

    @sweep
    def scale_all(w, factor, least, most, n):
        for j in range(n):
            x = w[j] * factor
            x = least if x < least else x
            x = most if x > most else x
            w[j] = x

    @sweep
    def forget(tops, bottoms, n):
        for j in range(n):
            tops[j] = zero
            bottoms[j] = zero

    @inline
    def survey(record, c, first, last):
        """Note the ends of the weights of a chunk, which are as they are, and divide them by their gains."""
        m = record[of.TARGETS]
        weights, gains = as_pointer(record[of.WEIGHT], real), as_pointer(record[of.GAINS], real)
        tops = offset(as_pointer(record[of.TOPS], real), 2 * c * m)
        forget(tops, offset(tops, m), m)
        for i in range(first, last):
            divide(offset(weights, i * m), offset(gains, m), tops, offset(tops, m), m)

    @inline
    def move_gains(record, begin, n):
        """Let the gains of some targets set their sums; ask for a sweep where that is not enough."""
        m = record[of.TARGETS]
        found, sums = offset(as_pointer(record[of.FACTORS], real), begin), as_pointer(record[of.SUMS], real)
        gains = offset(as_pointer(record[of.GAINS], real), begin)
        low, high = real(as_double(record[of.LOW_AFTER])), real(as_double(record[of.HIGH_AFTER]))
        beyond = False
        for c in range(record[of.CHUNKS]):
            times(offset(sums, c * m + begin), found, n)
            tops = offset(as_pointer(record[of.TOPS], real), 2 * c * m + begin)
            times(tops, found, n)
            times(offset(tops, m), found, n)
            for j in range(n):
                beyond |= tops[j] > high
                beyond |= tops[m + j] < low
        for j in range(n):
            gain = gains[j] * found[j]
            far = gain > large or gain < small
            found[j] = gain if far else one
            gains[j] = one if far else gain
            gains[m + j] = one / gains[j]
            beyond |= far
        if beyond:
            as_pointer(record[of.SWEEP], types.int64)[0] = 1  # all threads say the same

    @inline
    def learn(record, table, populations, t, c, batch, slots, width, lists, counts, dt, scratch, marks):
        n, m, kind = record[of.SOURCES], record[of.TARGETS], record[of.KIND]
        normalise, mask, trace = record[of.NORMALISE], record[of.MASK], record[of.ELIGIBILITY]
        weights = as_pointer(record[of.WEIGHT], real)
        begins = as_pointer(record[of.BEGINS], types.int32)
        spare = offset(scratch, 2 * record[of.AREA])
        sums = offset(as_pointer(record[of.SUMS], real), c * m) if normalise == 1 else spare
        first = c * record[of.ROWS]
        last = min(n, first + record[of.ROWS])
        begin, end = first, last
        if kind == 0:
            begin, end = first * m, last * m
        elif kind == 1:
            begin, end = types.int64(begins[first]), types.int64(begins[last])
        inverse, extra = one, zero
        if c == 0 and record[of.GAINS] != 0:
            as_pointer(record[of.SWEEP], types.int64)[0] = 0
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
            d = signal(record, t, types.int64(0), batch)
            learn_one(record, table, populations, t, c, slots, width, lists, counts, sums, inverse, scratch, d)
        else:
            signals = offset(scratch, 2 * record[of.AREA] + 2 * record[of.WIDE])
            for b in range(batch):
                signals[b] = signal(record, t, b, batch)
            learn_batch(
                record, table, populations, t, c, batch, slots, width, lists, counts, sums, inverse, scratch, marks,
                signals,
            )  # fmt: skip
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
                if record[of.GAINS] != 0:
                    survey(record, c, first, last)
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
        if record[of.GAINS] != 0:
            move_gains(record, begin, n)

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
        gains = as_pointer(record[of.GAINS], real)
        if record[of.GAINS] != 0 and as_pointer(record[of.SWEEP], types.int64)[0] == 0:
            return
        clear(sums, m)
        for i in range(first, last):
            if record[of.GAINS] != 0:
                times(offset(weights, i * m), gains, m)
            scale_row(offset(weights, i * m), found, sums, low, high, m)
        if record[of.GAINS] != 0:
            survey(record, c, first, last)

    return remember, learn, factors, scale
