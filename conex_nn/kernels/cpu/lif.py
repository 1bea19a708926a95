"""Leaky and perfect integrate-and-fire neurons over a whole sequence.

Rows of the parameters: decay, gain, drive, v_threshold, v_reset, refractory_time.
"""

import functools

from conex_nn.kernels.cpu.intrinsics import (
    as_double,
    as_pointer,
    choose,
    fetch_add,
    locate,
    make_room,
    offset,
    sweep,
)
from conex_nn.kernels.cpu.record import STRETCH
from conex_nn.kernels.cpu.surrogates import make_derivative_at

__all__ = ["backward", "forward", "make_step"]

_TINY = 1e-30  # smaller magnitudes are taken as 0: they are on their way to denormals, which are slow


@functools.cache
def make_step(real, uniform, pauses, in_place=False):
    """Make one step of a row of neurons; what it keeps of the potentials goes over the currents if it is in place."""
    zero, one, half, tiny = real(0), real(1), real(0.5), real(_TINY)

    @sweep
    def plain_step(
        current, decay, gain, drive, threshold, reset, pause, v, left, spikes, charged, held, dt, soft, save, n
    ):
        for i in range(n):
            p = 0 if uniform else i
            x = decay[p] * v[i] + (gain[p] * current[i] + drive[p])
            x = choose(abs(x) < tiny, zero, x)
            fires = x >= threshold[p]
            if save:
                kept = current if in_place else charged
                kept[i] = x
            spikes[i] = choose(fires, one, zero)
            after = x - (threshold[p] - reset[p]) if soft else reset[p]
            v[i] = choose(fires, after, x)

    @sweep
    def refractory_step(
        current, decay, gain, drive, threshold, reset, pause, v, left, spikes, charged, held, dt, soft, save, n
    ):
        for i in range(n):
            p = 0 if uniform else i
            before, rest = v[i], left[i]
            holds = rest > half * dt
            x = decay[p] * before + (gain[p] * current[i] + drive[p])
            x = choose(holds, before, choose(abs(x) < tiny, zero, x))
            if save:
                kept = current if in_place else charged
                kept[i] = x
                held[i] = choose(holds, one, zero)
            s = choose(holds, zero, choose(x >= threshold[p], one, zero))
            spikes[i] = s
            after = x - (threshold[p] - reset[p]) if soft else reset[p]
            v[i] = choose(s > zero, after, x)
            left[i] = choose(s > zero, pause[p], max(rest - dt, zero))

    return refractory_step if pauses else plain_step


@functools.cache
def _make_moves(real):
    """Make what copies numbers and what sets them to 0."""
    zero = real(0)

    @sweep
    def copy(source, target, n):
        for i in range(n):
            target[i] = source[i]

    @sweep
    def clear(target, n):
        for i in range(n):
            target[i] = zero

    return copy, clear


def forward(real, uniform, pauses, in_place):
    """Make the forward kernel: currents in; spikes, and on demand the potentials before the reset, out."""
    step, room, (copy, _) = make_step(real, uniform, pauses, in_place), make_room(real, STRETCH), _make_moves(real)

    def kernel(args):
        steps, total, stride, width, chunks = args[1], args[2], args[3], args[4], args[5]
        soft, save, dt = args[6] != 0, args[7] != 0, real(as_double(args[8]))
        current, rows = as_pointer(args[9], real), as_pointer(args[10], real)
        start, start_left = as_pointer(args[11], real), as_pointer(args[12], real)
        end, end_left = as_pointer(args[13], real), as_pointer(args[14], real)
        spikes, charged, held = as_pointer(args[15], real), as_pointer(args[16], real), as_pointer(args[17], real)
        v, left = room(), room()
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            p, j, n = locate(chunk, total if uniform else width, STRETCH, total)
            p = 0 if uniform else p
            decay, gain, drive = offset(rows, p), offset(rows, width + p), offset(rows, 2 * width + p)
            threshold, reset = offset(rows, 3 * width + p), offset(rows, 4 * width + p)
            pause = offset(rows, 5 * width + p)
            copy(offset(start, j), v, n)
            if pauses:
                copy(offset(start_left, j), left, n)
            for t in range(steps):
                o = t * total + j
                step(
                    offset(current, t * stride + j), decay, gain, drive, threshold, reset, pause, v, left,
                    offset(spikes, o), offset(charged, o), offset(held, o), dt, soft, save, n,
                )  # fmt: skip
            copy(v, offset(end, j), n)
            if pauses:
                copy(left, offset(end_left, j), n)

    return kernel


def backward(real, uniform, code, pauses, learn):
    """Make the backward kernel: the potentials before the reset are overwritten by the gradients of the currents."""
    zero, tiny = real(0), real(_TINY)
    room, (copy, clear) = make_room(real, STRETCH), _make_moves(real)
    derivative_at = make_derivative_at(real, code)

    @sweep
    def plain_step(grad, charged, held, decay, gain, threshold, reset, carry, alpha, beta, soft, detach, n):
        for i in range(n):
            p = 0 if uniform else i
            x = charged[i]
            fires = x >= threshold[p]
            jump = reset[p] - threshold[p] if soft else reset[p] - x
            g = grad[i] + (zero if detach else carry[i] * jump)
            g = derivative_at(x - threshold[p], alpha, beta) * g + (carry[i] if soft else choose(fires, zero, carry[i]))
            back = g * decay[p]
            charged[i] = g * gain[p]
            carry[i] = choose(abs(back) < tiny, zero, back)

    @sweep
    def refractory_step(grad, charged, held, decay, gain, threshold, reset, carry, alpha, beta, soft, detach, n):
        for i in range(n):
            p = 0 if uniform else i
            x = charged[i]
            holds = held[i] > zero
            fires = x >= threshold[p]
            jump = reset[p] - threshold[p] if soft else reset[p] - x
            g = grad[i] + (zero if detach else carry[i] * jump)
            g = derivative_at(x - threshold[p], alpha, beta) * g + (carry[i] if soft else choose(fires, zero, carry[i]))
            back = g * decay[p]
            back = choose(abs(back) < tiny, zero, back)
            charged[i] = choose(holds, zero, g * gain[p])
            carry[i] = choose(holds, carry[i], back)

    step = refractory_step if pauses else plain_step

    @sweep
    def parameters_step(
        grad, charged, held, decay, gain, drive, threshold, reset, carry, before, before_held,
        d_decay, d_gain, d_drive, d_threshold, d_reset, alpha, beta, first, soft, detach, n,
    ):  # fmt: skip
        for i in range(n):
            p = 0 if uniform else i
            x = charged[i]
            holds = pauses and held[i] > zero
            fires = x >= threshold[p]
            jump = reset[p] - threshold[p] if soft else reset[p] - x
            through = grad[i] + (zero if detach else carry[i] * jump)
            through = derivative_at(x - threshold[p], alpha, beta) * through
            g = through + (zero if fires and not soft else carry[i])
            v = before[i]
            if not first:
                fired = v >= threshold[p] and not (pauses and before_held[i] > zero)
                after = v - (threshold[p] - reset[p]) if soft else reset[p]
                v = after if fired else v
            at_spike = carry[i] if fires else zero
            if not holds:
                d_decay[i] += g * v
                d_gain[i] += g * ((x - decay[p] * v - drive[p]) / gain[p])
                d_drive[i] += g
                d_threshold[i] -= through + (at_spike if soft else zero)
                d_reset[i] += at_spike

    def kernel(args):
        steps, total, width, chunks = args[1], args[2], args[3], args[4]
        soft, detach = args[5] != 0, args[6] != 0
        alpha, beta = real(as_double(args[7])), real(as_double(args[8]))
        grads, rows = as_pointer(args[9], real), as_pointer(args[10], real)
        charges, helds, start = as_pointer(args[11], real), as_pointer(args[12], real), as_pointer(args[13], real)
        ends, carries, sums = as_pointer(args[14], real), as_pointer(args[15], real), as_pointer(args[16], real)
        carry = room()
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            p, j, n = locate(chunk, total if uniform else width, STRETCH, total)
            p = 0 if uniform else p
            decay, gain, drive = offset(rows, p), offset(rows, width + p), offset(rows, 2 * width + p)
            threshold, reset = offset(rows, 3 * width + p), offset(rows, 4 * width + p)
            if args[14] != 0:
                copy(offset(ends, j), carry, n)
            else:
                clear(carry, n)
            for back in range(steps):
                o = (steps - 1 - back) * total + j
                grad, charged, held = offset(grads, o), offset(charges, o), offset(helds, o)
                if learn:
                    first = back == steps - 1
                    before = offset(start, j) if first else offset(charges, o - total)
                    before_held = held if first else offset(helds, o - total)
                    parameters_step(
                        grad, charged, held, decay, gain, drive, threshold, reset, carry, before, before_held,
                        offset(sums, j), offset(sums, total + j), offset(sums, 2 * total + j),
                        offset(sums, 3 * total + j), offset(sums, 4 * total + j), alpha, beta, first, soft, detach, n,
                    )  # fmt: skip
                step(grad, charged, held, decay, gain, threshold, reset, carry, alpha, beta, soft, detach, n)
            copy(carry, offset(carries, j), n)

    return kernel
