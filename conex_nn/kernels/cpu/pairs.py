"""What all pairs of spikes of a sequence do to a matrix of weights, at the cost of the side that spikes less.

Let one side be read as events, the other as bits, which two traces follow: x runs forwards in time, y backwards. What
an event sees of the spikes before it is x, and of those after it y, so both products of a pair rule are sums of
traces over the same events: sum over t of s(t) x'(t) = sum over t of y(t) s'(t). A chunk is a group of the side that
is read as bits, all of whose sums a thread keeps to itself, and adds up in the order of samples and steps.
"""

from numba import types

from conex_nn.kernels.cpu.intrinsics import (
    as_double,
    as_pointer,
    decay_and_add,
    decay_or_set,
    fetch_add,
    inline,
    offset,
    sweep,
    transpose,
)
from conex_nn.kernels.cpu.plastic_row import make_change
from conex_nn.kernels.cpu.record import LANES, WORD

__all__ = ["pairs"]

_BYTES = WORD // 8


def make_bounded(real, bound):
    """Make what adds sums to a row of changes, as much of them as a bound lets pass."""
    _, raise_by = make_change(real, bound)

    @sweep
    def row(change, w, sums, extra, amount, side, low, high, mu, n):
        for j in range(n):
            change[j] += raise_by(w[j], sums[j] + extra, amount, side, low, high, mu)

    return row


def pairs(real):
    """Make the kernel."""
    zero, one = real(0), real(1)
    plain_row, soft_row = make_bounded(real, 0), make_bounded(real, 1)
    power_row, product_row = make_bounded(real, 2), make_bounded(real, 3)

    @sweep
    def clear(x, n):
        for i in range(n):
            x[i] = zero

    @inline
    def follow(x, word, keep, gain, vectors):
        for q in range(_BYTES):
            decay_and_add(offset(x, q * 8), keep, gain, offset(vectors, ((word >> (8 * q)) & 255) * 8))

    @inline
    def follow_last(x, word, keep, vectors):
        for q in range(_BYTES):
            decay_or_set(offset(x, q * 8), keep, offset(vectors, ((word >> (8 * q)) & 255) * 8))

    @sweep
    def add(tile, x, factor):
        for i in range(WORD):
            tile[i] += factor * x[i]

    @inline
    def begin_at(x, args, b, g):
        """Let the forward trace start from what the state of the rule holds."""
        clear(x, WORD)
        if args[26] != 0:
            n = args[4]
            start = offset(as_pointer(args[26], real), b * n + g * WORD)
            for i in range(min(WORD, n - g * WORD)):
                x[i] = start[i]

    @inline
    def forwards(args, g, tile, x):
        steps, batch = args[1], args[2]
        last, keep = args[7] != 0, real(as_double(args[14]))
        begins, times = as_pointer(args[20], types.int64), as_pointer(args[21], types.int32)
        who, values = as_pointer(args[22], types.int32), as_pointer(args[23], real)
        vectors = as_pointer(args[28], real)
        for b in range(batch):
            words = offset(as_pointer(args[19], types.int64), (g * batch + b) * steps)
            k, end = begins[b], begins[b + 1]
            begin_at(x, args, b, g)
            t = 0
            while k < end:  # later steps concern no event
                while t <= times[k]:
                    if last:
                        follow_last(x, words[t], keep, vectors)
                    else:
                        follow(x, words[t], keep, one, vectors)
                    t += 1
                add(offset(tile, types.int64(who[k]) * WORD), x, values[k])
                k += 1

    @inline
    def backwards(args, g, tile, x, sums):
        steps, batch, n = args[1], args[2], args[3]
        keep, shifted = real(as_double(args[15])), args[8] != 0
        begins, times = as_pointer(args[20], types.int64), as_pointer(args[21], types.int32)
        who, added = as_pointer(args[22], types.int32), as_pointer(args[24], real)
        weighs, before = as_pointer(args[25], real), as_pointer(args[27], real)
        vectors = as_pointer(args[28], real)
        clear(sums, WORD)
        for b in range(batch):
            words = offset(as_pointer(args[19], types.int64), (g * batch + b) * steps)
            begin, k = begins[b], begins[b + 1] - 1
            clear(x, WORD)
            t = steps - 1
            first = times[begin] if k >= begin and args[27] == 0 and not shifted else 0
            first = steps if k < begin and args[27] == 0 and not shifted else first
            while t >= first:
                gain = weighs[t * batch + b] if args[25] != 0 else one
                follow(x, words[t], keep, gain, vectors)
                if shifted:
                    follow(sums, words[t], one, gain, vectors)
                while k >= begin and times[k] == t:
                    add(offset(tile, types.int64(who[k]) * WORD), x, added[k])
                    k -= 1
                t -= 1
            if args[27] != 0:
                for e in range(n):
                    held = before[b * n + e] * keep
                    if held != zero:
                        add(offset(tile, e * WORD), x, held)

    @inline
    def pass_on(args, change, w, sums, extra, amount, side, n):
        bound, mu = args[9], real(as_double(args[18]))
        low, high = real(as_double(args[16])), real(as_double(args[17]))
        if bound == 0:
            plain_row(change, w, sums, extra, amount, side, low, high, mu, n)
        elif bound == 1:
            soft_row(change, w, sums, extra, amount, side, low, high, mu, n)
        elif bound == 2:
            power_row(change, w, sums, extra, amount, side, low, high, mu, n)
        else:
            product_row(change, w, sums, extra, amount, side, low, high, mu, n)

    @inline
    def finish(args, g, tile, strip, sums, plus):
        """Add the sums of a chunk to the change: of the product that strengthens (``plus``), or of the other."""
        events, others, by_source = args[3], args[4], args[6] != 0
        amount = real(as_double(args[11] if plus else args[12]))
        side = types.int64(args[10] & 1) if plus else types.int64(args[10] >> 1)
        shift = zero if plus else real(as_double(args[13]))
        w, change = as_pointer(args[29], real), as_pointer(args[30], real)
        here = min(WORD, others - g * WORD)
        if by_source:
            totals = as_pointer(args[31], real)
            for e in range(events):
                extra = shift * totals[e] if shift != zero else zero
                at = e * others + g * WORD
                pass_on(args, offset(change, at), offset(w, at), offset(tile, e * WORD), extra, amount, side, here)
            return
        pitch = (events + LANES - 1) // LANES * LANES
        for r in range(0, here, LANES):
            for e in range(0, pitch, LANES):
                transpose(offset(tile, e * WORD + r), WORD, offset(strip, e), pitch)
            for q in range(min(LANES, here - r)):
                extra = shift * sums[r + q] if shift != zero else zero
                at = (g * WORD + r + q) * events
                row = offset(strip, q * pitch)
                pass_on(args, offset(change, at), offset(w, at), row, extra, amount, side, events)

    def kernel(args):
        events, groups, by_source = args[3], args[5], args[6] != 0
        pitch = (events + LANES - 1) // LANES * LANES
        place = fetch_add(as_pointer(args[32], types.int64), 1)
        tile = offset(as_pointer(args[33], real), place * (pitch * (WORD + LANES) + 2 * WORD))
        strip = offset(tile, pitch * WORD)
        x = offset(strip, pitch * LANES)
        sums = offset(x, WORD)
        while True:
            g = fetch_add(args, 1)
            if g >= groups:
                break
            clear(tile, pitch * WORD)
            forwards(args, g, tile, x)
            finish(args, g, tile, strip, sums, not by_source)
            clear(tile, pitch * WORD)
            backwards(args, g, tile, x, sums)
            finish(args, g, tile, strip, sums, by_source)

    return kernel
