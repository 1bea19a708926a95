"""Leaky integrate-and-fire populations that project onto each other, by events: only rows of what spiked are touched.

A table of integers says what there is: records of populations, then of connections, in the order of their targets.
"""

from numba import types

from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, fetch_add, offset, sweep
from conex_nn.kernels.cpu.lif import make_step

__all__ = ["loop", "project"]

POPULATION, CONNECTION = 13, 9
"""Integers of a record."""


def make_add(real):
    """Make what adds the weights of one source neuron, a row or a list of edges, to the currents."""

    @sweep
    def row(current, weights, factor, n):
        for j in range(n):
            current[j] += factor * weights[j]

    @sweep
    def edges(current, targets, weights, factor, begin, end):
        for e in range(begin, end):
            current[targets[e]] += factor * weights[e]

    return row, edges


def project(real):
    """Make the kernel that takes rows of spikes to rows of currents through weights stored by source."""
    add_row, _ = make_add(real)
    zero = real(0)

    def kernel(args):
        rows, sources, targets, block, chunks = args[1], args[2], args[3], args[4], args[5]
        spikes, weights, currents = as_pointer(args[6], real), as_pointer(args[7], real), as_pointer(args[8], real)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            for r in range(chunk * block, min(rows, (chunk + 1) * block)):
                out, row = offset(currents, r * targets), offset(spikes, r * sources)
                for j in range(targets):
                    out[j] = zero
                for i in range(sources):
                    if row[i] != zero:
                        add_row(out, offset(weights, i * targets), row[i], targets)

    return kernel


def loop(real, uniform, pauses):
    """Make the kernel that advances populations over a sequence; a chunk is a sample."""
    add_row, add_edges = make_add(real)
    zero = real(0)
    step = make_step(real, uniform, pauses)

    @sweep
    def copy(current, source, n):
        for j in range(n):
            current[j] = source[j]

    @sweep
    def clear(current, n):
        for j in range(n):
            current[j] = zero

    @sweep
    def list_events(spikes, events, n):
        count = 0
        for i in range(n):
            events[count] = i
            count += 1 if spikes[i] != zero else 0
        return count

    def kernel(args):
        steps, batch, populations, slots, width = args[1], args[2], args[3], args[4], args[5]
        dt = real(as_double(args[6]))
        table = as_pointer(args[7], types.int64)
        currents, lists = as_pointer(args[8], real), as_pointer(args[9], types.int32)
        counts = as_pointer(args[10], types.int64)
        while True:
            b = fetch_add(args, 1)
            if b >= batch:
                break
            current = offset(currents, b * width)
            events, count = offset(lists, b * slots * width), offset(counts, b * slots * populations)
            for t in range(steps):
                slot = t % slots
                for p in range(populations):
                    record = offset(table, p * POPULATION)
                    n, first = record[0], record[10]
                    if record[1] != 0:
                        outside = as_pointer(record[1], real)
                        copy(current, offset(outside, t * record[2] + b * record[3]), n)
                    else:
                        clear(current, n)
                    for c in range(record[11], record[12]):
                        link = offset(table, populations * POPULATION + c * CONNECTION)
                        s, kind, delay, sources = link[0], link[1], link[2], link[3]
                        weights, factor = as_pointer(link[4], real), real(as_double(link[8]))
                        begins, targets = as_pointer(link[5], types.int32), as_pointer(link[6], types.int32)
                        old = t < delay
                        sender = offset(table, s * POPULATION)
                        past = (t - delay) % slots if not old else 0
                        here = offset(events, past * width + sender[10])
                        before = offset(as_pointer(link[7], real), (t * batch + b) * sources if old else 0)
                        for k in range(sources if old else count[past * populations + s]):
                            i, size = k, factor
                            if old:
                                size = factor * before[k]
                                if size == zero:
                                    continue
                            else:
                                i = types.int64(here[k])
                            if kind == 0:
                                add_row(current, offset(weights, i * n), size, n)
                            elif kind == 1:
                                add_edges(current, targets, weights, size, begins[i], begins[i + 1])
                            else:
                                current[i] += size * weights[i]
                    rows, period = as_pointer(record[4], real), record[5]
                    o = (t * batch + b) * n
                    v, left = offset(as_pointer(record[6], real), b * n), offset(as_pointer(record[7], real), b * n)
                    spikes = offset(as_pointer(record[8], real), o)
                    decay, gain, drive = rows, offset(rows, period), offset(rows, 2 * period)
                    threshold, reset = offset(rows, 3 * period), offset(rows, 4 * period)
                    pause = offset(rows, 5 * period)
                    soft = record[9] != 0
                    step(
                        current, decay, gain, drive, threshold, reset, pause, v, left, spikes, spikes, spikes, dt, soft,
                        False, n,
                    )  # fmt: skip
                    count[slot * populations + p] = list_events(spikes, offset(events, slot * width + first), n)

    return kernel
