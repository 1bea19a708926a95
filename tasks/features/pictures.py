"""Pictures of what convolutional STDP has learned."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

import conex_nn as cx
from tasks.features.first_spikes import Layer

__all__ = ["draw", "mosaic", "on_pixels"]

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


def draw(
    out: Path,
    cells: nn.Conv2d,
    layers: Sequence[Layer],
    undecided: Sequence[Sequence[float]],
    confusion: Tensor,
    *,
    class_names: Sequence[str],
    batch_size: int,
) -> None:
    """Save receptive fields of each layer, how weights came to a decision, and the confusion matrix.

    Args:
        out: Folder of the pictures.
        cells: The retina.
        layers: The layers in their order.
        undecided: Of each layer, the mean of w (1 - w) after each update [1].
        confusion: Test images by true and by predicted class [1].
        class_names: Name of each class.
        batch_size: Images of an update [1].
    """
    for number in range(1, len(layers) + 1):
        fields = on_pixels(cells, layers[:number])
        figure = mosaic(fields, title=f"layer {number}: {fields.shape[1]} x {fields.shape[2]} pixels each")
        figure.savefig(out / f"layer{number}.png", dpi=150)
    (ax,) = cx.plots.side_by_side(1)
    for number, (traced, colour) in enumerate(zip(undecided, cx.plots.COLOURS, strict=False), 1):
        images = [batch_size * (update + 1) for update in range(len(traced))]
        ax.plot(images, traced, color=colour, label=f"layer {number}")
    ax.set(xlabel="images", ylabel="mean of w (1 - w)", ylim=(0, 0.26), title="weights come to a decision")
    ax.legend(frameon=False)
    ax.figure.savefig(out / "convergence.png", dpi=150)
    matrix = cx.plots.confusion(confusion, class_names=class_names)
    matrix.figure.savefig(out / "confusion.png", dpi=150, bbox_inches="tight")
