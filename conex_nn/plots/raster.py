"""Spike rasters."""

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from torch import Tensor

from conex_nn.plots.axes import new_axes, plain
from conex_nn.plots.palette import colour
from conex_nn.plots.shown import Data, Shown, evenly, one_sample

__all__ = ["raster"]


def raster(
    spikes: Data,
    *,
    dt: float = 1.0,
    sample: int | None = None,
    max_neurons: int = 150,
    ax: Axes | None = None,
) -> Axes:
    """Draw the spikes of one sample, time to the right, the populations from bottom to top.

    Args:
        spikes: Spikes ``(time, *neurons)`` of one sample, such by the name of each population, or a recording.
        dt: Length of a step [ms].
        sample: Which sample of a batch; spikes are then ``(time, batch, *neurons)``. A recording of one needs none [1].
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
    populations = one_sample(spikes, sample=sample, dt=dt)
    chosen = {name: each.values[:, evenly(each.values.shape[1], max_neurons)] for name, each in populations.items()}
    gap = max(2.0, 0.03 * sum(values.shape[1] for values in chosen.values()))
    ax = new_axes(ax, size=(8.0, 5.0))
    bottom, middles, labels, end = 0.0, [], [], 0.0
    least = 0.12 * sum(values.shape[1] for values in chosen.values())  # of height, for the label
    for place, (name, values) in enumerate(chosen.items()):
        each = populations[name]
        steps, neurons = values.nonzero(as_tuple=True)
        ax.add_collection(_boxes(each.time[steps], neurons + bottom, dt=each.step, colour=colour(place)))
        middles.append(bottom + max(values.shape[1], least) / 2)
        labels.append(_label(name, each, shown=values.shape[1], dt=dt))
        if place:
            ax.axhline(bottom - gap / 2, color="0.8", linewidth=0.8)
        bottom += max(values.shape[1], least) + gap
        end = max(end, float(each.time[-1]) + each.step)
    ax.set(xlabel="time [ms]", xlim=(0, end), ylim=(-gap / 2, bottom - gap / 2))
    ax.set_yticks(middles, labels)
    ax.tick_params(axis="y", length=0)
    return plain(ax)


def _label(name: str, each: Shown, *, shown: int, dt: float) -> str:
    """Say of a population what it is called, how much of it is drawn, and how often it fires."""
    total = each.values.shape[1]
    neurons = f"{total} neurons" if shown == total else f"{shown} of {total} neurons"
    rate = 1000 / dt * each.values.count_nonzero().item() / each.values.numel()
    return f"{name}\n{neurons}\n{rate:.1f} Hz".strip()


def _boxes(left: Tensor, low: Tensor, *, dt: float, colour: str) -> PolyCollection:
    """Fill a neuron's row for the length of a step; the edge keeps boxes visible that are smaller than a pixel."""
    corners = torch.tensor([[0.1 * dt, 0.1], [0.9 * dt, 0.1], [0.9 * dt, 0.9], [0.1 * dt, 0.9]])
    boxes = torch.stack([left, low], 1).unsqueeze(1) + corners
    return PolyCollection(list(boxes.numpy()), facecolors=colour, edgecolors=colour, linewidths=0.5)
