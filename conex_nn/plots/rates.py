"""Rates of populations over time."""

import torch
from matplotlib.axes import Axes

from conex_nn.plots.axes import legend, new_axes, plain
from conex_nn.plots.palette import colour, line
from conex_nn.plots.shown import SpikeData, spikes_of
from conex_nn.recording import population_rate

__all__ = ["rates"]


def rates(
    spikes: SpikeData,
    *,
    dt: float | None = None,
    sigma: float | None = 5.0,
    sample: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the rate of each population over time.

    Args:
        spikes: Spikes ``(time, *neurons)`` of one sample, or events, such by the name of each population, a
            recording, or what a simulation returned.
        dt: Length of a step [ms]; None for that of events, else 1.
        sigma: Standard deviation of the Gaussian that smooths; None for none [ms].
        sample: Which sample of a batch; spikes are then ``(time, batch, *neurons)``. A recording or
            events of one need none [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        KeyError: A recording without spikes.
        ValueError: No population, one without time and neurons, or a batch without ``sample``.

    Example:
        >>> ax = rates({"exc": torch.ones(20, 8), "inh": torch.zeros(20, 2)})
        >>> [line.get_label() for line in ax.lines], ax.get_ylabel()
        (['exc (mean 1000.0 Hz)', 'inh (mean 0.0 Hz)'], 'population rate [Hz]')
    """
    ax = new_axes(ax, size=(8.0, 3.5))
    for place, (name, each) in enumerate(spikes_of(spikes, sample=sample, dt=dt).items()):
        events = each.events
        found = population_rate(events, sigma=sigma) * each.every
        mean = 1000 / each.dt * len(events) / (events.steps * len(each.neurons))
        label = f"{name} (mean {mean:.1f} Hz)".strip()
        time = torch.arange(events.begin, events.begin + events.steps) * (each.dt * each.every)
        ax.plot(time, found, color=colour(place), linestyle=line(place), label=label)
    ax.set(xlabel="time [ms]", ylabel="population rate [Hz]")
    ax.set_ylim(bottom=0)
    ax.margins(x=0)
    legend(ax, above=True)
    return plain(ax)
