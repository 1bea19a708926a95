"""Integrate-and-fire populations that project onto each other, by events: only rows of what spiked are touched.

A table of integers says what there is: records of populations, then of connections in the order of their targets, then
of connections that learn. Without learning a sample runs through all steps by itself. With it, all samples make a step,
then the rows of all weights learn from it, and so on; each such piece of work waits until all pieces of what comes
before are done. A thread takes the same pieces at every step, so that what they touch stays in its cache, and those of
others when it has none left: any number of threads can come.
"""

import functools

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.competition import make_compete
from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, fetch_add, finish, inline, offset, sweep, wait
from conex_nn.kernels.cpu.learning import make_learning
from conex_nn.kernels.cpu.lif import make_step
from conex_nn.kernels.cpu.plastic_row import make_add_four
from conex_nn.kernels.cpu.traces import make_list

__all__ = ["learning_loop", "loop", "project"]


@functools.cache
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
    add_four, list_events = make_add_four(real), make_list(real)
    zero = real(0)

    def kernel(args):
        rows, sources, targets, block, chunks = args[1], args[2], args[3], args[4], args[5]
        spikes, weights, currents = as_pointer(args[6], real), as_pointer(args[7], real), as_pointer(args[8], real)
        events = offset(as_pointer(args[9], types.int32), fetch_add(as_pointer(args[10], types.int64), 1) * sources)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            for r in range(chunk * block, min(rows, (chunk + 1) * block)):
                out, row = offset(currents, r * targets), offset(spikes, r * sources)
                for j in range(targets):
                    out[j] = zero
                number, k = list_events(row, events, sources), 0
                while k + 4 <= number:
                    a, b = types.int64(events[k]), types.int64(events[k + 1])
                    c, d = types.int64(events[k + 2]), types.int64(events[k + 3])
                    add_four(
                        out, offset(weights, a * targets), offset(weights, b * targets), offset(weights, c * targets),
                        offset(weights, d * targets), row[a], row[b], row[c], row[d], targets,
                    )  # fmt: skip
                    k += 4
                while k < number:
                    a = types.int64(events[k])
                    add_row(out, offset(weights, a * targets), row[a], targets)
                    k += 1

    return kernel


def make_sample(real):
    """Make one step of all populations of one sample."""
    add_row, add_edges = make_add(real)
    add_four = make_add_four(real)
    list_events = make_list(real)
    zero, one = real(0), real(1)
    of_one, of_each = make_step(real, True, False), make_step(real, False, False)
    pausing_as_one, pausing = make_step(real, True, True), make_step(real, False, True)
    compete = make_compete(real)

    @sweep
    def copy(current, source, n):
        for j in range(n):
            current[j] = source[j]

    @sweep
    def times(current, gains, n):
        for j in range(n):
            current[j] *= gains[j]

    @sweep
    def clear(current, n):
        for j in range(n):
            current[j] = zero

    @inline
    def receive(current, kind, weights, begins, targets, factor, sent, here, number, n):
        """Add what the listed spikes of a source cause."""
        k = 0
        if kind == 0:
            while k + 4 <= number:
                i, j = types.int64(here[k]), types.int64(here[k + 1])
                g, h = types.int64(here[k + 2]), types.int64(here[k + 3])
                add_four(
                    current, offset(weights, i * n), offset(weights, j * n), offset(weights, g * n),
                    offset(weights, h * n), factor * sent[i], factor * sent[j], factor * sent[g], factor * sent[h], n,
                )  # fmt: skip
                k += 4
        while k < number:
            i = types.int64(here[k])
            size = factor * sent[i]
            if kind == 0:
                add_row(current, offset(weights, i * n), size, n)
            elif kind == 1:
                add_edges(current, targets, weights, size, begins[i], begins[i + 1])
            else:
                current[i] += size * weights[i]
            k += 1

    @inline
    def sample(table, populations, t, b, batch, slots, width, dt, current, events, count, order):
        slot = t % slots
        for p in range(populations):
            record = offset(table, p * of.POPULATION)
            n, first = record[0], record[10]
            spikes = offset(as_pointer(record[8], real), (t * batch + b) * n)
            if record[17] != 0:  # its spikes are given
                count[slot * populations + p] = list_events(spikes, offset(events, slot * width + first), n)
                continue
            if record[1] != 0:
                outside = as_pointer(record[1], real)
                copy(current, offset(outside, t * record[2] + b * record[3]), n)
            else:
                clear(current, n)
            for c in range(record[11], record[12]):
                link = offset(table, populations * of.POPULATION + c * of.CONNECTION)
                s, kind, delay, sources = link[0], link[1], link[2], link[3]
                weights, factor = as_pointer(link[4], real), real(as_double(link[8]))
                begins, targets = as_pointer(link[5], types.int32), as_pointer(link[6], types.int32)
                sender = offset(table, s * of.POPULATION)
                onto, size = current, factor
                if link[12] != 0:  # its weights are kept divided by gains of their targets
                    onto, size = offset(current, width), one
                    clear(onto, n)
                if link[9] != 0:  # it waits in the dendrite
                    onto, size = offset(as_pointer(link[9], real), ((link[10] + t) * batch + b) * n), one
                    clear(onto, n)
                if t < delay:
                    sent = offset(as_pointer(link[7], real), (t * batch + b) * sources)
                    number = list_events(sent, order, sources)
                    receive(onto, kind, weights, begins, targets, size, sent, order, number, n)
                else:
                    past = (t - delay) % slots
                    here = offset(events, past * width + sender[10])
                    sent = offset(as_pointer(sender[8], real), ((t - delay) * batch + b) * sources)
                    number = count[past * populations + s]
                    receive(onto, kind, weights, begins, targets, size, sent, here, number, n)
                if link[12] != 0:
                    times(onto, as_pointer(link[12], real), n)
                    if link[9] == 0:
                        add_row(current, onto, factor, n)
                if link[9] != 0:
                    line = offset(as_pointer(link[9], real), b * n)
                    if link[11] == 0:
                        add_row(current, offset(line, t * batch * n), factor, n)
                    else:
                        late = as_pointer(link[11], types.int32)
                        for j in range(n):
                            current[j] += factor * line[(t + link[10] - late[j]) * batch * n + j]
            rows, period = as_pointer(record[4], real), record[5]
            v, left = offset(as_pointer(record[6], real), b * n), offset(as_pointer(record[7], real), b * n)
            decay, gain, drive = rows, offset(rows, period), offset(rows, 2 * period)
            threshold, reset = offset(rows, 3 * period), offset(rows, 4 * period)
            pause = offset(rows, 5 * period)
            soft = record[9] != 0
            if record[13] != 0 or record[14] != 0:
                compete(
                    current, decay, gain, drive, threshold, reset, pause, v, left, spikes, as_pointer(record[14], real),
                    record[14] != 0, order, record[13], dt, soft, n,
                )  # fmt: skip
            elif record[18] != 0 and period == 1:
                pausing_as_one(
                    current, decay, gain, drive, threshold, reset, pause, v, left, spikes, spikes, spikes, dt, soft,
                    False, n,
                )  # fmt: skip
            elif record[18] != 0:
                pausing(
                    current, decay, gain, drive, threshold, reset, pause, v, left, spikes, spikes, spikes, dt, soft,
                    False, n,
                )  # fmt: skip
            elif period == 1:
                of_one(
                    current, decay, gain, drive, threshold, reset, pause, v, left, spikes, spikes, spikes, dt, soft,
                    False, n,
                )  # fmt: skip
            else:
                of_each(
                    current, decay, gain, drive, threshold, reset, pause, v, left, spikes, spikes, spikes, dt, soft,
                    False, n,
                )  # fmt: skip
            count[slot * populations + p] = list_events(spikes, offset(events, slot * width + first), n)

    return sample


def loop(real):
    """Make the kernel that advances populations over a sequence; a chunk is a sample."""
    sample = make_sample(real)

    def kernel(args):
        steps, batch, populations, slots, width = args[1], args[2], args[3], args[4], args[5]
        dt = real(as_double(args[6]))
        table, currents = as_pointer(args[7], types.int64), as_pointer(args[8], real)
        orders, lists = as_pointer(args[9], types.int32), as_pointer(args[10], types.int32)
        counts = as_pointer(args[11], types.int64)
        place = fetch_add(as_pointer(args[12], types.int64), 1)
        current, order = offset(currents, 2 * place * width), offset(orders, place * width)
        events, count = offset(lists, place * slots * width), offset(counts, place * slots * populations)
        while True:
            b = fetch_add(args, 1)
            if b >= batch:
                break
            for t in range(steps):
                sample(table, populations, t, b, batch, slots, width, dt, current, events, count, order)

    return kernel


def learning_loop(real):
    """Make the kernel that advances populations whose connections, or thresholds, learn at every step."""
    sample = make_sample(real)
    remember, learn, factors, scale = make_learning(real)

    @inline
    def move_threshold(record, populations, p, t, batch, slots, width, lists, counts):
        """Let the threshold of a population follow the spikes of all samples."""
        n, theta = record[0], as_pointer(record[14], real)
        increment, fall = as_pointer(record[15], real), as_pointer(record[16], real)
        share = real(1) / real(batch)
        slot = t % slots
        for i in range(n):
            theta[i] = theta[i] - fall[i] * theta[i]
        for b in range(batch):
            events = offset(lists, (b * slots + slot) * width + record[10])
            for k in range(counts[(b * slots + slot) * populations + p]):
                i = types.int64(events[k])
                theta[i] += increment[i] * share

    @inline
    def locate(records, learners, field, q, wanted):
        """Return which connection a chunk belongs to, and its number there; of those that normalise, or of all."""
        which = 0
        while which < learners:
            record = offset(records, which * of.LEARNER)
            size = record[field] if not wanted or record[of.NORMALISE] == 1 else 0
            if q < size:
                break
            q -= size
            which += 1
        return which, q

    def kernel(args):
        steps, batch, populations, slots, width = args[1], args[2], args[3], args[4], args[5]
        links, learners, room, groups = args[6], args[7], args[8], args[9]
        dt = real(as_double(args[10]))
        table, currents = as_pointer(args[11], types.int64), as_pointer(args[12], real)
        orders, lists = as_pointer(args[13], types.int32), as_pointer(args[14], types.int32)
        counts = as_pointer(args[15], types.int64)
        shared = as_pointer(args[16], types.int64)  # pieces done; threads so far
        place = fetch_add(offset(shared, 16), 1)
        scratch = offset(as_pointer(args[17], real), place * room)
        marks = offset(as_pointer(args[18], types.int32), place * (4 * width + of.ROOM * (1 + batch)))
        records = offset(table, populations * of.POPULATION + links * of.CONNECTION)
        rows, blocks, again = 0, 0, 0
        for which in range(learners):
            record = offset(records, which * of.LEARNER)
            rows += record[of.CHUNKS]
            if record[of.NORMALISE] == 1:
                blocks += record[of.BLOCKS]
                again += record[of.CHUNKS]
        claims = as_pointer(args[19], types.int64)  # of each step, phase and group
        done = types.int64(0)
        for t in range(steps):
            for phase in range(4):
                size = batch if phase == 0 else rows + populations if phase == 1 else blocks if phase == 2 else again
                for turn in range(groups):
                    group = (place + turn) % groups
                    claim = offset(claims, (t * 4 + phase) * groups + group)
                    begin, end = size * group // groups, size * (group + 1) // groups
                    q = begin + fetch_add(claim, 1)
                    while q < end:
                        if phase == 0:
                            current, order = offset(currents, 2 * place * width), offset(orders, place * width)
                            events = offset(lists, q * slots * width)
                            count = offset(counts, q * slots * populations)
                            sample(table, populations, t, q, batch, slots, width, dt, current, events, count, order)
                            for which in range(learners):
                                record = offset(records, which * of.LEARNER)
                                remember(record, table, populations, t, q, batch, slots, width, lists, counts)
                        elif phase == 1:
                            which, c = locate(records, learners, of.CHUNKS, q, phase > 1)
                            if which < learners:
                                record = offset(records, which * of.LEARNER)
                                learn(
                                    record, table, populations, t, c, batch, slots, width, lists, counts, dt, scratch,
                                    marks,
                                )  # fmt: skip
                            else:
                                record = offset(table, c * of.POPULATION)
                                if record[15] != 0:
                                    move_threshold(record, populations, c, t, batch, slots, width, lists, counts)
                        elif phase == 2:
                            which, c = locate(records, learners, of.BLOCKS, q, phase > 1)
                            factors(offset(records, which * of.LEARNER), c)
                        else:
                            which, c = locate(records, learners, of.CHUNKS, q, phase > 1)
                            scale(offset(records, which * of.LEARNER), c)
                        finish(shared)
                        q = begin + fetch_add(claim, 1)
                done += size
                wait(shared, done)

    return kernel
