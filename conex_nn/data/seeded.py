"""Draws that are the same each time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from conex_nn.encoders.composition import parts_of


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Let torch's global generator of the CPU draw from a seed while the block runs, and go on as if it had not.

    Args:
        seed: Seed [1]; None leaves the generator alone.

    Example:
        >>> with seeded(3):
        ...     first = torch.rand(1)
        >>> with seeded(3):
        ...     print(torch.equal(torch.rand(1), first))
        True
    """
    if seed is None:
        yield
        return
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed the GPU, too
    try:
        yield
    finally:
        torch.set_rng_state(state)


def check_global_draws(name: str, transform: object) -> None:
    """Raise where a transform draws from a generator of its own: what it draws would depend on what it drew before.

    Args:
        name: Name of the argument, for the message.
        transform: A module or a callable.

    Raises:
        ValueError: It has a generator.

    Example:
        >>> from conex_nn.encoders import Poisson
        >>> check_global_draws("encoder", Poisson(time=3))
    """
    if any(getattr(part, "generator", None) is not None for part in parts_of(transform)):
        raise ValueError(
            f"Expected `{name}` to draw from torch's global generator, which is seeded for each sample, got one with a "
            "`generator` of its own. Leave its `generator` out."
        )


def mixed_seed(*parts: int) -> int:
    """Return a seed that mixes numbers, the same in every process.

    Args:
        parts: Numbers, such as a seed and the index of what is drawn [1].

    Example:
        >>> mixed_seed(1, 2) == mixed_seed(1, 2), mixed_seed(1, 2) == mixed_seed(2, 1)
        (True, False)
    """
    return hash(parts) & 0x7FFF_FFFF_FFFF_FFFF
