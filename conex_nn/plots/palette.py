"""Colours that colour-blind readers tell apart, and axes to draw on."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["COLOURS", "new_axes"]

# Okabe and Ito, Color Universal Design (2008), with the yellow left out: it is too pale for thin marks.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")


def new_axes(ax: Axes | None = None, *, size: tuple[float, float] = (6.0, 4.0)) -> Axes:
    """Return axes, or make some on a figure of their own, without pyplot's global state.

    Args:
        ax: Axes to draw on; None for new ones.
        size: Width and height of a new figure, in inches.

    Example:
        >>> new_axes().figure.get_size_inches()
        array([6., 4.])
    """
    return Figure(figsize=size, layout="constrained").subplots() if ax is None else ax
