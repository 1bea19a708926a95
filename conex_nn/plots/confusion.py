"""Confusion matrices."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes
from conex_nn.plots.shown import evenly

__all__ = ["confusion"]

_MOST_NUMBERS = 20  # classes, beyond which numbers in the cells cannot be read
_MOST_NAMES = 30  # classes, beyond which some names are left out


def confusion(matrix: Tensor, *, class_names: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw a confusion matrix: shades are shares of a true class, numbers are samples.

    Args:
        matrix: Samples by true class (rows) and predicted class (columns) [1].
        class_names: Name of each class; their indices by default.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        ValueError: A matrix that is not square, or names that do not fit it.

    Example:
        >>> ax = confusion(torch.tensor([[9, 1], [0, 10]]), class_names=["cat", "dog"])
        >>> ax.get_title()
        'accuracy 95.00 %, 20 samples'
    """
    if matrix.dim() != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"Expected `matrix` to be square, got shape {tuple(matrix.shape)}.")
    names = list(class_names) if class_names is not None else [str(index) for index in range(len(matrix))]
    if len(names) != len(matrix):
        raise ValueError(f"Expected `class_names` for {len(matrix)} classes, got {len(names)}.")
    counts = matrix.detach().cpu()
    shares = (counts / counts.sum(1, keepdim=True).clamp(min=1)).numpy()
    side = min(12.0, max(4.0, 0.55 * len(names) + 1.5))
    ax = new_axes(ax, size=(side + 0.8, side))
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    ax.figure.colorbar(image, ax=ax, label="share of the true class [1]", fraction=0.046)
    if len(names) <= _MOST_NUMBERS:
        for true, row in enumerate(counts.tolist()):
            for predicted, count in enumerate(row):
                if count:
                    colour = "white" if shares[true, predicted] > 0.6 else "black"
                    ax.text(predicted, true, f"{count:g}", ha="center", va="center", color=colour, fontsize=9)
    long = max(map(len, names)) > 3
    named = evenly(len(names), _MOST_NAMES).tolist()
    ticks = [names[place] for place in named]
    ax.set_xticks(named, ticks, rotation=45 if long else 0, ha="right" if long else "center")
    ax.set_yticks(named, ticks)
    total, right = counts.sum().item(), counts.trace().item()
    some = f" ({len(named)} of {len(names)} named)" if len(named) < len(names) else ""
    ax.set(xlabel=f"predicted class{some}", ylabel=f"true class{some}")
    ax.set_title(f"accuracy {100 * right / max(total, 1):.2f} %, {total:g} samples")
    return ax
