"""Where a stream of random numbers stands, and its next numbers."""

from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.functional import poisson_counts, random_bits
from conex_nn.kernels import NumberTable, draw_numbers, draws_here

__all__ = ["Draws", "check_seed", "draw", "first_draws"]

_AT_ONCE = 2**16
"""Numbers that are drawn together at most where there is no kernel: what fits a cache."""


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


def draw(draws: Draws, steps: int, table: NumberTable, like: Tensor) -> tuple[Tensor, Draws]:
    """Return the numbers of the next steps: how many entries of its row of a table the bits of each neuron reach.

    Args:
        draws: Where the stream stands.
        steps: Number of steps [1].
        table: From :func:`number_table`.
        like: Something of the dtype of the numbers [1].

    Returns:
        The numbers, ``(steps, *batch, *shape)`` [1], and where the stream stands afterwards.

    Example:
        >>> from conex_nn.kernels import number_table
        >>> coin = number_table(torch.tensor([[2**31]]), torch.tensor([0]), torch.Size([3]))
        >>> numbers, draws = draw(first_draws(torch.zeros(3), torch.Size([3]), seed=7), 2, coin, torch.ones(1))
        >>> numbers, draws.step
        (tensor([[1., 0., 0.],
                [1., 1., 0.]]), tensor(2))
    """
    shape, batch = table.row.shape, draws.sample.shape
    out = torch.empty(steps, *batch, *shape, dtype=like.dtype, device=like.device)
    if draws_here(out):
        draw_numbers(out, table, seed=int(draws.seed), step=int(draws.step), sample=draws.sample)
        return out, draws._replace(step=draws.step + steps)
    at_once = max(1, _AT_ONCE // max(1, out[:1].numel()))
    neuron = torch.arange(shape.numel(), device=like.device).reshape(shape)
    sample = draws.sample.reshape(*batch, *[1] * len(shape))
    for begin in range(0, steps, at_once):
        some = torch.arange(begin, min(steps, begin + at_once), device=like.device)
        step = (draws.step + some).reshape(-1, *[1] * (out.dim() - 1))
        bits = random_bits(draws.seed, step, sample, neuron)
        out[begin : begin + at_once] = poisson_counts(bits, table.thresholds, table.row)
    return out, draws._replace(step=draws.step + steps)
