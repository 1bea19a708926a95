"""Pictures of what convolutional STDP has learned."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

import conex_nn as cx
from tasks.first_spikes.layer import Layer
from tasks.first_spikes.receptive_fields import mosaic, on_pixels

__all__ = ["draw"]


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
