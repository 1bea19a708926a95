"""Axes to draw on, on figures of their own: nothing of pyplot's global state."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["new_axes", "side_by_side"]


def new_axes(ax: Axes | None = None, *, size: tuple[float, float] = (6.0, 4.0)) -> Axes:
    """Return axes, or make some.

    Args:
        ax: Axes to draw on; None for new ones.
        size: Width and height of a new figure, in inches.

    Example:
        >>> new_axes().figure.get_size_inches()
        array([6., 4.])
    """
    return Figure(figsize=size, layout="constrained").subplots() if ax is None else ax


def side_by_side(count: int, *, size: tuple[float, float] = (5.0, 4.0)) -> list[Axes]:
    """Make several axes beside each other, for the functions of this part to draw on.

    Args:
        count: Number of axes.
        size: Width and height of each, in inches.

    Example:
        >>> left, right = side_by_side(2)
        >>> left.figure.savefig  # saves both
        <bound method ...>
    """
    figure = Figure(figsize=(count * size[0], size[1]), layout="constrained")
    return list(figure.subplots(1, count, squeeze=False)[0])
