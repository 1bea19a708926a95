"""Histograms of intervals between spikes, and of how irregular trains are."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import legend, new_axes, plain
from conex_nn.plots.palette import colour, line
from conex_nn.plots.shown import SpikeData, spikes_of
from conex_nn.recording import cv, intervals

__all__ = ["cv_histogram", "interval_histogram"]


def interval_histogram(
    spikes: SpikeData, *, dt: float | None = None, longest: float | None = None, bins: int = 50, ax: Axes | None = None
) -> Axes:
    """Draw how often which interval between spikes occurs, in all trains of a population and all samples.

    Args:
        spikes: Spikes ``(time, *batch, *neurons)``, or events, such by the name of each population, a recording, or
            what a simulation returned.
        dt: Length of a step [ms]; None for that of events, else 1.
        longest: Where the axis ends; None for the longest interval [ms].
        bins: Bars at most: none is narrower than a step [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes. A population without intervals is named in the legend.

    Raises:
        KeyError: A recording without spikes.
        ValueError: No population, or a number of bins below 1.

    Example:
        >>> clock = torch.zeros(100, 2)
        >>> clock[::5] = 1
        >>> ax = interval_histogram(clock)
        >>> ax.get_title()
        '38 intervals, mean 5.0 ms'
    """
    if bins < 1:
        raise ValueError(f"Expected `bins` to be at least 1 [1], got {bins}.")
    populations = spikes_of(spikes, dt=dt, whole_batch=True)
    found = {name: intervals(each.events).length for name, each in populations.items()}
    dt = min(each.dt for each in populations.values())
    ax = new_axes(ax, size=(6.0, 3.6))
    end = longest or max((float(length.max()) for length in found.values() if len(length)), default=10 * dt)
    steps = max(1, -(-round(end / dt) // bins))  # of a bin
    edges = dt * (torch.arange(0, round(end / dt) + steps, steps) + 0.5)  # between two steps
    for place, (name, length) in enumerate(found.items()):
        what = f"{len(length)} intervals, mean {float(length.mean()):.1f} ms" if len(length) else "no intervals"
        _outline(ax, length, edges, place=place, label=f"{name}: {what}" if name else None)
        if not name:
            ax.set_title(what, fontsize=10)
    ax.set(xlabel="interval between spikes [ms]", ylabel="share of intervals [1]", xlim=(0, float(edges[-1])))
    ax.set_ylim(bottom=0)
    legend(ax)
    return plain(ax)


def cv_histogram(spikes: SpikeData, *, dt: float | None = None, bins: int = 30, ax: Axes | None = None) -> Axes:
    """Draw how irregular the trains of a population are: the distribution of their CV, with lines at 0 and 1.

    Args:
        spikes: Spikes ``(time, *batch, *neurons)``, or events, such by the name of each population, a recording, or
            what a simulation returned.
        dt: Length of a step [ms]; None for that of events, else 1.
        bins: Number of bars [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes. How many trains had too few spikes is in the legend, or in the title of a lone population.

    Raises:
        KeyError: A recording without spikes.
        ValueError: No population, or a number of bins below 1.

    Example:
        >>> ax = cv_histogram(torch.ones(20, 4))
        >>> ax.get_title()
        'mean 0.00, 4 of 4 trains'
    """
    if bins < 1:
        raise ValueError(f"Expected `bins` to be at least 1 [1], got {bins}.")
    ax = new_axes(ax, size=(6.0, 3.6))
    populations = spikes_of(spikes, dt=dt, whole_batch=True)
    found = {name: cv(each.events).flatten() for name, each in populations.items()}
    known = {name: values[~values.isnan()] for name, values in found.items()}
    top = max([1.5, *(float(values.max()) for values in known.values() if len(values))])
    edges = torch.linspace(0, top, bins + 1)
    for place, (name, values) in enumerate(known.items()):
        mean = f"mean {float(values.mean()):.2f}" if len(values) else "no train of three spikes"
        what = f"{mean}, {len(values)} of {len(found[name])} trains"
        _outline(ax, values, edges, place=place, label=f"{name}: {what}" if name else None)
        if not name:
            ax.set_title(what, fontsize=10)
    ax.axvline(1, color="0.5", linewidth=0.9, linestyle=":")
    ax.text(1, 1.0, " Poisson", color="0.4", fontsize=9, va="top", transform=ax.get_xaxis_transform())
    ax.set(xlabel="coefficient of variation of the intervals [1]", ylabel="share of trains [1]", xlim=(0, top))
    ax.set_ylim(bottom=0)
    legend(ax, above=True)
    return plain(ax)


def _outline(ax: Axes, values: Tensor, edges: Tensor, *, place: int, label: str | None) -> None:
    """Draw shares as a filled outline."""
    inside = values[(values >= edges[0]) & (values <= edges[-1])]
    counts = torch.histogram(inside.float(), edges.float()).hist
    ax.stairs(
        (counts / max(len(values), 1)).numpy(), edges.numpy(), label=label, color=colour(place), fill=place == 0,
        alpha=0.55 if place == 0 else 1.0, linestyle=line(place), linewidth=1.6,
    )  # fmt: skip
