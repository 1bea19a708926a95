"""Random numbers that are a function of what they are for: no generator, no order in which they have to be drawn."""

from jaxtyping import Int
from torch import Tensor

__all__ = ["random_bits"]

_WORD = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9  # 2^32 over the golden ratio, odd: neighbours land far apart
_APART = 0x85EBCA77


def random_bits(
    seed: Int[Tensor, "..."], step: Int[Tensor, "..."], sample: Int[Tensor, "..."], neuron: Int[Tensor, "..."]
) -> Int[Tensor, "..."]:
    """Return 32 random bits for every neuron of every sample in every step.

    All of it is arithmetic modulo 2^32: the finaliser of MurmurHash3 stirs in one number after the other, by two ways
    that order them differently, and both are joined for every neuron. So any stretch of steps, any part of the neurons
    and any number of threads find the same numbers.

    Args:
        seed: Tells streams apart, 0 or more and below 2^63 [1].
        step: Number of the step [1].
        sample: Number of the sample in its batch [1].
        neuron: Number of the neuron [1].

    Returns:
        Whole numbers of 0 or more and below 2^32, as int64 [1].

    Example:
        >>> import torch
        >>> seed, step, sample = torch.tensor(7), torch.tensor([[0], [1]]), torch.tensor(0)
        >>> random_bits(seed, step, sample, torch.arange(3))
        tensor([[2389996702, 1250047044, 1423789753],
                [3476547959, 2815249793, 1481094305]])

    References:
        Salmon, Moraes, Dror and Shaw, SC11 (2011), section 2 (counter-based generators); Appleby, MurmurHash3 (2011),
        fmix32.
    """
    low, high = seed & _WORD, (seed >> 32) & _WORD
    one = _stir(_stir(_stir(low, high), step), sample)
    other = _stir(_stir(_stir(high ^ _APART, low), sample), step)
    return _finish(_stir(one, neuron) ^ other)


def _stir(state: Tensor, number: Tensor) -> Tensor:
    return _finish((state + number * _GOLDEN) & _WORD)


def _finish(x: Tensor) -> Tensor:
    """Let every bit depend on every bit: fmix32."""
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & _WORD
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & _WORD
    return x ^ (x >> 16)
