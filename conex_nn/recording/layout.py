"""How recorded values are laid out: time, then samples, then neurons."""

import torch
from torch import Tensor

__all__ = ["by_neuron", "check_series"]


def check_series(values: Tensor, *, dt: float, name: str = "spikes") -> Tensor:
    """Return values over time as numbers to compute with, without their graph.

    Args:
        values: ``(time, ...)``.
        dt: Length of a step [ms].
        name: What to call them in a message.

    Raises:
        ValueError: No axis of time, no step, or a ``dt`` that is not positive.

    Example:
        >>> check_series(torch.ones(2, 3, dtype=torch.bfloat16), dt=1.0).dtype
        torch.float32
    """
    if values.dim() < 1 or not len(values):
        raise ValueError(f"Expected `{name}` with time first and at least one step, got shape {tuple(values.shape)}.")
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    return values.detach().to(torch.promote_types(values.dtype, torch.float32))


def by_neuron(values: Tensor, *, axes: int, name: str = "spikes") -> Tensor:
    """Return values as ``(time, samples, neurons)``.

    Args:
        values: ``(time, *batch, *neurons)``.
        axes: How many of the last axes count neurons [1].
        name: What to call them in a message.

    Raises:
        ValueError: Fewer axes than that beside time.

    Example:
        >>> by_neuron(torch.ones(10, 3, 4, 5), axes=2).shape
        torch.Size([10, 3, 20])
    """
    if not 1 <= axes < values.dim():
        raise ValueError(
            f"Expected `axes` to be how many of the last axes of `{name}` count neurons [1], from 1 to "
            f"{values.dim() - 1} beside time, got {axes} of shape {tuple(values.shape)}."
        )
    lead, neurons = values.shape[1 : values.dim() - axes], values.shape[values.dim() - axes :]
    return values.reshape(len(values), lead.numel(), neurons.numel())
