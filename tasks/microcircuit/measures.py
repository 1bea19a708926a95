"""What is said of a population: how often its cells fire, how irregularly, and how much together."""

from dataclasses import dataclass

import conex_nn as cx

__all__ = ["Measures", "measure"]


@dataclass(frozen=True, kw_only=True)
class Measures:
    """One population in figures. What cannot be told, such as the irregularity of cells that are silent, is NaN."""

    rate: float
    """Mean rate [Hz]."""
    cv: float
    """Mean coefficient of variation of the intervals between spikes, of cells with two at least [1]."""
    synchrony: float
    """How much all cells do the same: 1 where they do, near the root of one by their number where not [1]."""
    correlation: float
    """Mean correlation of the spike counts of two cells [1]."""


def measure(events: cx.recording.Events, *, pairs_among: int = 200, bin_width: float = 3.0) -> Measures:
    """Return the figures of a population.

    Args:
        events: Its spikes.
        pairs_among: Cells of which pairs are compared, at most [1].
        bin_width: Of the bins in which spikes are counted [ms].

    References:
        Potjans and Diesmann, Cereb Cortex 24 (2014), figure 6: rates, irregularity, and synchrony in bins of 3 ms.
    """
    if not len(events):
        return Measures(rate=0.0, cv=float("nan"), synchrony=float("nan"), correlation=float("nan"))
    return Measures(
        rate=float(cx.recording.rate(events).mean()),
        cv=float(cx.recording.cv(events).nanmean()),
        synchrony=float(cx.recording.synchrony(events, width=bin_width)),
        correlation=float(cx.recording.correlations(events, width=bin_width, max_neurons=pairs_among).mean),
    )
