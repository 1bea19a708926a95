"""Populations of any size, advanced by events: spikes wait in ring buffers for as long as each synapse delays them.

There is no gradient here. Connections can learn from a single sample. Unlike :mod:`conex_nn.kernels.events` it knows
synaptic currents that decay, delays of single synapses and all models of neurons, divides a single sample among
threads, and gives back who fired, not rows of zeros.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import RING
from conex_nn.kernels.learning import Table
from conex_nn.kernels.ring_learning import Learners
from conex_nn.kernels.ring_parts import Arrivals, Channel, Fired, Probe, Projection, RingCells
from conex_nn.kernels.ring_rows import cells_row, draw_row, link_row, outside_row
from conex_nn.kernels.threads import launch

__all__ = ["ring_run"]

_CALL = 1024  # steps of one call of the kernel: what its counters take stays small
_ROOM = 1 << 17  # spikes that are written down before they are fetched
_WORTH = 3000  # neurons of all samples from which two threads gain more than they lose by waiting for each other
_CHUNK = 1024  # most neurons that are advanced together: what they need stays in the first cache


def ring_run(
    cells: Sequence[RingCells],
    channels: Sequence[Channel],
    projections: Sequence[Projection],
    *,
    steps: int,
    batch: int,
    dt: float,
    real: torch.dtype,
    before: int = 0,
    probes: Sequence[Probe] = (),
) -> tuple[list[Fired], list[Tensor]]:
    """Advance populations, on the device where their state is.

    Spikes are added up in the order of their sources on the CPU, and as whole numbers of a unit so small that no sum
    exceeds 62 bits on a GPU: there, too, results are the same each time.

    Args:
        cells: The populations; their state is moved in place.
        channels: Their channels, those of one population together and in the populations' order.
        projections: The connections.
        steps: Number of steps [1].
        batch: Number of samples [1].
        dt: Length of a step [ms].
        real: Type of all floating tensors.
        before: Number of steps before the first whose spikes may be under way [1].
        probes: Neurons whose potentials are wanted.

    Returns:
        Who fired in each population, in memory of the CPU, and the potentials that the probes saw,
        ``(looks, batch, neurons)`` [mV].

    Raises:
        ValueError: Connections that learn, and several samples or a GPU; on a GPU, a weight that is not finite.

    Example:
        >>> rows = torch.tensor([[1.0], [1.0], [0.0], [1.0], [0.0], [0.0]])
        >>> two = RingCells(2, "lif", rows, torch.tensor([[0.9, 0.0]]), torch.zeros(1, 2))
        >>> push = Channel(0, outside=torch.tensor([[[0.5, 0.0]]]).expand(3, 1, 2))
        >>> there = Projection(0, 0, torch.tensor([[0.0, 1.0], [0.0, 0.0]]), 1)
        >>> fired, _ = ring_run([two], [push], [there], steps=3, batch=1, dt=1.0, real=torch.float32)
        >>> fired[0].step, fired[0].neuron
        (tensor([0, 1, 2], dtype=torch.int32), tensor([0, 1, 0], dtype=torch.int32))
    """
    if batch > 1 and any(each.learning is not None for each in projections):
        raise ValueError(f"Expected `batch` of 1 where connections learn [1], got {batch}.")
    device = next((each.v.device.type for each in cells if each.v is not None), "cpu")
    return _RUN_ON[device](
        cells, channels, projections, steps=steps, batch=batch, dt=dt, real=real, before=before, probes=probes
    )


def _run_cpu(
    cells: Sequence[RingCells],
    channels: Sequence[Channel],
    projections: Sequence[Projection],
    *,
    steps: int,
    batch: int,
    dt: float,
    real: torch.dtype,
    before: int,
    probes: Sequence[Probe],
) -> tuple[list[Fired], list[Tensor]]:
    threads = torch.get_num_threads()
    total = sum(each.n for each in cells if each.model != "given")
    divides = threads > 1 and total * batch >= _WORTH
    parts = threads if divides and batch < threads else 1
    slots = 1
    while slots <= max([1, *(each.longest for each in projections)]):
        slots *= 2
    table, chunks = Table(real), _Chunks(threads if divides else 1, total)
    firsts = chunks.add(cells)
    ordered = sorted(projections, key=lambda each: each.channel)
    own = [[c for c, channel in enumerate(channels) if channel.cells == p] for p in range(len(cells))]
    drawn = [sum(len(each.draws) for each in channels[:c]) for c in range(len(channels))]
    learners = Learners(
        table, cells, ordered, [channels[each.channel].cells for each in ordered], before=before, steps=steps
    )
    rows = {
        "cells": [
            _cells(table, each, firsts[p], chunks.of[p], own[p], learners.of[p], before, steps, batch)
            for p, each in enumerate(cells)
        ],
        "channel": [
            _channel(table, each, cells, ordered, c, drawn[c], slots, batch) for c, each in enumerate(channels)
        ],
        "link": [_link(table, each, learners) for each in ordered],
        "draw": [_draw(table, each) for channel in channels for each in channel.draws],
        "learner": learners.rows,
        "trace": learners.traces,
    }
    seen = [
        torch.empty(len(range(each.first, steps, each.every)), batch, len(each.neurons), dtype=real) for each in probes
    ]
    rows["probe"] = [
        [each.cells, table.index(each.neurons), len(each.neurons), each.every, table.keep(out), each.first]
        for each, out in zip(probes, seen, strict=True)
    ]
    tables = [torch.tensor([value for row in rows[kind] for value in row] or [0], dtype=torch.int64) for kind in RING]
    room = max(_ROOM // batch, 4 * total)
    log, logged = torch.empty(batch, 2, room, dtype=torch.int32), torch.zeros(batch, dtype=torch.int64)
    events, counts = (
        torch.empty(batch * total, dtype=torch.int32),
        torch.zeros(batch * chunks.number, dtype=torch.int64),
    )
    scratch = torch.empty(threads, 3 * _CHUNK, dtype=real)
    bits = torch.empty(threads, _CHUNK, dtype=torch.int32)
    lists = torch.empty(threads, total, dtype=torch.int32)
    fetched: list[tuple[Tensor, Tensor, Tensor]] = []
    t = -before
    while t <= steps:
        end = min(t + _CALL, steps + 1)
        shared = torch.zeros(32, dtype=torch.int64)
        shared[24] = steps + 1  # the step after which the log is full
        claims = torch.zeros((end - t) * 2 * threads, dtype=torch.int64)
        launch(
            "ring.run",
            (learners.any,),
            real,
            (
                t, end, steps, batch, len(cells), len(channels), total, slots, before, parts, threads, room,
                len(probes), _CHUNK,
            ),
            (
                *tables[:3], chunks.tensor(), events, counts, log, logged, shared, claims, scratch, tables[4], lists,
                tables[3], bits, *tables[5:],
            ),
            total * batch * (end - t) if divides else 0,
            scalars=(dt,),
        )  # fmt: skip
        t = int(shared[8])
        fetched += [
            (log[b, 0, :k].clone(), torch.full((k,), b, dtype=torch.int32), log[b, 1, :k].clone())
            for b, k in enumerate(logged.tolist())
            if k
        ]
        logged.zero_()
    return _sorted(fetched, cells, firsts), seen


def _run_cuda(*inputs: Any, **options: Any) -> tuple[list[Fired], list[Tensor]]:
    from conex_nn.kernels.gpu.ring import run

    return run(*inputs, **options)


_RUN_ON = {"cpu": _run_cpu, "cuda": _run_cuda}


class _Chunks:
    """Populations cut into pieces that are advanced together."""

    def __init__(self, threads: int, total: int) -> None:
        self.size = min(_CHUNK, max(64, -(-total // (4 * threads) // 64) * 64))
        self.rows: list[int] = []
        self.of: list[tuple[int, int]] = []

    @property
    def number(self) -> int:
        return len(self.rows) // 3

    def add(self, cells: Sequence[RingCells]) -> list[int]:
        """Cut populations, and return the number of the first neuron of each among all."""
        firsts, first = [], 0
        for p, each in enumerate(cells):
            firsts.append(first)
            begin = self.number
            if each.model != "given":
                pieces = -(-each.n // self.size)
                cuts = [each.n * i // pieces for i in range(pieces + 1)]
                for low, high in pairwise(cuts):
                    self.rows += [p, low, high - low]
                first += each.n
            self.of.append((begin, self.number))
        return firsts

    def tensor(self) -> Tensor:
        return torch.tensor([self.number, 0, 0, *self.rows], dtype=torch.int64)


def _cells(
    table: Table,
    each: RingCells,
    first: int,
    chunks: tuple[int, int],
    channels: list[int],
    kept: dict[str, int],
    before: int,
    steps: int,
    batch: int,
) -> list[int]:
    """Return the integers that say what a population is."""
    begins, neurons, values = _by_step(each, before + (steps if each.model == "given" else 0), batch)
    values_of = {
        **cells_row(table, each),
        "first": first,
        "channels": channels[0] if channels else 0,
        "channels_end": channels[-1] + 1 if channels else 0,
        "given": table.keep(begins),
        "given_events": table.index(neurons),
        "given_values": table.at(values),
        "chunks": chunks[0],
        "chunks_end": chunks[1],
        "injected_period": 0 if each.injected is None else each.injected.numel(),
        "membrane": table.at(each.membrane),
        "membrane_period": 0 if each.membrane is None else each.membrane.shape[1],
        **kept,
    }
    return [values_of[name] for name in RING["cells"]]


def _by_step(each: RingCells, steps: int, batch: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return the neurons of a list by step and sample: where those of each begin, and which they are."""
    if each.before is None:
        return torch.zeros(steps * batch + 1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32), None
    step, sample, neuron, value = each.before
    place = step.long() * batch + sample
    order = torch.argsort(place * each.n + neuron)
    begins = torch.zeros(steps * batch + 1, dtype=torch.int64)
    begins[1:] = torch.bincount(place, minlength=steps * batch).cumsum(0)
    return begins, neuron[order].int(), None if value is None else value[order]


def _channel(
    table: Table,
    each: Channel,
    cells: Sequence[RingCells],
    links: Sequence[Projection],
    number: int,
    drawn: int,
    slots: int,
    batch: int,
) -> list[int]:  # fmt: skip
    """Return the integers that say what a channel is."""
    n = cells[each.cells].n
    values = {
        "n": n,
        "ring": table.room(slots * batch * n),
        "links": sum(link.channel < number for link in links),
        "links_end": sum(link.channel <= number for link in links),
        "current": 0 if each.current is None else table.keep(each.current),
        "keep": table.at(each.keep),
        "keep_period": 1 if each.keep is None else each.keep.numel(),
        "factor": table.at(torch.ones(1) if each.factor is None else each.factor),
        "factor_period": 1 if each.factor is None else each.factor.numel(),
        **outside_row(table, each.outside),
        "draws": drawn,
        "draws_end": drawn + len(each.draws),
        "reversal": table.at(each.reversal),
        "reversal_period": 0 if each.reversal is None else each.reversal.numel(),
    }
    return [values[name] for name in RING["channel"]]


def _link(table: Table, each: Projection, learners: Learners) -> list[int]:
    """Return the integers that say what a connection is."""
    values = link_row(table, each) | {"source": each.source, "learner": learners.number.get(id(each), 0)}
    return [values[name] for name in RING["link"]]


def _draw(table: Table, each: Arrivals) -> list[int]:
    """Return the integers that say what arrives at random."""
    # The kernel compares numbers with a sign: all are moved down by half of their range.
    values = draw_row(table, each, lowest=-(2**31)) | {"weight_period": each.weight.numel()}
    return [values[name] for name in RING["draw"]]


def _sorted(
    fetched: list[tuple[Tensor, Tensor, Tensor]], cells: Sequence[RingCells], firsts: Sequence[int]
) -> list[Fired]:
    """Return the log as one list for each population."""
    none = torch.zeros(0, dtype=torch.int32)
    step, sample, neuron = (torch.cat(parts) for parts in zip((none, none, none), *fetched, strict=True))
    if bool((step[1:] < step[:-1]).any()):  # of several samples, one after the other
        order = step.argsort(stable=True)
        step, sample, neuron = step[order], sample[order], neuron[order]
    fired = []
    for each, first in zip(cells, firsts, strict=True):
        here = (neuron >= first) & (neuron < first + each.n) if each.model != "given" else neuron < 0
        fired.append(Fired(step[here], sample[here], neuron[here] - first))
    return fired
