"""A matrix between neurons that are sorted into groups."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from matplotlib import colormaps
from torch import Tensor

from conex_nn.plots.axes import Axes
from conex_nn.plots.palette import MISSING, SIGNED
from conex_nn.plots.shown import evenly

__all__ = ["draw_blocks"]


def draw_blocks(
    ax: Axes, matrix: Tensor, names: Sequence[str], sizes: Sequence[int], *, end: float | None, max_neurons: int
) -> Any:
    """Draw a matrix with lines between groups: sources to the right, targets downwards, NaN grey.

    Args:
        ax: Axes to draw on.
        matrix: ``(post, pre)``, neurons sorted by group.
        names: Of the groups.
        sizes: Neurons of each [1].
        end: Where the colours end; None for the largest size [1].
        max_neurons: Neurons of either side that are drawn at most, evenly chosen; the axes say so [1].

    Returns:
        The image.

    Example:
        >>> import torch
        >>> from conex_nn.plots.axes import new_axes
        >>> ax = new_axes()
        >>> image = draw_blocks(ax, torch.eye(6), ["a", "b"], [4, 2], end=None, max_neurons=3)
        >>> image.get_array().shape, ax.get_xlabel(), ax.get_xticks()
        ((3, 3), 'source (3 of 6 neurons)', array([1.5, 4.5]))
    """
    total = len(matrix)
    chosen = evenly(total, max_neurons)
    shown = matrix.detach().float().cpu()[chosen][:, chosen]
    known = shown[shown.isfinite()]
    end = (float(known.abs().max()) if len(known) else 0.0) if end is None else end
    image = ax.imshow(
        shown.numpy(), cmap=colormaps[SIGNED].with_extremes(bad=MISSING), vmin=-(end or 1.0), vmax=end or 1.0,
        interpolation="nearest", extent=(-0.5, total - 0.5, total - 0.5, -0.5),
    )  # fmt: skip
    edges = [0, *accumulate(sizes)]
    for edge in edges[1:-1]:
        ax.axhline(edge - 0.5, color="black", linewidth=0.8)
        ax.axvline(edge - 0.5, color="black", linewidth=0.8)
    middles = [(begin + stop - 1) / 2 for begin, stop in pairwise(edges)]
    turned = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if max(map(len, names), default=0) > 4 else {}
    ax.set_xticks(middles, list(names), **turned)
    ax.set_yticks(middles, list(names))
    ax.tick_params(length=0)
    some = f" ({len(chosen)} of {total} neurons)" if len(chosen) < total else ""
    ax.set(xlabel=f"source{some}", ylabel=f"target{some}")
    return image
