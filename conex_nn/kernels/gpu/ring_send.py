"""How spikes go out: into the rings of their targets, at the step at which they reach each.

The ring holds whole numbers of a small unit. Their sums are exact, so that the order in which programs add to it does
not matter: a run is the same each time.
"""

import triton
import triton.language as tl

from conex_nn.kernels.gpu.ring_fields import (
    BEGINS,
    CELLS,
    DELAY,
    DELAYS,
    EDGES,
    FIRST,
    HALF,
    KIND,
    LATE,
    LINK,
    LINK_N,
    LINK_RING,
    LINKS,
    LINKS_END,
    LONG_BEGINS,
    MATRIX,
    SIZE,
    TARGETS,
    UNITS,
    WEIGHT_STEP,
    WEIGHTS,
    WIDE_DELAYS,
    WIDE_TARGETS,
)

__all__ = ["send"]


@triton.jit
def _read(address, place, inside, narrow: tl.constexpr, wide: tl.constexpr, is_wide):
    """Read whole numbers that are kept in one of two widths."""
    if is_wide != 0:
        found = tl.load(address.to(tl.pointer_type(wide)) + place, mask=inside, other=0).to(tl.int64)
    else:
        found = tl.load(address.to(tl.pointer_type(narrow)) + place, mask=inside, other=0).to(tl.int64)
    return found


@triton.jit
def _row(link, i, b, since, value, batch, slots, part, parts, real: tl.constexpr, block: tl.constexpr):
    """Send a spike of one neuron, of this size, along a part of its edges."""
    m, kind = tl.load(link + LINK_N), tl.load(link + KIND)
    begins, targets, delays = tl.load(link + BEGINS), tl.load(link + TARGETS), tl.load(link + DELAYS)
    weights, weight_step, half = tl.load(link + WEIGHTS), tl.load(link + WEIGHT_STEP), tl.load(link + HALF)
    wide_targets, wide_delays = tl.load(link + WIDE_TARGETS), tl.load(link + WIDE_DELAYS)
    at, late = since + tl.load(link + DELAY), tl.load(link + LATE)
    if late != 0:
        at += tl.load(late.to(tl.pointer_type(tl.int32)) + i)
    ring = tl.load(link + LINK_RING).to(tl.pointer_type(tl.int64)) + b * m
    units = tl.load(link + UNITS).to(tl.float64, bitcast=True)
    size = tl.load(link + SIZE).to(tl.float64, bitcast=True).to(real) * value
    first, last, zero = i, i + 1, i * 0
    if kind == EDGES:
        wide = tl.load(link + LONG_BEGINS)
        first = _read(begins, i, True, tl.int32, tl.int64, wide)
        last = _read(begins, i + 1, True, tl.int32, tl.int64, wide)
    if kind == MATRIX:
        first, last, zero = i * m, i * m + m, i * m
    each = (last - first + parts - 1) // parts
    first += part * each
    last = tl.minimum(first + each, last)
    for begin in range(first, last, block):
        edge = begin + tl.arange(0, block)
        inside = edge < last
        target = edge - zero
        if kind == EDGES:
            target = _read(targets, edge, inside, tl.uint16, tl.int32, wide_targets)
        arrives = at + tl.zeros([block], tl.int64)
        if delays != 0:
            arrives += _read(delays, edge, inside, tl.uint8, tl.int16, wide_delays)
        if half != 0:
            there = weights.to(tl.pointer_type(tl.bfloat16)) + edge * weight_step
            weight = tl.load(there, mask=inside, other=0).to(real)
        else:
            weight = tl.load(weights.to(tl.pointer_type(real)) + edge * weight_step, mask=inside, other=0)
        amount = ((size * weight).to(tl.float64) * units).to(tl.int64)
        place = (arrives & (slots - 1)) * batch * m + target
        # What arrived before the first step is in the state already.
        tl.atomic_add(ring + place, amount, mask=inside & (arrives >= 0), sem="relaxed")


@triton.jit(do_not_specialize=["offset", "steps", "batch", "total", "room", "period", "number", "links_of", "parts"])
def send(
    cells, links, firsts, clock, log, logged, given_begins, given, given_steps, given_values,
    offset, steps, batch, total, slots, room, period, number, links_of, parts,
    real: tl.constexpr, block: tl.constexpr, wide: tl.constexpr,
):  # fmt: skip
    """Send what was fired in the step before, and what given populations fire in this one.

    In step -1 it is all that was fired before the first step. A program takes every so-manieth piece of work: a spike,
    a connection of its neuron, and a part of that connection's edges.
    """
    t = tl.load(clock) + offset
    if t < steps:
        row = tl.maximum(t, 0) % period
        own = tl.load(logged + row).to(tl.int64)
        if t < 0:
            own = own * 0
        begin = tl.load(given_begins + t + 1)
        work = (own + tl.load(given_begins + t + 2) - begin) * links_of * parts
        place = tl.arange(0, wide)
        bounds = tl.load(firsts + place, mask=place < number, other=0x7FFFFFFF)
        for q in range(tl.program_id(0).to(tl.int64), work, tl.num_programs(0)):
            k, which, part = q // (links_of * parts), (q // parts) % links_of, q % parts
            if k < own:
                code, since = tl.load(log + row * room + k).to(tl.int64), t - 1
                value = tl.full((), 1.0, real)
            else:
                code = tl.load(given + (begin + k - own)).to(tl.int64)
                since = tl.load(given_steps + (begin + k - own)).to(tl.int64)
                value = tl.load(given_values + (begin + k - own))
            b, who = code // total, code % total
            population = cells + (tl.sum((bounds <= who).to(tl.int32), 0) - 1) * CELLS
            link = tl.load(population + LINKS) + which
            if link < tl.load(population + LINKS_END):
                i = who - tl.load(population + FIRST)
                _row(links + link * LINK, i, b, since, value, batch, slots, part, parts, real, block)
