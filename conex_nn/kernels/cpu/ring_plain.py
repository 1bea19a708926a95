"""How many edges learn at once where nothing but hard bounds holds their weights."""

from numba import types

from conex_nn.kernels.cpu.intrinsics import choose, sweep

__all__ = ["make_row"]


def make_row(real):
    """Make what changes a row of edges."""
    zero = real(0)

    @sweep
    def row(weights, targets, y, last, up, minus, shift, u, low, high, n):
        """Change n edges of a source that spiked at step u; ``up`` is for those whose target did so too."""
        for e in range(n):
            j = types.int64(targets[e])
            more = choose(types.int64(last[j]) == u, up, zero) + minus * (y[j] + shift)
            x = weights[e] + more
            x = choose(x < low, low, x)
            weights[e] = choose(x > high, high, x)

    return row
