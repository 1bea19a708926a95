"""Where a population goes in the space of its principal components."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from conex_nn.plots.axes import legend, new_axes, plain
from conex_nn.plots.palette import colour, line
from conex_nn.plots.shown import evenly
from conex_nn.recording import Components

__all__ = ["trajectories"]


def trajectories(
    components: Components,
    *,
    labels: Sequence[str] | None = None,
    pair: tuple[int, int] = (0, 1),
    most: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Draw the path of each sample along two principal components: a dot where it starts, a square where it ends.

    Args:
        components: What :func:`conex_nn.recording.principal_components` returns, of ``(time, *batch, neurons)``.
        labels: Name of each sample, such as its condition.
        pair: Which two components, counted from 0 [1].
        most: Samples that are drawn at most, evenly chosen; the title says so [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: Components that there are not, or labels that do not fit.

    Example:
        >>> from conex_nn.recording import principal_components
        >>> ax = trajectories(principal_components(torch.rand(50, 3, 20)), labels=["left", "right", "none"])
        >>> len(ax.lines), ax.get_xlabel()[:4]
        (9, 'PC 1')
    """
    count = components.scores.shape[-1]
    if any(not 0 <= which < count for which in pair):
        raise ValueError(f"Expected `pair` of components from 0 to {count - 1} [1], got {pair}.")
    scores = components.scores.detach().cpu()
    paths = scores.reshape(len(scores), -1, count)[..., list(pair)]
    samples = paths.shape[1]
    if labels is not None and len(labels) != samples:
        raise ValueError(f"Expected `labels` for {samples} samples, got {len(labels)}.")
    ax = new_axes(ax, size=(5.4, 4.6))
    chosen = evenly(samples, most).tolist()
    for place, sample in enumerate(chosen):
        x, y = paths[:, sample].unbind(1)
        name = None if labels is None else labels[sample]
        ax.plot(x, y, color=colour(place), linestyle=line(place), linewidth=1.4, label=name)
        ax.plot(x[:1], y[:1], color=colour(place), marker="o", markersize=7, markeredgecolor="white", zorder=3)
        ax.plot(x[-1:], y[-1:], color=colour(place), marker="s", markersize=7, markeredgecolor="white", zorder=3)
    if len(chosen) < samples:
        ax.set_title(f"{len(chosen)} of {samples} samples", fontsize=10)
    shares = [f"PC {which + 1} ({100 * float(components.explained[which]):.0f} %)" for which in pair]
    ax.set(xlabel=shares[0], ylabel=shares[1])
    legend(ax)
    return plain(ax)
