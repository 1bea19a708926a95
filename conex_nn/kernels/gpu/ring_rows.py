"""What the kernels of ring buffers on a GPU are told of one population, compartment or connection."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from conex_nn.kernels import ring_rows
from conex_nn.kernels.learning import Table
from conex_nn.kernels.ring_parts import Arrivals, Channel, Probe, Projection, RingCells

__all__ = ["cells_row", "channel_row", "draw_row", "edges_of_a_neuron", "link_row", "probe_row", "units_of"]

_BITS = 62


def cells_row(table: Table, each: RingCells) -> dict[str, int]:
    """Return the integers that say what a population is."""
    return {
        **ring_rows.cells_row(table, each),
        "rows_step": int(each.rows is not None and each.rows.shape[1] > 1),
        "injected_step": int(each.injected is not None and each.injected.numel() > 1),
    }


def channel_row(table: Table, each: Channel, ring: Tensor, unit: float) -> dict[str, int]:
    """Return the integers that say what a compartment is, whose ring counts in some unit."""
    one = torch.ones(1, device=ring.device)
    keep, factor = (one if constant is None else constant for constant in (each.keep, each.factor))
    return {
        **ring_rows.outside_row(table, each.outside),
        "n": ring.shape[2],
        "ring": table.keep(ring),
        "unit": table.number(unit),
        "current": 0 if each.current is None else table.keep(each.current),
        "keep": table.at(keep),
        "keep_step": int(keep.numel() > 1),
        "factor": table.at(factor),
        "factor_step": int(factor.numel() > 1),
    }


def link_row(table: Table, each: Projection, ring: Tensor, unit: float) -> dict[str, int]:
    """Return the integers that say what a connection is, which adds to a ring that counts in some unit."""
    half = each.weight.dtype == torch.bfloat16
    return {
        **ring_rows.link_row(table, each, half=half),
        "n": ring.shape[2],
        "ring": table.keep(ring),
        "units": table.number(1 / unit),
        "half": int(half),
    }


def draw_row(table: Table, each: Arrivals) -> dict[str, int]:
    """Return the integers that say what arrives at random."""
    return {**ring_rows.draw_row(table, each), "weight_step": int(each.weight.numel() > 1)}


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
