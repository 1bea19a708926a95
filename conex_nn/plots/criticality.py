"""Avalanches, and how activity begets activity."""

import math
from typing import Literal

import torch
from matplotlib.axes import Axes

from conex_nn.plots.axes import legend, new_axes, plain
from conex_nn.plots.palette import COLOURS
from conex_nn.recording import Avalanches, Branching

__all__ = ["avalanches", "branching"]


def avalanches(
    found: Avalanches, quantity: Literal["size", "duration"] = "size", *, bins: int = 20, ax: Axes | None = None
) -> Axes:
    """Draw how probable avalanches of each size or duration are, on logarithmic axes.

    The broken line is the power law of a critical branching process: an exponent of -3/2 for sizes, of -2 for
    durations.

    Args:
        found: What :func:`conex_nn.recording.avalanches` returns.
        quantity: ``"size"`` or ``"duration"``.
        bins: Points at most, evenly spaced on the axis [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes. Without avalanches, as of a silent population, they are empty and say so.

    Raises:
        ValueError: Another quantity.

    Example:
        >>> from conex_nn.recording import avalanches as cascades
        >>> ax = avalanches(cascades((torch.rand(2000, 10) < 0.05).float()))
        >>> ax.get_xscale(), ax.get_xlabel()
        ('log', 'size of an avalanche [spikes]')

    References:
        Beggs and Plenz, J Neuroscience 23 (2003).
    """
    if quantity not in ("size", "duration"):
        raise ValueError(f'Expected `quantity` to be "size" or "duration", got {quantity!r}.')
    values = getattr(found, quantity).detach().double().cpu()
    unit = "spikes" if quantity == "size" else "ms"
    ax = plain(new_axes(ax, size=(5.0, 4.0)))
    ax.set(xlabel=f"{quantity} of an avalanche [{unit}]", ylabel=f"probability density [1/{unit}]")
    ax.set_title(f"{len(values)} avalanches" if len(values) else "no avalanches", fontsize=10)
    if not len(values):
        return ax
    least = float(values.min())
    grain = least if quantity == "duration" else 1.0  # durations are whole numbers of bins
    edges = torch.logspace(
        math.log10(least - grain / 2), math.log10(float(values.max()) + grain / 2), bins + 1, dtype=torch.float64
    )
    edges = torch.unique(((edges / grain - 0.5).round() + 0.5) * grain)
    counts = torch.histogram(values, edges).hist
    some = counts > 0
    density = (counts / len(values) / edges.diff())[some]
    middle = (torch.histogram(values, edges, weight=values).hist / counts)[some]  # the mean of what is in a bin
    ax.loglog(middle, density, color=COLOURS[0], marker="o", markersize=5, linewidth=1.2, label="measured")
    exponent = -1.5 if quantity == "size" else -2.0
    law = density[0] * (middle / middle[0]) ** exponent
    ax.loglog(middle, law, color="0.4", linestyle="--", linewidth=1.2, label=f"exponent {exponent:g}")
    legend(ax)
    return ax


def branching(found: Branching, *, ax: Axes | None = None) -> Axes:
    """Draw how later activity depends on earlier activity, and the exponential that tells the branching ratio.

    Args:
        found: What :func:`conex_nn.recording.branching_ratio` returns.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes. Of a silent population they are empty and say so.

    Example:
        >>> from conex_nn.recording import branching_ratio
        >>> ax = branching(branching_ratio((torch.rand(2000, 10) < 0.05).float()))
        >>> ax.get_xlabel()
        'distance in time [ms]'
    """
    ax = plain(new_axes(ax, size=(5.6, 3.8)))
    ax.set(xlabel="distance in time [ms]", ylabel="slope of later on earlier activity [1]")
    if math.isnan(found.ratio):
        ax.set_title("activity that never changes", fontsize=10)
        return ax
    width = float(found.lags[0])
    fitted = found.strength * found.ratio ** (found.lags.double() / width)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.plot(found.lags, found.slopes, color=COLOURS[0], marker="o", markersize=4, linestyle="", label="measured")
    ax.plot(found.lags, fitted, color=COLOURS[1], linewidth=1.6, label=f"{found.strength:.2f} m$^k$")
    ax.set_title(f"branching ratio m = {found.ratio:.3f} per {width:g} ms, tau = {found.tau:.1f} ms", fontsize=10)
    legend(ax)
    return ax
