"""Leaky integrators over a whole sequence."""

from conex_nn.kernels.cpu.intrinsics import as_pointer, fetch_add, locate, offset, sweep
from conex_nn.kernels.cpu.record import STRETCH

__all__ = ["backward", "forward"]

_TINY = 1e-30  # smaller magnitudes are taken as 0: they are on their way to denormals, which are slow


def forward(real, uniform):
    """Make the forward kernel: currents in, potentials out."""
    zero, tiny = real(0), real(_TINY)

    @sweep
    def step(current, decay, gain, drive, before, v, n):
        for i in range(n):
            p = 0 if uniform else i
            x = decay[p] * before[i] + (gain[p] * current[i] + drive[p])
            v[i] = zero if abs(x) < tiny else x

    def kernel(args):
        steps, total, stride, width, chunks = args[1], args[2], args[3], args[4], args[5]
        current, rows = as_pointer(args[6], real), as_pointer(args[7], real)
        start, out = as_pointer(args[8], real), as_pointer(args[9], real)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            p, j, n = locate(chunk, total if uniform else width, STRETCH, total)
            p = 0 if uniform else p
            decay, gain, drive = offset(rows, p), offset(rows, width + p), offset(rows, 2 * width + p)
            before = offset(start, j)
            for t in range(steps):
                v = offset(out, t * total + j)
                step(offset(current, t * stride + j), decay, gain, drive, before, v, n)
                before = v

    return kernel


def backward(real, uniform, learn):
    """Make the backward kernel: gradients of the potentials in, of the currents and parameters out."""
    zero, tiny = real(0), real(_TINY)

    @sweep
    def step(grad, decay, gain, carry, out, n):
        for i in range(n):
            p = 0 if uniform else i
            g = grad[i] + carry[i]
            out[i] = g * gain[p]
            back = g * decay[p]
            carry[i] = zero if abs(back) < tiny else back

    @sweep
    def parameters_step(grad, decay, gain, drive, v, before, carry, d_decay, d_gain, d_drive, n):
        for i in range(n):
            p = 0 if uniform else i
            g = grad[i] + carry[i]
            d_decay[i] += g * before[i]
            d_gain[i] += g * ((v[i] - decay[p] * before[i] - drive[p]) / gain[p])
            d_drive[i] += g

    def kernel(args):
        steps, total, width, chunks = args[1], args[2], args[3], args[4]
        grad, rows = as_pointer(args[5], real), as_pointer(args[6], real)
        potentials, start = as_pointer(args[7], real), as_pointer(args[8], real)
        carries, out, sums = as_pointer(args[9], real), as_pointer(args[10], real), as_pointer(args[11], real)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            p, j, n = locate(chunk, total if uniform else width, STRETCH, total)
            p = 0 if uniform else p
            decay, gain, drive = offset(rows, p), offset(rows, width + p), offset(rows, 2 * width + p)
            carry = offset(carries, j)
            for back in range(steps):
                t = steps - 1 - back
                g = offset(grad, t * total + j)
                if learn:
                    v = offset(potentials, t * total + j)
                    before = offset(start, j) if t == 0 else offset(potentials, (t - 1) * total + j)
                    parameters_step(
                        g, decay, gain, drive, v, before, carry,
                        offset(sums, j), offset(sums, total + j), offset(sums, 2 * total + j), n,
                    )  # fmt: skip
                step(g, decay, gain, carry, offset(out, t * total + j), n)

    return kernel
