"""Conditions that come equally often."""

import torch
from jaxtyping import Int64
from torch import Tensor

__all__ = ["balanced"]


def balanced(count: int, *sizes: int, generator: torch.Generator | None = None) -> tuple[Int64[Tensor, " count"], ...]:
    """Draw conditions for trials so that each comes equally often, give or take one, in random order.

    Which conditions come once more than others, where `count` is no multiple of their number, is drawn too: over many
    draws, each is as likely as any other for every trial.

    Args:
        count: Number of trials [1].
        sizes: Values of each thing that varies; a condition is a combination of them [1].
        generator: Source of randomness; its device is that of the result.

    Returns:
        For each thing that varies, its value in each trial, from 0 [1].

    Example:
        >>> side, level = balanced(12, 2, 3)
        >>> torch.bincount(3 * side + level)
        tensor([2, 2, 2, 2, 2, 2])
    """
    device = torch.device("cpu") if generator is None else generator.device
    total = torch.Size(sizes).numel()
    named = torch.randperm(total, generator=generator, device=device)
    order = torch.randperm(count, generator=generator, device=device)
    condition = named[order % total]
    return torch.unravel_index(condition, sizes)
