"""Surrogate derivatives inside the kernels; the numbers are the codes of `conex_nn.surrogate`."""

import triton
import triton.language as tl

__all__ = ["derivative"]


@triton.jit
def derivative(x, first, second, code: tl.constexpr):
    """Return the derivative of one surrogate with its one or two parameters."""
    tl.static_assert(code <= 10, "no such surrogate")
    size = tl.abs(x)
    if code == 0:  # straight through
        d = tl.zeros_like(x) + 1.0
    elif code == 1:  # fast sigmoid: slope
        d = first * size + 1.0
        d = 1.0 / (d * d)
    elif code == 2:  # arc tangent: alpha
        d = 1.5707963267948966 * first * x
        d = first * 0.5 / (d * d + 1.0)
    elif code == 3:  # sigmoid: slope
        e = tl.exp(-first * size)
        d = first * e / ((e + 1.0) * (e + 1.0))
    elif code == 4:  # triangle: width, height
        d = second * tl.maximum(1.0 - size / first, 0.0)
    elif code == 5:  # triangular: size
        d = tl.where(x >= 0.0, -first, first)
    elif code == 6:  # heaviside
        d = tl.where(x > 0.0, tl.zeros_like(x) + 1.0, 0.0)
    elif code == 7:  # exponential: slope, scale
        d = second * tl.exp(-first * size)
    elif code == 8:  # spike rate escape: beta, slope
        d = second * tl.exp(-first * tl.abs(x - 1.0))
    elif code == 9:  # sparse fast sigmoid: slope, bound
        d = first * size + 1.0
        d = tl.where(x > second, 1.0 / (d * d), 0.0)
    else:  # leaky: slope
        d = tl.where(x > 0.0, 1.0, first)
    return d
