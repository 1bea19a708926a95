"""Places of the integers that say what there is where populations send into ring buffers."""

from conex_nn.kernels.cpu import record as of

(
    N, FIRST, MODEL, ROWS, PERIOD, V, LEFT, W, CURRENTS, SOFT, CHANNELS, CHANNELS_END,
    GIVEN, GIVEN_EVENTS, GIVEN_VALUES, CHUNKS, CHUNKS_END, INJECTED, INJECTED_PERIOD,
    TRACES, TRACES_END, LAST, PAST, PAST_WORDS,
) = range(len(of.RING["cells"]))  # fmt: skip
(
    _, RING, LINKS, LINKS_END, CURRENT, KEEP, KEEP_PERIOD, FACTOR, FACTOR_PERIOD, OUTSIDE, OUTSIDE_STRIDE, DRAWS,
    DRAWS_END,
) = range(len(of.RING["channel"]))  # fmt: skip
(
    SOURCE, KIND, DELAY, LATE, WEIGHTS, WEIGHT_STEP, BEGINS, LONG_BEGINS, TARGETS, WIDE_TARGETS, DELAYS, WIDE_DELAYS,
    SIZE, LEARNER,
) = range(len(of.RING["link"]))  # fmt: skip
SEED, STEP, SAMPLES, BARS, COUNTS, BAR, WEIGHT, WEIGHT_PERIOD = range(len(of.RING["draw"]))
(
    TARGET, ONTO, EDGES, SOURCES, WIDE_SOURCES, LONGEST, TRACE_PRE, TRACE_POST, PLUS, MINUS, PLUS_UP, MINUS_UP, BOUND,
    W_MIN, W_MAX, MU, SHIFT, LOW, HIGH, BEYOND, SIGNAL, ELIGIBILITY, KEPT, AHEAD, TURNS, MOVED,
) = range(len(of.RING["learner"]))  # fmt: skip
TRACE_VALUES, TRACE_KEEP, TRACE_NEAREST = range(len(of.RING["trace"]))
CELLS, CHANNEL, LINK, DRAW, PROBE, LEARNER_ROW, TRACE = (len(fields) for fields in of.RING.values())

LIF, EXPONENTIAL, IZHIKEVICH, GIVEN_ONLY = 0, 1, 2, 3
