"""Populations of any size on a GPU, whose neurons send what they fire into ring buffers of the currents to come.

A step is two launches. The first sends: a fixed number of programs shares the spikes of the step before, which are in
a list on the device, so that nobody has to wait for their number. The second advances the neurons, and makes the list
of those that fire. The launches of many steps are recorded once and replayed as a whole; how far the run is stands on
the device too. There is room for all neurons to fire in each of the steps after which the lists are fetched.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from conex_nn.kernels.gpu.layout import precision
from conex_nn.kernels.gpu.ring_cells import advance, look
from conex_nn.kernels.gpu.ring_send import send
from conex_nn.kernels.gpu.ring_tables import Tables
from conex_nn.kernels.ring_parts import Channel, Fired, Probe, Projection, RingCells

__all__ = ["run"]

_RECORDED = 32
"""Steps whose launches are recorded together."""
_SPIKES = 1 << 24
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
    device = next(each.v.device for each in cells if each.v is not None)
    tables = Tables(
        cells, channels, projections, steps=steps, batch=batch, real=real, before=before, probes=probes, device=device,
        block=_BLOCK,
    )  # fmt: skip
    room = max(1, batch * tables.own)
    length = max(1, min(_RECORDED, steps, _SPIKES // room))
    period = max(1, min(_STEPS, -(-steps // length) * length, _SPIKES // room) // length) * length
    clock = torch.zeros(1, dtype=torch.int64, device=device)
    log = torch.empty(period + 1, room, dtype=torch.int32, device=device)
    logged = torch.zeros(period + 1, dtype=torch.int32, device=device)
    sizes = {"real": precision(real)[1], "enable_fp_fusion": False}
    programs = 2 if device.type == "cpu" else _PROGRAMS
    parts = max(1, min(64, tables.longest_row // _PIECE))

    def sends(offset: int) -> None:
        send[programs,](
            tables.cells, tables.links, tables.firsts, clock, log, logged, *tables.given,
            offset, steps, batch, tables.total, tables.slots, room, period, len(cells), tables.links_of, parts,
            block=_EDGES, wide=tables.wide, **sizes,
        )  # fmt: skip

    def advances(offset: int) -> None:
        pieces = len(tables.chunks)
        advance[pieces * batch,](
            tables.cells, tables.channels, tables.draws, tables.chunks, clock, log, logged,
            offset, steps, batch, tables.total, tables.slots, room, period, pieces, dt, block=_BLOCK, **sizes,
        )  # fmt: skip
        if probes:
            look[len(probes) * batch,](
                tables.probes, tables.cells, clock, offset, steps, batch, len(probes), block=_BLOCK, **sizes
            )

    def stretch() -> None:
        for offset in range(length):
            sends(offset)
            advances(offset)
        clock.add_(length)

    fetched: list[tuple[Tensor, Tensor]] = []
    with torch.cuda.device_of(clock):
        sends(-1)
        advances(steps)  # nothing happens, but all is compiled when launches are recorded
        replay = _recorded(stretch, device) if steps > length else stretch
        for begin in range(0, steps, period):
            log[0], logged[0] = log[period], logged[period]
            logged[1:].zero_()
            for _ in range(begin, min(steps, begin + period), length):
                replay()
            fetched.append(_fetch(log[1:], logged[1:], begin))
    return tables.sorted(fetched), tables.seen


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


def _fetch(log: Tensor, logged: Tensor, begin: int) -> tuple[Tensor, Tensor]:
    """Return step and number of each neuron that fired."""
    counts = logged.long()
    row = torch.arange(len(log), device=log.device).repeat_interleave(counts)
    place = torch.arange(len(row), device=log.device) - (counts.cumsum(0) - counts)[row]
    return row + begin, log[row, place].long()
