"""Cascades of spikes between two moments of silence."""

from typing import NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor

from conex_nn.recording.layout import activity, length_of_step
from conex_nn.recording.rates import spike_counts
from conex_nn.structure.events import Events

__all__ = ["Avalanches", "avalanches"]


class Avalanches(NamedTuple):
    """Avalanches, sample by sample in the order of time."""

    size: Tensor
    """Spikes of each [1]."""
    duration: Tensor
    """How long each lasts, a whole number of bins [ms]."""
    sample: Tensor
    """Which sample it is from, counted in the order of ``flatten`` [1]."""


def avalanches(
    spikes: Shaped[Tensor, " time *trains"] | Events,
    *,
    dt: float | None = None,
    axes: int = 1,
    width: float | None = None,
    threshold: float = 0.0,
) -> Avalanches:
    """Return the avalanches of a population: successive bins with more than ``threshold`` spikes.

    One that is under way at the start or the end of a recording is left out, since nobody knows how large it was. A
    silent population has none.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.
        axes: How many of the last axes of a tensor count neurons [1].
        width: Bin in which spikes are counted, such as the mean interval of the population; None for a step [ms].
        threshold: Spikes of a bin that are silence still [1].

    Returns:
        Sizes and durations.

    Example:
        >>> spikes = torch.tensor([0.0, 1.0, 2.0, 0.0, 4.0, 0.0, 1.0]).unsqueeze(1)
        >>> avalanches(spikes)
        Avalanches(size=tensor([3., 4.]), duration=tensor([2., 1.]), sample=tensor([0, 0]))

    References:
        Beggs and Plenz, J Neuroscience 23 (2003).
    """
    step = length_of_step(spikes, dt)
    width = step if width is None else width
    counts = spike_counts(activity(spikes, axes=axes), width=width, dt=step).T
    active = counts > threshold
    edge = active[:, 1:].int() - active[:, :-1].int()
    begin_sample, begin = (edge == 1).nonzero().unbind(1)
    end_sample, end = (edge == -1).nonzero().unbind(1)
    # An end without a beginning is the first of a sample that starts amid one; a beginning without an end its last.
    last = torch.full((len(counts),), -1, device=counts.device).scatter_reduce(0, end_sample, end, "amax")
    first = torch.full((len(counts),), counts.shape[1], device=counts.device).scatter_reduce(
        0, begin_sample, begin, "amin"
    )
    ended, begun = begin < last[begin_sample], end > first[end_sample]
    start, stop, sample = begin[ended] + 1, end[begun] + 1, begin_sample[ended]
    total = torch.cat([counts.new_zeros(len(counts), 1), counts.cumsum(1)], 1)
    size = total[sample, stop] - total[sample, start]
    return Avalanches(size.float(), (stop - start) * float(width), sample)
