"""Activity over time, by condition."""

import math
from collections.abc import Mapping

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes

__all__ = ["conditions"]


def conditions(
    activity: Tensor,
    condition: Tensor,
    *,
    dt: float = 1.0,
    label: str = "condition",
    ylabel: str = "activity",
    periods: Mapping[str, tuple[float, float]] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the mean activity of all samples of each condition over time, with its standard error.

    Colours go from the lowest condition to the highest; where there are both signs, from one hue to another, pale in
    the middle.

    Args:
        activity: ``(time, batch)``: of one neuron, or of the mean of several.
        condition: Condition of each sample, ``(batch,)``; those of which it is NaN are left out.
        dt: Length of a step [ms].
        label: What the condition is.
        ylabel: What the activity is.
        periods: Beginning and end of periods to be shaded, by name [ms].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: Shapes that do not fit.

    Example:
        >>> ax = conditions(torch.rand(20, 8), torch.arange(8) % 4, dt=10.0)
        >>> [line.get_label() for line in ax.lines]
        ['0', '1', '2', '3']
    """
    if activity.dim() != 2 or condition.shape != activity.shape[1:]:
        raise ValueError(
            f"Expected `activity` as (time, batch) and `condition` as (batch,), got shapes {tuple(activity.shape)} and "
            f"{tuple(condition.shape)}."
        )
    values, of = activity.detach().float().cpu(), condition.detach().float().cpu()
    levels = of[~of.isnan()].unique()
    ax = new_axes(ax)
    time = dt * torch.arange(1, len(values) + 1)
    for level, colour in zip(levels.tolist(), _colours(levels), strict=True):
        chosen = values[:, of == level]
        mean = chosen.mean(1)
        error = chosen.std(1, correction=0) / math.sqrt(chosen.shape[1])
        ax.fill_between(time.numpy(), (mean - error).numpy(), (mean + error).numpy(), color=colour, alpha=0.2, lw=0)
        ax.plot(time, mean, color=colour, linewidth=1.6, label=f"{level:g}")
    for place, (name, (begin, end)) in enumerate((periods or {}).items()):
        ax.axvspan(begin, end, color="0.5", alpha=0.12 if place % 2 == 0 else 0.0, zorder=0, lw=0)
        ax.text((begin + end) / 2, 1.01, name, transform=ax.get_xaxis_transform(), ha="center", fontsize=8, color="0.4")
    ax.set(xlabel="time [ms]", ylabel=ylabel, xlim=(0, len(values) * dt))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(title=label, frameon=False, fontsize=8, title_fontsize=8, ncols=1 + len(levels) // 7)
    return ax


def _colours(levels: Tensor) -> list[tuple[float, float, float, float]]:
    """Return a colour for each condition; the steps are even, however unevenly the conditions lie."""
    if not len(levels):
        return []
    if bool((levels < 0).any()) and bool((levels > 0).any()):
        below, above = int((levels < 0).sum()), int((levels > 0).sum())
        zero = [0.5] if bool((levels == 0).any()) else []
        # The middle fifth of the map is too pale for lines.
        places = [*torch.linspace(0.0, 0.38, below), *zero, *torch.linspace(0.62, 1.0, above)]
        return [colormaps["coolwarm"](float(place)) for place in places]
    return [colormaps["viridis"](float(place)) for place in torch.linspace(0.0, 0.88, len(levels))]
