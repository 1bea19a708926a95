"""The rhythm of populations."""

from matplotlib.axes import Axes

from conex_nn.plots.axes import legend, new_axes, plain
from conex_nn.plots.palette import colour, line
from conex_nn.plots.shown import SpikeData, spikes_of
from conex_nn.recording import BANDS, population_rate, power_spectrum

__all__ = ["spectrum"]


def spectrum(
    spikes: SpikeData,
    *,
    dt: float | None = None,
    segment: float | None = None,
    up_to: float = 150.0,
    bands: bool = True,
    sample: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the power of the rate of each population over frequency, with the bands of the brain's rhythms.

    Args:
        spikes: Spikes ``(time, *neurons)`` of one sample, or events, such by the name of each population, a
            recording, or what a simulation returned.
        dt: Length of a step [ms]; None for that of events, else 1.
        segment: Length of the segments that are averaged, see :func:`conex_nn.recording.power_spectrum` [ms].
        up_to: Highest frequency that is drawn [Hz].
        bands: Whether to shade the bands.
        sample: Which sample of a batch; spikes are then ``(time, batch, *neurons)``. A recording or
            events of one need none [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes. A population without power, such as a silent one, is named in the legend and has no line.

    Raises:
        KeyError: A recording without spikes.
        ValueError: No population, a batch without ``sample``, or a segment that does not fit.

    Example:
        >>> ax = spectrum((torch.rand(1000, 20) < 0.05).float())
        >>> ax.get_ylabel()
        'power of the rate [Hz²/Hz]'
    """
    ax = new_axes(ax, size=(7.0, 3.8))
    silent = True
    populations = spikes_of(spikes, sample=sample, dt=dt)
    for place, (name, each) in enumerate(populations.items()):
        rate = population_rate(each.events) * each.every
        found = power_spectrum(rate, dt=each.dt * each.every, segment=segment)
        inside = (found.frequency > 0) & (found.frequency <= up_to)
        some = bool((found.power[inside] > 0).any())
        silent = silent and not some
        x, y = found.frequency[inside].cpu(), found.power[inside].cpu()
        label = (name if some else f"{name} (no power)".strip()) or None
        ax.plot(x if some else [], y if some else [], color=colour(place), linestyle=line(place), label=label)
    if not silent:
        ax.set_yscale("log")
    top = min(up_to, 500 / min(each.dt for each in populations.values()))
    for place, (name, (low, high)) in enumerate(BANDS.items() if bands else ()):
        if low < top:
            ax.axvspan(low, min(high, top), color="0.5", alpha=0.14 if place % 2 else 0.06, linewidth=0)
            middle = (low + min(high, top)) / 2
            ax.text(middle, 1.01, _GREEK[name], transform=ax.get_xaxis_transform(), ha="center", fontsize=10)
    ax.set(xlabel="frequency [Hz]", ylabel="power of the rate [Hz²/Hz]", xlim=(0, top))
    legend(ax)
    return plain(ax)


_GREEK = {"delta": "δ", "theta": "θ", "alpha": "α", "beta": "β", "gamma": "γ"}
