"""How many spikes a spike causes, told from a part of the neurons."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor

from conex_nn.durations import whole_steps
from conex_nn.recording.layout import activity, length_of_step
from conex_nn.recording.rates import spike_counts
from conex_nn.structure.events import Events

__all__ = ["Branching", "branching_ratio"]

_LARGEST = 1.2
"""Largest ratio that is looked for: activity that grows faster leaves every range within a few bins."""


class Branching(NamedTuple):
    """How activity goes on: slopes of later on earlier activity, and the exponential through them."""

    ratio: float
    """Spikes that a spike causes in the next bin, m [1]; below 1 activity dies out, above it grows."""
    tau: float
    """Time constant of the activity, ``-width / ln m`` [ms]; infinite from m = 1 on."""
    strength: float
    """Factor b of the exponential, which the part that was seen lowers, and not m [1]; 0 where m is."""
    lags: Tensor
    """Distance of each pair of bins [ms]."""
    slopes: Tensor
    """Slope of the activity after that time on the activity before, ``b m^k`` [1]."""


def branching_ratio(
    spikes: Shaped[Tensor, " time *trains"] | Events,
    *,
    dt: float | None = None,
    axes: int = 1,
    width: float | None = None,
    max_lag: float | None = None,
) -> Branching:
    r"""Estimate the branching ratio of a population from the spikes of some of its neurons.

    In a branching process with input, :math:`\langle A_{t+1} | A_t \rangle = m A_t + h`. Where only a part of the
    neurons is seen, the slope of :math:`A_{t+k}` on :math:`A_t` is :math:`r_k = b\,m^k` with one unknown :math:`b < 1`
    for all k: m is told by how the slopes fall, not by the first of them (multistep regression). The exponential is the
    one of least squares. Samples are trials of one process, about their common mean.

    Activity that never changes, such as that of a silent population, gives NaN.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.
        axes: How many of the last axes of a tensor count neurons [1].
        width: Bin in which spikes are counted, of about the time that a spike takes to cause another; None for a step
            [ms].
        max_lag: Longest distance of two bins; None for a tenth of the recording, and at most 100 bins [ms].

    Returns:
        The ratio, and what it was told from.

    Raises:
        ValueError: Fewer than two distances, or one that is longer than the recording.

    Example:
        >>> spikes, generator = torch.zeros(4000, 1), torch.Generator().manual_seed(0)
        >>> for t in range(1, 4000):  # a process of ratio 0.8, with an input of 4
        ...     spikes[t] = torch.poisson(0.8 * spikes[t - 1] + 4, generator)
        >>> found = branching_ratio(spikes, max_lag=10.0)
        >>> 0.75 < found.ratio < 0.85
        True

    References:
        Wilting and Priesemann, Nature Communications 9:2325 (2018): the multistep regression estimator.
    """
    step = length_of_step(spikes, dt)
    width = step if width is None else width
    counts = spike_counts(activity(spikes, axes=axes), width=width, dt=step)
    most = min(100, len(counts) // 10) if max_lag is None else whole_steps(max_lag, dt=width, name="max_lag")
    if not 2 <= most < len(counts):
        raise ValueError(
            f"Expected `max_lag` of at least 2 bins of {width:g} ms and below the {len(counts)} that there are [ms], "
            f"got {most * width:g} ms."
        )
    lags = torch.arange(1, most + 1, dtype=torch.float64)
    slopes = torch.stack([_slope(counts[:-k], counts[k:], counts.mean()) for k in range(1, most + 1)]).cpu()
    if not bool(slopes.isfinite().all()):
        return Branching(math.nan, math.nan, math.nan, (lags * width).float(), slopes.float())
    ratio = _decay(slopes, lags)
    powers = ratio**lags
    strength = float((slopes * powers).sum() / (powers**2).sum().clamp(min=1e-300))
    tau = math.inf if ratio >= 1 else -width / math.log(ratio) if ratio > 0 else 0.0
    return Branching(ratio, tau, strength, (lags * width).float(), slopes.float())


def _slope(before: Tensor, after: Tensor, mean: Tensor) -> Tensor:
    """Return the slope of a line of least squares, NaN where nothing varies."""
    about = before - mean
    variance = (about**2).sum()
    floor = 1e-12 * float(before.abs().max()) ** 2 * before.numel()
    return torch.where(variance > floor, (about * (after - mean)).sum() / variance, torch.nan)


def _decay(slopes: Tensor, lags: Tensor) -> float:
    """Return m of the b m^k nearest to the slopes, by a search that zooms in five times; b follows from m."""
    low, high = 0.0, _LARGEST
    best = 0.0
    for _ in range(5):
        ratios = torch.linspace(low, high, 401, dtype=torch.float64)
        powers = ratios[:, None] ** lags
        explained = (powers @ slopes).clamp(min=0) ** 2 / (powers**2).sum(1).clamp(min=1e-300)
        best = float(ratios[explained.argmax()])
        step = (high - low) / 400
        low, high = max(0.0, best - 2 * step), min(_LARGEST, best + 2 * step)
    return best
