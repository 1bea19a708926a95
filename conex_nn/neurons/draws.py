"""Where a stream of random numbers stands, and the bits of its next steps."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.functional import random_bits

__all__ = ["Draws", "bits_of", "check_seed", "first_draws"]

_AT_ONCE = 2**18
"""Neurons, samples and steps that are drawn together at most: what fits a cache."""


class Draws(NamedTuple):
    """Fast state of what draws random numbers."""

    seed: Tensor
    """Tells this stream from others [1]."""
    step: Tensor
    """Number of the next step [1]."""
    sample: Tensor
    """Number of every sample, ``(*batch)``, which tells their streams apart [1]."""


def check_seed(seed: int | None) -> int | None:
    """Return a seed, or None for one that :func:`first_draws` draws.

    Args:
        seed: The seed [1].

    Raises:
        ValueError: It is no whole number of 0 or more and below 2^63.

    Example:
        >>> check_seed(7)
        7
    """
    if seed is None or (isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < 2**63):
        return seed
    raise ValueError(f"Expected `seed` to be a whole number of 0 or more and below 2^63 [1], got {seed!r}.")


def first_draws(x: Tensor, shape: torch.Size, seed: int | None = None) -> Draws:
    """Return where a stream begins.

    Args:
        x: Something in the shape of one step, ``(*batch, *shape)``, for its batch and device.
        shape: Shape of the population.
        seed: Its seed; None for one from torch's own generator [1].

    Example:
        >>> draws = first_draws(torch.zeros(2, 5), torch.Size([5]), seed=3)
        >>> draws.step, draws.sample
        (tensor(0), tensor([0, 1]))
    """
    batch = x.shape[: x.dim() - len(shape)]
    start = torch.randint(2**63 - 1, ()) if seed is None else torch.tensor(seed)
    return Draws(
        start.to(x.device),
        torch.zeros((), dtype=torch.long, device=x.device),
        torch.arange(batch.numel(), device=x.device).reshape(batch),
    )


def bits_of(draws: Draws, steps: int, shape: torch.Size) -> Iterator[tuple[slice, Tensor]]:
    """Yield the bits of the next steps, a few steps at a time so that they stay in a cache.

    Args:
        draws: Where the stream stands.
        steps: Number of steps [1].
        shape: Shape of the population.

    Returns:
        Which of the steps, and their bits, ``(some, *batch, *shape)``.

    Example:
        >>> draws = first_draws(torch.zeros(2, 5), torch.Size([5]), seed=3)
        >>> [(steps, bits.shape) for steps, bits in bits_of(draws, 4, torch.Size([5]))]
        [(slice(0, 4, None), torch.Size([4, 2, 5]))]
    """
    batch, device = draws.sample.shape, draws.step.device
    at_once = max(1, _AT_ONCE // max(1, batch.numel() * shape.numel()))
    neuron = torch.arange(shape.numel(), device=device).reshape(shape)
    sample = draws.sample.reshape(*batch, *[1] * len(shape))
    for begin in range(0, steps, at_once):
        end = min(steps, begin + at_once)
        step = (draws.step + torch.arange(begin, end, device=device)).reshape(-1, *[1] * (len(batch) + len(shape)))
        yield slice(begin, end), random_bits(draws.seed, step, sample, neuron)
