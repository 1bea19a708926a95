"""The areas of a rate network: which synapses exist, of which sign."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from conex_nn.plots.axes import Axes, new_axes  # which, being the first, says so where matplotlib is missing
from conex_nn.plots.blocks import draw_blocks

__all__ = ["areas"]


def areas(
    matrix: Tensor, names: Sequence[str], edges: Sequence[int], *, max_neurons: int = 500, ax: Axes | None = None
) -> Axes:
    """Draw a connectivity by areas: excitation red, inhibition blue, NaN grey, lines between the areas.

    Args:
        matrix: Signs or weights, ``(post, pre)``, neurons sorted by area, as ``Areas.blocks()`` gives them [1].
        names: Names of the areas.
        edges: Where each area begins, and the number of neurons [1].
        max_neurons: Neurons that are drawn at most, evenly chosen; the axes say so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: Edges that do not fit the names or the matrix.

    Example:
        >>> import torch
        >>> ax = areas(torch.eye(3), ["v1", "pfc"], [0, 2, 3])
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['v1', 'pfc']
    """
    if len(edges) != len(names) + 1 or tuple(matrix.shape) != (edges[-1], edges[-1]):
        raise ValueError(
            f"Expected `edges` with one more than {len(names)} names, ending at the size of the matrix, "
            f"{tuple(matrix.shape)}, got {list(edges)}."
        )
    ax = new_axes(ax)
    sizes = [end - begin for begin, end in pairwise(edges)]
    draw_blocks(ax, matrix, names, sizes, end=None, max_neurons=max_neurons)
    return ax
