"""How a connection of a loop of events learns at every step, and how the kernel is told."""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import BLOCK, FIELDS, LANES, ROOM

__all__ = ["BOUNDS", "Learning", "Table", "gains_of", "learner_rows"]

_PIECES = 64
"""Most chunks of a matrix at batch 1."""
_EDGE_PIECES = 16
"""Chunks of edges."""
_WORTH = 400_000
"""Weights, and neurons of all samples, from which two threads save more than they lose by waiting for each other."""


@dataclass(frozen=True)
class Learning:
    r"""Pair rules with traces x of both sides, averaged over the batch.

    They change each weight at each step by

    .. math:: \Delta w = d\,[A_p B_p(w) H(x_\mathrm{pre}, s_\mathrm{post})
        + A_m B_m(w) H(s_\mathrm{pre}, x_\mathrm{post} + c)],

    which an eligibility trace can collect, then bounds and sums that the weights have to keep to.

    Args:
        trace_pre: Trace of the source, ``(batch, sources)``; moved in place [1].
        trace_post: Trace of the target, ``(batch, targets)``; moved in place [1].
        keep_pre: What a step leaves of the source's trace [1].
        keep_post: What a step leaves of the target's trace [1].
        plus: Factor of the first product [1].
        minus: Factor of the second, negative where it weakens [1].
        nearest: Only the last spike counts for traces.
        bound: ``"none"``, ``"soft"`` or ``"product"``.
        w_min: Lower end of the bound's range [1].
        w_max: Upper end of the bound's range [1].
        mu: Exponent of the soft bound [1].
        plus_up: Whether the first product slows down towards the upper end, not the lower.
        minus_up: Whether the second does.
        shift: c, added to the target's trace [1].
        modulator: d, ``(time, batch)``; of an eligibility trace all samples have the same [1].
        eligibility: Of the layout of the weight; moved in place.
        keep_eligibility: What a step leaves of it [1].
        low: Lower end of the weights before they are normalised [1].
        high: Upper end of the weights before they are normalised [1].
        normalise: ``"none"``, ``"target"`` or ``"source"``: which weights' magnitudes add up to ``total``.
        total: What they add up to [1].
        low_after: Lower end of the weights after that [1].
        high_after: Upper end of the weights after that [1].
        mask: 1 where there is a synapse and 0 elsewhere, of the layout of a matrix [1].
        axon: Delay of the source's spikes, as the rule sees them [1].
        axon_history: The last of them before the start, ``(at least axon, batch, sources)`` [1].
        dendrite: Delay of the target's spikes, as the rule sees them [1].
        dendrite_history: The last of them before the start, ``(at least dendrite, batch, targets)`` [1].
        source: Number of the population whose spikes the rule sees; None for the one that sends [1].
        by_target: Of edges: number of the first into each target in the following lists; edges; and their sources.

    Example:
        >>> Learning(torch.zeros(1, 3), torch.zeros(1, 2), keep_pre=0.9, keep_post=0.9, plus=0.1, minus=-0.1).bound
        'none'
    """

    trace_pre: Tensor
    trace_post: Tensor
    keep_pre: float
    keep_post: float
    plus: float
    minus: float
    nearest: bool = False
    bound: str = "none"
    w_min: float = 0.0
    w_max: float = 1.0
    mu: float = 1.0
    plus_up: bool = True
    minus_up: bool = False
    shift: float = 0.0
    modulator: Tensor | None = None
    eligibility: Tensor | None = None
    keep_eligibility: float = 0.0
    low: float = -math.inf
    high: float = math.inf
    normalise: str = "none"
    total: float = 1.0
    low_after: float = -math.inf
    high_after: float = math.inf
    mask: Tensor | None = None
    axon: int = 0
    axon_history: Tensor | None = None
    dendrite: int = 0
    dendrite_history: Tensor | None = None
    source: int | None = None
    by_target: tuple[Tensor, Tensor, Tensor] | None = None
    scales: Tensor = field(default_factory=lambda: torch.ones(2, dtype=torch.float64))

    def finish(self) -> None:
        """Multiply the eligibility, which the kernel keeps divided by how far it has decayed, by that."""
        if self.eligibility is not None:
            self.eligibility.mul_(self.scales[0].item())
            self.scales.fill_(1)


class Table:
    """Rows of integers that say what there is, and the tensors whose addresses they hold.

    Args:
        real: Floating type of the tensors.

    Example:
        >>> Table(torch.float32).number(0.0)
        0
    """

    def __init__(self, real: torch.dtype) -> None:
        self.real = real
        self.rows: list[int] = []
        self.alive: list[Tensor] = []

    def at(self, tensor: Tensor | None) -> int:
        """Return the address of a tensor of the kernel's type, 0 for none.

        Args:
            tensor: Any tensor; one that is written to has to be laid out as the kernel expects.
        """
        return 0 if tensor is None else self.keep(tensor.to(self.real))

    def index(self, index: Tensor | None) -> int:
        """Return the address of a list of numbers.

        Args:
            index: Whole numbers.
        """
        return 0 if index is None else self.keep(index.int())

    def room(self, *shape: int, dtype: torch.dtype | None = None) -> int:
        """Return the address of new memory, all 0.

        Args:
            shape: Its shape.
            dtype: Its type.
        """
        return self.keep(torch.zeros(*shape, dtype=dtype or self.real))

    def number(self, value: float) -> int:
        """Return the bits of a number as a double.

        Args:
            value: The number [1].
        """
        return struct.unpack("q", struct.pack("d", value))[0]

    def tensor(self) -> Tensor:
        """Return all rows."""
        return torch.tensor(self.rows, dtype=torch.int64)

    def keep(self, tensor: Tensor) -> int:
        """Return the address of a tensor as it is.

        Args:
            tensor: Any tensor.
        """
        self.alive.append(tensor.contiguous())
        return self.alive[-1].data_ptr()


def learner_rows(
    table: Table, links: Sequence[Any], sizes: Sequence[int], gains: Mapping[int, Tensor], *, steps: int, batch: int
) -> tuple[int, int]:
    """Describe connections that learn.

    Args:
        table: Where to write the rows.
        links: The connections.
        sizes: Neurons of each population [1].
        gains: By ``id`` of the connection, what :func:`gains_of` says.
        steps: Number of steps [1].
        batch: Number of samples [1].

    Returns:
        Numbers of working memory that each thread needs, and the work of all steps: 0 where one thread is faster.

    Example:
        >>> learner_rows(Table(torch.float32), [], [3], {}, steps=10, batch=1)
        (2, 0)
    """
    cuts = [_cut(link, sizes[link.source], batch) for link in links]
    area = max((cut[2] for cut in cuts), default=0)
    wide = max([0, *(max(cut[3], sizes[link.target]) for cut, link in zip(cuts, links, strict=True))])
    touched = sum(sizes) * batch
    for link, (rows, chunks, *_) in zip(links, cuts, strict=True):
        values = _values(table, link, sizes, gains, batch, rows, chunks) | {"area": area, "wide": wide}
        table.rows += [values[name] for name in FIELDS]
        touched += link.weight.numel() // (4 if link.learning.normalise == "none" else 1)
    return 2 * area + 2 * wide + 2 * batch, steps * batch * touched if touched > _WORTH else 0


def gains_of(link: Any, batch: int) -> Tensor | None:
    """Return gains of the targets, and their inverses, where weights are kept divided by them; None where not.

    To normalise is then to move the gain of each target, not all of its weights. It is worth it where a step touches
    few of them, and possible where nothing else has to be done to all.

    Args:
        link: The connection.
        batch: Number of samples [1].

    Example:
        >>> from conex_nn.kernels.events import Link
        >>> learning = Learning(torch.zeros(1, 3), torch.zeros(1, 2), 0.9, 0.9, 0.1, -0.1, normalise="target")
        >>> gains_of(Link(0, 1, 0, torch.ones(3, 2), torch.zeros(0, 1, 3), learning=learning), 1).shape
        torch.Size([2, 2])
    """
    learning: Learning | None = link.learning
    if learning is None or learning.normalise != "target" or batch > 1 or link.kind != 0:
        return None
    if learning.eligibility is not None or learning.mask is not None or _clips(learning):
        return None
    return link.weight.new_ones(2, link.weight.shape[1])


def _clips(learning: Learning) -> bool:
    """Return whether weights have ends before they are normalised."""
    return learning.low > -math.inf or learning.high < math.inf


def _cut(link: Any, sources: int, batch: int) -> tuple[int, int, int, int]:
    """Return rows of a chunk, chunks, and how much of either product a thread adds up at once, and of weights."""
    if link.kind == 2:
        return sources, 1, sources, 0
    if link.kind == 1:
        rows = max(1, -(-sources // _EDGE_PIECES))
        starts = [*link.begins[:-1:rows].tolist(), len(link.targets)]
        longest = max(after - before for before, after in pairwise(starts))
        return rows, -(-sources // rows), longest if batch > 1 else 0, longest
    if batch == 1:
        rows = max(_PIECES, -(-sources // _PIECES))
        return rows, -(-sources // rows), rows + 3, 0
    targets = link.weight.shape[1]
    rows = ROOM if sources >= 4 * ROOM else ROOM // 2
    return rows, -(-sources // rows), ROOM * -(-targets // LANES) * LANES, 0


BOUNDS = {"none": 0, "soft": 1, "product": 3}
_NORMALISE = {"none": 0, "target": 1, "source": 2}


def _values(
    table: Table, link: Any, sizes: Sequence[int], gains: Mapping[int, Tensor], batch: int, rows: int, chunks: int
) -> dict[str, int]:
    """Return the integers that say how a connection learns."""
    learning: Learning = link.learning
    gain = gains.get(id(link))
    n, m = sizes[link.source], sizes[link.target]
    at, number = table.at, table.number
    onto, edges, sources = learning.by_target or (None, None, None)
    axon, dendrite = learning.axon_history, learning.dendrite_history
    sums = learning.normalise == "target"
    return {
        "source": link.source if learning.source is None else learning.source,
        "target": link.target,
        "sources": n,
        "targets": m,
        "kind": link.kind,
        "weight": at(link.weight),
        "begins": table.index(link.begins),
        "ends_at": table.index(link.targets),
        "target_begins": table.index(onto),
        "edge_by_target": table.index(edges),
        "source_by_target": table.index(sources),
        "mask": at(learning.mask),
        "axon": learning.axon,
        "axon_history": at(axon),
        "axon_length": 0 if axon is None else len(axon),
        "dendrite": learning.dendrite,
        "dendrite_history": at(dendrite),
        "dendrite_length": 0 if dendrite is None else len(dendrite),
        "trace_pre": at(learning.trace_pre),
        "trace_post": at(learning.trace_post),
        "keep_pre": number(learning.keep_pre),
        "keep_post": number(learning.keep_post),
        "nearest": int(learning.nearest),
        "plus": number(learning.plus / batch),
        "minus": number(learning.minus / batch),
        "plus_factor": int(learning.plus_up),
        "minus_factor": int(learning.minus_up),
        "bound": 2 if learning.bound == "soft" and learning.mu != 1 else BOUNDS[learning.bound],
        "w_min": number(learning.w_min),
        "w_max": number(learning.w_max),
        "mu": number(learning.mu),
        "shift": number(learning.shift),
        "modulator": at(learning.modulator),
        "eligibility": at(learning.eligibility),
        "keep_eligibility": number(learning.keep_eligibility),
        "scales": table.keep(learning.scales),
        "low": number(learning.low),
        "high": number(learning.high),
        "clips": int(_clips(learning)),
        "normalise": _NORMALISE[learning.normalise],
        "total": number(learning.total),
        "low_after": number(learning.low_after),
        "high_after": number(learning.high_after),
        "rows": rows,
        "chunks": chunks,
        "sums": table.room(chunks, m) if sums else 0,
        "factors": table.room(m) if sums else 0,
        "blocks": -(-m // BLOCK),
        "gains": table.at(gain),
        "tops": 0 if gain is None else table.room(chunks, 2, m),
        "sweep": 0 if gain is None else table.room(1, dtype=torch.int64),
        "places": table.room(batch, chunks + 1, dtype=torch.int32),
        "pre_events": table.room(batch, n, dtype=torch.int32) if learning.axon else 0,
        "pre_counts": table.room(batch, dtype=torch.int64) if learning.axon else 0,
        "post_events": table.room(batch, m, dtype=torch.int32) if learning.dendrite else 0,
        "post_counts": table.room(batch, dtype=torch.int64) if learning.dendrite else 0,
    }
