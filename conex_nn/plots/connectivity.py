"""Weights between groups of neurons."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes

__all__ = ["connectivity"]


def connectivity(weight: Tensor, groups: Mapping[str, Tensor] | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw a weight matrix with its neurons ordered by group: sources to the right, targets downwards.

    Red excites, blue inhibits; the colours end at the 99th percentile of the sizes, so that a few large weights do not
    hide the others.

    Args:
        weight: Weights between neurons of one population, ``(post, pre)``.
        groups: Indices of the neurons of each group, in the order in which they are drawn; None for one group.
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
    sizes = shown.abs()[shown != 0]
    end = float(sizes.quantile(0.99)) if len(sizes) else 1.0
    ax = new_axes(ax, size=(5.6, 4.8))
    image = ax.imshow(shown.numpy(), cmap="RdBu_r", vmin=-end, vmax=end, interpolation="nearest")
    ax.figure.colorbar(image, ax=ax, label="weight", fraction=0.046, extend="both")
    ends = torch.tensor([len(group) for group in groups.values()]).cumsum(0).tolist()
    middles = [(begin + end - 1) / 2 for begin, end in zip([0, *ends], ends, strict=False)]
    for end_of_group in ends[:-1]:
        ax.axhline(end_of_group - 0.5, color="black", linewidth=0.8)
        ax.axvline(end_of_group - 0.5, color="black", linewidth=0.8)
    ax.set_xticks(middles, list(groups), rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(middles, list(groups))
    ax.tick_params(length=0)
    ax.set(xlabel="source", ylabel="target")
    return ax
