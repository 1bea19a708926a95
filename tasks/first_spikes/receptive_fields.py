"""Pictures of what neurons wait for."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from tasks.first_spikes.layer import Layer

__all__ = ["mosaic", "on_pixels"]

MOST = 150
"""Receptive fields in a picture, at most [1]."""


@torch.no_grad()
def on_pixels(cells: nn.Conv2d, layers: Sequence[Layer]) -> Tensor:
    """Return the image that each map of the last layer waits for: its weights, carried back to the pixels.

    Args:
        cells: The retina.
        layers: From the first to that whose maps are meant.

    Returns:
        ``(maps, height, width)`` [1].
    """
    field = layers[-1].synapse.weight
    for layer, before in zip(reversed(layers), reversed(layers[:-1]), strict=False):
        spread = field.repeat_interleave(layer.recipe.pool, 2).repeat_interleave(layer.recipe.pool, 3)
        field = F.conv_transpose2d(spread, before.synapse.weight)
    return F.conv_transpose2d(field, cells.weight)[:, 0]


def mosaic(fields: Tensor, *, title: str) -> Figure:
    """Draw receptive fields side by side: light is what drives a map, dark what keeps it silent.

    Args:
        fields: ``(maps, height, width)`` [1].
        title: What is written above.
    """
    fields = fields[:MOST]
    columns = math.ceil(math.sqrt(2 * len(fields)))
    rows = math.ceil(len(fields) / columns)
    figure = Figure(figsize=(0.6 * columns, 0.6 * rows + 0.5), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for ax, field in zip(axes.flat, fields, strict=False):
        size = max(field.abs().max().item(), 1e-6)
        ax.imshow(field.numpy(), cmap="gray", vmin=-size, vmax=size)
    figure.suptitle(title)
    return figure
