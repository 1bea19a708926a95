"""Learning curves."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from conex_nn.plots.axes import new_axes
from conex_nn.plots.palette import COLOURS

__all__ = ["curves", "read_log"]


def curves(history: Sequence[Mapping[str, int | float]], quantity: str = "loss", *, ax: Axes | None = None) -> Axes:
    """Draw how a quantity went over the epochs, in training and in validation.

    Args:
        history: One mapping per epoch, such as ``{"epoch": 0, "train/loss": 2.1, "val/loss": 1.9}``.
        quantity: What to draw: every entry whose name ends in ``/<quantity>``.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: No entry of that name.

    Example:
        >>> history = [{"epoch": 0, "train/loss": 2.0, "val/loss": 1.8}, {"epoch": 1, "train/loss": 1.0}]
        >>> ax = curves(history)
        >>> [line.get_label() for line in ax.lines]
        ['train', 'val']
    """
    names = sorted({name for epoch in history for name in epoch if name.rpartition("/")[2] == quantity})
    if not names:
        known = sorted({name.rpartition("/")[2] for epoch in history for name in epoch if "/" in name})
        raise ValueError(f"Expected `history` to tell of {quantity!r}, got {', '.join(known) or 'nothing'}.")
    ax = new_axes(ax)
    for place, name in enumerate(names):
        points = [(epoch.get("epoch", index), epoch[name]) for index, epoch in enumerate(history) if name in epoch]
        label = name.rpartition("/")[0] or name
        ax.plot(
            *zip(*points, strict=True), marker="os^D"[place % 4], markersize=4, label=label,
            color=COLOURS[place % len(COLOURS)], linestyle=("-", "--", ":", "-.")[place % 4],
        )  # fmt: skip
    ax.set(xlabel="epoch", ylabel=quantity)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    return ax


def read_log(path: str | Path) -> list[dict[str, float]]:
    r"""Read the ``metrics.csv`` of Lightning's CSVLogger, the rows of an epoch put together.

    Args:
        path: The file.

    Returns:
        What :func:`curves` takes.

    Raises:
        ValueError: A table without the column `epoch`.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> _ = file.write_text("epoch,step,train/loss,val/loss\n0,9,,1.8\n0,9,2.0,\n")
        >>> read_log(file)
        [{'epoch': 0.0, 'step': 9.0, 'val/loss': 1.8, 'train/loss': 2.0}]
    """
    epochs: dict[float, dict[str, float]] = {}
    with Path(path).open(newline="") as file:
        reader = csv.DictReader(file)
        if "epoch" not in (reader.fieldnames or ()):
            raise ValueError(f"Expected `path` to be a log with a column `epoch`, got {reader.fieldnames}.")
        for row in reader:
            values = {name: float(value) for name, value in row.items() if value}
            if "epoch" in values:
                epochs.setdefault(values["epoch"], {}).update(values)
    return [epochs[epoch] for epoch in sorted(epochs)]
