"""Spike rasters."""

import math

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from torch import Tensor

from conex_nn.plots.axes import new_axes, plain
from conex_nn.plots.palette import colour
from conex_nn.plots.shown import Fired, SpikeData, evenly, spikes_of

__all__ = ["raster"]


def raster(
    spikes: SpikeData,
    *,
    dt: float | None = None,
    sample: int | None = None,
    max_neurons: int = 150,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spikes of one sample, time to the right, the populations from bottom to top.

    Args:
        spikes: Spikes ``(time, *neurons)`` of one sample, or events, such by the name of each population, a
            recording, or what a simulation returned.
        dt: Length of a step [ms]; None for that of events, else 1.
        sample: Which sample of a batch; spikes are then ``(time, batch, *neurons)``. A recording or
            events of one need none [1].
        max_neurons: Neurons shown of each population, evenly chosen; the label says so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        KeyError: A recording without spikes.
        ValueError: No population, one without time and neurons, or a batch without ``sample``.

    Example:
        >>> ax = raster({"hidden": torch.eye(20), "output": torch.ones(20, 3)})
        >>> ax.get_xlabel()
        'time [ms]'
    """
    populations = spikes_of(spikes, sample=sample, dt=dt)
    chosen = {
        name: each.events.only(each.neurons[evenly(len(each.neurons), max_neurons)])
        for name, each in populations.items()
    }
    heights = {name: some.train_shape.numel() for name, some in chosen.items()}
    gap = max(2.0, 0.03 * sum(heights.values()))
    ax = new_axes(ax, size=(8.0, 5.0))
    bottom, middles, labels, begin, end = 0.0, [], [], math.inf, 0.0
    least = 0.12 * sum(heights.values())  # of height, for the label
    for place, (name, some) in enumerate(chosen.items()):
        step = some.dt or 1.0
        ax.add_collection(_boxes(some.time * step, some.train + bottom, dt=step, colour=colour(place)))
        middles.append(bottom + max(heights[name], least) / 2)
        labels.append(_label(name, populations[name], shown=heights[name]))
        if place:
            ax.axhline(bottom - gap / 2, color="0.8", linewidth=0.8)
        bottom += max(heights[name], least) + gap
        begin, end = min(begin, some.begin * step), max(end, (some.begin + some.steps) * step)
    ax.set(xlabel="time [ms]", xlim=(begin, end), ylim=(-gap / 2, bottom - gap / 2))
    ax.set_yticks(middles, labels)
    ax.tick_params(axis="y", length=0)
    return plain(ax)


def _label(name: str, each: Fired, *, shown: int) -> str:
    """Say of a population what it is called, how much of it is drawn, and how often it fires."""
    total = len(each.neurons)
    neurons = f"{total} neurons" if shown == total else f"{shown} of {total} neurons"
    rate = 1000 / each.dt * len(each.events) / (each.events.steps * total)
    return f"{name}\n{neurons}\n{rate:.1f} Hz".strip()


def _boxes(left: Tensor, low: Tensor, *, dt: float, colour: str) -> PolyCollection:
    """Fill a neuron's row for the length of a step; the edge keeps boxes visible that are smaller than a pixel."""
    corners = torch.tensor([[0.1 * dt, 0.1], [0.9 * dt, 0.1], [0.9 * dt, 0.9], [0.1 * dt, 0.9]])
    boxes = torch.stack([left.float(), low.float()], 1).unsqueeze(1) + corners
    return PolyCollection(list(boxes.numpy()), facecolors=colour, edgecolors=colour, linewidths=0.5)
