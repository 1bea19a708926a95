"""The areas of a rate network: which synapses exist, of which sign."""

from collections.abc import Sequence

from torch import Tensor

from conex_nn.plots.axes import Axes, new_axes  # which, being the first, says so where matplotlib is missing

__all__ = ["areas"]


def areas(matrix: Tensor, names: Sequence[str], edges: Sequence[int], *, ax: Axes | None = None) -> Axes:
    """Draw a connectivity by areas: excitation red, inhibition blue, lines between the areas.

    Args:
        matrix: Signs or weights, ``(post, pre)``, neurons sorted by area, as ``Areas.blocks()`` gives them [1].
        names: Names of the areas.
        edges: Where each area begins, and the number of neurons [1].
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
    shown = matrix.detach().float().cpu()
    largest = float(shown.abs().max()) or 1.0
    ax.imshow(shown.numpy(), cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest")
    for edge in edges[1:-1]:
        ax.axhline(edge - 0.5, color="black", linewidth=0.8)
        ax.axvline(edge - 0.5, color="black", linewidth=0.8)
    middles = [(begin + end - 1) / 2 for begin, end in zip(edges, edges[1:], strict=False)]  # noqa: RUF007
    ax.set_xticks(middles, labels=list(names))
    ax.set_yticks(middles, labels=list(names))
    ax.set_xlabel("from")
    ax.set_ylabel("to")
    return ax
