"""Random numbers that are a function of what they are for: functional.random_bits and functional.poisson_counts."""

import functools

from numba import types

from conex_nn.kernels.cpu.intrinsics import as_pointer, fetch_add, inline

__all__ = ["make_words", "numbers"]

_SHIFT = 24  # of 32 bits, the uppermost 8 say where in the table the search begins


@functools.cache
def make_words():
    """Make what stirs the numbers of a row into two words, what makes bits of these for a neuron, and its last part."""
    word, golden, apart = types.int64(0xFFFFFFFF), types.int64(0x9E3779B9), types.int64(0x85EBCA77)

    @inline
    def finish(x):
        x = types.uint32((x ^ (x >> types.uint32(16))) * types.uint32(0x85EBCA6B))
        x = types.uint32((x ^ (x >> types.uint32(13))) * types.uint32(0xC2B2AE35))
        return types.uint32(x ^ (x >> types.uint32(16)))

    @inline
    def stir(state, number):
        return types.int64(finish(types.uint32((state + number * golden) & word)))

    @inline
    def row(seed, step, sample):
        low, high = seed & word, (seed >> 32) & word
        return stir(stir(stir(low, high), step), sample), stir(stir(stir(high ^ apart, low), sample), step)

    @inline
    def bits(one, other, neuron):
        return types.int64(finish(types.uint32(stir(one, neuron) ^ other)))

    return row, bits, finish


def numbers(real, several):
    """Make the kernel: how many entries of a sorted row of a table the bits of each neuron reach."""
    row_of, bits_of, _ = make_words()

    def kernel(args):
        rows, batch, n, each, chunks = args[1], args[2], args[3], args[4], args[5]
        seed, first, counts = args[6], args[7], args[8]
        sample, table = as_pointer(args[9], types.int64), as_pointer(args[10], types.int64)
        guide, place = as_pointer(args[11], types.int64), as_pointer(args[12], types.int64)
        out = as_pointer(args[13], real)
        while True:
            chunk = fetch_add(args, 1)
            if chunk >= chunks:
                break
            for r in range(chunk * each, min(rows, (chunk + 1) * each)):
                one, other = row_of(seed, first + r // batch, sample[r % batch])
                for j in range(n):
                    x = bits_of(one, other, j)
                    mine = place[j] if several else 0
                    k = guide[(mine << 8) + (x >> _SHIFT)]
                    while k < counts and x >= table[mine * counts + k]:
                        k += 1
                    out[r * n + j] = real(k)

    return kernel
