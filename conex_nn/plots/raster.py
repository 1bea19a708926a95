"""Spike rasters."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from torch import Tensor

from conex_nn.plots.axes import new_axes
from conex_nn.plots.palette import COLOURS

__all__ = ["raster"]


def raster(
    spikes: Tensor | Mapping[str, Tensor], *, dt: float = 1.0, max_neurons: int = 150, ax: Axes | None = None
) -> Axes:
    """Draw the spikes of one sample, time to the right, the layers from bottom to top.

    Args:
        spikes: Spikes ``(time, *neurons)`` of one sample, or such by the name of each layer.
        dt: Length of a step [ms].
        max_neurons: Neurons shown of each layer, evenly chosen; the label says so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: No layer, or one without time and neurons.

    Example:
        >>> ax = raster({"hidden": torch.eye(20), "output": torch.ones(20, 3)})
        >>> ax.get_xlabel()
        'time [ms]'
    """
    layers = {"": spikes} if isinstance(spikes, Tensor) else spikes
    if not layers:
        raise ValueError("Expected `spikes` of at least one layer, got none.")
    for name, layer in layers.items():
        if layer.dim() < 2 or layer.numel() == 0:
            raise ValueError(f"Expected `spikes` of {name!r} as (time, *neurons), got shape {tuple(layer.shape)}.")
    chosen = {name: _choose(layer.detach().flatten(1).cpu(), max_neurons) for name, layer in layers.items()}
    gap = max(2.0, 0.03 * sum(layer.shape[1] for layer in chosen.values()))
    ax = new_axes(ax, size=(8.0, 5.0))
    bottom, middles, labels = 0.0, [], []
    for place, (name, layer) in enumerate(chosen.items()):
        steps, neurons = layer.nonzero(as_tuple=True)
        count, total = layer.shape[1], layers[name][0].numel()
        ax.add_collection(_boxes(steps * dt, neurons + bottom, dt=dt, colour=COLOURS[place % len(COLOURS)]))
        middles.append(bottom + count / 2)
        rate = 1000 / dt * layers[name].count_nonzero().item() / layers[name].numel()
        shown = f"{total} neurons" if count == total else f"{count} of {total} neurons"
        labels.append(f"{name}\n{shown}\n{rate:.1f} Hz".strip())
        if place:
            ax.axhline(bottom - gap / 2, color="0.8", linewidth=0.8)
        bottom += count + gap
    ax.set(xlabel="time [ms]", xlim=(0, max(map(len, chosen.values())) * dt), ylim=(-gap / 2, bottom - gap / 2))
    ax.set_yticks(middles, labels)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _boxes(left: Tensor, low: Tensor, *, dt: float, colour: str) -> PolyCollection:
    """Fill a neuron's row for the length of a step; the edge keeps boxes visible that are smaller than a pixel."""
    corners = torch.tensor([[0.1 * dt, 0.1], [0.9 * dt, 0.1], [0.9 * dt, 0.9], [0.1 * dt, 0.9]])
    boxes = torch.stack([left, low], 1).unsqueeze(1) + corners
    return PolyCollection(list(boxes.numpy()), facecolors=colour, edgecolors=colour, linewidths=0.5)


def _choose(layer: Tensor, most: int) -> Tensor:
    neurons = layer.shape[1]
    if neurons <= most:
        return layer
    return layer[:, torch.linspace(0, neurons - 1, most).round().long()]
