"""Populations of any size, whose neurons send what they fire into ring buffers of the currents to come.

A step has two phases. In the first, the spikes of the step before go out: each piece of work takes some of the targets
of one channel (a compartment of a population), and adds to the ring what the rows of all neurons that spiked hold for
these. In the second, each piece takes some neurons, empties their place in the ring, advances them, and lists who
fired. No two pieces write the same numbers, and each target gets its spikes in the order of their sources, so that the
number of threads does not matter. Steps before the first only send what was fired then.

Connections that learn do so from the step before in the first phase, ahead of what they send.
"""

from numba import types

from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, fetch_add, finish, inline, offset, wait
from conex_nn.kernels.cpu.ring_cells import make_advance, make_receive
from conex_nn.kernels.cpu.ring_fields import (
    CELLS,
    CHANNEL,
    CHANNELS,
    CHANNELS_END,
    CHUNKS,
    CHUNKS_END,
    DELAY,
    ELIGIBILITY,
    FIRST,
    GIVEN,
    GIVEN_EVENTS,
    GIVEN_ONLY,
    GIVEN_VALUES,
    LEARNER,
    LEARNER_ROW,
    LINK,
    LINKS,
    LINKS_END,
    MODEL,
    PROBE,
    RING,
    SIZE,
    SOURCE,
    TARGET,
    N,
    V,
)
from conex_nn.kernels.cpu.ring_learn import make_follow, make_learn
from conex_nn.kernels.cpu.ring_send import make_send
from conex_nn.kernels.cpu.ring_shunt import make_shunt
from conex_nn.kernels.cpu.traces import make_list

__all__ = ["run"]


def run(real, learns):
    """Make the kernel that advances populations over some steps, whose connections may learn."""
    (send, ready, span), list_events = make_send(real), make_list(real)
    (learn, carry, settle), follow = make_learn(real, span), make_follow(real)
    receive, start, clear = make_receive(real)
    shunt, advance = make_shunt(real), make_advance(real)

    @inline
    def collect(source, chunks, b, events, counts, total, fired):
        """List who fired in the step before."""
        number = 0
        for c in range(source[CHUNKS], source[CHUNKS_END]):
            here = offset(events, b * total + source[FIRST] + chunks[4 + 3 * c])
            for k in range(counts[b * chunks[0] + c]):
                fired[number] = here[k]
                number += 1
        return number

    @inline
    def given(source, t, b, batch, before):
        """Return which entries of a list are those of a step."""
        begins, place = as_pointer(source[GIVEN], types.int64), (t + before) * batch + b
        return begins[place], begins[place + 1]

    @inline
    def deliver(links, channel, cells, chunks, t, b, part, parts, batch, slots, before, events, counts, total, fired,
                learners, steps):  # fmt: skip
        """Send what was fired to some targets of a channel."""
        m = channel[0]
        low, high = m * part // parts, m * (part + 1) // parts
        stride = batch * m
        ring = offset(as_pointer(channel[RING], real), b * m)
        for which in range(channel[LINKS], channel[LINKS_END]):
            link = offset(links, which * LINK)
            source = offset(cells, link[SOURCE] * CELLS)
            size = real(as_double(link[SIZE]))
            early = source[MODEL] == GIVEN_ONLY
            moves = False
            if learns:
                learner = offset(learners, link[LEARNER] * LEARNER_ROW)
                plastic = link[LEARNER] != 0
                moves = plastic and learner[ELIGIBILITY] != 0
                early = early and not (plastic and link[DELAY] > 0)
                if plastic and t > 0:
                    target = offset(cells, learner[TARGET] * CELLS)
                    if source[MODEL] == GIVEN_ONLY:
                        begin, end = given(source, t - 1, 0, 1, before)
                        here, number = offset(as_pointer(source[GIVEN_EVENTS], types.int32), begin), end - begin
                    else:
                        here, number = fired, collect(source, chunks, 0, events, counts, total, fired)
                    learn(
                        link, learner, source, target, chunks, events, counts, here, number, ring, stride, slots - 1,
                        t - 1, low, high, m, size, steps, 0 if early else 1,
                    )  # fmt: skip
                    if moves and t == steps:
                        settle(link, learner, source, low, high, m, t - 1)
            since = t if early else t - 1
            if since < -before or t == steps:
                continue
            at = since + link[DELAY]
            if since < 0 or source[MODEL] == GIVEN_ONLY:
                begin, end = given(source, since, b, batch, before)
                here, values = as_pointer(source[GIVEN_EVENTS], types.int32), as_pointer(source[GIVEN_VALUES], real)
                for k in range(begin, end):
                    value = size if source[GIVEN_VALUES] == 0 else size * values[k]
                    if learns and moves:
                        carry(link, learner, ring, stride, slots - 1, since, types.int64(here[k]), value, low, high, m,
                              steps)  # fmt: skip
                    else:
                        send(link, ring, stride, slots - 1, at, types.int64(here[k]), value, low, high, m)
                continue
            number = collect(source, chunks, b, events, counts, total, fired)
            for k in range(number):
                if k + 1 < number:
                    ready(link, types.int64(fired[k + 1]))
                if learns and moves:
                    carry(link, learner, ring, stride, slots - 1, since, types.int64(fired[k]), size, low, high, m,
                          steps)  # fmt: skip
                else:
                    send(link, ring, stride, slots - 1, at, types.int64(fired[k]), size, low, high, m)

    @inline
    def update(cells, channels, draws, t, b, begin, n, batch, slots, current, opened, fired, drawn, dt):
        start(cells, current, opened, begin, n)
        for c in range(cells[CHANNELS], cells[CHANNELS_END]):
            channel = offset(channels, c * CHANNEL)
            receive(channel, cells, draws, current, opened, fired, drawn, t, b, batch, slots, begin, n)
        shunt(cells, current, opened, b, begin, n)
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
        current = offset(scratches, place * 3 * block)
        fired, opened = offset(current, block), offset(current, 2 * block)
        learners, traces = as_pointer(args[31], types.int64), as_pointer(args[32], types.int64)
        lists = offset(own, place * total)
        sends, updates = batch * channels_number * parts, batch * chunks[0]
        watched = populations if learns else 0  # sources whose spikes are known, as rules see them
        filled = offset(shared, 24)
        done = types.int64(0)
        t, full = begin_step, False
        while t < end_step and not full:
            for phase in range(2):
                size = sends + batch if phase == 0 else updates + watched
                if t == steps and phase == 1:
                    break
                for turn in range(groups):
                    group = (place + turn) % groups
                    claim = offset(claims, ((t - begin_step) * 2 + phase) * groups + group)
                    begin, end = size * group // groups, size * (group + 1) // groups
                    q = begin + fetch_add(claim, 1)
                    while q < end:
                        if phase == 1 and q < updates:
                            b, c = q // chunks[0], q % chunks[0]
                            chunk = offset(chunks, 3 + 3 * c)
                            each = offset(cells, chunk[0] * CELLS)
                            if t < 0:
                                forget(each, channels, t, b, chunk[1], chunk[2], batch, slots)
                            else:
                                update(
                                    each, channels, draws, t, b, chunk[1], chunk[2], batch, slots, current, opened,
                                    fired, drawn, dt,
                                )  # fmt: skip
                                here = offset(events, b * total + each[FIRST] + chunk[1])
                                number = list_events(fired, here, chunk[2])
                                for k in range(number):
                                    here[k] += chunk[1]
                                counts[b * chunks[0] + c] = number
                                if learns:
                                    follow(each, traces, t, chunk[1], chunk[2], here, number)
                        elif phase == 1:
                            each = offset(cells, (q - updates) * CELLS)
                            if learns and each[MODEL] == GIVEN_ONLY and t >= 0:
                                first, last = given(each, t, 0, 1, before)
                                here = offset(as_pointer(each[GIVEN_EVENTS], types.int32), first)
                                follow(each, traces, t, 0, each[N], here, last - first)
                        elif q < sends:
                            if learns or t < steps:
                                b, rest = q // (channels_number * parts), q % (channels_number * parts)
                                deliver(
                                    links, offset(channels, (rest // parts) * CHANNEL), cells, chunks, t, b,
                                    rest % parts, parts, batch, slots, before, events, counts, total, lists, learners,
                                    steps,
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
