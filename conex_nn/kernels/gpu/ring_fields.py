"""Places of the integers that say what there is where populations send into ring buffers on a GPU."""

import triton.language as tl

__all__ = ["FIELDS"]

FIELDS = {
    "cells": (
        "n", "first", "model", "rows", "rows_step", "period", "v", "left", "w", "currents", "soft", "injected",
        "injected_step", "channels", "channels_end", "links", "links_end",
    ),
    "channel": (
        "n", "ring", "unit", "current", "keep", "keep_step", "factor", "factor_step", "outside", "outside_stride",
        "draws", "draws_end",
    ),
    "link": (
        "n", "ring", "units", "kind", "delay", "late", "weights", "weight_step", "half", "begins", "long_begins",
        "targets", "wide_targets", "delays", "wide_delays", "factor",
    ),
    "draw": ("seed", "step", "samples", "bars", "counts", "bar", "weight", "weight_step"),
    "probe": ("cells", "neurons", "count", "every", "out", "first"),
}  # fmt: skip
"""Names of the integers of each row: counts, steps of 0 or 1, addresses (0 for none), doubles as their bits."""


def _places(kind: str) -> list[tl.constexpr]:
    return [tl.constexpr(place) for place in range(len(FIELDS[kind]))]


(
    N, FIRST, MODEL, ROWS, ROWS_STEP, PERIOD, V, LEFT, W, CURRENTS, SOFT, INJECTED,
    INJECTED_STEP, CHANNELS, CHANNELS_END, LINKS, LINKS_END,
) = _places("cells")  # fmt: skip
(
    CHANNEL_N, RING, UNIT, CURRENT, KEEP, KEEP_STEP, FACTOR, FACTOR_STEP, OUTSIDE, OUTSIDE_STRIDE,
    DRAWS, DRAWS_END,
) = _places("channel")  # fmt: skip
(
    LINK_N, LINK_RING, UNITS, KIND, DELAY, LATE, WEIGHTS, WEIGHT_STEP, HALF, BEGINS, LONG_BEGINS,
    TARGETS, WIDE_TARGETS, DELAYS, WIDE_DELAYS, SIZE,
) = _places("link")  # fmt: skip
SEED, STEP, SAMPLES, BARS, COUNTS, BAR, WEIGHT, WEIGHT_PLACE = _places("draw")
PROBE_CELLS, NEURONS, COUNT, EVERY, OUT, PROBE_FIRST = _places("probe")
CELLS, CHANNEL, LINK, DRAW, PROBE = (tl.constexpr(len(fields)) for fields in FIELDS.values())

LIF, EXPONENTIAL, IZHIKEVICH = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
MATRIX, EDGES = tl.constexpr(0), tl.constexpr(1)
