"""Neurons that take what the ring holds for them, and what arrives by itself, advance by a step, and say who fired."""

import triton
import triton.language as tl

from conex_nn.kernels.gpu.draws import random_bits
from conex_nn.kernels.gpu.intrinsics import Double, flush
from conex_nn.kernels.gpu.ring_fields import (
    BAR,
    BARS,
    CELLS,
    CHANNEL,
    CHANNEL_N,
    CHANNELS,
    CHANNELS_END,
    COUNT,
    COUNTS,
    CURRENT,
    CURRENTS,
    DRAW,
    DRAWS,
    DRAWS_END,
    EVERY,
    EXPONENTIAL,
    FACTOR,
    FACTOR_STEP,
    FIRST,
    INJECTED,
    INJECTED_STEP,
    IZHIKEVICH,
    KEEP,
    KEEP_STEP,
    LEFT,
    MODEL,
    NEURONS,
    OUT,
    OUTSIDE,
    OUTSIDE_STRIDE,
    PERIOD,
    PROBE,
    PROBE_CELLS,
    PROBE_FIRST,
    RING,
    ROWS,
    ROWS_STEP,
    SAMPLES,
    SEED,
    SOFT,
    STEP,
    UNIT,
    WEIGHT,
    WEIGHT_PLACE,
    N,
    V,
    W,
)

__all__ = ["advance", "look"]


@triton.jit
def _at(record, field: tl.constexpr, kind: tl.constexpr):
    """Return the pointer whose address a record holds."""
    return tl.load(record + field).to(tl.pointer_type(kind))


@triton.jit
def _drawn(record, t, b, lanes, inside, real: tl.constexpr, block: tl.constexpr):
    """Return what arrives at random."""
    sample = tl.load(_at(record, SAMPLES, tl.int64) + b)
    bits = random_bits(tl.load(record + SEED), tl.load(record + STEP) + t, sample, lanes).to(tl.int64)
    counts, own = tl.load(record + COUNTS), tl.load(record + BAR)
    row = tl.zeros([block], tl.int64)
    if own != 0:
        row += tl.load(own.to(tl.pointer_type(tl.int32)) + lanes, mask=inside, other=0).to(tl.int64) * counts
    bars = _at(record, BARS, tl.int64) + row
    found = tl.zeros([block], tl.int32)
    for k in range(counts):
        found += (bits >= tl.load(bars + k, mask=inside, other=0)).to(tl.int32)
    place = lanes * tl.load(record + WEIGHT_PLACE)
    return tl.load(_at(record, WEIGHT, real) + place, mask=inside, other=0) * found.to(real)


@triton.jit
def _received(channel, draws, t, b, batch, slots, lanes, inside, real: tl.constexpr, block: tl.constexpr):
    """Empty a place in the ring, let the synaptic current decay, and return what goes into the membrane."""
    own = b * tl.load(channel + CHANNEL_N) + lanes
    place = _at(channel, RING, tl.int64) + (t & (slots - 1)) * batch * tl.load(channel + CHANNEL_N) + own
    units = tl.load(place, mask=inside, other=0)
    tl.store(place, tl.zeros([block], tl.int64), mask=inside & (units != 0))
    unit = tl.load(channel + UNIT).to(tl.float64, bitcast=True)
    x = (units.to(tl.float64) * unit).to(real)
    outside = tl.load(channel + OUTSIDE)
    if outside != 0:
        there = outside.to(tl.pointer_type(real)) + t * tl.load(channel + OUTSIDE_STRIDE) + own
        x += tl.load(there, mask=inside, other=0)
    for d in range(tl.load(channel + DRAWS), tl.load(channel + DRAWS_END)):
        x += _drawn(draws + d * DRAW, t, b, lanes, inside, real, block)
    address = tl.load(channel + CURRENT)
    if address != 0:
        current = address.to(tl.pointer_type(real)) + own
        keep = _at(channel, KEEP, real) + lanes * tl.load(channel + KEEP_STEP)
        factor = _at(channel, FACTOR, real) + lanes * tl.load(channel + FACTOR_STEP)
        x += tl.load(keep, mask=inside, other=0) * tl.load(current, mask=inside, other=0)
        x = flush(x)
        tl.store(current, x, mask=inside)
        x = tl.load(factor, mask=inside, other=0) * x
    return x


@triton.jit
def _integrated(population, current, b, batch, lanes, inside, dt, real: tl.constexpr, block: tl.constexpr):
    """Advance (exponential) integrate-and-fire neurons, and return which fire."""
    own = b * tl.load(population + N) + lanes
    width, rows = tl.load(population + PERIOD), _at(population, ROWS, real)
    rows += lanes * tl.load(population + ROWS_STEP)
    v_at, left_at = _at(population, V, real) + own, _at(population, LEFT, real) + own
    w_at = _at(population, W, real) + own
    exponential = tl.load(population + MODEL) == EXPONENTIAL
    currents, apart = tl.load(population + CURRENTS), batch * tl.load(population + N)
    before, left = tl.load(v_at, mask=inside, other=0), tl.load(left_at, mask=inside, other=0)
    upstroke = tl.zeros([block], real)
    if exponential:
        adaptation = tl.zeros([block], real)
        for k in range(currents):
            adaptation += tl.load(w_at + k * apart, mask=inside, other=0)
        current = current - adaptation
        lift = before - tl.load(rows + 8 * width, mask=inside, other=0)
        lift = tl.minimum(lift * tl.load(rows + 7 * width, mask=inside, other=0), 20.0)  # EXPONENT_CAP
        upstroke = tl.load(rows + 6 * width, mask=inside, other=0) * tl.exp(lift)
    decay, gain = tl.load(rows, mask=inside, other=0), tl.load(rows + width, mask=inside, other=0)
    threshold = tl.load(rows + 3 * width, mask=inside, other=0)
    x = decay * before + (gain * current + tl.load(rows + 2 * width, mask=inside, other=0)) + upstroke
    holds = left > 0.5 * dt
    x = tl.where(holds, before, flush(x))
    fires = inside & (x >= threshold) & ~holds
    reset = tl.load(rows + 4 * width, mask=inside, other=0)
    after = tl.where(tl.load(population + SOFT) != 0, x - (threshold - reset), reset)
    v = tl.where(fires, after, x)
    tl.store(v_at, v, mask=inside)
    pause = tl.load(rows + 5 * width, mask=inside, other=0)
    tl.store(left_at, tl.where(fires, pause, tl.maximum(left - dt, 0.0)), mask=inside)
    if exponential:
        v -= tl.load(rows + 9 * width, mask=inside, other=0)
        spike = fires.to(real)
        for k in range(currents):
            mine = rows + (10 + 3 * k) * width
            w = tl.load(mine, mask=inside, other=0) * tl.load(w_at + k * apart, mask=inside, other=0) + (
                tl.load(mine + width, mask=inside, other=0) * v
                + tl.load(mine + 2 * width, mask=inside, other=0) * spike
            )
            tl.store(w_at + k * apart, flush(w), mask=inside)
    return fires


@triton.jit
def _charged(population, current, b, lanes, inside, dt, real: tl.constexpr):
    """Advance Izhikevich's neurons, and return which fire."""
    own = b * tl.load(population + N) + lanes
    width, rows = tl.load(population + PERIOD), _at(population, ROWS, real)
    rows += lanes * tl.load(population + ROWS_STEP)
    v_at, u_at = _at(population, V, real) + own, _at(population, W, real) + own
    v, u = tl.load(v_at, mask=inside, other=0), tl.load(u_at, mask=inside, other=0)
    x = v + dt * (0.04 * v * v + 5.0 * v + 140.0 - u + current)
    fires = inside & (x >= tl.load(rows + 4 * width, mask=inside, other=0))
    pull = tl.load(rows + width, mask=inside, other=0) * v - u
    u += dt * (tl.load(rows, mask=inside, other=0) * pull)
    u += tl.where(fires, tl.load(rows + 3 * width, mask=inside, other=0), 0.0)
    tl.store(v_at, tl.where(fires, tl.load(rows + 2 * width, mask=inside, other=0), x), mask=inside)
    tl.store(u_at, u, mask=inside)
    return fires


@triton.jit(do_not_specialize=["offset", "steps", "batch", "total", "room", "period", "pieces"])
def advance(
    cells, channels, draws, chunks, clock, log, logged,
    offset, steps, batch, total, slots, room, period, pieces, dt: Double,
    real: tl.constexpr, block: tl.constexpr,
):  # fmt: skip
    """Advance the neurons of a chunk by a step."""
    t = tl.load(clock) + offset
    if t < steps:
        b = (tl.program_id(0) // pieces).to(tl.int64)
        chunk = chunks + 2 * (tl.program_id(0) % pieces)
        population = cells + tl.load(chunk) * CELLS
        lanes = tl.load(chunk + 1) + tl.arange(0, block)
        inside = lanes < tl.load(population + N)
        width = tl.full((), dt, real)
        current = tl.zeros([block], real)
        injected = tl.load(population + INJECTED)
        if injected != 0:
            place = lanes * tl.load(population + INJECTED_STEP)
            current += tl.load(injected.to(tl.pointer_type(real)) + place, mask=inside, other=0)
        for c in range(tl.load(population + CHANNELS), tl.load(population + CHANNELS_END)):
            current += _received(channels + c * CHANNEL, draws, t, b, batch, slots, lanes, inside, real, block)
        if tl.load(population + MODEL) == IZHIKEVICH:
            fires = _charged(population, current, b, lanes, inside, width, real)
        else:
            fires = _integrated(population, current, b, batch, lanes, inside, width, real, block)
        hits = fires.to(tl.int32)
        number = tl.sum(hits, 0)
        if number > 0:
            row = t % period + 1
            place = tl.atomic_add(logged + row, number, sem="relaxed") + tl.cumsum(hits, 0) - hits
            who = b * total + tl.load(population + FIRST) + lanes
            tl.store(log + row * room + place, who.to(tl.int32), mask=fires)


@triton.jit(do_not_specialize=["offset", "steps", "batch", "number"])
def look(probes, cells, clock, offset, steps, batch, number, real: tl.constexpr, block: tl.constexpr):
    """Write down the potentials that a probe wants of a sample after a step."""
    t = tl.load(clock) + offset
    probe, b = probes + (tl.program_id(0) % number) * PROBE, (tl.program_id(0) // number).to(tl.int64)
    late, every = t - tl.load(probe + PROBE_FIRST), tl.load(probe + EVERY)
    if (t < steps) & (late >= 0) & (late % every == 0):
        population, count = cells + tl.load(probe + PROBE_CELLS) * CELLS, tl.load(probe + COUNT)
        v = _at(population, V, real) + b * tl.load(population + N)
        out = _at(probe, OUT, real) + ((late // every) * batch + b) * count
        for begin in range(0, count, block):
            k = begin + tl.arange(0, block)
            neurons = tl.load(_at(probe, NEURONS, tl.int32) + k, mask=k < count, other=0)
            tl.store(out + k, tl.load(v + neurons, mask=k < count, other=0), mask=k < count)
