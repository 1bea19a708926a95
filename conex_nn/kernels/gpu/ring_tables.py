"""What the kernels of ring buffers on a GPU are told of a whole network, and how their lists are read."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
import triton
from torch import Tensor

from conex_nn.kernels.gpu.ring_fields import FIELDS
from conex_nn.kernels.gpu.ring_rows import (
    cells_row,
    channel_row,
    draw_row,
    edges_of_a_neuron,
    link_row,
    probe_row,
    units_of,
)
from conex_nn.kernels.learning import Table
from conex_nn.kernels.ring_parts import Channel, Fired, Probe, Projection, RingCells

__all__ = ["Tables"]


class Tables:
    """Rows of integers on the device, and the tensors whose addresses they hold.

    Args:
        cells: The populations.
        channels: Their channels, those of one population together and in the populations' order.
        projections: The connections.
        probes: Neurons whose potentials are wanted.
        steps: Number of steps [1].
        batch: Number of samples [1].
        before: Number of steps before the first whose spikes may be under way [1].
        real: Type of all floating tensors.
        device: Where all is.

    Raises:
        ValueError: A weight that is not finite.
    """

    def __init__(
        self,
        cells: Sequence[RingCells],
        channels: Sequence[Channel],
        projections: Sequence[Projection],
        probes: Sequence[Probe],
        *,
        steps: int,
        batch: int,
        before: int,
        real: torch.dtype,
        device: torch.device,
    ) -> None:
        self._populations, self._table, self._device, self._batch = cells, Table(real), device, batch
        self._firsts = [0, *accumulate(each.n for each in cells)]
        self.total = self._firsts[-1]
        """Numbers of neurons, those of given populations included [1]."""
        links = sorted(projections, key=lambda each: each.source)
        self._describe(channels, links)
        self.slots = triton.next_power_of_2(max([1, *(each.longest for each in links)]) + 1)
        self._connect(channels, links, batch)
        self.seen = [
            torch.empty(len(range(each.first, steps, each.every)), batch, len(each.neurons), dtype=real, device=device)
            for each in probes
        ]
        """What the probes saw."""
        self.probes = self._rows(
            "probe", [probe_row(self._table, *each) for each in zip(probes, self.seen, strict=True)]
        )
        self.given = self._given(before, steps)
        """Spikes that are known."""

    def _describe(self, channels: Sequence[Channel], links: Sequence[Projection]) -> None:
        """Lay out populations, and what each has of channels and connections."""
        places, rows = range(len(self._populations)), []
        ends = [0, *accumulate(sum(link.source == p for link in links) for p in places)]
        self.links_of = max([1, *(high - low for low, high in pairwise(ends))])
        """The most connections that go out from a population [1]."""
        for p, each in enumerate(self._populations):
            own = [c for c, channel in enumerate(channels) if channel.cells == p] or [0, -1]
            place = {"first": self._firsts[p], "channels": own[0], "channels_end": own[-1] + 1}
            rows.append({**place, "links": ends[p], "links_end": ends[p + 1], **cells_row(self._table, each)})
        self.cells = self._rows("cells", rows)
        self.firsts = torch.tensor(self._firsts[:-1], dtype=torch.int64, device=self._device)

    def _connect(self, channels: Sequence[Channel], links: Sequence[Projection], batch: int) -> None:
        """Lay out channels and connections, between which are the rings."""
        table, rows = self._table, []
        units = units_of(links, self._populations, len(channels))
        sizes = [self._populations[each.cells].n for each in channels]
        rings = [torch.zeros(self.slots, batch, n, dtype=torch.int64, device=self._device) for n in sizes]
        drawn = [0, *accumulate(len(each.draws) for each in channels)]
        for c, each in enumerate(channels):
            draws = {"draws": drawn[c], "draws_end": drawn[c + 1]}
            rows.append({**draws, **channel_row(table, each, rings[c], units[c])})
        self.channels = self._rows("channel", rows)
        self.links = self._rows(
            "link", [link_row(table, each, rings[each.channel], units[each.channel]) for each in links]
        )
        self.draws = self._rows("draw", [draw_row(table, each) for channel in channels for each in channel.draws])
        self.longest_row = max([1, *map(edges_of_a_neuron, links)])
        """Edges of a neuron along one connection, on average, where they are the most [1]."""

    def _rows(self, kind: str, rows: Sequence[dict[str, int]]) -> Tensor:
        """Lay out integers as the kernels read them."""
        values = [[row[name] for name in FIELDS[kind]] for row in rows] or [[0]]
        return torch.tensor(values, dtype=torch.int64, device=self._device)

    def chunks(self, block: int) -> Tensor:
        """Return populations and first neurons of the pieces that are advanced together.

        Args:
            block: Neurons of a piece [1].
        """
        firsts = [
            [p, j] for p, each in enumerate(self._populations) if each.v is not None for j in range(0, each.n, block)
        ]
        return torch.tensor(firsts, dtype=torch.int64, device=self._device)

    def _given(self, before: int, steps: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return all spikes that are known: where those of each step begin, who fires, when, and of which size.

        Steps before the first count as one.
        """
        none = torch.zeros(0, dtype=torch.int64, device=self._device)
        found = [(none, none, none.to(self._table.real))]
        for each, first in zip(self._populations, self._firsts, strict=False):
            if each.before is None:
                continue
            step, sample, neuron = (x.to(self._device, torch.int64) for x in each.before[:3])
            value = torch.ones(len(step)) if each.before.value is None else each.before.value
            found.append((step - before, sample * self.total + first + neuron, value.to(found[0][2])))
        step, who, value = (torch.cat(parts) for parts in zip(*found, strict=True))
        order = step.argsort()
        begins = torch.searchsorted(step[order], torch.arange(-1, steps + 1, device=self._device))
        begins[0] = 0
        return begins, who[order].int(), step[order].int(), value[order]

    def sorted(self, fetched: Sequence[tuple[Tensor, Tensor]]) -> list[Fired]:
        """Return who fired as one list for each population, in memory of the CPU.

        Args:
            fetched: Steps and numbers of neurons [1].
        """
        step, who = (torch.cat(parts) for parts in zip(*fetched, strict=True))
        order = (step * (self.total * self._batch) + who).argsort()
        step, who = step[order], who[order]
        sample, neuron = who // self.total, who % self.total
        fired = []
        for each, first in zip(self._populations, self._firsts, strict=False):
            here = (neuron >= first) & (neuron < first + each.n)
            parts = (step[here], sample[here], neuron[here] - first)
            fired.append(Fired(*(part.to("cpu", torch.int32) for part in parts)))
        return fired
