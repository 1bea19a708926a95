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
from conex_nn.kernels.cpu.plastic_row import make_change, make_rows
from conex_nn.kernels.cpu.record import LANES, WORD

__all__ = ["pairs"]

_BYTES = WORD // 8


def make_changes(real, bound):
    """Make what turns the sums of a row into changes of its weights, as far as a bound lets them."""
    change, _ = make_change(real, bound)

    @sweep
    def row(out, w, ups, downs, extra, plus, minus, plus_side, minus_side, low, high, mu, n):
        for j in range(n):
            out[j] = change(w[j], ups[j], downs[j] + extra, plus, minus, plus_side, minus_side, low, high, mu)

    return row


def pairs(real):
    """Make the kernel."""
    zero, one = real(0), real(1)
    plain_row, soft_row = make_changes(real, 0), make_changes(real, 1)
    power_row, product_row = make_changes(real, 2), make_changes(real, 3)
    clear, add_to, *_ = make_rows(real)

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
    def change(args, out, at, ups, downs, extra, n):
        """Change n weights in a row from ``at`` on."""
        w, to = offset(as_pointer(args[29], real), at), offset(as_pointer(args[30], real), at)
        plus, minus = real(as_double(args[11])), real(as_double(args[12]))
        a, b, bound = types.int64(args[10] & 1), types.int64(args[10] >> 1), args[9]
        low, high, mu = real(as_double(args[16])), real(as_double(args[17])), real(as_double(args[18]))
        if bound == 0:
            plain_row(out, w, ups, downs, extra, plus, minus, a, b, low, high, mu, n)
        elif bound == 1:
            soft_row(out, w, ups, downs, extra, plus, minus, a, b, low, high, mu, n)
        elif bound == 2:
            power_row(out, w, ups, downs, extra, plus, minus, a, b, low, high, mu, n)
        else:
            product_row(out, w, ups, downs, extra, plus, minus, a, b, low, high, mu, n)
        add_to(to, out, one, n)  # after all of them were read: it may be where the weights are

    @inline
    def finish(args, g, ups, downs, strips, out, sums):
        """Change the weights of a chunk by its sums."""
        events, others = args[3], args[4]
        shift, here = real(as_double(args[13])), min(WORD, others - g * WORD)
        if args[6] != 0:
            totals = as_pointer(args[31], real)
            for e in range(events):
                extra = shift * totals[e] if shift != zero else zero
                change(args, out, e * others + g * WORD, offset(ups, e * WORD), offset(downs, e * WORD), extra, here)
            return
        pitch = (events + LANES - 1) // LANES * LANES
        for r in range(0, here, LANES):
            for e in range(0, pitch, LANES):
                transpose(offset(ups, e * WORD + r), WORD, offset(strips, e), pitch)
                transpose(offset(downs, e * WORD + r), WORD, offset(strips, LANES * pitch + e), pitch)
            for q in range(min(LANES, here - r)):
                extra = shift * sums[r + q] if shift != zero else zero
                up, down = offset(strips, q * pitch), offset(strips, (LANES + q) * pitch)
                change(args, out, (g * WORD + r + q) * events, up, down, extra, events)

    def kernel(args):
        events, groups, by_source = args[3], args[5], args[6] != 0
        pitch = (events + LANES - 1) // LANES * LANES
        place = fetch_add(as_pointer(args[32], types.int64), 1)
        room = 2 * pitch * (WORD + LANES) + 2 * WORD + max(pitch, WORD)
        ups = offset(as_pointer(args[33], real), place * room)
        downs = offset(ups, pitch * WORD)
        strips = offset(downs, pitch * WORD)
        x = offset(strips, 2 * pitch * LANES)
        sums = offset(x, WORD)
        out = offset(sums, WORD)
        while True:
            g = fetch_add(args, 1)
            if g >= groups:
                break
            clear(ups, 2 * pitch * WORD)
            forwards(args, g, downs if by_source else ups, x)
            backwards(args, g, ups if by_source else downs, x, sums)
            finish(args, g, ups, downs, strips, out, sums)

    return kernel
