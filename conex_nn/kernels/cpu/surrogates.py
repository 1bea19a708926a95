"""Surrogate derivatives inside the kernels; the numbers are the codes of `conex_nn.surrogate`."""

import functools
import math

from conex_nn.kernels.cpu.intrinsics import inline, make_exp, sweep

__all__ = ["make_derivative", "make_derivative_at"]


@functools.cache
def make_derivative_at(real, code):
    """Make ``derivative(x, first, second)`` of one surrogate with its one or two parameters."""
    zero, one, two, half_pi = real(0), real(1), real(2), real(math.pi / 2)

    @inline
    def straight_through(x, first, second):
        return one

    @inline
    def fast_sigmoid(x, slope, second):
        d = slope * abs(x) + one
        return one / (d * d)

    @inline
    def atan(x, alpha, second):
        d = half_pi * alpha * x
        return alpha / two / (one + d * d)

    @inline
    def sigmoid(x, slope, second):
        e = exp(-slope * abs(x))
        return slope * e / ((e + one) * (e + one))

    @inline
    def triangle(x, width, height):
        d = one - abs(x) / width
        return height * (d if d > zero else zero)

    @inline
    def triangular(x, size, second):
        return -size if x >= zero else size

    @inline
    def heaviside(x, first, second):
        return one if x > zero else zero

    @inline
    def exponential(x, slope, scale):
        return scale * exp(-slope * abs(x))

    @inline
    def spike_rate_escape(x, beta, slope):
        return slope * exp(-beta * abs(x - one))

    @inline
    def sparse_fast_sigmoid(x, slope, bound):
        d = slope * abs(x) + one
        return one / (d * d) if x > bound else zero

    @inline
    def leaky(x, slope, second):
        return one if x > zero else slope

    if code in (3, 7, 8):
        exp = make_exp(real)
    kinds = (
        straight_through, fast_sigmoid, atan, sigmoid, triangle, triangular, heaviside, exponential,
        spike_rate_escape, sparse_fast_sigmoid, leaky,
    )  # fmt: skip
    return kinds[code]


@functools.cache
def make_derivative(real, uniform, code):
    """Make ``derivative(first, second, v, threshold, out, n)`` of one surrogate for a row of neurons."""
    kind = make_derivative_at(real, code)

    @sweep
    def derivative(first, second, v, threshold, out, n):
        for i in range(n):
            out[i] = kind(v[i] - threshold[0 if uniform else i], first, second)

    return derivative
