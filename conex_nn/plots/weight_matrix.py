"""Weights as a matrix, and how they are distributed."""

from collections.abc import Mapping

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from conex_nn.plots.axes import colour_bar, legend, new_axes, plain
from conex_nn.plots.palette import MAGNITUDE, MISSING, SIGNED, colour, line
from conex_nn.plots.shown import evenly

__all__ = ["weight_histogram", "weight_matrix"]


def weight_matrix(weight: Tensor, *, max_neurons: int = 500, ax: Axes | None = None) -> Axes:
    """Draw the weights between two populations: sources to the right, targets downwards.

    White is 0 where weights have both signs. NaN, such as that of synapses that are not there, is grey.

    Args:
        weight: ``(post, pre)``.
        max_neurons: Neurons of either side that are drawn at most, evenly chosen; the axis says so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: A weight of another shape, or none.

    Example:
        >>> ax = weight_matrix(torch.rand(4, 1000))
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('source neuron (500 of 1000)', 'target neuron')
    """
    if weight.dim() != 2 or not weight.numel():
        raise ValueError(
            f"Expected `weight` of shape (post, pre), got {tuple(weight.shape)}. `plots.weights` draws kernels; "
            "`synapses.pair_weights` lays out a synapse of any kind."
        )
    rows, columns = (evenly(size, max_neurons) for size in weight.shape)
    shown = weight.detach().float().cpu()[rows][:, columns]
    ax = new_axes(ax, size=(5.6, 4.6))
    known = shown[shown.isfinite()]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    signed = low < 0
    end = max(-low, high)
    image = ax.imshow(
        shown.numpy(), aspect="auto", interpolation="nearest",
        cmap=colormaps[SIGNED if signed else MAGNITUDE].with_extremes(bad=MISSING),
        vmin=-end if signed else min(low, 0.0), vmax=end if signed else high,
        extent=(-0.5, weight.shape[1] - 0.5, weight.shape[0] - 0.5, -0.5),
    )  # fmt: skip
    for set_label, side, chosen, size in zip(
        (ax.set_ylabel, ax.set_xlabel), ("target", "source"), (rows, columns), weight.shape, strict=True
    ):
        set_label(f"{side} neuron" + (f" ({len(chosen)} of {size})" if len(chosen) < size else ""))
    colour_bar(ax, image, "weight")
    return ax


def weight_histogram(weight: Tensor | Mapping[str, Tensor], *, bins: int = 50, ax: Axes | None = None) -> Axes:
    """Draw how weights are distributed.

    Args:
        weight: Weights of any shape, or such by name. NaN is left out.
        bins: Number of bars [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: No weights.

    Example:
        >>> ax = weight_histogram({"before": torch.rand(50, 4), "after": torch.rand(50, 4)})
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['before', 'after']
    """
    by_name = {"": weight} if isinstance(weight, Tensor) else weight
    found = {name: values.detach().float().cpu().flatten() for name, values in by_name.items()}
    found = {name: values[values.isfinite()] for name, values in found.items()}
    if not any(len(values) for values in found.values()):
        raise ValueError("Expected `weight` to draw, got none that is finite.")
    low = min(float(values.min()) for values in found.values() if len(values))
    high = max(float(values.max()) for values in found.values() if len(values))
    edges = torch.linspace(low, high if high > low else low + 1, bins + 1)
    ax = new_axes(ax, size=(6.0, 3.6))
    for place, (name, values) in enumerate(found.items()):
        counts = torch.histogram(values, edges).hist
        ax.stairs(
            counts.numpy(), edges.numpy(), label=name or None, color=colour(place), fill=place == 0,
            alpha=0.55 if place == 0 else 1.0, linestyle=line(place), linewidth=1.6,
        )  # fmt: skip
    ax.set(xlabel="weight", ylabel="synapses [1]", xlim=(float(edges[0]), float(edges[-1])))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    legend(ax)
    return plain(ax)
