"""What the kernel of events is told of a connection that learns, as a row of integers; read without numba."""

__all__ = ["FIELDS", "RING"]

FIELDS = (
    "source", "target", "sources", "targets", "kind", "weight", "begins", "ends_at",
    "target_begins", "edge_by_target", "source_by_target", "mask",
    "axon", "axon_history", "axon_length", "dendrite", "dendrite_history", "dendrite_length",
    "trace_pre", "trace_post", "keep_pre", "keep_post", "nearest",
    "plus", "minus", "plus_factor", "minus_factor", "bound", "w_min", "w_max", "mu", "shift",
    "modulator", "eligibility", "keep_eligibility", "scales",
    "low", "high", "clips", "normalise", "total", "low_after", "high_after",
    "rows", "chunks", "sums", "factors", "blocks", "gains", "tops", "sweep",
    "places", "pre_events", "pre_counts", "post_events", "post_counts", "area", "wide",
)  # fmt: skip
"""Names of the integers of a row: counts, addresses, and numbers as the bits of a double."""

(
    SOURCE, TARGET, SOURCES, TARGETS, KIND, WEIGHT, BEGINS, ENDS_AT,
    TARGET_BEGINS, EDGE_BY_TARGET, SOURCE_BY_TARGET, MASK,
    AXON, AXON_HISTORY, AXON_LENGTH, DENDRITE, DENDRITE_HISTORY, DENDRITE_LENGTH,
    TRACE_PRE, TRACE_POST, KEEP_PRE, KEEP_POST, NEAREST,
    PLUS, MINUS, PLUS_FACTOR, MINUS_FACTOR, BOUND, W_MIN, W_MAX, MU, SHIFT,
    MODULATOR, ELIGIBILITY, KEEP_ELIGIBILITY, SCALES,
    LOW, HIGH, CLIPS, NORMALISE, TOTAL, LOW_AFTER, HIGH_AFTER,
    ROWS, CHUNKS, SUMS, FACTORS, BLOCKS, GAINS, TOPS, SWEEP,
    PLACES, PRE_EVENTS, PRE_COUNTS, POST_EVENTS, POST_COUNTS, AREA, WIDE,
) = range(len(FIELDS))  # fmt: skip

LEARNER = len(FIELDS)
"""Integers of such a row."""

POPULATION, CONNECTION = 19, 13
"""Integers of the rows of populations and of connections."""

RING = {
    "cells": (
        "n", "first", "model", "rows", "period", "v", "left", "w", "currents", "soft", "channels", "channels_end",
        "given", "given_events", "given_values", "chunks", "chunks_end", "injected", "injected_period",
        "membrane", "membrane_period",
        "traces", "traces_end", "last", "past", "past_words",
    ),
    "channel": (
        "n", "ring", "links", "links_end", "current", "keep", "keep_period", "factor", "factor_period", "outside",
        "outside_stride", "draws", "draws_end", "reversal", "reversal_period",
    ),
    "link": (
        "source", "kind", "delay", "late", "weights", "weight_step", "begins", "long_begins", "targets", "wide_targets",
        "delays", "wide_delays", "factor", "learner",
    ),
    "draw": (
        "seed", "step", "samples", "bars", "counts", "bar", "weight", "weight_period",
    ),
    "probe": ("cells", "neurons", "count", "every", "out", "first"),
    "learner": (
        "target", "onto", "edges", "sources", "wide_sources", "longest", "trace_pre", "trace_post", "plus", "minus",
        "plus_up", "minus_up", "bound", "w_min", "w_max", "mu", "shift", "low", "high", "beyond", "signal",
        "eligibility", "kept", "ahead", "turns", "moved",
    ),
    "trace": ("values", "keep", "nearest"),
}  # fmt: skip
"""Names of the integers that say what there is where populations send into ring buffers."""

LANES = 8
"""Numbers that are looked at, or moved, at once where Python has no words for it."""

WIDE_COLUMNS = 64
"""Columns of a chunk of a product by events."""

ROOM = 64
"""Most rows of a chunk of a matrix, with a batch."""

STRETCH = 2048
"""Neurons advanced together: their potentials stay in the first cache while time runs."""

BLOCK = 256
"""Targets whose sums are made in one piece."""

WORD = 64
"""Neurons whose spikes are the bits of one integer."""
