"""Psychometric curves."""

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes
from conex_nn.plots.palette import COLOURS

__all__ = ["psychometric"]


def psychometric(
    evidence: Tensor,
    share: Tensor,
    *,
    count: Tensor | None = None,
    bias: float | Tensor = math.nan,
    slope: float | Tensor = math.nan,
    label: str | None = None,
    xlabel: str = "evidence",
    colour: str = COLOURS[0],
    ax: Axes | None = None,
) -> Axes:
    """Draw how often one of two choices is made, by the evidence for it, and the logistic function fitted to that.

    Args:
        evidence: Strengths of evidence, ``(levels,)``; none where nothing was decided, which the axes then say.
        share: Share of samples in which the choice was made at each, ``(levels,)`` [1].
        count: Samples at each, for the bars: one standard error (Wilson's interval) to either side; None for no bars.
        bias: Evidence at which both choices are as likely, in its unit; NaN for no curve [1].
        slope: Slope of the log odds per unit of evidence; NaN for no curve [1].
        label: Name of the curve, for a legend.
        xlabel: What the evidence is.
        colour: Colour of points and curve.
        ax: Axes to draw on, such as those of another curve; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: Shapes that do not fit.

    Example:
        >>> ax = psychometric(torch.tensor([-0.1, 0.1]), torch.tensor([0.25, 0.75]), bias=0.0, slope=11.0)
        >>> ax.get_ylabel()
        'share of choices [1]'
    """
    shapes = {tuple(each.shape) for each in (evidence, share, count) if each is not None}
    if len(shapes) != 1 or evidence.dim() != 1:
        raise ValueError(
            "Expected `evidence`, `share` and `count` of one shape (levels,), got "
            f"{', '.join(map(str, sorted(shapes)))}."
        )
    ax = new_axes(ax, size=(5.0, 4.0))
    if not len(evidence):  # a network that has not learned to decide yet
        ax.text(0.5, 0.5, "no choice was made", ha="center", va="center", color="0.4", transform=ax.transAxes)
    level, height = evidence.detach().double().cpu(), share.detach().double().cpu()
    if not ax.lines:
        ax.axhline(0.5, color="0.8", linewidth=0.8, zorder=0)
        ax.axvline(0.0, color="0.8", linewidth=0.8, zorder=0)
    if math.isfinite(float(bias)) and math.isfinite(float(slope)):
        margin = 0.05 * float(level.max() - level.min())
        line = torch.linspace(float(level.min()) - margin, float(level.max()) + margin, 200, dtype=torch.float64)
        ax.plot(line, torch.sigmoid(float(slope) * (line - float(bias))), color=colour, linewidth=1.5)
    if count is None or not len(level):
        ax.plot(level, height, "o", color=colour, markersize=6, label=label)
    else:
        low, high = _interval(height, count.detach().double().cpu())
        bars = np.stack([(height - low).clamp(min=0).numpy(), (high - height).clamp(min=0).numpy()])
        ax.errorbar(
            level.numpy(), height.numpy(), yerr=bars, fmt="o", color=colour, markersize=6, elinewidth=1.2, label=label
        )
    ax.set(xlabel=xlabel, ylabel="share of choices [1]", ylim=(-0.04, 1.04))
    ax.spines[["top", "right"]].set_visible(False)
    if label is not None:
        ax.legend(frameon=False, loc="upper left")
    return ax


def _interval(share: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Return Wilson's interval of one standard error: unlike the plain one, it is not empty at shares of 0 and 1."""
    centre = (share + 1 / (2 * count)) / (1 + 1 / count)
    half = (share * (1 - share) / count + 1 / (4 * count**2)).sqrt() / (1 + 1 / count)
    return centre - half, centre + half
