"""How edges sorted by source learn: by source from what it sends, by an index of the targets from what they fire."""

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, inline, offset

__all__ = ["make_edges"]


def make_edges(real, pre_of, post_of, signal, touch, touch_one):
    """Make what changes the edges of some sources, adds up the magnitudes onto each target, and scales by target."""
    zero, one = real(0), real(1)

    @inline
    def lower_bound(values, begin, end, wanted):
        """Return where the first value that is not below another stands."""
        while begin < end:
            middle = (begin + end) // 2
            if values[middle] < wanted:
                begin = middle + 1
            else:
                end = middle
        return begin

    @inline
    def single(record, table, populations, t, c, slots, width, lists, counts, sums, inverse):
        b, batch = types.int64(0), types.int64(1)  # bare numbers are types of their own to numba, which compiles twice
        pre, events, _ = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
        post, fired, number = post_of(record, table, populations, t, b, batch, slots, width, lists, counts)
        x, y = as_pointer(record[of.TRACE_PRE], real), as_pointer(record[of.TRACE_POST], real)
        d, shift = signal(record, t, b, batch), real(as_double(record[of.SHIFT]))
        places = as_pointer(record[of.PLACES], types.int32)
        begins, ends_at = as_pointer(record[of.BEGINS], types.int32), as_pointer(record[of.ENDS_AT], types.int32)
        for q in range(types.int64(places[c]), types.int64(places[c + 1])):
            i = types.int64(events[q])
            up, down = x[i] * d, pre[i] * d
            for e in range(begins[i], begins[i + 1]):
                j = types.int64(ends_at[e])
                touch_one(record, types.int64(e), up * post[j], down * (y[j] + shift), sums, j, inverse)
        onto = as_pointer(record[of.TARGET_BEGINS], types.int32)
        edges = as_pointer(record[of.EDGE_BY_TARGET], types.int32)
        sources = as_pointer(record[of.SOURCE_BY_TARGET], types.int32)
        first = c * record[of.ROWS]
        last = min(record[of.SOURCES], first + record[of.ROWS])
        for q in range(number):
            j = types.int64(fired[q])
            end = types.int64(onto[j + 1])
            k = lower_bound(sources, types.int64(onto[j]), end, first)
            while k < end and sources[k] < last:
                i = types.int64(sources[k])
                if pre[i] == zero:  # else both sides were seen above
                    touch_one(record, types.int64(edges[k]), x[i] * d * post[j], zero, sums, j, inverse)
                k += 1

    @inline
    def learn(record, table, populations, t, c, batch, slots, width, lists, counts, sums, inverse, scratch):
        if batch == 1:
            single(record, table, populations, t, c, slots, width, lists, counts, sums, inverse)
            return
        n, m = record[of.SOURCES], record[of.TARGETS]
        area, wide = record[of.AREA], record[of.WIDE]
        ups, downs = offset(scratch, area), offset(scratch, 2 * area + wide)  # where matrices leave no zeros
        x, y = as_pointer(record[of.TRACE_PRE], real), as_pointer(record[of.TRACE_POST], real)
        shift = real(as_double(record[of.SHIFT]))
        begins, ends_at = as_pointer(record[of.BEGINS], types.int32), as_pointer(record[of.ENDS_AT], types.int32)
        onto = as_pointer(record[of.TARGET_BEGINS], types.int32)
        edges = as_pointer(record[of.EDGE_BY_TARGET], types.int32)
        sources = as_pointer(record[of.SOURCE_BY_TARGET], types.int32)
        first = c * record[of.ROWS]
        last = min(n, first + record[of.ROWS])
        begin = types.int64(begins[first])
        length = types.int64(begins[last]) - begin
        for e in range(length):
            ups[e] = zero
            downs[e] = zero
        for b in range(batch):
            d = signal(record, t, b, batch)
            post, fired, number = post_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            for q in range(number):
                j = types.int64(fired[q])
                size, end = post[j] * d, types.int64(onto[j + 1])
                k = lower_bound(sources, types.int64(onto[j]), end, first)
                while k < end and sources[k] < last:
                    ups[types.int64(edges[k]) - begin] += size * x[b * n + types.int64(sources[k])]
                    k += 1
            pre, events, _ = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            places = offset(as_pointer(record[of.PLACES], types.int32), b * (record[of.CHUNKS] + 1))
            seen = offset(y, b * m)
            for q in range(types.int64(places[c]), types.int64(places[c + 1])):
                i = types.int64(events[q])
                size = pre[i] * d
                for e in range(begins[i], begins[i + 1]):
                    downs[e - begin] += size * (seen[types.int64(ends_at[e])] + shift)
        spare = offset(scratch, 2 * record[of.AREA])  # sums of edges are made afresh
        touch(record, begin, ups, downs, spare, one, one, zero, inverse, length)

    @inline
    def sums_onto(record, begin, end, sums, least, most):
        weights, ends_at = as_pointer(record[of.WEIGHT], real), as_pointer(record[of.ENDS_AT], types.int32)
        for j in range(record[of.TARGETS]):
            sums[j] = zero
        for e in range(begin, end):
            w = weights[e]
            w = least if w < least else w
            w = most if w > most else w
            weights[e] = w
            sums[types.int64(ends_at[e])] += abs(w)

    @inline
    def scale(record, first, last, found, low, high):
        weights, ends_at = as_pointer(record[of.WEIGHT], real), as_pointer(record[of.ENDS_AT], types.int32)
        begins = as_pointer(record[of.BEGINS], types.int32)
        for e in range(begins[first], begins[last]):
            w = weights[e] * found[types.int64(ends_at[e])]
            w = low if w < low else w
            weights[e] = high if w > high else w

    return learn, sums_onto, scale
