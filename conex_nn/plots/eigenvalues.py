"""The modes of a recurrent matrix."""

import torch
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from torch import Tensor

from conex_nn.plots.axes import new_axes, plain
from conex_nn.plots.palette import COLOURS

__all__ = ["eigenvalues"]


def eigenvalues(weight: Tensor, *, max_neurons: int = 2000, ax: Axes | None = None) -> Axes:
    """Draw the eigenvalues of a recurrent matrix in the complex plane, with the unit circle.

    Modes outside of the circle grow from step to step in a linear network, and in a rate network those to the right of
    1.

    Args:
        weight: Weights of a population onto itself, ``(post, pre)``, inhibitory ones negative.
        max_neurons: Neurons at most: the eigenvalues of a part would not be those of the whole [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes; the title says the spectral radius.

    Raises:
        ValueError: A matrix that is not square, not finite, or too large.

    Example:
        >>> ax = eigenvalues(torch.tensor([[0.0, -2.0], [2.0, 0.0]]))
        >>> ax.get_title()
        'spectral radius 2.00, 2 of 2 modes outside'
    """
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1] or not len(weight):
        raise ValueError(f"Expected `weight` of a population onto itself, (n, n), got shape {tuple(weight.shape)}.")
    if not bool(weight.isfinite().all()):
        raise ValueError("Expected `weight` to be finite, got NaN or infinity. `weight.nan_to_num()` takes NaN for 0.")
    if len(weight) > max_neurons:
        raise ValueError(
            f"Expected at most `max_neurons` = {max_neurons} neurons [1], got {len(weight)}, whose eigenvalues take "
            "long. Raise it to wait for them."
        )
    found = torch.linalg.eigvals(weight.detach().double().cpu())
    radius = float(found.abs().max())
    outside = found.abs() > 1 + 1e-9
    ax = new_axes(ax, size=(4.8, 4.6))
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor="0.4", linestyle="--", linewidth=1.2))
    ax.axhline(0, color="0.85", linewidth=0.8, zorder=0)
    ax.axvline(0, color="0.85", linewidth=0.8, zorder=0)
    for inside, marker, shade, name in ((~outside, "o", COLOURS[0], "inside"), (outside, "^", COLOURS[1], "outside")):
        if bool(inside.any()):
            ax.plot(
                found.real[inside], found.imag[inside], linestyle="", marker=marker, color=shade,
                markersize=4 if marker == "o" else 7, alpha=0.75, markeredgewidth=0, label=f"{name} of the unit circle",
            )  # fmt: skip
    reach = 1.12 * max(radius, 1)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), xlabel="real part [1]", ylabel="imaginary part [1]")
    ax.set_aspect("equal")
    ax.set_title(f"spectral radius {radius:.2f}, {int(outside.sum())} of {len(found)} modes outside", fontsize=10)
    ax.legend(frameon=False, fontsize=9, ncol=2, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return plain(ax)
