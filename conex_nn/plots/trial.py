"""One trial: what a network saw, what it should have done, what it did."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import Sheet
from conex_nn.plots.palette import COLOURS, line

__all__ = ["trial"]


def trial(
    inputs: Tensor,
    outputs: Tensor,
    targets: Tensor,
    *,
    mask: Tensor | None = None,
    dt: float = 1.0,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> list[Axes]:
    """Draw the inputs of one trial, the outputs of a network below them, and what they should have been.

    Args:
        inputs: ``(time, features)``.
        outputs: ``(time, outputs)``; scores of classes are drawn as the probabilities that they stand for.
        targets: Classes ``(time,)``, drawn as a band above the outputs, or values ``(time, outputs)``, drawn as
            broken lines.
        mask: Weight of each step, ``(time,)``; where it is 0, the outputs are shaded. None for no shade.
        dt: Length of a step [ms].
        input_names: Name of each input; their indices by default.
        output_names: Name of each output; their indices by default.

    Returns:
        Two axes, of inputs and outputs.

    Raises:
        ValueError: Different numbers of steps.

    Example:
        >>> upper, lower = trial(torch.rand(20, 3), torch.rand(20, 2), torch.arange(20) // 10)
        >>> len(upper.lines), len(lower.lines)
        (3, 2)
    """
    if not len(inputs) == len(outputs) == len(targets):
        raise ValueError(
            "Expected `inputs`, `outputs` and `targets` of as many steps, got "
            f"{len(inputs)}, {len(outputs)} and {len(targets)}."
        )
    upper, lower = Sheet(figsize=(7.0, 5.0), layout="constrained").parts(2, sharex=True)
    time = dt * torch.arange(1, len(inputs) + 1)
    of_classes = not targets.is_floating_point()
    shown = outputs.detach().float().cpu()
    shown = shown.softmax(-1) if of_classes else shown
    _lines(upper, time, inputs.detach().float().cpu(), input_names, styles=True)
    _lines(lower, time, shown, output_names, styles=of_classes)
    if of_classes:
        for step, target in zip(time.tolist(), targets.tolist(), strict=True):
            lower.axvspan(step - dt, step, 0.96, 1.0, color=_colour(int(target)), lw=0)
        lower.set(ylabel="probability; band: target", ylim=(-0.02, 1.1))
    else:
        for place, target in enumerate(targets.detach().float().cpu().T):
            lower.plot(time, target, color=_colour(place), linestyle="--", linewidth=1.0)
        lower.set(ylabel="output; broken: target")
    if mask is not None:
        for step, weight in zip(time.tolist(), mask.tolist(), strict=True):
            if not weight:
                lower.axvspan(step - dt, step, color="0.85", lw=0, zorder=0)
    upper.set(ylabel="input", xlim=(0, float(time[-1])))
    lower.set(xlabel="time [ms]")
    return [upper, lower]


def _colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def _lines(ax: Axes, time: Tensor, values: Tensor, names: Sequence[str] | None, *, styles: bool) -> None:
    """Draw each column, by a style of its own too unless broken lines mean something else."""
    names = [str(place) for place in range(values.shape[1])] if names is None else names
    for place, (name, column) in enumerate(zip(names, values.T, strict=True)):
        style = line(place) if styles else "-"
        ax.plot(time, column, color=_colour(place), linestyle=style, linewidth=1.3, label=name)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
