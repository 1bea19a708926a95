"""Populations in a loop, advanced over a sequence by events: where little fires, little is touched.

There is no gradient here: it is what a run under ``torch.no_grad`` of a recurrent part on the CPU uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import ROOM
from conex_nn.kernels.layout import in_line
from conex_nn.kernels.learning import Learning, Table, gains_of, learner_rows
from conex_nn.kernels.threads import launch

__all__ = ["Cells", "Link", "event_currents", "lif_loop"]

_BLOCK = 16  # rows of a chunk


@dataclass(frozen=True)
class Cells:
    """A population of integrate-and-fire neurons, as the loop sees it.

    Args:
        rows: Decay, gain, drive, threshold, reset, refractory time, from ``lif_rows``: one column, or one per neuron.
        v: Potential at the start, ``(batch, neurons)`` [mV].
        refractory: Refractory time left at the start, likewise [ms].
        current: Currents from outside, ``(time, batch, neurons)``; None for none [nA].
        pauses: Whether some neuron has a refractory time.
        soft_reset: Subtract instead of setting.
        winners: Most neurons that fire in a step; 0 for any number [1].
        theta: How far the threshold of each neuron has risen above that of ``rows``, ``(neurons,)``; it is moved in
            place [mV].
        increment: Its rise by a spike, ``(neurons,)`` [mV].
        fall: Part of it that a step takes off, ``(neurons,)`` [1].
        given: The spikes, ``(time, batch, neurons)``, of a population that is no part of the loop; it then has neither
            rows nor state [1].

    Example:
        >>> Cells(torch.ones(6, 1), torch.zeros(1, 3), torch.zeros(1, 3)).pauses
        False
    """

    rows: Tensor
    v: Tensor
    refractory: Tensor
    current: Tensor | None = None
    pauses: bool = False
    soft_reset: bool = False
    winners: int = 0
    theta: Tensor | None = None
    increment: Tensor | None = None
    fall: Tensor | None = None
    given: Tensor | None = None

    @classmethod
    def source(cls, spikes: Tensor) -> "Cells":
        """Return a population whose spikes are known.

        Args:
            spikes: ``(time, batch, neurons)`` [1].
        """
        return cls(spikes.new_zeros(6, 1), spikes[0], spikes[0], given=spikes)


@dataclass(frozen=True)
class Link:
    """A connection between two populations of the loop.

    Args:
        source: Number of the population that sends [1].
        target: Number of the population that receives [1].
        delay: Steps after which its spikes arrive; 0 only from a population before the target [1].
        weight: ``(sources, targets)``; one per edge, sorted by source, with ``begins`` and ``targets``; one per neuron.
        history: Spikes of the last ``delay`` steps before the start, ``(delay, batch, sources)`` [1].
        factor: Of its current, negative for inhibition [1].
        begins: Number of the first edge of each source, and of all edges, ``(sources + 1,)`` [1].
        targets: Target of each edge [1].
        line: Currents in the target's dendrite, before ``factor``: those of the last steps, as many as the longest
            delay there, then room for ``time`` steps, ``(longest + time, batch, targets)``; it is filled [nA].
        late: Delay of each target's dendrite; None where all have the longest [1].
        learning: How its weight, which is then changed in place, learns at every step; None for not at all.

    Example:
        >>> Link(0, 0, 1, torch.ones(3, 3), torch.zeros(1, 1, 3)).factor
        1.0
    """

    source: int
    target: int
    delay: int
    weight: Tensor
    history: Tensor
    factor: float = 1.0
    begins: Tensor | None = None
    targets: Tensor | None = None
    line: Tensor | None = None
    late: Tensor | None = None
    learning: Learning | None = None

    @property
    def kind(self) -> int:
        """0 for a matrix, 1 for edges, 2 for one weight per neuron."""
        return 1 if self.begins is not None else 2 if self.weight.dim() == 1 else 0


def event_currents(spikes: Tensor, weight: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``spikes @ weight``, touching only the rows of the weight that belong to what is not zero.

    Args:
        spikes: ``(rows, sources)`` [1].
        weight: ``(sources, targets)`` [nA].
        out: ``(rows, targets)``, contiguous, for the currents; a new tensor by default [nA].

    Example:
        >>> event_currents(torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.]])
    """
    rows, sources = spikes.shape
    spikes, weight = in_line(spikes, weight.dtype), weight.contiguous()
    currents = weight.new_empty(rows, weight.shape[1]) if out is None else out
    lists = torch.empty(torch.get_num_threads(), sources, dtype=torch.int32)
    launch(
        "events.project",
        (),
        weight.dtype,
        (rows, sources, weight.shape[1], _BLOCK, -(-rows // _BLOCK)),
        (spikes, weight, currents, lists, torch.zeros(1, dtype=torch.int64)),
        currents.numel(),
    )
    return currents


def _copied(tensor: Tensor) -> Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)


def lif_loop(
    cells: Sequence[Cells], links: Sequence[Link], *, steps: int, dt: float
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Advance integrate-and-fire populations that project onto each other.

    Args:
        cells: The populations, in the order in which a step runs them.
        links: The connections among them.
        steps: Number of steps [1].
        dt: Length of a step [ms].

    Returns:
        Of each population: spikes ``(time, batch, neurons)`` [1], potential [mV] and refractory time left [ms] at the
        end.

    Example:
        >>> rows = torch.tensor([[1.0], [1.0], [0.0], [1.0], [0.0], [0.0]])
        >>> one = Cells(rows, torch.zeros(1, 2), torch.zeros(1, 2), torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]]))
        >>> ring = Link(0, 0, 1, torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.zeros(1, 1, 2))
        >>> lif_loop([one], [ring], steps=2, dt=1.0)[0][0][:, 0]
        tensor([[1., 0.],
                [0., 1.]])
    """
    batch, real = cells[0].v.shape[0], cells[0].v.dtype
    sizes = [each.v.shape[1] for each in cells]
    late = [link.learning for link in links if link.learning is not None]
    width = sum(sizes)
    slots = 1 + max([link.delay for link in links] + [max(each.axon, each.dendrite) for each in late], default=0)
    ordered = sorted(links, key=lambda link: link.target)
    table = Table(real)
    spikes = [
        torch.empty(steps, batch, n, dtype=real) if each.given is None else in_line(each.given, real)
        for each, n in zip(cells, sizes, strict=True)
    ]
    neurons = [each for each in cells if each.given is None]
    kept = {id(each) for each in neurons}
    potentials = [_copied(each.v) if id(each) in kept else each.v for each in cells]
    left = [_copied(each.refractory.to(real)) if id(each) in kept else each.v for each in cells]
    learns = bool(late) or any(each.increment is not None for each in cells)
    for p, each in enumerate(cells):
        competes = each.winners > 0 or each.theta is not None
        rows = each.rows.expand(-1, sizes[p]) if competes else each.rows
        current, stride = each.current, 0
        if current is not None:
            constant = steps > 1 and current.stride(0) == 0
            current = in_line(current[0] if constant else current, real)
            stride = 0 if constant else batch * sizes[p]
        table.rows += [
            sizes[p], table.at(current), stride, sizes[p], table.at(rows), rows.shape[1], table.at(potentials[p]),
            table.at(left[p]), table.at(spikes[p]), int(each.soft_reset), sum(sizes[:p]),
            sum(link.target < p for link in links), sum(link.target <= p for link in links), each.winners,
            table.at(each.theta), table.at(each.increment), table.at(each.fall), int(each.given is not None),
            int(each.pauses),
        ]  # fmt: skip
    gains = {id(link): ones for link in links if (ones := gains_of(link, batch)) is not None}
    for link in ordered:
        table.rows += [
            link.source, link.kind, link.delay, sizes[link.source], table.at(link.weight), table.index(link.begins),
            table.index(link.targets), table.at(link.history), table.number(link.factor),
            table.at(link.line), 0 if link.line is None else len(link.line) - steps, table.index(link.late),
            table.at(gains.get(id(link))),
        ]  # fmt: skip
    threads = torch.get_num_threads()
    shared = batch if learns else threads  # lists that are kept: of all samples where they learn together
    lists = torch.empty(shared * slots * width, dtype=torch.int32)
    counts = torch.zeros(shared * slots * len(cells), dtype=torch.int64)
    working = (
        torch.empty(threads, 2 * width, dtype=real),
        torch.empty(threads, width, dtype=torch.int32),
        lists,
        counts,
    )
    numbers = (steps, batch, len(cells), slots, width)
    if not learns:
        work = steps * batch * width if batch > 1 else 0  # a sample is one thread's work
        arrays = (table.tensor(), *working, torch.zeros(1, dtype=torch.int64))
        launch("events.loop", (), real, numbers, arrays, work, scalars=(dt,))
        return spikes, potentials, left
    learners = [link for link in ordered if link.learning is not None]
    room, work = learner_rows(table, learners, sizes, gains, steps=steps, batch=batch)
    scratch = torch.zeros(threads, room, dtype=real)
    marks = torch.zeros(threads, 4 * width + ROOM * (1 + batch), dtype=torch.int32)
    claims = torch.zeros(steps * 4 * threads, dtype=torch.int64)
    launch(
        "events.learning_loop",
        (),
        real,
        (*numbers, len(links), len(learners), room, threads),
        (table.tensor(), *working, torch.zeros(32, dtype=torch.int64), scratch, marks, claims),
        work,
        scalars=(dt,),
    )
    for link in learners:
        if link.learning is not None:
            link.learning.finish()
        if id(link) in gains:
            link.weight.mul_(gains[id(link)][0])
    return spikes, potentials, left
