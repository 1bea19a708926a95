"""What open conductances leave of the currents into membranes: functional.shunted_current."""

import math

from conex_nn.kernels.cpu.intrinsics import as_pointer, choose, inline, make_exp, offset, sweep
from conex_nn.kernels.cpu.ring_fields import MEMBRANE, MEMBRANE_PERIOD, N, V

__all__ = ["make_shunt"]

_TERMS = 13
"""Of the series, whose next one is below rounding up to _NEAR."""
_NEAR = 0.25
"""Up to here 1 - exp(-x) would lose digits."""


def make_shunt(real):
    """Make what turns currents at the start of a step into those that do the same when they are held for it."""
    exp, one, near = make_exp(real), real(1), real(_NEAR)
    coefficients = tuple(real((-1) ** k / math.factorial(k + 1)) for k in range(_TERMS))
    last = coefficients[-1]

    @inline
    def mean_decay(x):
        series = last
        for k in range(2, _TERMS + 1):
            series = series * x + coefficients[_TERMS - k]
        return choose(x < near, series, (one - exp(-x)) / max(x, near))

    @sweep
    def hold(current, opened, v, rows, width, step, n):
        for j in range(n):
            p = j * step
            leak = rows[2 * width + p] * (rows[3 * width + p] - v[j])
            left = mean_decay(rows[p] + rows[width + p] * opened[j]) / rows[4 * width + p]
            current[j] = left * (current[j] + leak) - leak

    @inline
    def shunt(cells, current, opened, b, begin, n):
        if cells[MEMBRANE] != 0:
            step = 0 if cells[MEMBRANE_PERIOD] == 1 else 1
            rows = offset(as_pointer(cells[MEMBRANE], real), step * begin)
            v = offset(as_pointer(cells[V], real), b * cells[N] + begin)
            hold(current, opened, v, rows, cells[MEMBRANE_PERIOD], step, n)

    return shunt
