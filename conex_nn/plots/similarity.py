"""Which neurons, conditions or weights are alike."""

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from conex_nn.plots.axes import colour_bar, new_axes
from conex_nn.plots.palette import MISSING, SIGNED, colour
from conex_nn.plots.shown import evenly

__all__ = ["similarity"]


def similarity(
    matrix: Tensor,
    *,
    groups: Tensor | None = None,
    max_neurons: int = 500,
    label: str = "correlation [1]",
    ax: Axes | None = None,
) -> Axes:
    """Draw a matrix of similarities between -1 and 1, sorted by group, each group framed.

    Args:
        matrix: ``(n, n)``, such as ``correlations(...).matrix``; NaN, as of silent neurons, is grey.
        groups: Group of each, such as :func:`conex_nn.recording.clusters` gives, -1 for none; None leaves the order.
        max_neurons: Rows that are drawn at most, evenly chosen; the axis says so [1].
        label: What the colours are.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: A matrix that is not square, or groups that do not fit it.

    Example:
        >>> ax = similarity(torch.eye(4), groups=torch.tensor([1, 0, 0, -1]))
        >>> len(ax.patches), ax.get_xlabel()
        (2, 'neuron, sorted by group')
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise ValueError(f"Expected `matrix` to be square, got shape {tuple(matrix.shape)}.")
    if groups is not None and groups.shape != matrix.shape[:1]:
        raise ValueError(f"Expected `groups` for {len(matrix)} rows, got shape {tuple(groups.shape)}.")
    chosen = evenly(len(matrix), max_neurons)
    kind = None if groups is None else groups.detach().cpu()[chosen]
    if kind is not None:
        last = torch.where(kind < 0, kind.max() + 1, kind)
        order = torch.argsort(last, stable=True)
        chosen, kind = chosen[order], kind[order]
    shown = matrix.detach().float().cpu()[chosen][:, chosen]
    ax = new_axes(ax, size=(5.4, 4.6))
    image = ax.imshow(
        shown.numpy(), cmap=colormaps[SIGNED].with_extremes(bad=MISSING), vmin=-1, vmax=1, interpolation="nearest"
    )
    if kind is not None:
        for group in kind[kind >= 0].unique().tolist():
            place = (kind == group).nonzero().flatten()
            first, size = float(place[0]) - 0.5, len(place)
            ax.add_patch(_frame(first, size, colour(int(group))))
    what = "neuron, sorted by group" if kind is not None else "neuron"
    what += f" ({len(chosen)} of {len(matrix)})" if len(chosen) < len(matrix) else ""
    ax.set(xlabel=what, ylabel=what)
    colour_bar(ax, image, label)
    return ax


def _frame(first: float, size: int, edge: str) -> Rectangle:
    return Rectangle((first, first), size, size, fill=False, edgecolor=edge, linewidth=2)
