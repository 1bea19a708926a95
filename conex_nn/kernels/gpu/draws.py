"""Random numbers that are a function of what they are for: functional.random_bits and functional.poisson_counts."""

import triton
import triton.language as tl

__all__ = ["random_bits"]


@triton.jit
def _times(x, number):
    return tl.mul(x, number, sanitize_overflow=False)  # modulo 2^32


@triton.jit
def _finish(x):
    x = _times(x ^ (x >> 16), 0x85EBCA6B)
    x = _times(x ^ (x >> 13), 0xC2B2AE35)
    return x ^ (x >> 16)


@triton.jit
def _stir(state, number):
    return _finish(tl.add(state, _times(number, 0x9E3779B9), sanitize_overflow=False))


@triton.jit
def random_bits(seed, step, sample, neuron):
    """Return 32 random bits for each neuron, as uint32; all numbers are int64."""
    low, high = seed.to(tl.uint32), (seed >> 32).to(tl.uint32)
    step, sample = step.to(tl.uint32), sample.to(tl.uint32)
    one = _stir(_stir(_stir(low, high), step), sample)
    other = _stir(_stir(_stir(high ^ 0x85EBCA77, low), sample), step)
    return _finish(_stir(one, neuron.to(tl.uint32)) ^ other)
