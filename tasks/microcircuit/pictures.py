"""Pictures of the running column: who fires when, how often each population does, and over time."""

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import conex_nn as cx
from tasks.microcircuit.circuit import PUBLISHED_RATES
from tasks.microcircuit.measures import Measures

__all__ = ["draw"]

EXCITATORY, INHIBITORY = "#0072B2", "#D55E00"


def draw(out: Path, found: cx.structure.Simulation, measures: Mapping[str, Measures]) -> None:
    """Save ``raster.png`` and ``rates.png``.

    Args:
        out: Folder of the pictures.
        found: What was simulated.
        measures: Figures of each population, by its address in the network.
    """
    figure = Figure(figsize=(9, 6), layout="constrained")
    raster(figure.subplots(), found, list(measures))
    figure.savefig(out / "raster.png", dpi=150)
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.4])
    beside_published(left, measures)
    over_time(right, found, list(measures))
    figure.savefig(out / "rates.png", dpi=150)


def raster(ax: Axes, found: cx.structure.Simulation, names: list[str], *, cells: int = 1500, last: float = 400) -> None:
    """Draw the spikes of some cells, the first population at the top, each as high as it is large.

    Args:
        ax: Axes to draw on.
        found: What was simulated.
        names: Addresses of the populations.
        cells: How many cells are shown in all, at most [1].
        last: How much of the end is shown [ms].
    """
    total = sum(found.events[name].shape.numel() for name in names)
    part = min(1.0, cells / total)
    begin = max(0, found.steps - round(last / found.dt))
    top, middles = 0.0, []
    for name in names:
        events = found.events[name].between(begin)
        shown = max(1, round(part * events.shape.numel()))
        chosen = torch.linspace(0, events.shape.numel() - 1, shown, dtype=torch.float64).round().long()
        place = torch.full(events.shape, -1, dtype=torch.long)
        place[chosen] = torch.arange(shown)
        row = place[events.neuron.long()]
        kept = row >= 0
        colour = INHIBITORY if name.endswith("inh") else EXCITATORY
        times = (events.time[kept].double() * found.dt).numpy()
        ax.plot(times, (top - row[kept]).numpy(), ".", color=colour, markersize=1.5, markeredgewidth=0)
        middles.append(top - shown / 2)
        top -= shown
    ax.set(xlabel="time [ms]", xlim=(begin * found.dt, found.duration), ylim=(top, 1))
    ax.set_yticks(middles, [short(name) for name in names])
    ax.set_title(f"{part:.1%} of the cells")
    ax.spines[["top", "right"]].set_visible(False)


def beside_published(ax: Axes, measures: Mapping[str, Measures]) -> None:
    """Draw the mean rates, with marks where others found them.

    Args:
        ax: Axes to draw on.
        measures: Figures of each population.
    """
    places = range(len(measures))
    colours = [INHIBITORY if name.endswith("inh") else EXCITATORY for name in measures]
    ax.barh(places, [each.rate for each in measures.values()], color=colours, height=0.7)
    for (source, found), mark in zip(PUBLISHED_RATES.items(), "|x+", strict=False):
        rates = [found[name.removeprefix("column.")] for name in measures]
        ax.plot(rates, places, mark, color="black", markersize=9, linestyle="none", label=source)
    ax.set_yticks(places, [short(name) for name in measures])
    ax.invert_yaxis()
    ax.set(xlabel="mean rate [Hz]")
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def over_time(ax: Axes, found: cx.structure.Simulation, names: list[str], *, bin_width: float = 3.0) -> None:
    """Draw the rate of each population over time, one above the other.

    Args:
        ax: Axes to draw on.
        found: What was simulated.
        names: Addresses of the populations.
        bin_width: Of the bins in which spikes are counted [ms].
    """
    for place, name in enumerate(names):
        rate = found.population_rate(name, f"{bin_width:g} ms")
        times = (torch.arange(len(rate)) + 0.5) * bin_width
        height = rate / max(float(rate.max()), 1e-9)
        colour = INHIBITORY if name.endswith("inh") else EXCITATORY
        ax.fill_between(times.numpy(), -place, (0.9 * height - place).numpy(), color=colour, linewidth=0)
        ax.text(found.duration, 0.3 - place, f" {float(rate.max()):.0f} Hz", fontsize=8)
    ax.set_yticks([0.3 - place for place in range(len(names))], [short(name) for name in names])
    ax.set(xlabel="time [ms]", xlim=(0, found.duration), title="population rates, each by its largest")
    ax.spines[["top", "right"]].set_visible(False)


def short(name: str) -> str:
    """Return how a population is labelled.

    Args:
        name: Its address.

    Example:
        >>> short("column.l23.exc")
        'L2/3 exc'
    """
    layer, kind = name.split(".")[-2:]
    return f"{'L2/3' if layer == 'l23' else layer.upper()} {kind}"
