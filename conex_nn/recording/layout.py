"""How recorded values are laid out: time, then samples, then neurons; or as events."""

import torch
from torch import Tensor

from conex_nn.structure.events import Events

__all__ = ["activity", "by_neuron", "check_series", "evenly", "length_of_step"]


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


def length_of_step(spikes: Tensor | Events, dt: float | None) -> float:
    """Return the length of a step [ms]: what is asked for, or what events know, or 1.

    Args:
        spikes: Spikes of any kind.
        dt: What is asked for [ms]; None for nothing.

    Raises:
        ValueError: It is not positive, or events know another one.

    Example:
        >>> length_of_step(Events.of(torch.ones(3, 1), dt=0.1), None), length_of_step(torch.ones(3, 1), None)
        (0.1, 1.0)
    """
    if not isinstance(spikes, Tensor | Events):
        of = "; of a recording or a simulation: `.events(address)` or `.events[address]`"
        raise TypeError(f"Expected spikes as a tensor or as events, got {type(spikes).__name__}{of}.")
    known = spikes.dt if isinstance(spikes, Events) else None
    if dt is None:
        return 1.0 if known is None else known
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    if known is not None and known != dt:
        raise ValueError(f"Expected `dt` to be that of the events, {known:g} [ms], got {dt:g}. Leave it out.")
    return dt


def activity(spikes: Tensor | Events, *, axes: int = 1) -> Tensor:
    """Return how many neurons of a population fire at every step, ``(time, samples)`` [1].

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        axes: How many of the last axes of a tensor count neurons [1].

    Example:
        >>> activity(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
        tensor([[2.],
                [1.]], dtype=torch.float64)
    """
    if isinstance(spikes, Events):
        return spikes.counts().reshape(spikes.steps, -1).double()
    return by_neuron(check_series(spikes, dt=1.0), axes=axes).double().sum(2)


def evenly(count: int, most: int) -> Tensor:
    """Return which of many are looked at: evenly spaced ones, the first and the last among them.

    Args:
        count: How many there are [1].
        most: How many are looked at, at most [1].

    Raises:
        ValueError: None may be.

    Example:
        >>> evenly(9, 3), evenly(2, 3)
        (tensor([0, 4, 8]), tensor([0, 1]))
    """
    if most < 1:
        raise ValueError(f"Expected at least 1 to be drawn [1], got {most}.")
    if count <= most:
        return torch.arange(count)
    return torch.linspace(0, count - 1, most, dtype=torch.float64).round().long()
