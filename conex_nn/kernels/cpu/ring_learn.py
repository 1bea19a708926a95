"""How connections learn from who fired in a step, and how a spike that is under way learns of it.

Only the edges of what fired are touched: those of a source that spiked lie together, those onto a target are found by
an index. A spike enters the ring when it is sent, with the weight that it would have when it arrives if nothing more
fired; where that changes before, so does what the ring holds. An eligibility trace moves weights at every step: they
are brought up to date when they are touched, for which sums of the signal over all steps to come are known.
"""

from numba import types

from conex_nn.kernels.cpu.intrinsics import as_double, as_pointer, choose, inline, offset, prefetch, sweep
from conex_nn.kernels.cpu.plastic_row import make_change
from conex_nn.kernels.cpu.ring_fields import (
    AHEAD,
    BEYOND,
    BOUND,
    CHUNKS,
    CHUNKS_END,
    DELAY,
    DELAYS,
    EDGES,
    ELIGIBILITY,
    FIRST,
    HIGH,
    KEPT,
    LAST,
    LATE,
    LONGEST,
    LOW,
    MINUS,
    MINUS_UP,
    MOVED,
    MU,
    ONTO,
    PAST,
    PAST_WORDS,
    PLUS,
    PLUS_UP,
    SHIFT,
    SIGNAL,
    SOURCES,
    TARGETS,
    TRACE,
    TRACE_KEEP,
    TRACE_NEAREST,
    TRACE_POST,
    TRACE_PRE,
    TRACE_VALUES,
    TRACES,
    TRACES_END,
    TURNS,
    W_MAX,
    W_MIN,
    WEIGHTS,
    WIDE_DELAYS,
    WIDE_SOURCES,
    WIDE_TARGETS,
    N,
)
from conex_nn.kernels.cpu.ring_plain import make_row

__all__ = ["make_follow", "make_learn"]


def make_follow(real):
    """Make what keeps of some neurons what rules ask for: traces, when each fired last, who fired in the last steps."""
    one, zero, tiny = real(1), real(0), real(1e-30)

    @sweep
    def decay(x, keep, n):
        for j in range(n):
            y = x[j] * keep
            x[j] = choose(abs(y) < tiny, zero, y)

    @sweep
    def forget(past, kept, n):
        for j in range(n):
            past[j] &= kept

    @inline
    def follow(cells, traces, t, begin, n, events, number):
        """Note who of n neurons fired in a step, as listed among all of the population."""
        for k in range(cells[TRACES], cells[TRACES_END]):
            trace = offset(traces, k * TRACE)
            x = as_pointer(trace[TRACE_VALUES], real)
            decay(offset(x, begin), real(as_double(trace[TRACE_KEEP])), n)
            nearest = trace[TRACE_NEAREST] != 0
            for q in range(number):
                i = types.int64(events[q])
                x[i] = max(x[i], one) if nearest else x[i] + one
        if cells[LAST] != 0:
            last = as_pointer(cells[LAST], types.int32)
            for q in range(number):
                last[types.int64(events[q])] = t
        if cells[PAST] != 0:
            word = (t >> 6) & (cells[PAST_WORDS] - 1)
            past = offset(as_pointer(cells[PAST], types.int64), word * cells[N])
            bit = types.int64(1) << (t & 63)
            forget(offset(past, begin), ~bit, n)
            for q in range(number):
                past[types.int64(events[q])] |= bit

    return follow


def make_learn(real, span):
    """Make what changes the edges onto some targets by a step, and what sends by edges that move by themselves."""
    zero = real(0)
    row = make_row(real)
    soft, _ = make_change(real, 1)
    power, _ = make_change(real, 2)
    product, _ = make_change(real, 3)

    @inline
    def change(learner, w, p, m):
        plus, minus = real(as_double(learner[PLUS])), real(as_double(learner[MINUS]))
        bound, up, down = learner[BOUND], learner[PLUS_UP], learner[MINUS_UP]
        if bound == 0:
            return plus * p + minus * m
        low, high = real(as_double(learner[W_MIN])), real(as_double(learner[W_MAX]))
        mu = real(as_double(learner[MU]))
        if bound == 1:
            return soft(w, p, m, plus, minus, up, down, low, high, mu)
        if bound == 2:
            return power(w, p, m, plus, minus, up, down, low, high, mu)
        return product(w, p, m, plus, minus, up, down, low, high, mu)

    @inline
    def delay_of(link, i, e):
        delay = link[DELAY]
        if link[LATE] != 0:
            delay += types.int64(as_pointer(link[LATE], types.int32)[i])
        if link[DELAYS] != 0:
            if link[WIDE_DELAYS] != 0:
                delay += types.int64(as_pointer(link[DELAYS], types.int16)[e])
            else:
                delay += types.int64(as_pointer(link[DELAYS], types.uint8)[e])
        return delay

    @inline
    def target_of(link, e):
        if link[WIDE_TARGETS] != 0:
            return types.int64(as_pointer(link[TARGETS], types.int32)[e])
        return types.int64(as_pointer(link[TARGETS], types.uint16)[e])

    @inline
    def clipped(learner, w):
        low, high = as_double(learner[LOW]), as_double(learner[HIGH])
        return min(max(w, low), high)

    @inline
    def moved(learner, w, c, a, b):
        """Return a weight after step b that is w after step a, with eligibility c then, if nothing fires."""
        if b <= a:
            return w
        kept, ahead = as_pointer(learner[KEPT], types.float64), as_pointer(learner[AHEAD], types.float64)
        turns = as_pointer(learner[TURNS], types.int32)
        x, at = types.float64(w), a
        while at < b:  # between two changes of the signal's sign a weight comes to a bound once
            end = min(b, types.int64(turns[at + 1]))
            x += types.float64(c) * kept[at - a] * (ahead[at + 1] - kept[end - at] * ahead[end + 1])
            x = clipped(learner, x)
            at = end
        return real(x)

    @inline
    def correct(link, learner, source, ring, stride, mask, i, j, e, u, size, steps, first, old, c, a, new, trace):
        """Let the spikes of an edge that are under way after step u arrive with its new weight."""
        past, words, n = as_pointer(source[PAST], types.int64), source[PAST_WORDS], source[N]
        delay = delay_of(link, i, e)
        for age in range(first, delay):
            s = u - age
            if (past[((s >> 6) & (words - 1)) * n + i] >> (s & 63)) & 1:
                at = s + delay
                this, that = new, old
                if learner[ELIGIBILITY] != 0:
                    end = min(at, steps) - 1
                    this, that = moved(learner, new, trace, u, end), moved(learner, old, c, a, end)
                ring[(at & mask) * stride + j] += size * (this - that)

    @inline
    def touch(link, learner, source, ring, stride, mask, i, j, e, u, size, steps, first, p, m, under):
        """Change an edge by what its rule makes of its two sides at step u."""
        weights = as_pointer(link[WEIGHTS], real)
        old, c, a, trace = weights[e], zero, u, zero
        if learner[ELIGIBILITY] == 0:
            if learner[SIGNAL] != 0:
                d = real(as_pointer(learner[SIGNAL], types.float64)[u])
                p *= d
                m *= d
            x = old + change(learner, old, p, m)
            low, high = real(as_double(learner[LOW])), real(as_double(learner[HIGH]))
            x = low if x < low else x
            new = high if x > high else x
        else:
            eligibility, when = as_pointer(learner[ELIGIBILITY], real), as_pointer(learner[MOVED], types.int32)
            c, a = eligibility[e], types.int64(when[e])
            kept, signal = as_pointer(learner[KEPT], types.float64), as_pointer(learner[SIGNAL], types.float64)
            now = moved(learner, old, c, a, u - 1)
            trace = real(types.float64(c) * kept[u - a]) + change(learner, now, p, m)
            new = real(clipped(learner, types.float64(now) + types.float64(trace) * signal[u]))
            eligibility[e] = trace
            when[e] = u
        weights[e] = new
        if under:
            correct(
                link, learner, source, ring, stride, mask, i, j, e, u, size, steps, first, old, c, a, new, trace,
            )  # fmt: skip

    @inline
    def flies(source, i, u, first, longest):
        """Whether a spike of neuron i, sent before step u is learned from, may be under way after it."""
        past, words, n = as_pointer(source[PAST], types.int64), source[PAST_WORDS], source[N]
        for age in range(first, longest):
            s = u - age
            if (past[((s >> 6) & (words - 1)) * n + i] >> (s & 63)) & 1:
                return True
        return False

    @inline
    def source_of(learner, k):
        if learner[WIDE_SOURCES] != 0:
            return types.int64(as_pointer(learner[SOURCES], types.int32)[k])
        return types.int64(as_pointer(learner[SOURCES], types.uint16)[k])

    @inline
    def onto(link, learner, source, ring, stride, mask, j, u, size, steps, first, fired, every):
        """Change the edges onto a target, but for those of sources that spiked unless every edge is to be touched."""
        x, y = as_pointer(learner[TRACE_PRE], real), as_pointer(learner[TRACE_POST], real)
        last, edges = as_pointer(source[LAST], types.int32), as_pointer(learner[EDGES], types.int32)
        begins = as_pointer(learner[ONTO], types.int64)
        weights, end, recent = as_pointer(link[WEIGHTS], real), begins[j + 1], u - learner[LONGEST]
        after = y[j] + real(as_double(learner[SHIFT]))
        for k in range(begins[j], end):
            prefetch(offset(weights, types.int64(edges[min(k + 12, end - 1)])))
            i = source_of(learner, k)
            at = types.int64(last[i])
            if every or at != u:
                p, m = x[i] if fired else zero, after if at == u else zero
                e = types.int64(edges[k])
                touch(link, learner, source, ring, stride, mask, i, j, e, u, size, steps, first, p, m, at > recent)

    @inline
    def factor(learner, u):
        """Return how much the changes of a step count."""
        return real(1) if learner[SIGNAL] == 0 else real(as_pointer(learner[SIGNAL], types.float64)[u])

    @inline
    def onto_plain(link, learner, source, ring, stride, mask, j, u, size, steps, first):
        """Strengthen the edges onto a target that spiked from sources that did not, where no soft bound is."""
        weights, x = as_pointer(link[WEIGHTS], real), as_pointer(learner[TRACE_PRE], real)
        last, edges = as_pointer(source[LAST], types.int32), as_pointer(learner[EDGES], types.int32)
        begins = as_pointer(learner[ONTO], types.int64)
        begin, end, recent = begins[j], begins[j + 1], u - learner[LONGEST]
        plus, low, high = (
            factor(learner, u) * real(as_double(learner[PLUS])),
            real(as_double(learner[LOW])),
            real(as_double(learner[HIGH])),
        )
        narrow, wide = as_pointer(learner[SOURCES], types.uint16), as_pointer(learner[SOURCES], types.int32)
        is_wide = learner[WIDE_SOURCES] != 0
        for k in range(begin, end):
            prefetch(offset(weights, types.int64(edges[min(k + 16, end - 1)])))
            i = types.int64(wide[k]) if is_wide else types.int64(narrow[k])
            at = types.int64(last[i])
            if at != u:
                e = types.int64(edges[k])
                old = weights[e]
                new = old + plus * x[i]
                new = choose(new < low, low, new)
                new = choose(new > high, high, new)
                weights[e] = new
                if at > recent:
                    correct(
                        link, learner, source, ring, stride, mask, i, j, e, u, size, steps, first, old, zero, u, new,
                        zero,
                    )  # fmt: skip

    @inline
    def learn(link, learner, source, target, chunks, events, counts, sent, number, ring, stride, mask, u, low, high, m,
              size, steps, first):  # fmt: skip
        """Learn from step u: from the listed spikes of the source, and those of the targets from low up to high."""
        last, x = as_pointer(target[LAST], types.int32), as_pointer(learner[TRACE_PRE], real)
        if u == 0 and learner[BEYOND] != 0:  # what is out of its bounds is brought back, whether it fires or not
            for j in range(low, high):
                fired = types.int64(last[j]) == u
                onto(link, learner, source, ring, stride, mask, j, u, size, steps, first, fired, True)
            return
        y, shift = as_pointer(learner[TRACE_POST], real), real(as_double(learner[SHIFT]))
        plain = learner[BOUND] == 0 and learner[ELIGIBILITY] == 0
        d, weights, wide = factor(learner, u), as_pointer(link[WEIGHTS], real), link[WIDE_TARGETS] != 0
        plus, minus = d * real(as_double(learner[PLUS])), d * real(as_double(learner[MINUS]))
        least, most = real(as_double(learner[LOW])), real(as_double(learner[HIGH]))
        narrow_targets = as_pointer(link[TARGETS], types.uint16)
        wide_targets = as_pointer(link[TARGETS], types.int32)
        for q in range(number):
            i = types.int64(sent[q])
            begin, end = span(link, i, low, high, m)
            under = flies(source, i, u, first, learner[LONGEST])
            if plain and not under:
                here, up = offset(weights, begin), plus * x[i]
                if wide:
                    row(here, offset(wide_targets, begin), y, last, up, minus, shift, u, least, most, end - begin)
                else:
                    row(here, offset(narrow_targets, begin), y, last, up, minus, shift, u, least, most, end - begin)
                continue
            for e in range(begin, end):
                j = target_of(link, e)
                p = x[i] if types.int64(last[j]) == u else zero
                touch(
                    link, learner, source, ring, stride, mask, i, j, e, u, size, steps, first, p, y[j] + shift, under,
                )  # fmt: skip
        for c in range(target[CHUNKS], target[CHUNKS_END]):
            begin = chunks[4 + 3 * c]
            if begin < high and begin + chunks[5 + 3 * c] > low:
                spiked = offset(events, target[FIRST] + begin)
                for k in range(counts[c]):
                    j = types.int64(spiked[k])
                    if j < low or j >= high:
                        continue
                    if plain:
                        onto_plain(link, learner, source, ring, stride, mask, j, u, size, steps, first)
                    else:
                        onto(link, learner, source, ring, stride, mask, j, u, size, steps, first, True, False)

    @inline
    def carry(link, learner, ring, stride, mask, since, i, size, low, high, m, steps):
        """Send a spike by edges that move by themselves, with the weights that they will have when it arrives."""
        eligibility, when = as_pointer(learner[ELIGIBILITY], real), as_pointer(learner[MOVED], types.int32)
        weights = as_pointer(link[WEIGHTS], real)
        begin, end = span(link, i, low, high, m)
        for e in range(begin, end):
            at = since + delay_of(link, i, e)
            w = moved(learner, weights[e], eligibility[e], types.int64(when[e]), min(at, steps) - 1)
            ring[(at & mask) * stride + target_of(link, e)] += size * w

    @inline
    def settle(link, learner, source, low, high, m, u):
        """Bring all edges onto some targets up to date after step u, the last."""
        eligibility, when = as_pointer(learner[ELIGIBILITY], real), as_pointer(learner[MOVED], types.int32)
        weights, kept = as_pointer(link[WEIGHTS], real), as_pointer(learner[KEPT], types.float64)
        for i in range(source[N]):
            begin, end = span(link, i, low, high, m)
            for e in range(begin, end):
                a = types.int64(when[e])
                weights[e] = moved(learner, weights[e], eligibility[e], a, u)
                eligibility[e] = real(types.float64(eligibility[e]) * kept[u - a])
                when[e] = u

    return learn, carry, settle
