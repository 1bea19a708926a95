"""What the kernels of ring buffers on a GPU are told of one population, compartment or connection."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from conex_nn.kernels.layout import in_line
from conex_nn.kernels.learning import Table
from conex_nn.kernels.ring_parts import Arrivals, Channel, Probe, Projection, RingCells

__all__ = ["cells_row", "channel_row", "draw_row", "edges_of_a_neuron", "link_row", "probe_row", "units_of"]

_MODELS = {"lif": 0, "exponential": 1, "izhikevich": 2, "given": 3}
_BITS = 62


def cells_row(table: Table, each: RingCells) -> dict[str, int]:
    """Return the integers that say what a population is."""
    rows = each.rows
    return {
        "n": each.n,
        "model": _MODELS[each.model],
        "rows": 0 if rows is None else table.keep(in_line(rows, table.real)),
        "rows_step": int(rows is not None and rows.shape[1] > 1),
        "period": 0 if rows is None else rows.shape[1],
        "v": 0 if each.v is None else table.keep(each.v),
        "left": 0 if each.refractory is None else table.keep(each.refractory),
        "w": 0 if each.w is None else table.keep(each.w),
        "currents": 0 if each.w is None else len(each.w),
        "soft": int(each.soft_reset),
        "injected": table.at(each.injected),
        "injected_step": int(each.injected is not None and each.injected.numel() > 1),
    }


def channel_row(table: Table, each: Channel, ring: Tensor, unit: float) -> dict[str, int]:
    """Return the integers that say what a compartment is, whose ring counts in some unit."""
    one = torch.ones(1, device=ring.device)
    keep, factor = (one if constant is None else constant for constant in (each.keep, each.factor))
    outside, constant = each.outside, each.outside is not None and each.outside.stride(0) == 0
    return {
        "n": ring.shape[2],
        "ring": table.keep(ring),
        "unit": table.number(unit),
        "current": 0 if each.current is None else table.keep(each.current),
        "keep": table.at(keep),
        "keep_step": int(keep.numel() > 1),
        "factor": table.at(factor),
        "factor_step": int(factor.numel() > 1),
        "outside": 0 if outside is None else table.keep(in_line(outside[0] if constant else outside, table.real)),
        "outside_stride": 0 if outside is None or constant else outside[0].numel(),
    }


def link_row(table: Table, each: Projection, ring: Tensor, unit: float) -> dict[str, int]:
    """Return the integers that say what a connection is, which adds to a ring that counts in some unit."""
    begins, targets, delays = each.begins, each.targets, each.delays
    half = each.weight.dtype == torch.bfloat16
    return {
        "n": ring.shape[2],
        "ring": table.keep(ring),
        "units": table.number(1 / unit),
        "kind": each.kind,
        "delay": each.delay,
        "late": table.index(each.late),
        "weights": table.keep(each.weight) if half else table.at(each.weight),
        "weight_step": int(each.weight.numel() > 1),
        "half": int(half),
        "begins": 0 if begins is None else table.keep(begins),
        "long_begins": int(begins is not None and begins.dtype == torch.int64),
        "targets": 0 if targets is None else table.keep(targets),
        "wide_targets": int(targets is not None and targets.dtype == torch.int32),
        "delays": 0 if delays is None else table.keep(delays),
        "wide_delays": int(delays is not None and delays.dtype == torch.int16),
        "factor": table.number(each.factor),
    }


def draw_row(table: Table, each: Arrivals) -> dict[str, int]:
    """Return the integers that say what arrives at random."""
    reached = each.thresholds[:, (each.thresholds < 2**32).any(0)]
    return {
        "seed": each.seed,
        "step": each.step,
        "samples": table.keep(each.samples.long()),
        "bars": table.keep(reached),
        "counts": reached.shape[1],
        "bar": table.index(each.row),
        "weight": table.at(each.weight),
        "weight_step": int(each.weight.numel() > 1),
    }


def probe_row(table: Table, each: Probe, out: Tensor) -> dict[str, int]:
    """Return the integers that say who looks at potentials, and where they are written."""
    return {
        "cells": each.cells,
        "neurons": table.index(each.neurons.to(out.device)),
        "count": len(each.neurons),
        "every": each.every,
        "out": table.keep(out),
        "first": each.first,
    }


def edges_of_a_neuron(each: Projection) -> int:
    """Return how many edges a source has on average."""
    if each.begins is not None and each.targets is not None:
        return each.targets.numel() // max(1, len(each.begins) - 1)
    return 1 if each.kind == 2 else each.weight.shape[1]


def units_of(links: Sequence[Projection], cells: Sequence[RingCells], channels: int) -> list[float]:
    """Return for each channel a power of 2 to count in: small, but no sum of what may arrive in a step exceeds 62 bits.

    An edge brings at most one spike to a step.

    Raises:
        ValueError: A weight or a spike that is not finite.
    """
    sizes = [None if each.before is None else each.before.value for each in cells]
    largest = [_largest(each) for each in (*(link.weight for link in links), *sizes) if each is not None]
    found = iter(torch.stack(largest).tolist() if largest else [])  # fetched at once
    weights = [next(found) for _ in links]
    spikes = [1.0 if size is None else next(found) for size in sizes]
    most = [0.0] * channels
    for each, weight in zip(links, weights, strict=True):
        edges = each.targets.numel() if each.targets is not None else 1 if each.kind == 2 else len(each.weight)
        most[each.channel] += abs(each.factor) * weight * spikes[each.source] * edges
    if not all(map(math.isfinite, most)):
        raise ValueError("Expected finite weights [nA] and spikes [1], got some that are not.")
    return [2.0 ** max(-1000, math.frexp(each)[1] - _BITS) for each in most]


def _largest(values: Tensor) -> Tensor:
    """Return the largest magnitude, without a copy of them all."""
    if not values.numel():
        return values.new_zeros((), dtype=torch.float64)
    low, high = values.aminmax()
    return torch.maximum(-low, high).double()
