"""Populations of any size, whose neurons send what they fire into ring buffers of the currents to come.

A step has two phases. In the first, the spikes of the step before go out: each piece of work takes some of the targets
of one channel (a compartment of a population), and adds to the ring what the rows of all neurons that spiked hold for
these. In the second, each piece takes some neurons, empties their place in the ring, advances them, and lists who
fired. No two pieces write the same numbers, and each target gets its spikes in the order of their sources, so that the
number of threads does not matter. Steps before the first only send what was fired then.
"""

from numba import types

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.adaptive import make_exponential
from conex_nn.kernels.cpu.draws import make_words
from conex_nn.kernels.cpu.intrinsics import (
    as_double,
    as_pointer,
    choose,
    fetch_add,
    finish,
    inline,
    offset,
    prefetch,
    sweep,
    wait,
)
from conex_nn.kernels.cpu.lif import make_step
from conex_nn.kernels.cpu.traces import make_list

__all__ = ["run"]

(
    N, FIRST, MODEL, ROWS, PERIOD, V, LEFT, W, CURRENTS, SOFT, CHANNELS, CHANNELS_END,
    GIVEN, GIVEN_EVENTS, GIVEN_VALUES, CHUNKS, CHUNKS_END, SPIKES, INJECTED, INJECTED_PERIOD,
) = range(len(of.RING["cells"]))  # fmt: skip
(
    _, RING, LINKS, LINKS_END, CURRENT, KEEP, KEEP_PERIOD, FACTOR, FACTOR_PERIOD, OUTSIDE, OUTSIDE_STRIDE, DRAWS,
    DRAWS_END,
) = range(len(of.RING["channel"]))  # fmt: skip
(
    SOURCE, KIND, DELAY, LATE, WEIGHTS, WEIGHT_STEP, BEGINS, LONG_BEGINS, TARGETS, WIDE_TARGETS, DELAYS, WIDE_DELAYS,
    SIZE,
) = range(len(of.RING["link"]))  # fmt: skip
SEED, STEP, SAMPLES, BARS, COUNTS, BAR, WEIGHT, WEIGHT_PERIOD = range(len(of.RING["draw"]))
CELLS, CHANNEL, LINK, DRAW, PROBE = (len(fields) for fields in of.RING.values())

LIF, EXPONENTIAL, IZHIKEVICH, GIVEN_ONLY = 0, 1, 2, 3


def make_send(real):
    """Make what adds the row of one neuron that spiked to the ring."""
    bytes_of_weight = real.bitwidth // 8

    @sweep
    def dense(ring, weights, size, n):
        for j in range(n):
            ring[j] += size * weights[j]

    def edges(index, late):
        @inline
        def together(ring, targets, weights, weight_step, size, begin, end):
            wide = as_pointer(targets, index)
            for e in range(begin, end):
                ring[types.int64(wide[e])] += size * weights[e * weight_step]

        @inline
        def apart(ring, stride, mask, at, targets, delays, weights, weight_step, size, begin, end):
            wide, later = as_pointer(targets, index), as_pointer(delays, late)
            for e in range(begin, end):
                slot = (at + types.int64(later[e])) & mask
                ring[slot * stride + types.int64(wide[e])] += size * weights[e * weight_step]

        @inline
        def bound(targets, begin, end, wanted):
            wide = as_pointer(targets, index)
            while begin < end:
                middle = (begin + end) // 2
                if types.int64(wide[middle]) < wanted:
                    begin = middle + 1
                else:
                    end = middle
            return begin

        return together, apart, bound

    together_16, apart_16, bound_16 = edges(types.uint16, types.uint8)
    together_32, apart_32, bound_32 = edges(types.int32, types.uint8)
    _, long_apart_16, _ = edges(types.uint16, types.int16)
    _, long_apart_32, _ = edges(types.int32, types.int16)

    @inline
    def row(link, ring, stride, mask, at, i, size, low, high, n):
        """Send a spike of source neuron i, of this size, to the targets from low up to high."""
        if link[LATE] != 0:
            at += types.int64(as_pointer(link[LATE], types.int32)[i])
        weights, kind = as_pointer(link[WEIGHTS], real), link[KIND]
        onto = offset(ring, (at & mask) * stride)
        if kind == 0:
            dense(offset(onto, low), offset(weights, i * n + low), size, high - low)
            return
        if kind == 2:
            if low <= i and i < high:
                onto[i] += size * weights[i * link[WEIGHT_STEP]]
            return
        if link[LONG_BEGINS] != 0:
            long = as_pointer(link[BEGINS], types.int64)
            begin, end = long[i], long[i + 1]
        else:
            short = as_pointer(link[BEGINS], types.int32)
            begin, end = types.int64(short[i]), types.int64(short[i + 1])
        targets, wide, delays, step = link[TARGETS], link[WIDE_TARGETS] != 0, link[DELAYS], link[WEIGHT_STEP]
        if low > 0:
            begin = bound_32(targets, begin, end, low) if wide else bound_16(targets, begin, end, low)
        if high < n:
            end = bound_32(targets, begin, end, high) if wide else bound_16(targets, begin, end, high)
        if delays == 0:
            if wide:
                together_32(onto, targets, weights, step, size, begin, end)
            else:
                together_16(onto, targets, weights, step, size, begin, end)
        elif link[WIDE_DELAYS] != 0:
            if wide:
                long_apart_32(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)
            else:
                long_apart_16(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)
        elif wide:
            apart_32(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)
        else:
            apart_16(ring, stride, mask, at, targets, delays, weights, step, size, begin, end)

    line = 64

    @inline
    def lines(address, begin, end):
        for at in range(address + begin, address + end, line):
            prefetch(as_pointer(at, types.int8))

    @inline
    def ready(link, i):
        """Ask for the row of a source neuron, which is sent next."""
        if link[KIND] != 1:
            return
        if link[LONG_BEGINS] != 0:
            long = as_pointer(link[BEGINS], types.int64)
            begin, end = long[i], long[i + 1]
        else:
            short = as_pointer(link[BEGINS], types.int32)
            begin, end = types.int64(short[i]), types.int64(short[i + 1])
        wide = 4 if link[WIDE_TARGETS] != 0 else 2
        lines(link[TARGETS], begin * wide, end * wide)
        if link[DELAYS] != 0:
            wide = 2 if link[WIDE_DELAYS] != 0 else 1
            lines(link[DELAYS], begin * wide, end * wide)
        if link[WEIGHT_STEP] != 0:
            lines(link[WEIGHTS], begin * bytes_of_weight, end * bytes_of_weight)

    return row, ready


def make_draw(real):
    """Make what adds Poisson numbers of arrivals: functional.poisson_counts of functional.random_bits."""
    row_of, _, finish_word = make_words()

    @sweep
    def bits(out, one, other, first, n):
        for j in range(n):
            x = finish_word(types.uint32(one + types.uint32(first + types.uint32(j)) * types.uint32(0x9E3779B9)))
            out[j] = types.int32(finish_word(types.uint32(x ^ other)) ^ types.uint32(0x80000000))

    @sweep
    def reach(found, drawn, bar, n):
        for j in range(n):
            found[j] += choose(drawn[j] >= bar, real(1), real(0))

    @sweep
    def add(ring, found, weight, step, n):
        for j in range(n):
            ring[j] += weight[j * step] * found[j]

    @inline
    def draw(record, ring, found, drawn, t, b, begin, n):
        """Add what arrives at some neurons in a step."""
        sample = as_pointer(record[SAMPLES], types.int64)[b]
        one, other = row_of(record[SEED], record[STEP] + t, sample)
        bits(drawn, types.uint32(one), types.uint32(other), types.uint32(begin), n)
        for j in range(n):
            found[j] = real(0)
        bars, counts = as_pointer(record[BARS], types.int64), record[COUNTS]
        if record[BAR] == 0:
            for k in range(counts):
                reach(found, drawn, types.int32(bars[k]), n)
        else:
            own = as_pointer(record[BAR], types.int32)
            for j in range(n):
                row = types.int64(own[begin + j]) * counts
                k = 0
                while k < counts and types.int64(drawn[j]) >= bars[row + k]:
                    k += 1
                found[j] = real(k)
        weight = as_pointer(record[WEIGHT], real)
        if record[WEIGHT_PERIOD] == 1:
            add(ring, found, weight, 0, n)
        else:
            add(ring, found, offset(weight, begin), 1, n)

    return draw


def make_receive(real):
    """Make what empties a place in the ring, lets the synaptic current decay, and hands it to the membrane."""
    zero, tiny = real(0), real(1e-30)
    draw = make_draw(real)

    @sweep
    def at_once(current, ring, n):
        for j in range(n):
            current[j] += ring[j]
            ring[j] = zero

    @sweep
    def decaying(current, ring, synaptic, keep, keep_step, factor, factor_step, n):
        for j in range(n):
            x = keep[j * keep_step] * synaptic[j] + ring[j]
            x = choose(abs(x) < tiny, zero, x)
            ring[j] = zero
            synaptic[j] = x
            current[j] += factor[j * factor_step] * x

    @sweep
    def alike(current, ring, synaptic, keep, factor, n):
        for j in range(n):
            x = keep * synaptic[j] + ring[j]
            x = choose(abs(x) < tiny, zero, x)
            ring[j] = zero
            synaptic[j] = x
            current[j] += factor * x

    @sweep
    def add(ring, outside, n):
        for j in range(n):
            ring[j] += outside[j]

    @sweep
    def clear(ring, n):
        for j in range(n):
            ring[j] = zero

    @sweep
    def fill(current, injected, step, n):
        for j in range(n):
            current[j] = injected[j * step]

    @inline
    def start(cells, current, begin, n):
        if cells[INJECTED] == 0:
            clear(current, n)
        elif cells[INJECTED_PERIOD] == 1:
            fill(current, as_pointer(cells[INJECTED], real), 0, n)
        else:
            fill(current, offset(as_pointer(cells[INJECTED], real), begin), 1, n)

    @inline
    def receive(channel, draws, current, found, drawn, t, b, batch, slots, begin, n):
        m = channel[0]
        ring = offset(as_pointer(channel[RING], real), ((t & (slots - 1)) * batch + b) * m + begin)
        if channel[OUTSIDE] != 0:
            add(ring, offset(as_pointer(channel[OUTSIDE], real), t * channel[OUTSIDE_STRIDE] + b * m + begin), n)
        for d in range(channel[DRAWS], channel[DRAWS_END]):
            draw(offset(draws, d * DRAW), ring, found, drawn, t, b, begin, n)
        if channel[CURRENT] == 0:
            at_once(current, ring, n)
            return
        synaptic = offset(as_pointer(channel[CURRENT], real), b * m + begin)
        keep, factor = as_pointer(channel[KEEP], real), as_pointer(channel[FACTOR], real)
        keep_step = 0 if channel[KEEP_PERIOD] == 1 else 1
        factor_step = 0 if channel[FACTOR_PERIOD] == 1 else 1
        if keep_step == 0 and factor_step == 0:
            alike(current, ring, synaptic, keep[0], factor[0], n)
        else:
            decaying(
                current, ring, synaptic, offset(keep, keep_step * begin), keep_step,
                offset(factor, factor_step * begin), factor_step, n,
            )  # fmt: skip

    return receive, start, clear


def make_advance(real):
    """Make what advances some neurons of a population by a step."""
    one, zero = real(1), real(0)
    of_one, of_each = make_step(real, True, True), make_step(real, False, True)
    exponential = make_exponential(real)

    @sweep
    def izhikevich(current, rows, width, step, v, u, fired, dt, n):
        for i in range(n):
            p = i * step
            x = v[i]
            charged = x + dt * (real(0.04) * x * x + real(5) * x + real(140) - u[i] + current[i])
            fires = charged >= rows[4 * width + p]
            after = u[i] + dt * (rows[p] * (rows[width + p] * x - u[i]))
            fired[i] = choose(fires, one, zero)
            v[i] = choose(fires, rows[2 * width + p], charged)
            u[i] = after + choose(fires, rows[3 * width + p], zero)

    @inline
    def advance(cells, current, fired, b, batch, begin, n, dt):
        m, width = cells[N], cells[PERIOD]
        step = 0 if width == 1 else 1
        rows = offset(as_pointer(cells[ROWS], real), step * begin)
        v = offset(as_pointer(cells[V], real), b * m + begin)
        left = offset(as_pointer(cells[LEFT], real), b * m + begin)
        soft = cells[SOFT] != 0
        if cells[MODEL] == LIF:
            decay, gain, drive = rows, offset(rows, width), offset(rows, 2 * width)
            threshold, reset, pause = offset(rows, 3 * width), offset(rows, 4 * width), offset(rows, 5 * width)
            if step == 0:
                of_one(
                    current, decay, gain, drive, threshold, reset, pause, v, left, fired, fired, fired, dt, soft, False,
                    n,
                )  # fmt: skip
            else:
                of_each(
                    current, decay, gain, drive, threshold, reset, pause, v, left, fired, fired, fired, dt, soft, False,
                    n,
                )  # fmt: skip
        elif cells[MODEL] == EXPONENTIAL:
            w = offset(as_pointer(cells[W], real), b * m + begin)
            exponential(current, rows, width, step, batch * m, cells[CURRENTS], v, w, left, fired, dt, soft, n)
        else:
            w = offset(as_pointer(cells[W], real), b * m + begin)
            izhikevich(current, rows, width, step, v, w, fired, dt, n)

    return advance


def run(real):
    """Make the kernel that advances populations over some steps."""
    (send, ready), list_events = make_send(real), make_list(real)
    receive, start, clear = make_receive(real)
    advance = make_advance(real)
    one = real(1)

    @inline
    def deliver(links, channel, cells, chunks, t, b, part, parts, batch, slots, before, events, counts, total, fired):
        """Send what was fired to some targets of a channel."""
        m = channel[0]
        low, high = m * part // parts, m * (part + 1) // parts
        stride = batch * m
        ring = offset(as_pointer(channel[RING], real), b * m)
        for number in range(channel[LINKS], channel[LINKS_END]):
            link = offset(links, number * LINK)
            source = offset(cells, link[SOURCE] * CELLS)
            size = real(as_double(link[SIZE]))
            since = t if source[MODEL] == GIVEN_ONLY else t - 1
            if since < -before:
                continue
            at = since + link[DELAY]
            if since < 0 or source[MODEL] == GIVEN_ONLY:
                place = (since + before) * batch + b
                begins = as_pointer(source[GIVEN], types.int64)
                here, values = as_pointer(source[GIVEN_EVENTS], types.int32), as_pointer(source[GIVEN_VALUES], real)
                for k in range(begins[place], begins[place + 1]):
                    value = size if source[GIVEN_VALUES] == 0 else size * values[k]
                    send(link, ring, stride, slots - 1, at, types.int64(here[k]), value, low, high, m)
                continue
            number = 0
            for c in range(source[CHUNKS], source[CHUNKS_END]):
                here = offset(events, b * total + source[FIRST] + chunks[4 + 3 * c])
                for k in range(counts[b * chunks[0] + c]):
                    fired[number] = here[k]
                    number += 1
            for k in range(number):
                if k + 1 < number:
                    ready(link, types.int64(fired[k + 1]))
                send(link, ring, stride, slots - 1, at, types.int64(fired[k]), size, low, high, m)

    @inline
    def update(cells, channels, draws, t, b, begin, n, batch, slots, current, fired, drawn, dt):
        start(cells, current, begin, n)
        for c in range(cells[CHANNELS], cells[CHANNELS_END]):
            receive(offset(channels, c * CHANNEL), draws, current, fired, drawn, t, b, batch, slots, begin, n)
        advance(cells, current, fired, b, batch, begin, n, dt)

    @inline
    def forget(cells, channels, t, b, begin, n, batch, slots):
        """Empty the place of a step before the first: what arrived then is in the state already."""
        for c in range(cells[CHANNELS], cells[CHANNELS_END]):
            channel = offset(channels, c * CHANNEL)
            clear(offset(as_pointer(channel[RING], real), ((t & (slots - 1)) * batch + b) * channel[0] + begin), n)

    @inline
    def note(cells, populations, chunks, t, b, batch, events, counts, total, log, room, logged, filled):
        """Write down who fired in a step, and after which step there is no more room."""
        k = logged[b]
        steps, neurons = offset(log, b * 2 * room), offset(log, (b * 2 + 1) * room)
        for p in range(populations):
            each = offset(cells, p * CELLS)
            if each[MODEL] == GIVEN_ONLY:
                continue
            for c in range(each[CHUNKS], each[CHUNKS_END]):
                begin = each[FIRST] + chunks[4 + 3 * c]
                here = offset(events, b * total + begin)
                for q in range(counts[b * chunks[0] + c]):
                    steps[k] = t
                    neurons[k] = each[FIRST] + here[q]
                    k += 1
        logged[b] = k
        if k > room - 2 * total:
            filled[0] = t

    @inline
    def look(probes, number, cells, t, b, batch):
        for q in range(number):
            probe = offset(probes, q * PROBE)
            late = t - probe[5]
            if late >= 0 and late % probe[3] == 0:
                each, count = offset(cells, probe[0] * CELLS), probe[2]
                v = offset(as_pointer(each[V], real), b * each[N])
                out = offset(as_pointer(probe[4], real), (late // probe[3]) * batch * count + b * count)
                neurons = as_pointer(probe[1], types.int32)
                for k in range(count):
                    out[k] = v[types.int64(neurons[k])]

    def kernel(args):
        begin_step, end_step, steps, batch, populations = args[1], args[2], args[3], args[4], args[5]
        channels_number, total, slots, before, parts, groups = args[6], args[7], args[8], args[9], args[10], args[11]
        room, probes_number, block = args[12], args[13], args[14]
        dt = real(as_double(args[15]))
        cells, channels = as_pointer(args[16], types.int64), as_pointer(args[17], types.int64)
        links, chunks = as_pointer(args[18], types.int64), as_pointer(args[19], types.int64)
        events, counts = as_pointer(args[20], types.int32), as_pointer(args[21], types.int64)
        log, logged = as_pointer(args[22], types.int32), as_pointer(args[23], types.int64)
        shared, claims = as_pointer(args[24], types.int64), as_pointer(args[25], types.int64)
        scratches, probes = as_pointer(args[26], real), as_pointer(args[27], types.int64)
        place = fetch_add(offset(shared, 16), 1)
        own, draws = as_pointer(args[28], types.int32), as_pointer(args[29], types.int64)
        drawn = offset(as_pointer(args[30], types.int32), place * block)
        current = offset(scratches, place * 2 * block)
        fired = offset(current, block)
        lists = offset(own, place * total)
        sends, updates = batch * channels_number * parts, batch * chunks[0]
        filled = offset(shared, 24)
        done = types.int64(0)
        t, full = begin_step, False
        while t < end_step and not full:
            for phase in range(2):
                size = sends + batch if phase == 0 else updates
                if t == steps and phase == 1:
                    break
                for turn in range(groups):
                    group = (place + turn) % groups
                    claim = offset(claims, ((t - begin_step) * 2 + phase) * groups + group)
                    begin, end = size * group // groups, size * (group + 1) // groups
                    q = begin + fetch_add(claim, 1)
                    while q < end:
                        if phase == 1:
                            b, c = q // chunks[0], q % chunks[0]
                            chunk = offset(chunks, 3 + 3 * c)
                            each = offset(cells, chunk[0] * CELLS)
                            if t < 0:
                                forget(each, channels, t, b, chunk[1], chunk[2], batch, slots)
                            else:
                                update(
                                    each, channels, draws, t, b, chunk[1], chunk[2], batch, slots, current, fired,
                                    drawn, dt,
                                )  # fmt: skip
                                here = offset(events, b * total + each[FIRST] + chunk[1])
                                number = list_events(fired, here, chunk[2])
                                for k in range(number):
                                    here[k] += chunk[1]
                                counts[b * chunks[0] + c] = number
                                if each[SPIKES] != 0:
                                    out = as_pointer(each[SPIKES], real)
                                    for k in range(number):
                                        out[(t * batch + b) * each[N] + types.int64(here[k])] = one
                        elif q < sends:
                            if t < steps:
                                b, rest = q // (channels_number * parts), q % (channels_number * parts)
                                deliver(
                                    links, offset(channels, (rest // parts) * CHANNEL), cells, chunks, t, b,
                                    rest % parts, parts, batch, slots, before, events, counts, total, lists,
                                )  # fmt: skip
                        elif t > 0:
                            note(
                                cells, populations, chunks, t - 1, q - sends, batch, events, counts, total, log, room,
                                logged, filled,
                            )  # fmt: skip
                            look(probes, probes_number, cells, t - 1, q - sends, batch)
                        finish(shared)
                        q = begin + fetch_add(claim, 1)
                done += size
                wait(shared, done)
                if phase == 0:  # another thread may be ahead, and have filled the log in a later step
                    full = filled[0] < t
            t += 1
        offset(shared, 8)[0] = t

    return kernel
