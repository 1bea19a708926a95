"""How weights move while they learn."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes, plain
from conex_nn.plots.palette import COLOURS
from conex_nn.plots.shown import evenly
from conex_nn.recording import Recording

__all__ = ["weight_evolution"]

_MOST = 1_000_000  # weights, of which quantiles are as good as of all


def weight_evolution(
    weights: Tensor | Recording,
    variable: str = "weight",
    *,
    time: Tensor | None = None,
    dt: float = 1.0,
    label: str = "time [ms]",
    most: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Draw weights over time: some of them as lines, the median and the middle 80 % of all of them.

    NaN, such as that of synapses that are not there, is left out.

    Args:
        weights: ``(records, *weight)``, or a recording.
        variable: Of a recording: the name of the weight, with its address where several have it.
        time: When each record was made; None for the steps of a recording, or records counted from 0, in steps of
            ``dt``.
        dt: Length of a step [ms].
        label: What the axis of time counts.
        most: Weights that are drawn as lines at most, evenly chosen; the legend says so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        KeyError: A weight that was not recorded.
        ValueError: No records, none with a weight that is finite, or another number of times.

    Example:
        >>> ax = weight_evolution(torch.rand(20, 10, 30), label="epoch")
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['median', '10 to 90 % of 300', '40 of 300']
    """
    values = weights[variable] if isinstance(weights, Recording) else weights
    if values.dim() < 1 or not values.numel():
        raise ValueError(f"Expected `weights` of shape (records, *weight), got {tuple(values.shape)}.")
    flat = values.detach().float().cpu().reshape(len(values), -1)
    if time is None:
        time = (weights.steps(variable) if isinstance(weights, Recording) else torch.arange(len(flat))) * dt
    if len(time) != len(flat):
        raise ValueError(f"Expected `time` of each of the {len(flat)} records, got {len(time)}.")
    flat = flat[:, flat.isfinite().any(0)]
    total = flat.shape[1]
    if not total:
        raise ValueError("Expected `weights` to draw, got none that is finite.")
    chosen = evenly(total, most)
    shares, some = torch.tensor([0.1, 0.5, 0.9]), flat[:, evenly(total, _MOST)]
    low, middle, high = torch.stack([record[record.isfinite()].quantile(shares) for record in some], 1)
    ax = new_axes(ax, size=(7.0, 4.0))
    lines = ax.plot(time, flat[:, chosen], color="0.6", linewidth=0.6, alpha=0.7)
    ax.fill_between(
        time, low, high, color=COLOURS[0], alpha=0.25, linewidth=0, zorder=3, label=f"10 to 90 % of {total}"
    )
    ax.plot(time, middle, color=COLOURS[0], linewidth=2, zorder=4, label="median")
    lines[0].set_label(f"{len(chosen)} of {total}" if len(chosen) < total else f"all {total}")
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: (labels[place] != "median", labels[place][:2] != "10"))
    ax.legend([handles[i] for i in order], [labels[i] for i in order], frameon=False, fontsize=9)
    ax.set(xlabel=label, ylabel="weight")
    ax.margins(x=0)
    return plain(ax)
