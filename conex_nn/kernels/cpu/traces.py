"""What the rules of connections see of a step of one sample: spikes of both sides, delayed, and their traces."""

import functools

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, inline, lowest, not_zero, offset
from conex_nn.kernels.cpu.plastic_row import make_rows

__all__ = ["make_list", "make_remember", "make_sides", "make_spans"]

_LEAST_SCALE = 1e-12  # of an eligibility that is kept divided by how far it has decayed


@functools.cache
def make_list(real):
    """Make what lists the neurons that spiked."""
    zero = real(0)

    @inline
    def note(found, first, events, count):
        while found != 0:
            events[count] = first + lowest(found)
            count += 1
            found &= found - 1
        return count

    @inline
    def list_events(spikes, events, n):
        count, i = 0, 0
        while i + of.WORD <= n:
            found = types.int64(0)
            for k in range(0, of.WORD, of.LANES):
                found |= not_zero(offset(spikes, i + k)) << k
            count = note(found, i, events, count)
            i += of.WORD
        while i + of.LANES <= n:
            count = note(not_zero(offset(spikes, i)), i, events, count)
            i += of.LANES
        while i < n:
            if spikes[i] != zero:
                events[count] = i
                count += 1
            i += 1
        return count

    return list_events


@functools.cache
def make_spans(real):
    """Make what finds the spikes that a rule sees of either side of a connection.

    Of all samples of a step: rows of spikes, lists of those that spiked, how far apart these are, how many there are,
    and how far apart those numbers are.
    """

    @inline
    def find(table, populations, t, batch, slots, width, lists, counts, p, n, late, history, length, own, numbers):
        if t >= late:
            slot = (t - late) % slots
            rows = offset(as_pointer(table[p * of.POPULATION + 8], real), (t - late) * batch * n)
            events = offset(lists, slot * width + table[p * of.POPULATION + 10])
            return rows, events, slots * width, offset(counts, slot * populations + p), slots * populations
        rows = offset(as_pointer(history, real), (length - late + t) * batch * n)
        return rows, as_pointer(own, types.int32), n, as_pointer(numbers, types.int64), 1

    @inline
    def pre(record, table, populations, t, batch, slots, width, lists, counts):
        return find(
            table, populations, t, batch, slots, width, lists, counts, record[of.SOURCE], record[of.SOURCES],
            record[of.AXON], record[of.AXON_HISTORY], record[of.AXON_LENGTH], record[of.PRE_EVENTS],
            record[of.PRE_COUNTS],
        )  # fmt: skip

    @inline
    def post(record, table, populations, t, batch, slots, width, lists, counts):
        return find(
            table, populations, t, batch, slots, width, lists, counts, record[of.TARGET], record[of.TARGETS],
            record[of.DENDRITE], record[of.DENDRITE_HISTORY], record[of.DENDRITE_LENGTH], record[of.POST_EVENTS],
            record[of.POST_COUNTS],
        )  # fmt: skip

    return pre, post


@functools.cache
def make_sides(real):
    """Make what finds the spikes of one sample that a rule sees of either side: as a row, as a list, their number."""
    pre_spans, post_spans = make_spans(real)

    @inline
    def pre(record, table, populations, t, b, batch, slots, width, lists, counts):
        rows, events, apart, numbers, between = pre_spans(
            record, table, populations, t, batch, slots, width, lists, counts
        )
        return offset(rows, b * record[of.SOURCES]), offset(events, b * apart), numbers[b * between]

    @inline
    def post(record, table, populations, t, b, batch, slots, width, lists, counts):
        rows, events, apart, numbers, between = post_spans(
            record, table, populations, t, batch, slots, width, lists, counts
        )
        return offset(rows, b * record[of.TARGETS]), offset(events, b * apart), numbers[b * between]

    return pre, post


def make_remember(real):
    """Make what a connection that learns does with the step of one sample: lists of late spikes, traces."""
    pre_of, post_of = make_sides(real)
    list_events = make_list(real)
    _, _, _, decay, *_ = make_rows(real)

    @inline
    def trace(x, keep, spikes, events, count, nearest, n):
        decay(x, keep, n)
        for k in range(count):
            i = types.int64(events[k])
            if nearest:
                x[i] = max(x[i], spikes[i])
            else:
                x[i] += spikes[i]

    @inline
    def remember(record, table, populations, t, b, batch, slots, width, lists, counts):
        n, m = record[of.SOURCES], record[of.TARGETS]
        if t < record[of.AXON]:
            row, own, _ = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            as_pointer(record[of.PRE_COUNTS], types.int64)[b] = list_events(row, own, n)
        if t < record[of.DENDRITE]:
            row, own, _ = post_of(record, table, populations, t, b, batch, slots, width, lists, counts)
            as_pointer(record[of.POST_COUNTS], types.int64)[b] = list_events(row, own, m)
        nearest = record[of.NEAREST] != 0
        spikes, events, count = pre_of(record, table, populations, t, b, batch, slots, width, lists, counts)
        x, keep = as_pointer(record[of.TRACE_PRE], real), real(as_double(record[of.KEEP_PRE]))
        trace(offset(x, b * n), keep, spikes, events, count, nearest, n)
        chunks, rows = record[of.CHUNKS], record[of.ROWS]
        places = offset(as_pointer(record[of.PLACES], types.int32), b * (chunks + 1))
        k = 0
        for c in range(chunks + 1):
            while k < count and events[k] < c * rows:
                k += 1
            places[c] = k
        spikes, events, count = post_of(record, table, populations, t, b, batch, slots, width, lists, counts)
        x, keep = as_pointer(record[of.TRACE_POST], real), real(as_double(record[of.KEEP_POST]))
        trace(offset(x, b * m), keep, spikes, events, count, nearest, m)
        if b == 0 and record[of.ELIGIBILITY] != 0:
            scales = as_pointer(record[of.SCALES], types.float64)
            scale = scales[0] * as_double(record[of.KEEP_ELIGIBILITY])
            small = scale < _LEAST_SCALE
            scales[0] = 1.0 if small else scale
            scales[1] = scale if small else 1.0

    return remember
