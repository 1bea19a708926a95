"""Poisson numbers from random bits, by comparison with a table of whole numbers."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["poisson_counts", "poisson_thresholds"]

_BITS = 32


def poisson_thresholds(mean: Float[Tensor, " means"]) -> Int[Tensor, "means counts"]:
    r"""Return the cumulative distribution of Poisson numbers, in units of :math:`2^{-32}`.

    32 random bits give a number above k where they are not below ``[k]``, so that the number is how many entries of
    the row they reach. Probabilities are met to
    about :math:`2^{-33}`.

    Args:
        mean: Means of the distributions, 0 or more [1].

    Returns:
        One row for each mean; rows that end earlier go on with :math:`2^{32}`, which no bits reach [1].

    Example:
        >>> poisson_thresholds(torch.tensor([0.01]))
        tensor([[4252231658, 4294753974, 4294966586, 4294967294]])
    """
    mean = mean.double()
    widest = float(mean.max()) if mean.numel() else 0.0
    counts = torch.arange(int(widest + 7 * widest**0.5) + 20, dtype=mean.dtype, device=mean.device)
    logarithm = torch.xlogy(counts, mean[:, None]) - mean[:, None] - torch.lgamma(counts + 1)
    table = (logarithm.exp().cumsum(1).clamp(max=1) * 2**_BITS).round().long()
    reached = (table < 2**_BITS).any(0).sum().clamp(min=1)
    return table[:, :reached].contiguous()


def poisson_counts(
    bits: Int[Tensor, "..."], thresholds: Int[Tensor, "means counts"], row: Int[Tensor, "..."]
) -> Int[Tensor, "..."]:
    """Return Poisson numbers.

    Args:
        bits: 32 random bits for each, from :func:`random_bits` [1].
        thresholds: From :func:`poisson_thresholds` [1].
        row: Which row of the thresholds is meant, in axes that broadcast to those of the bits [1].

    Returns:
        The numbers, as int64 [1].

    Example:
        >>> thresholds = poisson_thresholds(torch.tensor([0.5, 3.0]))
        >>> bits = torch.tensor([0, 2**30, 2**31, 2**32 - 1])
        >>> poisson_counts(bits, thresholds, torch.tensor(0)), poisson_counts(bits, thresholds, torch.tensor(1))
        (tensor([ 0,  0,  0, 10]), tensor([ 0,  2,  3, 19]))
    """
    means, counts = thresholds.shape
    if means == 1:
        return torch.searchsorted(thresholds[0], bits.contiguous(), right=True)
    # Rows end to end, each lifted above the one before, are sorted as a whole: one search finds place and row.
    lift = torch.arange(means, device=bits.device) << (_BITS + 1)
    found = torch.searchsorted((thresholds + lift[:, None]).flatten(), (bits + lift[row]).contiguous(), right=True)
    return found - row * counts
