"""Weights as pictures: what each neuron looks for."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import colour_bar, new_axes
from conex_nn.plots.palette import MAGNITUDE, SIGNED
from conex_nn.plots.shown import evenly

__all__ = ["mosaic", "weights"]


def mosaic(images: Tensor, *, columns: int | None = None, border: float = math.nan) -> Tensor:
    """Lay images out beside each other, one pixel apart.

    Args:
        images: ``(n, height, width)``.
        columns: Images in a row; by default as many as rows, or one more [1].
        border: Value between them [1].

    Returns:
        One image. What is missing in the last row is border.

    Raises:
        ValueError: Images of another shape, or none.

    Example:
        >>> import torch
        >>> mosaic(torch.ones(3, 2, 2), border=0.0)
        tensor([[1., 1., 0., 1., 1.],
                [1., 1., 0., 1., 1.],
                [0., 0., 0., 0., 0.],
                [1., 1., 0., 0., 0.],
                [1., 1., 0., 0., 0.]])
    """
    if images.dim() != 3 or not len(images):
        raise ValueError(f"Expected `images` of shape (n, height, width), got {tuple(images.shape)}.")
    n, height, width = images.shape
    columns = min(n, math.ceil(math.sqrt(n)) if columns is None else columns)
    rows = math.ceil(n / columns)
    framed = images.new_full((rows * columns, height + 1, width + 1), border)
    framed[:n, :height, :width] = images
    laid = framed.unflatten(0, (rows, columns)).movedim(2, 1).flatten(2).flatten(0, 1)
    return laid[:-1, :-1]


def weights(
    weight: Tensor,
    *,
    shape: Sequence[int] | None = None,
    most: int = 100,
    columns: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the weights of each neuron or channel as an image: its receptive field.

    Args:
        weight: ``(post, *pre)``: that of a dense synapse, ``(post, pre)``, of a convolution, or of local fields,
            ``(out, positions, sources of a field)``, which are drawn position by position.
        shape: Shape of the source, ``(height, width)`` or ``(channels, height, width)``, and of local fields that of
            a field; by default the last two axes of the weight, or of a dense or local one a square, or else a row.
            Channels are drawn side by side.
        most: Neurons that are drawn at most, evenly chosen; the title says so [1].
        columns: Images in a row; by default as many as rows, or one more [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: A shape that does not fit the weight, or a weight without sources.

    Example:
        >>> import torch
        >>> ax = weights(torch.rand(9, 16))
        >>> ax.images[0].get_array().shape  # nine images of 4 x 4
        (14, 14)
    """
    if weight.dim() < 2 or not weight.numel():
        raise ValueError(f"Expected `weight` of shape (post, *pre), got {tuple(weight.shape)}.")
    every = weight.detach().float().cpu()
    every = every.flatten(0, 1) if every.dim() == 3 else every  # local fields: each position has its own
    shown = every[evenly(len(every), most)]
    count, size = len(shown), shown[0].numel()
    if shape is None:
        side = math.isqrt(size)
        flat = (side, side) if side * side == size else (1, size)
        shape = flat if shown.dim() == 2 else shown.shape[-2:]
    height, width = shape[-2:]
    if size % (height * width):
        raise ValueError(
            f"Expected `shape` to be that of the {size} sources of a neuron, (height, width) or (channels, height, "
            f"width), got {tuple(shape)}."
        )
    images = shown.reshape(count, -1, height, width).movedim(1, 2).flatten(2)  # channels side by side
    laid = mosaic(images, columns=columns)
    ax = new_axes(ax, size=(6.0, min(9.0, max(2.2, 5.0 * laid.shape[0] / laid.shape[1] + 0.4))))
    known = shown[shown.isfinite()]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    signed = low < 0 < high
    end = max(-low, high)
    drawn = ax.imshow(
        laid.numpy(), interpolation="nearest", cmap=SIGNED if signed else MAGNITUDE,
        vmin=-end if signed else low, vmax=end if signed else high,
    )  # fmt: skip
    ax.set_axis_off()
    if count < len(every):
        ax.set_title(f"{count} of {len(every)} neurons", fontsize=10)
    colour_bar(ax, drawn, "weight")
    return ax
