"""How neurons take what the ring holds for them, and what arrives by itself, and advance by a step."""

from numba import types

from conex_nn.kernels.cpu.adaptive import make_exponential
from conex_nn.kernels.cpu.draws import make_words
from conex_nn.kernels.cpu.intrinsics import as_pointer, choose, inline, offset, sweep
from conex_nn.kernels.cpu.lif import make_step
from conex_nn.kernels.cpu.ring_fields import (
    BAR,
    BARS,
    COUNTS,
    CURRENT,
    CURRENTS,
    DRAW,
    DRAWS,
    DRAWS_END,
    EXPONENTIAL,
    FACTOR,
    FACTOR_PERIOD,
    INJECTED,
    INJECTED_PERIOD,
    KEEP,
    KEEP_PERIOD,
    LEFT,
    LIF,
    MEMBRANE,
    MODEL,
    OUTSIDE,
    OUTSIDE_STRIDE,
    PERIOD,
    REVERSAL,
    REVERSAL_PERIOD,
    RING,
    ROWS,
    SAMPLES,
    SEED,
    SOFT,
    STEP,
    WEIGHT,
    WEIGHT_PERIOD,
    N,
    V,
    W,
)

__all__ = ["make_advance", "make_receive"]


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
    def conducting(
        current, opened, ring, synaptic, v, keep, keep_step, factor, factor_step, reversal, reversal_step, n
    ):
        for j in range(n):
            x = keep[j * keep_step] * synaptic[j] + ring[j]
            x = choose(abs(x) < tiny, zero, x)
            ring[j] = zero
            synaptic[j] = x
            g = factor[j * factor_step] * x
            opened[j] += g
            current[j] += g * (reversal[j * reversal_step] - v[j])

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
    def start(cells, current, opened, begin, n):
        if cells[MEMBRANE] != 0:
            clear(opened, n)
        if cells[INJECTED] == 0:
            clear(current, n)
        elif cells[INJECTED_PERIOD] == 1:
            fill(current, as_pointer(cells[INJECTED], real), 0, n)
        else:
            fill(current, offset(as_pointer(cells[INJECTED], real), begin), 1, n)

    @inline
    def receive(channel, cells, draws, current, opened, found, drawn, t, b, batch, slots, begin, n):
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
        if channel[REVERSAL] != 0:
            reversal_step = 0 if channel[REVERSAL_PERIOD] == 1 else 1
            reversal = offset(as_pointer(channel[REVERSAL], real), reversal_step * begin)
            v = offset(as_pointer(cells[V], real), b * m + begin)
            conducting(
                current, opened, ring, synaptic, v, offset(keep, keep_step * begin), keep_step,
                offset(factor, factor_step * begin), factor_step, reversal, reversal_step, n,
            )  # fmt: skip
        elif keep_step == 0 and factor_step == 0:
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
