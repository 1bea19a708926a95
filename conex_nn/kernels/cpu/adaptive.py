"""Exponential integrate-and-fire neurons with K >= 0 adaptation currents over a whole sequence.

Rows of the parameters: decay, gain, drive, v_threshold, v_reset, refractory_time, sharpness, inverse delta_t, v_rh,
v_rest, then decay, coupling and jump of each adaptation current.
"""

import functools

from conex_nn.kernels.cpu.intrinsics import (
    as_double,
    as_pointer,
    choose,
    fetch_add,
    inline,
    locate,
    make_exp,
    offset,
    sweep,
)
from conex_nn.kernels.cpu.record import STRETCH
from conex_nn.kernels.cpu.surrogates import make_derivative

__all__ = ["backward", "forward", "make_exponential"]

_TINY = 1e-30  # smaller magnitudes are taken as 0: they are on their way to denormals, which are slow
_CAP = 20.0  # conex_nn.functional.exponential_lif.EXPONENT_CAP


@functools.cache
def make_exponential(real):
    """Make one step of a row of neurons with any number of adaptation currents, for which nothing is kept."""
    zero, one, half, tiny, cap = real(0), real(1), real(0.5), real(_TINY), real(_CAP)
    exp = make_exp(real)

    @sweep
    def clear(total, n):
        for i in range(n):
            total[i] = zero

    @sweep
    def add(total, w, n):
        for i in range(n):
            total[i] += w[i]

    @sweep
    def fire(current, rows, width, step, v, left, fired, dt, soft, n):
        for i in range(n):
            p = i * step
            before, threshold, reset = v[i], rows[3 * width + p], rows[4 * width + p]
            upstroke = exp(min((before - rows[8 * width + p]) * rows[7 * width + p], cap))
            x = (
                rows[p] * before
                + (rows[width + p] * (current[i] - fired[i]) + rows[2 * width + p])
                + rows[6 * width + p] * upstroke
            )
            rest = left[i]
            holds = rest > half * dt
            x = choose(holds, before, choose(abs(x) < tiny, zero, x))
            s = choose(holds, zero, choose(x >= threshold, one, zero))
            left[i] = choose(s > zero, rows[5 * width + p], max(rest - dt, zero))
            fired[i] = s
            after = x - (threshold - reset) if soft else reset
            v[i] = choose(s > zero, after, x)

    @sweep
    def adapt(own, rows, width, step, v, w, fired, n):
        for i in range(n):
            p = i * step
            y = own[p] * w[i] + (own[width + p] * (v[i] - rows[9 * width + p]) + own[2 * width + p] * fired[i])
            w[i] = choose(abs(y) < tiny, zero, y)

    @inline
    def advance(current, rows, width, step, apart, currents, v, w, left, fired, dt, soft, n):
        clear(fired, n)
        for k in range(currents):
            add(fired, offset(w, k * apart), n)
        fire(current, rows, width, step, v, left, fired, dt, soft, n)
        for k in range(currents):
            adapt(offset(rows, (10 + 3 * k) * width), rows, width, step, v, offset(w, k * apart), fired, n)

    return advance


def forward(real, uniform, currents, pauses):
    """Make the forward kernel: currents in; spikes, and on demand what backward needs, out."""
    zero, one, half, tiny, cap = real(0), real(1), real(0.5), real(_TINY), real(_CAP)
    exp = make_exp(real)

    @sweep
    def step(current, rows, width, total, span, v, w, left, spikes, charged, held, history, dt, soft, save, trace, n):
        for i in range(n):
            p = 0 if uniform else i
            before, threshold, reset = v[i], rows[3 * width + p], rows[4 * width + p]
            adaptation = zero
            for k in range(currents):
                adaptation += w[k * total + i]
            upstroke = exp(min((before - rows[8 * width + p]) * rows[7 * width + p], cap))
            x = (
                rows[p] * before
                + (rows[width + p] * (current[i] - adaptation) + rows[2 * width + p])
                + rows[6 * width + p] * upstroke
            )
            x = zero if abs(x) < tiny else x
            fires = x >= threshold
            if pauses:
                holds = left[i] > half * dt
                x = before if holds else x
                fires = x >= threshold and not holds
                rest = left[i] - dt
                left[i] = rows[5 * width + p] if fires else (rest if rest > zero else zero)
                if save:
                    held[i] = one if holds else zero
            if save:
                charged[i] = x
            s = one if fires else zero
            spikes[i] = s
            after = x - (threshold - reset) if soft else reset
            after = after if fires else x
            v[i] = after
            for k in range(currents):
                if trace:
                    history[k * span + i] = w[k * total + i]
                y = rows[(10 + 3 * k) * width + p] * w[k * total + i] + (
                    rows[(11 + 3 * k) * width + p] * (after - rows[9 * width + p]) + rows[(12 + 3 * k) * width + p] * s
                )
                w[k * total + i] = zero if abs(y) < tiny else y

    def kernel(args):
        steps, total, stride, width, chunks = args[1], args[2], args[3], args[4], args[5]
        soft, save, trace, dt = args[6] != 0, args[7] != 0, args[8] != 0, real(as_double(args[9]))
        current, rows = as_pointer(args[10], real), as_pointer(args[11], real)
        v, w, left = as_pointer(args[12], real), as_pointer(args[13], real), as_pointer(args[14], real)
        spikes, charged = as_pointer(args[15], real), as_pointer(args[16], real)
        held, history = as_pointer(args[17], real), as_pointer(args[18], real)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            p, j, n = locate(chunk, total if uniform else width, STRETCH, total)
            p = 0 if uniform else p
            for t in range(steps):
                o = t * total + j
                step(
                    offset(current, t * stride + j), offset(rows, p), width, total, steps * total, offset(v, j),
                    offset(w, j), offset(left, j), offset(spikes, o), offset(charged, o), offset(held, o),
                    offset(history, o), dt, soft, save, trace, n,
                )  # fmt: skip

    return kernel


def backward(real, uniform, code, currents, pauses, learn):
    """Make the backward kernel: the potentials before the reset are overwritten by the gradients of the currents."""
    zero, one, tiny, cap = real(0), real(1), real(_TINY), real(_CAP)
    derivative, exp = make_derivative(real, uniform, code), make_exp(real)

    @sweep
    def step(
        grad, charged, held, start, earlier, earlier_held, history, rows, width, total, span,
        carry, carry_w, surrogate, sums, first, soft, detach, n,
    ):  # fmt: skip
        for i in range(n):
            p = 0 if uniform else i
            x, threshold, reset = charged[i], rows[3 * width + p], rows[4 * width + p]
            holds = pauses and held[i] > zero
            fires = x >= threshold and not holds
            spike = one if fires else zero
            v = start[i]
            if not first:
                v = earlier[i]
                fired = v >= threshold and not (pauses and earlier_held[i] > zero)
                v = (v - (threshold - reset) if soft else reset) if fired else v
            after = (x - (threshold - reset) if soft else reset) if fires else x
            g_v, g_s, to_rest = carry[i], grad[i], zero
            for k in range(currents):
                pull = carry_w[k * total + i] * rows[(11 + 3 * k) * width + p]
                g_v += pull
                to_rest += pull
                g_s += carry_w[k * total + i] * rows[(12 + 3 * k) * width + p]
            jump = reset - threshold if soft else reset - x
            through = surrogate[i] * (g_s + (zero if detach else g_v * jump))
            through = zero if holds else through
            g = zero if holds else through + (zero if fires and not soft else g_v)
            decay, gain, sharp = rows[p], rows[width + p], rows[6 * width + p]
            inverse, v_rh = rows[7 * width + p], rows[8 * width + p]
            exponent = (v - v_rh) * inverse
            upstroke = exp(min(exponent, cap))
            bend = zero if exponent > cap else sharp * upstroke
            back = g * (decay + bend * inverse)
            if learn:
                sums[i] += g * v
                sums[total + i] += g * ((x - decay * v - rows[2 * width + p] - sharp * upstroke) / gain)
                sums[2 * total + i] += g
                sums[3 * total + i] -= through + (g_v if fires and soft else zero)
                sums[4 * total + i] += g_v if fires else zero
                sums[6 * total + i] += g * upstroke
                sums[7 * total + i] += g * bend * (v - v_rh)
                sums[8 * total + i] -= g * bend * inverse
                sums[9 * total + i] -= to_rest
                for k in range(currents):
                    c = carry_w[k * total + i]
                    sums[(10 + 3 * k) * total + i] += c * history[k * span + i]
                    sums[(11 + 3 * k) * total + i] += c * (after - rows[9 * width + p])
                    sums[(12 + 3 * k) * total + i] += c * spike
            g *= gain
            for k in range(currents):
                c = carry_w[k * total + i] * rows[(10 + 3 * k) * width + p] - g
                carry_w[k * total + i] = zero if abs(c) < tiny else c
            charged[i] = g
            back = zero if abs(back) < tiny else back
            carry[i] = g_v if holds else back

    def kernel(args):
        steps, total, width, chunks = args[1], args[2], args[3], args[4]
        soft, detach = args[5] != 0, args[6] != 0
        alpha, beta = real(as_double(args[7])), real(as_double(args[8]))
        grads, rows = as_pointer(args[9], real), as_pointer(args[10], real)
        charges, helds, histories = as_pointer(args[11], real), as_pointer(args[12], real), as_pointer(args[13], real)
        start, carry = as_pointer(args[14], real), as_pointer(args[15], real)
        carry_w, scratch, sums = as_pointer(args[16], real), as_pointer(args[17], real), as_pointer(args[18], real)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            p, j, n = locate(chunk, total if uniform else width, STRETCH, total)
            p = 0 if uniform else p
            for back in range(steps):
                o = (steps - 1 - back) * total + j
                first = back == steps - 1
                e = o if first else o - total
                charged, surrogate = offset(charges, o), offset(scratch, j)
                derivative(alpha, beta, charged, offset(rows, 3 * width + p), surrogate, n)
                step(
                    offset(grads, o), charged, offset(helds, o), offset(start, j), offset(charges, e),
                    offset(helds, e), offset(histories, o), offset(rows, p), width, total, steps * total,
                    offset(carry, j), offset(carry_w, j), surrogate, offset(sums, j), first, soft, detach, n,
                )  # fmt: skip

    return kernel
