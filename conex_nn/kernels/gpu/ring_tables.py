"""What the kernels of ring buffers on a GPU are told of populations, compartments and connections."""

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
import triton
from torch import Tensor

from conex_nn.kernels.gpu.ring_fields import FIELDS
from conex_nn.kernels.layout import in_line
from conex_nn.kernels.learning import Table
from conex_nn.kernels.ring_parts import Arrivals, Channel, Fired, Probe, Projection, RingCells

__all__ = ["Tables"]

MODELS = {"lif": 0, "exponential": 1, "izhikevich": 2, "given": 3}


class Tables:
    """Rows of integers on the device, and the tensors whose addresses they hold.

    Args:
        cells: The populations.
        channels: Their channels, those of one population together and in the populations' order.
        projections: The connections.
        steps: Number of steps [1].
        batch: Number of samples [1].
        real: Type of all floating tensors.
        before: Number of steps before the first whose spikes may be under way [1].
        probes: Neurons whose potentials are wanted.
        device: Where all is.
        block: Neurons that are advanced together [1].

    Raises:
        ValueError: A weight that is not finite.
    """

    def __init__(
        self,
        cells: Sequence[RingCells],
        channels: Sequence[Channel],
        projections: Sequence[Projection],
        *,
        steps: int,
        batch: int,
        real: torch.dtype,
        before: int,
        probes: Sequence[Probe],
        device: torch.device,
        block: int,
    ) -> None:
        self.table, self.device, self.real, self.batch, self._populations = Table(real), device, real, batch, cells
        self._firsts = [0, *accumulate(each.n for each in cells)]
        self.total = self._firsts[-1]
        self.own = sum(each.n for each in cells if each.model != "given")
        self.slots = triton.next_power_of_2(max([1, *(each.longest for each in projections)]) + 1)
        ordered = sorted(projections, key=lambda each: each.source)
        ends = [0, *accumulate(sum(link.source == p for link in ordered) for p in range(len(cells)))]
        self.links_of = max([1, *(high - low for low, high in pairwise(ends))])
        self.longest_row = max([1, *(_row_length(each) for each in projections)])
        units = self._units(ordered, len(channels))
        sizes = [cells[each.cells].n for each in channels]
        rings = [torch.zeros(self.slots, batch, n, dtype=torch.int64, device=device) for n in sizes]
        drawn = [0, *accumulate(len(each.draws) for each in channels)]
        own = [[c for c, channel in enumerate(channels) if channel.cells == p] for p in range(len(cells))]
        self.seen = [
            torch.empty(len(range(each.first, steps, each.every)), batch, len(each.neurons), dtype=real, device=device)
            for each in probes
        ]
        self.cells = self._rows("cells", [
            {
                "first": self._firsts[p], "channels": own[p][0] if own[p] else 0,
                "channels_end": own[p][-1] + 1 if own[p] else 0, "links": ends[p], "links_end": ends[p + 1],
                **self._cells(each),
            }
            for p, each in enumerate(cells)
        ])  # fmt: skip
        self.channels = self._rows("channel", [
            {
                "n": sizes[c], "ring": self.table.keep(rings[c]), "unit": self.table.number(units[c]),
                "draws": drawn[c], "draws_end": drawn[c + 1], **self._channel(each),
            }
            for c, each in enumerate(channels)
        ])  # fmt: skip
        self.links = self._rows("link", [
            {
                "n": sizes[each.channel], "ring": self.table.keep(rings[each.channel]),
                "units": self.table.number(1 / units[each.channel]), **self._link(each),
            }
            for each in ordered
        ])  # fmt: skip
        self.draws = self._rows("draw", [self._draw(each) for channel in channels for each in channel.draws])
        self.probes = self._rows("probe", [
            {
                "cells": each.cells, "neurons": self.table.index(each.neurons.to(device)), "count": len(each.neurons),
                "every": each.every, "out": self.table.keep(out), "first": each.first,
            }
            for each, out in zip(probes, self.seen, strict=True)
        ])  # fmt: skip
        chunks = [[p, j] for p, each in enumerate(cells) if each.model != "given" for j in range(0, each.n, block)]
        self.chunks = torch.tensor(chunks, dtype=torch.int64, device=device)
        self.firsts = torch.tensor(self._firsts[:-1], dtype=torch.int64, device=device)
        self.wide = triton.next_power_of_2(max(2, len(cells)))
        self.given = self._given(before, steps)

    def _rows(self, kind: str, rows: Sequence[dict[str, int]]) -> Tensor:
        """Lay out integers as the kernels read them."""
        values = [[row[name] for name in FIELDS[kind]] for row in rows] or [[0]]
        return torch.tensor(values, dtype=torch.int64, device=self.device)

    def _units(self, links: Sequence[Projection], channels: int) -> list[float]:
        """Return for each channel the power of 2 in which its ring counts: no sum can exceed 62 bits."""
        largest = [_largest(each.weight) for each in links]
        largest += [
            torch.ones((), device=self.device) if each.before is None or each.before.value is None
            else _largest(each.before.value) for each in self._populations
        ]  # fmt: skip
        found = torch.stack([each.double() for each in largest]).tolist()  # fetched at once
        most = [0.0] * channels
        for each, weight in zip(links, found, strict=False):
            many = {0: len(each.weight), 2: 1}.get(each.kind, 0 if each.targets is None else each.targets.numel())
            most[each.channel] += abs(each.factor) * weight * many * found[len(links) + each.source]
        if not all(map(math.isfinite, most)):
            raise ValueError("Expected finite weights [nA], got some that are not.")
        return [2.0 ** max(-1000, math.frexp(each)[1] - 62) for each in most]

    def _cells(self, each: RingCells) -> dict[str, int]:
        rows, table = each.rows, self.table
        return {
            "n": each.n,
            "model": MODELS[each.model],
            "rows": 0 if rows is None else table.keep(in_line(rows, self.real)),
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

    def _channel(self, each: Channel) -> dict[str, int]:
        one = torch.ones(1, device=self.device)
        keep, factor = (one if constant is None else constant for constant in (each.keep, each.factor))
        outside = each.outside
        constant = outside is not None and outside.stride(0) == 0
        return {
            "current": 0 if each.current is None else self.table.keep(each.current),
            "keep": self.table.at(keep),
            "keep_step": int(keep.numel() > 1),
            "factor": self.table.at(factor),
            "factor_step": int(factor.numel() > 1),
            "outside": 0
            if outside is None
            else self.table.keep(in_line(outside[0] if constant else outside, self.real)),
            "outside_stride": 0 if outside is None or constant else outside[0].numel(),
        }

    def _link(self, each: Projection) -> dict[str, int]:
        begins, targets, delays = each.begins, each.targets, each.delays
        half = each.weight.dtype == torch.bfloat16
        return {
            "kind": each.kind,
            "delay": each.delay,
            "late": self.table.index(each.late),
            "weights": self.table.keep(each.weight) if half else self.table.at(each.weight),
            "weight_step": int(each.weight.numel() > 1),
            "half": int(half),
            "begins": 0 if begins is None else self.table.keep(begins),
            "long_begins": int(begins is not None and begins.dtype == torch.int64),
            "targets": 0 if targets is None else self.table.keep(targets),
            "wide_targets": int(targets is not None and targets.dtype == torch.int32),
            "delays": 0 if delays is None else self.table.keep(delays),
            "wide_delays": int(delays is not None and delays.dtype == torch.int16),
            "factor": self.table.number(each.factor),
        }

    def _draw(self, each: Arrivals) -> dict[str, int]:
        reached = each.thresholds[:, (each.thresholds < 2**32).any(0)].contiguous()
        return {
            "seed": each.seed,
            "step": each.step,
            "samples": self.table.keep(each.samples.long()),
            "bars": self.table.keep(reached),
            "counts": reached.shape[1],
            "bar": self.table.index(each.row),
            "weight": self.table.at(each.weight),
            "weight_step": int(each.weight.numel() > 1),
        }

    def _given(self, before: int, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return all spikes that are known: where those of each step begin, who fires, when, and of which size.

        Steps before the first count as one.
        """
        none = torch.zeros(0, dtype=torch.int64, device=self.device)
        found: list[tuple[Tensor, ...]] = [(none, none, none.to(self.real))]
        for each, first in zip(self._populations, self._firsts, strict=False):
            if each.before is None:
                continue
            step, sample, neuron, value = (None if x is None else x.to(self.device) for x in each.before)
            who: Any = sample.long() * self.total + neuron + first
            value = torch.ones(len(who), device=self.device) if value is None else value
            found.append((step.long() - before, who, value.to(self.real)))
        step, who, value = (torch.cat(parts) for parts in zip(*found, strict=True))
        order = step.argsort(stable=True)
        begins = torch.searchsorted(step[order], torch.arange(-1, steps + 1, device=self.device))
        begins[0] = 0
        return begins, who[order].int(), step[order].int(), value[order]

    def sorted(self, fetched: Sequence[tuple[Tensor, Tensor]]) -> list[Fired]:
        """Return who fired as one list for each population, in memory of the CPU.

        Args:
            fetched: Steps and numbers of neurons [1].
        """
        step, who = (torch.cat(parts) for parts in zip(*fetched, strict=True))
        order = (step * (self.total * self.batch) + who).argsort()
        step, who = step[order], who[order]
        sample, neuron = who // self.total, who % self.total
        fired = []
        for each, first in zip(self._populations, self._firsts, strict=False):
            here = (neuron >= first) & (neuron < first + each.n)
            parts = (step[here], sample[here], neuron[here] - first)
            fired.append(Fired(*(part.to("cpu", torch.int32) for part in parts)))
        return fired


def _largest(values: Tensor) -> Tensor:
    """Return the largest magnitude, without a copy of them all."""
    if not values.numel():
        return values.new_zeros(())
    low, high = values.aminmax()
    return torch.maximum(-low, high)


def _row_length(each: Projection) -> int:
    """Return how many edges a neuron has on average."""
    if each.kind == 0:
        return each.weight.shape[1]
    return 1 if each.begins is None or each.targets is None else each.targets.numel() // max(1, len(each.begins) - 1)
