"""How a row of weights, those of one source neuron, learns: what a step adds to it, and what it has to keep to."""

import functools

from numba import types

from conex_nn.kernels.cpu.intrinsics import choose, fused, fused_sweep, inline, sweep

__all__ = ["make_add_four", "make_change", "make_column", "make_divide", "make_row", "make_rows"]

_TINY = 1e-30


@functools.cache
def make_change(real, bound):
    """Make the change of one weight by one step: of no bound (0), soft (1), soft with an exponent (2), product (3)."""
    zero = real(0)

    @fused
    def factor(w, side, low, high, mu):
        up, down = high - w, w - low
        up = up if up > zero else zero
        down = down if down > zero else zero
        if bound == 1:
            return up if side > 0 else down
        if bound == 2:
            return real((up if side > 0 else down) ** mu)
        return up * down

    @fused
    def change(w, p, m, plus, minus, plus_side, minus_side, low, high, mu):
        if bound == 0:
            return plus * p + minus * m
        return plus * p * factor(w, plus_side, low, high, mu) + minus * m * factor(w, minus_side, low, high, mu)

    @fused
    def raise_by(w, p, plus, plus_side, low, high, mu):
        if bound == 0:
            return plus * p
        return plus * p * factor(w, plus_side, low, high, mu)

    return change, raise_by


def make_row(real, bound):
    """Make what changes a row of weights, or their eligibility: all of it, or where the target has spiked."""
    change, raise_by = make_change(real, bound)
    larger, smaller = make_ends(real)

    @fused_sweep
    def weights(w, p, m, sums, px, mx, shift, plus, minus, plus_side, minus_side, low, high, mu, least, most, n):
        for j in range(n):
            old = w[j]
            new = old + change(old, px * p[j], mx * (m[j] + shift), plus, minus, plus_side, minus_side, low, high, mu)
            new = least if new < least else new
            new = most if new > most else new
            sums[j] += abs(new) - abs(old)
            w[j] = new

    @sweep
    def divided(
        w, gains, inverses, p, m, sums, tops, bottoms, px, mx, shift, plus, minus, plus_side, minus_side, low, high,
        mu, n,
    ):  # fmt: skip
        for j in range(n):
            old = w[j] * gains[j]
            new = old + change(old, px * p[j], mx * (m[j] + shift), plus, minus, plus_side, minus_side, low, high, mu)
            sums[j] += abs(new) - abs(old)
            tops[j] = larger(new, tops[j])
            bottoms[j] = smaller(new, bottoms[j])
            w[j] = new * inverses[j]

    @fused_sweep
    def eligibility(e, w, p, m, px, mx, shift, plus, minus, plus_side, minus_side, low, high, mu, n):
        for j in range(n):
            e[j] += change(w[j], px * p[j], mx * (m[j] + shift), plus, minus, plus_side, minus_side, low, high, mu)

    @sweep
    def few_weights(w, p, sums, px, plus, plus_side, low, high, mu, least, most, events, count):
        for q in range(count):
            j = types.int64(events[q])
            old = w[j]
            new = old + raise_by(old, px * p[j], plus, plus_side, low, high, mu)
            new = least if new < least else new
            new = most if new > most else new
            sums[j] += abs(new) - abs(old)
            w[j] = new

    @sweep
    def few_eligibility(e, w, p, px, plus, plus_side, low, high, mu, events, count):
        for q in range(count):
            j = types.int64(events[q])
            e[j] += raise_by(w[j], px * p[j], plus, plus_side, low, high, mu)

    return change, weights, divided, eligibility, few_weights, few_eligibility


@functools.cache
def make_column(real):
    """Make what changes the weights of some rows onto one target that has spiked, or their eligibility."""
    _, none = make_change(real, 0)
    _, soft = make_change(real, 1)
    _, power = make_change(real, 2)
    _, product = make_change(real, 3)

    @inline
    def more(bound, w, p, plus, plus_side, low, high, mu):
        if bound == 0:
            return none(w, p, plus, plus_side, low, high, mu)
        if bound == 1:
            return soft(w, p, plus, plus_side, low, high, mu)
        if bound == 2:
            return power(w, p, plus, plus_side, low, high, mu)
        return product(w, p, plus, plus_side, low, high, mu)

    @sweep
    def weights(w, x, ends, stride, p, gain, inverse, bound, plus, plus_side, low, high, mu, least, most, n):
        total, top, bottom = ends[0], ends[1], ends[2]
        for i in range(n):
            old = w[i * stride] * gain
            new = old + more(bound, old, x[i] * p, plus, plus_side, low, high, mu)
            new = least if new < least else new
            new = most if new > most else new
            total += abs(new) - abs(old)
            top = new if new > top else top
            bottom = new if new < bottom else bottom
            w[i * stride] = new * inverse
        ends[0], ends[1], ends[2] = total, top, bottom

    @sweep
    def eligibility(e, w, x, stride, p, bound, plus, plus_side, low, high, mu, n):
        for i in range(n):
            e[i * stride] += more(bound, w[i * stride], x[i] * p, plus, plus_side, low, high, mu)

    return weights, eligibility


@functools.cache
def make_add_four(real):
    """Make what adds four rows at once: what they are added to is then read and written once for all."""

    @fused_sweep
    def add_four(x, a, b, c, d, fa, fb, fc, fd, n):
        for j in range(n):
            x[j] += (fa * a[j] + fb * b[j]) + (fc * c[j] + fd * d[j])

    return add_four


@functools.cache
def make_ends(real):
    """Make the larger and the smaller of a number and of what has to be replaced by it.

    To add 0 hides from LLVM that what is stored may be what was there: it would store with a mask, which is slow.
    """
    zero = real(0)

    @inline
    def larger(x, top):
        return choose(x > top, x, top) + zero

    @inline
    def smaller(x, bottom):
        return choose(x < bottom, x, bottom) + zero

    return larger, smaller


@functools.cache
def make_divide(real):
    """Make the pass after which weights are kept divided by a gain of their target, so that a sum can be set at once.

    The largest weights so far are followed by the smallest.
    """
    larger, smaller = make_ends(real)

    @sweep
    def divide(w, inverses, tops, bottoms, n):
        for j in range(n):
            x = w[j]
            tops[j] = larger(x, tops[j])
            bottoms[j] = smaller(x, bottoms[j])
            w[j] = x * inverses[j]

    return divide


@functools.cache
def make_rows(real):
    """Make the passes over a row: clear, add, multiply, decay, clip, scale, and their sums."""
    zero, tiny = real(0), real(_TINY)

    @sweep
    def clear(x, n):
        for j in range(n):
            x[j] = zero

    @fused_sweep
    def add(x, y, factor, n):
        for j in range(n):
            x[j] += factor * y[j]

    @sweep
    def times(x, y, n):
        for j in range(n):
            x[j] *= y[j]

    @sweep
    def decay(x, factor, n):
        for j in range(n):
            y = x[j] * factor
            x[j] = choose(abs(y) < tiny, zero, y)

    @sweep
    def clip(w, sums, least, most, n):
        for j in range(n):
            x = w[j]
            x = least if x < least else x
            x = most if x > most else x
            w[j] = x
            sums[j] += abs(x)

    @sweep
    def scale(w, factors, sums, least, most, n):
        for j in range(n):
            x = w[j] * factors[j]
            x = least if x < least else x
            x = most if x > most else x
            w[j] = x
            sums[j] += abs(x)

    @inline
    def total(w, n):
        a, b, c, d = zero, zero, zero, zero
        j = 0
        while j + 4 <= n:
            a += abs(w[j])
            b += abs(w[j + 1])
            c += abs(w[j + 2])
            d += abs(w[j + 3])
            j += 4
        while j < n:
            a += abs(w[j])
            j += 1
        return (a + b) + (c + d)

    return clear, add, times, decay, clip, scale, total
