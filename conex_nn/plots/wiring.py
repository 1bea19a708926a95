"""Who is connected to whom: a connection as two sheets of neurons with lines between them."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from conex_nn.plots.axes import new_axes
from conex_nn.plots.palette import COLOURS, KINDS
from conex_nn.plots.shown import evenly

__all__ = ["wiring"]

_LEVEL = 1.0
"""How far the target's sheet is above the source's, in widths of the wider sheet."""


def wiring(
    weight: Tensor,
    source_shape: Sequence[int] | None = None,
    target_shape: Sequence[int] | None = None,
    *,
    target: int | None = None,
    max_neurons: int = 1000,
    max_lines: int = 300,
    ax: Axes | None = None,
) -> Axes:
    """Draw a connection: sources below, targets above, a line for a synapse; those of one target stand out.

    Args:
        weight: ``(post, pre)``, NaN where no synapse is, as :func:`conex_nn.synapses.pair_weights` lays out a synapse
            of any kind.
        source_shape: Shape of the source, such as ``(channels, height, width)``; None for a row.
        target_shape: Shape of the target; None for a row.
        target: Target whose synapses stand out, counted in the order of ``flatten``; None for the one in the middle.
        max_neurons: Neurons of a sheet that are drawn at most, evenly chosen beside those that stand out; the text
            below says so [1].
        max_lines: Other synapses that are drawn at most, evenly chosen; the text below says so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: Shapes that do not fit the weight, or a target that there is not.

    Example:
        >>> ax = wiring(torch.ones(4, 9), (1, 3, 3), (2, 2))
        >>> ax.get_title()
        'target 3 has 9 synapses'
    """
    if weight.dim() != 2 or not weight.numel():
        raise ValueError(f"Expected `weight` of shape (post, pre), got {tuple(weight.shape)}.")
    n_post, n_pre = weight.shape
    for name, shape, count in (("source_shape", source_shape, n_pre), ("target_shape", target_shape, n_post)):
        if shape is not None and torch.Size(shape).numel() != count:
            raise ValueError(f"Expected `{name}` of {count} neurons, got {tuple(shape)}.")
    below, above = _sheet(source_shape or (n_pre,)), _sheet(target_shape or (n_post,))
    target = _middle(target_shape or (n_post,)) if target is None else target
    if not 0 <= target < n_post:
        raise ValueError(f"Expected `target` from 0 to {n_post - 1} [1], got {target}.")
    span = max(float(below[:, 0].max() - below[:, 0].min()), float(above[:, 0].max() - above[:, 0].min()), 1.0)
    above = above + torch.tensor([0.0, _LEVEL * max(span, 2.0) * 0.55])
    matrix = weight.detach().float().cpu()
    ax = new_axes(ax, size=(5.6, 4.6))
    others = (~matrix.isnan()).nonzero()
    chosen = others[evenly(len(others), max_lines)]
    lines = torch.stack([below[chosen[:, 1]], above[chosen[:, 0]]], 1)
    ax.add_collection(LineCollection(list(lines.numpy()), colors="0.75", linewidths=0.5, zorder=1))
    _stand_out(ax, matrix[target], below, above[target])
    for place, count, shade in ((below, n_pre, KINDS["input"]), (above, n_post, KINDS["excitatory"])):
        dots = place[evenly(count, max_neurons)]
        size = min(40.0, max(4.0, 4000 / max(len(dots), 1) ** 1.2))
        ax.scatter(*dots.T, s=size, color=shade, zorder=3, linewidths=0, alpha=0.9)
    ax.scatter(*above[target][:, None], s=60, color=COLOURS[1], zorder=5, edgecolors="white")
    synapses = int((~matrix[target].isnan()).sum())
    ax.set_title(f"target {target} has {synapses} synapse{'s' * (synapses != 1)}", fontsize=10)
    drawn = f"{len(chosen)} of {len(others)} synapses" if len(chosen) < len(others) else f"{len(others)} synapses"
    names = [
        f"{max_neurons} of " * (n > max_neurons) + " x ".join(map(str, shape or (n,)))
        for shape, n in ((source_shape, n_pre), (target_shape, n_post))
    ]
    low = float(min(below[:, 1].min(), above[:, 1].min()))
    note = f"{names[0]} sources below, {names[1]} targets above, {drawn}"
    ax.text(0.5, -0.02, note, transform=ax.transAxes, ha="center", va="top", fontsize=9, color="0.3")
    ax.set_ylim(bottom=low - 0.06 * span)
    ax.margins(0.06)
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def _stand_out(ax: Axes, weight: Tensor, below: Tensor, end: Tensor) -> None:
    """Draw the synapses of one target, the stronger the thicker, and mark their sources."""
    there = (~weight.isnan()).nonzero().flatten()
    if not len(there):
        return
    strength = weight[there].abs() / weight[there].abs().max().clamp(min=1e-12)
    lines = torch.stack([below[there], end.expand(len(there), 2)], 1)
    shades = [COLOURS[1] if value >= 0 else KINDS["inhibitory"] for value in weight[there].tolist()]
    styles = ["-" if value >= 0 else "--" for value in weight[there].tolist()]
    widths = (0.3 + 1.3 * strength).tolist()
    ax.add_collection(
        LineCollection(list(lines.numpy()), colors=shades, linewidths=widths, linestyles=styles, alpha=0.8, zorder=2)
    )
    ax.scatter(*below[there].T, s=22, color=COLOURS[1], zorder=4, edgecolors="white", linewidths=0.5)


def _sheet(shape: Sequence[int]) -> Tensor:
    """Return where each neuron lies: rows of a grid one behind the other, channels beside each other, all centred."""
    channels, height, width = (
        (*([1] * (3 - len(shape))), *shape) if len(shape) <= 3 else (1, 1, torch.Size(shape).numel())
    )
    channel, row, column = torch.meshgrid(*(torch.arange(size) for size in (channels, height, width)), indexing="ij")
    depth = (height - 1 - row).float()
    x = channel * (width + 0.5 * height + 1) + column + 0.5 * depth
    place = torch.stack([x.flatten(), 0.4 * depth.flatten()], 1)
    return place - torch.tensor([float(place[:, 0].max() + place[:, 0].min()) / 2, 0.0])


def _middle(shape: Sequence[int]) -> int:
    """Return the neuron amid the grid, of the middle channel."""
    index = 0
    for size in shape:
        index = index * size + size // 2
    return index
