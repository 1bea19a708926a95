"""One step of integrate-and-fire neurons among which only the best may fire, and whose thresholds move."""

import functools

from conex_nn.kernels.cpu import record as of
from conex_nn.kernels.cpu.intrinsics import choose, inline, lowest, not_below, offset, sweep

__all__ = ["make_compete"]

_TINY = 1e-30  # as in the kernel of a whole sequence
_FEW = 16  # winners up to which they are held against each other one by one


@inline
def kth_largest(values, n, k):
    """Return the k-th largest of n values, in whose place they are shuffled."""
    low, high, wanted = 0, n - 1, k - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                kept = values[i]
                values[i] = values[j]
                values[j] = kept
                i += 1
                j -= 1
        if wanted <= j:
            high = j
        elif wanted >= i:
            low = i
        else:
            break
    return values[wanted]


@inline
def last_of_best(values, n, k):
    """Return the k-th largest of n values for a small k, of which the first k are shuffled."""
    worst = 0
    for q in range(1, k):
        worst = q if values[q] < values[worst] else worst
    for q in range(k, n):
        if values[q] > values[worst]:
            values[worst] = values[q]
            for r in range(k):
                worst = r if values[r] < values[worst] else worst
    return values[worst]


@functools.cache
def make_compete(real):
    """Make the step; of its arrays, ``current`` and ``order`` are free for it to use."""
    zero, one, half, tiny = real(0), real(1), real(0.5), real(_TINY)

    @sweep
    def charge(current, decay, gain, drive, v, left, spikes, dt, n):
        for i in range(n):
            x = decay[i] * v[i] + (gain[i] * current[i] + drive[i])
            x = choose(abs(x) < tiny, zero, x)
            v[i] = choose(left[i] > half * dt, v[i], x)
            spikes[i] = zero

    @sweep
    def raise_bars(bars, threshold, theta, moves, n):
        for i in range(n):
            bars[i] = threshold[i] + (theta[i] if moves else zero)

    @inline
    def above(v, bars, order, n):
        count, i = 0, 0
        while i + of.LANES <= n:
            found = not_below(offset(v, i), offset(bars, i))
            while found != 0:
                order[count] = i + lowest(found)
                count += 1
                found &= found - 1
            i += of.LANES
        while i < n:
            if v[i] >= bars[i]:
                order[count] = i
                count += 1
            i += 1
        return count

    @sweep
    def rest(left, spikes, pause, dt, n):
        for i in range(n):
            less = left[i] - dt
            left[i] = choose(spikes[i] > zero, pause[i], choose(less > zero, less, zero))

    @inline
    def step(
        current, decay, gain, drive, threshold, reset, pause, v, left, spikes, theta, moves, order, winners, dt, soft, n
    ):
        charge(current, decay, gain, drive, v, left, spikes, dt, n)
        raise_bars(current, threshold, theta, moves, n)
        count = above(v, current, order, n)
        least, room = -one, count
        if 0 < winners < count:
            for q in range(count):
                i = order[q]
                current[q] = v[i] - (threshold[i] + (theta[i] if moves else zero))
            least = kth_largest(current, count, winners) if winners > _FEW else last_of_best(current, count, winners)
            room = winners  # what the equals of the last winner are left with
            for q in range(count):
                i = order[q]
                room -= 1 if v[i] - (threshold[i] + (theta[i] if moves else zero)) > least else 0
        for q in range(count):
            i = order[q]
            bar = threshold[i] + (theta[i] if moves else zero)
            margin = v[i] - bar
            wins = margin > least
            if margin == least and room > 0:
                room -= 1
                wins = True
            if left[i] > half * dt:
                continue
            if wins:
                spikes[i] = one
                v[i] = v[i] - (bar - reset[i]) if soft else reset[i]
            else:
                v[i] = reset[i]
        rest(left, spikes, pause, dt, n)

    return step
