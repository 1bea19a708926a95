"""Axes to draw on, on figures of their own: nothing of pyplot's global state."""

from io import BytesIO
from typing import Any

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError as error:
    raise ImportError(
        "Expected matplotlib to be installed, which conex_nn.plots draws with: `uv pip install matplotlib`."
    ) from error

from conex_nn.plots.palette import COLOURS

__all__ = ["Sheet", "colour_bar", "legend", "new_axes", "plain", "side_by_side"]


class Sheet(Figure):
    """A figure that a notebook shows where it, or an axes on it, is the last value of a cell.

    Pyplot, which does that for figures of its own, is not asked: no state is shared.

    Example:
        >>> upper, lower = Sheet(figsize=(2.0, 1.0)).parts(2)
        >>> lower._repr_png_()[1:4]
        b'PNG'
    """

    class Part(Axes):
        """Axes on a sheet."""

        def _repr_png_(self) -> bytes:
            return _png(self.get_figure(root=True))

    def _repr_png_(self) -> bytes:
        return _png(self)

    def parts(self, rows: int = 1, columns: int = 1, *, sharex: bool = False) -> list[Axes]:
        """Fill the sheet with axes, and return them row by row.

        Args:
            rows: How many above each other [1].
            columns: How many beside each other [1].
            sharex: Let those above each other have one horizontal axis.
        """
        kind = {"axes_class": self.Part}
        parts = list(self.subplots(rows, columns, sharex=sharex, squeeze=False, subplot_kw=kind).flat)
        for part in parts:
            part.set_prop_cycle(color=COLOURS)
        return parts


def _png(figure: Any) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def new_axes(ax: Axes | None = None, *, size: tuple[float, float] = (6.0, 4.0)) -> Axes:
    """Return axes, or make some.

    Args:
        ax: Axes to draw on; None for new ones.
        size: Width and height of a new figure, in inches.

    Example:
        >>> new_axes().figure.get_size_inches()
        array([6., 4.])
    """
    return Sheet(figsize=size, layout="constrained").parts()[0] if ax is None else ax


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
    return Sheet(figsize=(count * size[0], size[1]), layout="constrained").parts(1, count)


def plain(ax: Axes) -> Axes:
    """Take away the lines above and to the right.

    Args:
        ax: The axes.

    Example:
        >>> plain(new_axes()).spines["top"].get_visible()
        False
    """
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def legend(ax: Axes, *, above: bool = False) -> None:
    """Name the lines where they have names.

    Args:
        ax: The axes.
        above: Above the axes, where lines may be everywhere.

    Example:
        >>> ax = new_axes()
        >>> _ = ax.plot([0, 1], label="exc")
        >>> legend(ax)
        >>> ax.get_legend().get_texts()[0].get_text()
        'exc'
    """
    labels = ax.get_legend_handles_labels()[1]
    if labels and above:
        columns = 2 if max(map(len, labels)) <= 28 else 1  # two long ones are wider than the picture
        ax.legend(frameon=False, fontsize=9, ncol=columns, loc="lower left", bbox_to_anchor=(0, 1))
    elif labels:
        ax.legend(frameon=False, fontsize=9)


def colour_bar(ax: Axes, image: Any, label: str, *, extend: str | None = None) -> None:
    """Say what the colours of an image mean.

    Args:
        ax: The axes.
        image: What was drawn on them.
        label: What the colours are, with its unit.
        extend: At which ends values go beyond the colours: ``"min"``, ``"max"`` or ``"both"``.

    Example:
        >>> ax = new_axes()
        >>> colour_bar(ax, ax.imshow([[0.0, 1.0]]), "weight")
        >>> [each.get_ylabel() for each in ax.figure.axes]
        ['', 'weight']
    """
    if ax.figure is not None:
        ax.figure.colorbar(image, ax=ax, label=label, shrink=0.8, extend=extend)
