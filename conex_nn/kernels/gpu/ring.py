"""Populations of any size on a GPU, whose neurons send what they fire into ring buffers of the currents to come.

A step is two launches. The first sends: a fixed number of programs shares the spikes of the step before, which are in
a list on the device, so that nobody has to wait for their number. The second advances the neurons, and makes the list
of those that fire. The launches of many steps are recorded once and replayed as a whole; how far the run is stands on
the device too. There is room for all neurons to fire in each of the steps after which the lists are fetched.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import triton
from torch import Tensor

from conex_nn.kernels.gpu.layout import precision
from conex_nn.kernels.gpu.ring_cells import advance, look
from conex_nn.kernels.gpu.ring_send import send
from conex_nn.kernels.gpu.ring_tables import Tables
from conex_nn.kernels.ring_parts import Channel, Fired, Probe, Projection, RingCells

__all__ = ["run"]

_RECORDED = 32
"""Steps whose launches are recorded together."""
_SPIKES = 1 << 25
"""Spikes for which there is room before they are fetched, and steps at most."""
_STEPS = 4096
_BLOCK, _EDGES = 128, 256
"""Neurons of a program that advances them, and edges that a program sends along at once."""
_PROGRAMS = 1056
"""Programs that send: eight for each of an H200's 132 multiprocessors."""
_PIECE = 1024
"""Edges of a spike from which they are shared among programs."""


def run(
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
    """Advance populations; ``conex_nn.kernels.ring_run`` says of what."""
    if any(each.learning is not None for each in projections):
        raise ValueError("Expected connections that do not learn, on a GPU; the step loop learns there.")
    device = next(each.v.device for each in cells if each.v is not None)
    options: dict[str, Any] = {"steps": steps, "batch": batch, "real": real, "device": device}
    tables = Tables(cells, channels, projections, probes, before=before, **options)
    launches = _Launches(tables, populations=len(cells), probes=len(probes), dt=dt, **options)
    fetched = []
    with torch.cuda.device_of(tables.cells):
        launches.send(-1)
        launches.advance(steps)  # nothing happens, but all is compiled when launches are recorded
        replay = _recorded(launches.several, device) if steps > launches.length else launches.several
        for begin in range(0, steps, launches.period):
            end = min(steps, begin + launches.period)
            launches.forget()
            for _ in range(begin, end, launches.length):
                replay()
            fetched.append(launches.fetch(begin))
    return tables.sorted(fetched), tables.seen


class _Launches:
    """The launches of a run, and the lists that they make of who fires."""

    def __init__(
        self,
        tables: Tables,
        *,
        populations: int,
        probes: int,
        steps: int,
        batch: int,
        dt: float,
        real: torch.dtype,
        device: torch.device,
    ) -> None:
        self.tables, self.steps, self.batch, self.dt = tables, steps, batch, dt
        self.populations, self.probes = populations, probes
        self.chunks = tables.chunks(_BLOCK)
        self.room = batch * tables.total
        self.length = max(1, min(_RECORDED, steps, _SPIKES // self.room))
        most = min(_STEPS, -(-steps // self.length) * self.length, _SPIKES // self.room)
        self.period = max(1, most // self.length) * self.length
        self.clock = torch.zeros(1, dtype=torch.int64, device=device)
        self.log = torch.empty(self.period + 1, self.room, dtype=torch.int32, device=device)
        self.logged = torch.zeros(self.period + 1, dtype=torch.int32, device=device)
        self.options = {"real": precision(real)[1], "enable_fp_fusion": False}

    def send(self, offset: int) -> None:
        """Send what was fired in the step before that which is so far from the clock."""
        tables, parts = self.tables, max(1, min(64, self.tables.longest_row // _PIECE))
        send[_PROGRAMS,](
            tables.cells, tables.links, tables.firsts, self.clock, self.log, self.logged, *tables.given,
            offset, self.steps, self.batch, tables.total, tables.slots, self.room, self.period, self.populations,
            tables.links_of, parts,
            block=_EDGES, wide=triton.next_power_of_2(max(2, self.populations)), **self.options,
        )  # fmt: skip

    def advance(self, offset: int) -> None:
        """Advance all neurons by that step, and look at some."""
        tables, pieces = self.tables, len(self.chunks)
        advance[pieces * self.batch,](
            tables.cells, tables.channels, tables.draws, self.chunks, self.clock, self.log, self.logged,
            offset, self.steps, self.batch, tables.total, tables.slots, self.room, self.period, pieces, self.dt,
            block=_BLOCK, **self.options,
        )  # fmt: skip
        if self.probes:
            look[self.probes * self.batch,](
                tables.probes, tables.cells, self.clock, offset, self.steps, self.batch, self.probes,
                block=_BLOCK, **self.options,
            )  # fmt: skip

    def several(self) -> None:
        """Launch as many steps as are recorded together; those after the last do nothing."""
        for offset in range(self.length):
            self.send(offset)
            self.advance(offset)
        self.clock.add_(self.length)

    def forget(self) -> None:
        """Make room in the lists, but for the last step, whose spikes are not sent yet."""
        self.log[0], self.logged[0] = self.log[-1], self.logged[-1]
        self.logged[1:].zero_()

    def fetch(self, begin: int) -> tuple[Tensor, Tensor]:
        """Return step and number of each neuron that fired, of lists that begin at some step."""
        counts = self.logged[1:].long()
        row = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
        place = torch.arange(len(row), device=counts.device) - (counts.cumsum(0) - counts)[row]
        return row + begin, self.log[row + 1, place].long()


def _recorded(launches: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Return what launches all at once, where there is a device that can."""
    if device.type != "cuda":
        return launches
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        graph.capture_begin(capture_error_mode="thread_local")  # other threads may load data meanwhile
        launches()
        graph.capture_end()
    torch.cuda.current_stream().wait_stream(stream)
    return graph.replay
