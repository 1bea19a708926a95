"""What a population does next, by what it does now."""

from matplotlib.axes import Axes

from conex_nn.plots.axes import legend, new_axes, plain
from conex_nn.plots.palette import colour
from conex_nn.plots.shown import SpikeData, evenly, spikes_of
from conex_nn.recording import binned_rate
from conex_nn.recording.layout import activity

__all__ = ["return_map"]


def return_map(
    spikes: SpikeData,
    *,
    dt: float | None = None,
    width: float = 5.0,
    lag: int = 1,
    most: int = 2000,
    sample: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the rate of each population in a bin over that in the bin before: on the line nothing changes.

    Args:
        spikes: Spikes ``(time, *neurons)`` of one sample, or events, such by the name of each population, a
            recording, or what a simulation returned.
        dt: Length of a step [ms]; None for that of events, else 1.
        width: Length of a bin [ms].
        lag: Bins from one to the other [1].
        most: Points of a population at most, evenly chosen; the legend says so [1].
        sample: Which sample of a batch; spikes are then ``(time, batch, *neurons)``. A recording or
            events of one need none [1].
        ax: Axes to draw on; new ones by default.

    Returns:
        The axes.

    Raises:
        KeyError: A recording without spikes.
        ValueError: No population, a batch without ``sample``, or a recording of no more than ``lag`` bins.

    Example:
        >>> ax = return_map((torch.rand(500, 20) < 0.05).float())
        >>> ax.get_xlabel(), ax.get_ylabel()
        ('rate [Hz]', 'rate 5 ms later [Hz]')
    """
    ax = new_axes(ax, size=(4.8, 4.6))
    top = 0.0
    for place, (name, each) in enumerate(spikes_of(spikes, sample=sample, dt=dt).items()):
        fired = activity(each.events)[:, 0] / len(each.neurons)
        rate = binned_rate(fired, width=width, dt=each.dt * each.every) * each.every
        if not 1 <= lag < len(rate):
            raise ValueError(f"Expected `lag` from 1 to below the {len(rate)} bins of {width:g} ms [1], got {lag}.")
        chosen = evenly(len(rate) - lag, most)
        some = f"{len(chosen)} of {len(rate) - lag} bins" if len(chosen) < len(rate) - lag else ""
        label = ", ".join(filter(None, [name, some])) or None
        marker = "os^D"[place % 4]
        ax.plot(
            rate[:-lag][chosen], rate[lag:][chosen], linestyle="", marker=marker, markersize=4, alpha=0.5,
            color=colour(place), markeredgewidth=0, label=label,
        )  # fmt: skip
        top = max(top, float(rate.max()))
    end = 1.05 * top or 1.0
    ax.plot([0, end], [0, end], color="0.5", linewidth=0.9, linestyle="--", zorder=1)
    ax.set(xlabel="rate [Hz]", ylabel=f"rate {lag * width:g} ms later [Hz]", xlim=(0, end), ylim=(0, end))
    ax.set_aspect("equal")
    legend(ax, above=True)
    return plain(ax)
