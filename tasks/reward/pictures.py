"""Pictures of what was learned by reward."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import conex_nn as cx
from tasks.first_spikes.layer import Layer
from tasks.first_spikes.receptive_fields import mosaic, on_pixels
from tasks.reward.decision import Decision

__all__ = ["draw", "preferred"]


def draw(
    out: Path,
    history: Sequence[Mapping[str, float]],
    cells: nn.Conv2d,
    layer: Layer,
    fields: Tensor,
    confusion: Tensor,
    *,
    class_names: Sequence[str],
) -> None:
    """Save the learning curve, receptive fields of the convolution and of deciding neurons, and the confusion matrix.

    Args:
        out: Folder of the pictures.
        history: Accuracies of each epoch.
        cells: The retina.
        layer: The convolution.
        fields: For what deciding neurons wait, as :func:`preferred` returns it.
        confusion: Test images by true and by predicted class [1].
        class_names: Name of each class.
    """
    (ax,) = cx.plots.side_by_side(1)
    cx.plots.curves(history, "accuracy", ax=ax)
    ax.set_title("decisions, neurons dropped out (train) or all (val)")
    ax.figure.savefig(out / "learning.png", dpi=150)
    mosaic(on_pixels(cells, [layer]), title="what the maps of the convolution wait for").savefig(
        out / "features.png", dpi=150
    )
    mosaic(fields, title="what deciding neurons wait for, the six of each class that have learned most").savefig(
        out / "decisions.png", dpi=150
    )
    cx.plots.confusion(confusion, class_names=class_names).figure.savefig(out / "confusion.png", dpi=150)


@torch.no_grad()
def preferred(decision: Decision, cells: nn.Conv2d, layer: Layer, *, cell: int, stride: int, each: int) -> Tensor:
    """Return images for which deciding neurons wait: their weights, carried back to the pixels.

    Args:
        decision: The neurons.
        cells: The retina.
        layer: The convolution.
        cell: Side of the cells in which one spike of a map is enough [1].
        stride: Distance of the cells [1].
        each: Neurons of each class, those that have learned most [1].
    """
    channels, height, _ = layer.shape
    weight = decision.synapse.weight
    spread = weight.var(1)  # small for neurons that have hardly ever decided
    classes = [(decision.stands_for == c).nonzero()[:, 0] for c in decision.stands_for.unique()]
    chosen = torch.cat([of[spread[of].argsort(descending=True)[:each]] for of in classes])
    weight = weight[chosen] - weight[chosen].mean(0)  # what all share says nothing of a class
    side = (height - cell) // stride + 1
    fields = weight.view(len(chosen), channels, side, side)
    cells_of_map = torch.ones(channels, 1, cell, cell, dtype=weight.dtype) / cell**2
    fields = F.conv_transpose2d(fields, cells_of_map, stride=stride, groups=channels)
    fields = F.conv_transpose2d(fields, layer.synapse.weight)
    return F.conv_transpose2d(fields, cells.weight)[:, 0]
