"""Weights between groups of neurons."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import colour_bar, new_axes
from conex_nn.plots.blocks import draw_blocks
from conex_nn.plots.shown import evenly

__all__ = ["connectivity"]


def connectivity(
    weight: Tensor, groups: Mapping[str, Tensor] | None = None, *, max_neurons: int = 500, ax: Axes | None = None
) -> Axes:
    """Draw a weight matrix with its neurons ordered by group: sources to the right, targets downwards.

    Red excites, blue inhibits; the colours end at the 99th percentile of the sizes, so that a few large weights do not
    hide the others. NaN, such as that of synapses that are not there, is grey.

    Args:
        weight: Weights between neurons of one population, ``(post, pre)``.
        groups: Indices of the neurons of each group, in the order in which they are drawn; None for one group.
        max_neurons: Neurons that are drawn at most, evenly chosen; the axes say so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: A weight that is not square, or groups that do not hold every neuron once.

    Example:
        >>> ax = connectivity(torch.randn(10, 10), {"exc": torch.arange(8), "inh": torch.arange(8, 10)})
        >>> [label.get_text() for label in ax.get_xticklabels()]
        ['exc', 'inh']
    """
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
        raise ValueError(f"Expected `weight` of shape (neurons, neurons), got {tuple(weight.shape)}.")
    groups = {"": torch.arange(len(weight))} if groups is None else groups
    order = torch.cat([torch.as_tensor(group).flatten() for group in groups.values()])
    if order.sort().values.tolist() != list(range(len(weight))):
        raise ValueError(f"Expected `groups` to hold each of {len(weight)} neurons once, got {len(order)} indices.")
    shown = weight.detach().float().cpu()[order][:, order]
    some = evenly(len(shown), max_neurons)
    sizes = shown[some][:, some].abs()
    sizes = sizes[sizes.isfinite() & (sizes != 0)]
    end = float(sizes.quantile(0.99)) if len(sizes) else 1.0
    ax = new_axes(ax, size=(5.6, 4.8))
    lengths = [len(group) for group in groups.values()]
    image = draw_blocks(ax, shown, list(groups), lengths, end=end, max_neurons=max_neurons)
    colour_bar(ax, image, "weight", extend="both")
    return ax
