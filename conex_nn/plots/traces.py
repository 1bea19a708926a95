"""Potentials, currents and other variables over time."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor

from conex_nn.plots.axes import new_axes, plain
from conex_nn.plots.palette import COLOURS, colour
from conex_nn.plots.shown import Shown, evenly, one_sample
from conex_nn.recording import Recording, Simulation

__all__ = ["traces"]


class _Lane(NamedTuple):
    """What is drawn of one neuron."""

    time: Tensor
    values: Tensor
    threshold: Tensor | None
    fired: Tensor


def traces(
    values: Tensor | Recording | Simulation,
    variable: str = "v",
    *,
    spikes: Tensor | None = None,
    threshold: Tensor | float | None = None,
    dt: float | None = None,
    sample: int | None = None,
    neurons: Sequence[int] | None = None,
    most: int = 5,
    unit: str = "mV",
    ax: Axes | None = None,
) -> Axes:
    """Draw a variable of some neurons over time, a lane for each, with its threshold and its spikes.

    Of a recording, the ``spikes`` and the ``v_threshold`` of the same address are drawn along with ``v`` where they
    were recorded as well.

    Args:
        values: ``(time, *neurons)`` of one sample, a recording, or what a simulation returned.
        variable: What is drawn, for the label; of a recording its name, with its address where several have it.
        spikes: Spikes of the same shape [1].
        threshold: A number, one per neuron, or as the values; drawn as a broken line [mV].
        dt: Length of a step; None for that of a simulation, else 1 [ms].
        sample: Which sample of a batch; values are then ``(time, batch, *neurons)``. A recording of one needs none [1].
        neurons: Which neurons, counted in the order of ``flatten``; None for evenly chosen ones.
        most: How many are chosen at most; the title says so [1].
        unit: Unit of the variable, for the label.
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        KeyError: A variable that was not recorded.
        ValueError: A batch without ``sample``, neurons that there are not, spikes or a threshold that do not fit.

    Example:
        >>> ax = traces(torch.rand(50, 3), threshold=1.0)
        >>> len(ax.lines), ax.get_ylabel()
        (7, 'v [mV]')
    """
    if isinstance(values, Simulation):
        values, dt = values.recording, values.dt if dt is None else dt
    dt = 1.0 if dt is None else dt
    shown, fired, threshold = _gather(values, variable, spikes, threshold, dt=dt, sample=sample)
    total = shown.values.shape[1]
    chosen = evenly(total, most) if neurons is None else torch.as_tensor(list(neurons))
    if not len(chosen) or bool(((chosen < 0) | (chosen >= total)).any()):
        raise ValueError(f"Expected `neurons` from 0 to {total - 1} [1], got {neurons}.")
    limit = None if threshold is None else _limit(threshold, shown.values)
    marks = torch.zeros_like(shown.values) if fired is None else fired
    lanes = [
        _Lane(shown.time, shown.values[:, n].float(), None if limit is None else limit[:, n], marks[:, n] != 0)
        for n in chosen.tolist()
    ]
    ax = new_axes(ax, size=(8.0, 1.6 + 1.0 * min(len(lanes), 8)))
    labels = [f"neuron {int(n)}" for n in shown.neurons[chosen]]
    _draw(ax, lanes, labels, unit=unit)
    ax.set(xlabel="time [ms]", ylabel=f"{variable} [{unit}]")
    if len(shown.time) > 1:
        ax.set_xlim(float(shown.time[0]), float(shown.time[-1]))
    if neurons is None and len(lanes) < total:
        ax.set_title(f"{len(lanes)} of {total} neurons", fontsize=10)
    elif len(lanes) == 1:
        ax.set_title(labels[0], fontsize=10)
    return plain(ax)


def _gather(
    values: Tensor | Recording,
    variable: str,
    spikes: Tensor | None,
    threshold: Tensor | float | None,
    *,
    dt: float,
    sample: int | None,
) -> tuple[Shown, Tensor | None, Tensor | float | None]:
    """Return the values of one sample, with spikes and threshold."""
    data = values if isinstance(values, Recording) or values.dim() > 1 + (sample is not None) else values.unsqueeze(-1)
    found = one_sample(data, variable=variable, sample=sample, dt=dt)
    if len(found) > 1:
        names = ", ".join(repr(f"{name}.{variable}") for name in found)
        raise KeyError(f"Expected `variable` with its address, got {variable!r}, which is {names}.")
    ((name, shown),) = found.items()
    if spikes is not None:
        fired = next(iter(one_sample(spikes, sample=sample, dt=dt).values())).values
        if fired.shape != shown.values.shape:
            raise ValueError(f"Expected `spikes` of the shape of the values, got {tuple(spikes.shape)}.")
        return shown, fired, threshold
    if not isinstance(values, Recording) or not (variable == "v" or variable.endswith(".v")):
        return shown, None, threshold
    address = f"{name}.{variable}" if f"{name}.{variable}" in values else variable
    spikes_of, threshold_of = (address.removesuffix("v") + beside for beside in ("spikes", "v_threshold"))
    known = spikes_of in values and values.spacing(spikes_of) == values.spacing(address)
    fired = one_sample(values, variable=spikes_of, sample=sample, dt=dt)[spikes_of].values if known else None
    if threshold is None and threshold_of in values:
        threshold = values[threshold_of].detach()
    return shown, fired, threshold


def _limit(threshold: Tensor | float, values: Tensor) -> Tensor:
    """Return the threshold of every neuron at every step."""
    given = torch.as_tensor(threshold).float().cpu()
    for shape in ((), (1, 1), (1, values.shape[1]), (len(values), 1), tuple(values.shape)):
        if given.numel() == torch.Size(shape).numel():
            return given.reshape(shape).expand(values.shape)
    raise ValueError(
        f"Expected `threshold` to be a number, one for each of {values.shape[1]} neurons, or as the values, got shape "
        f"{tuple(given.shape)}."
    )


def _draw(ax: Axes, lanes: list[_Lane], labels: list[str], *, unit: str) -> None:
    """Draw each neuron in a lane of its own; of a single one the numbers of the axis are its own."""
    lows, tops = zip(*(_ends(torch.cat([each.values, *_rows(each.threshold)])) for each in lanes), strict=True)
    height = max(max(top - low for top, low in zip(tops, lows, strict=True)), 1e-6)
    low, step = min(lows), 1.35 * (max(tops) - min(lows) or height)
    for place, each in enumerate(lanes):
        lift = step * (len(lanes) - 1 - place)
        ax.plot(each.time, each.values + lift, color=colour(0), linewidth=1.2)
        if each.threshold is not None:
            ax.plot(each.time, each.threshold + lift, color="0.4", linestyle="--", linewidth=0.9)
        if bool(each.fired.any()):
            foot = max(tops) + lift + 0.03 * step
            ax.vlines(each.time[each.fired], foot, foot + 0.14 * step, color=COLOURS[1], linewidth=1.2)
    if len(lanes) > 1:
        middle = (low + max(tops)) / 2
        ax.set_yticks([middle + step * (len(lanes) - 1 - place) for place in range(len(lanes))], labels)
        ax.tick_params(axis="y", length=0)
        _scale(ax, low, max(tops) - low or height, unit)


def _ends(values: Tensor) -> tuple[float, float]:
    """Return the lowest and the highest of the values that are numbers."""
    known = values[values.isfinite()]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


def _rows(threshold: Tensor | None) -> list[Tensor]:
    return [] if threshold is None else [threshold]


def _scale(ax: Axes, low: float, height: float, unit: str) -> None:
    """Draw a bar of a round length to the right of the lowest lane."""
    power = 10.0 ** torch.tensor(height / 2).log10().floor().item()
    length = next(factor * power for factor in (5, 2, 1) if factor * power <= height)
    ax.plot(
        [1.01, 1.01], [low, low + length], color="0.2", linewidth=2, transform=ax.get_yaxis_transform(), clip_on=False
    )
    size = f"{length:g}" if unit == "1" else f"{length:g} {unit}"
    ax.text(1.02, low + length / 2, size, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
