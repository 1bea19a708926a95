"""How a pair of spikes changes a weight."""

from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes, plain
from conex_nn.plots.palette import COLOURS

__all__ = ["stdp_window"]


def stdp_window(lags: Tensor, changes: Tensor, *, ax: Axes | None = None) -> Axes:
    """Draw the window of a learning rule, as ``plasticity.measure_window`` measures it.

    Args:
        lags: Time of the target's spike less that of the source's [ms].
        changes: Change of the weight by each pair [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: Not as many changes as lags, or none.

    Example:
        >>> lags = torch.arange(-40.0, 41.0)
        >>> ax = stdp_window(lags, lags.sign() * torch.exp(-lags.abs() / 20))
        >>> ax.get_xlabel()
        'target after source [ms]'
    """
    if lags.shape != changes.shape or lags.dim() != 1 or not len(lags):
        raise ValueError(
            f"Expected `changes` for each of `lags`, got shapes {tuple(changes.shape)}, {tuple(lags.shape)}."
        )
    order = lags.argsort()
    x, y = lags.detach().cpu()[order], changes.detach().float().cpu()[order]
    ax = new_axes(ax, size=(6.0, 3.8))
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.axvline(0, color="0.6", linewidth=0.8, linestyle=":")
    for inside, marker, name, shade in (
        (x > 0, "o", "source first", COLOURS[0]),
        (x == 0, "D", "same step", "0.3"),
        (x < 0, "s", "target first", COLOURS[1]),
    ):
        if bool(inside.any()):
            ax.fill_between(x[inside], y[inside], color=shade, alpha=0.15, linewidth=0)
            ax.plot(x[inside], y[inside], marker=marker, markersize=3.5, linewidth=1.3, color=shade, label=name)
    ax.set(xlabel="target after source [ms]", ylabel="change of the weight [1]", xlim=(float(x[0]), float(x[-1])))
    ax.legend(frameon=False, fontsize=9)
    return plain(ax)
