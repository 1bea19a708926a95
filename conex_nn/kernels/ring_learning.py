"""How the kernel of ring buffers is told of connections that learn."""

from collections.abc import Sequence

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import RING
from conex_nn.kernels.learning import BOUNDS, Learning, Table
from conex_nn.kernels.li import li_sequence
from conex_nn.kernels.ring_parts import Projection, RingCells

__all__ = ["Learners"]

_NEVER = -(1 << 30)
_WORD = 64  # steps whose spikes are the bits of one integer


class Learners:
    """Connections that learn, and what of their populations their rules ask for.

    Args:
        table: Where tensors are kept alive.
        cells: All populations.
        links: All connections, in the order in which the kernel has them.
        targets: Population that each of them reaches.
        before: Number of steps before the first whose spikes may be under way [1].
        steps: Number of steps [1].

    Example:
        >>> Learners(Table(torch.float32), [RingCells(2, "given")], [], [], before=0, steps=1).any
        False
    """

    def __init__(
        self,
        table: Table,
        cells: Sequence[RingCells],
        links: Sequence[Projection],
        targets: Sequence[int],
        *,
        before: int,
        steps: int,
    ) -> None:
        known = [
            (link, target, link.learning)
            for link, target in zip(links, targets, strict=True)
            if link.learning is not None
        ]
        self.any = bool(known)
        """Whether something learns."""
        self.rows = [[0] * len(RING["learner"])]  # the first stands for all that do not learn
        self.number: dict[int, int] = {}
        """Row of each connection that learns, by its identity."""
        self.traces: list[list[int]] = []
        watched: list[list[tuple[Tensor, float, bool]]] = [[] for _ in cells]
        longest = [0] * len(cells)
        for link, target, learning in known:
            watched[link.source].append((learning.trace_pre, learning.keep_pre, learning.nearest))
            watched[target].append((learning.trace_post, learning.keep_post, learning.nearest))
            longest[link.source] = max(longest[link.source], link.longest)
            self.number[id(link)] = len(self.rows)
            values = _values(table, link, learning, target, steps)
            self.rows.append([values[name] for name in RING["learner"]])
        self.of: list[dict[str, int]] = []
        """What each population keeps."""
        for each, found, reach in zip(cells, watched, longest, strict=True):
            begin = len(self.traces)
            self.traces += [[table.keep(x), table.number(keep), int(nearest)] for x, keep, nearest in found]
            kept = {"traces": begin, "traces_end": len(self.traces)}
            self.of.append({**kept, **_remembered(table, each, reach, before, bool(found))})


def _values(table: Table, link: Projection, learning: Learning, target: int, steps: int) -> dict[str, int]:
    """Return the integers that say how a connection learns."""
    if learning.by_target is None:
        raise ValueError("Expected `by_target` of a connection that learns, got None.")
    begins, edges, sources = learning.by_target
    number = table.number
    values = {
        "target": target,
        "onto": table.keep(begins),
        "edges": table.keep(edges),
        "sources": table.keep(sources),
        "wide_sources": int(sources.dtype == torch.int32),
        "longest": link.longest,
        "trace_pre": table.keep(learning.trace_pre),
        "trace_post": table.keep(learning.trace_post),
        "plus": number(learning.plus),
        "minus": number(learning.minus),
        "plus_up": int(learning.plus_up),
        "minus_up": int(learning.minus_up),
        "bound": 2 if learning.bound == "soft" and learning.mu != 1 else BOUNDS[learning.bound],
        "w_min": number(learning.w_min),
        "w_max": number(learning.w_max),
        "mu": number(learning.mu),
        "shift": number(learning.shift),
        "low": number(learning.low),
        "high": number(learning.high),
        "beyond": int(_beyond(link.weight, learning)),
        "signal": 0 if learning.modulator is None else table.keep(learning.modulator.reshape(-1).double()),
        "eligibility": 0 if learning.eligibility is None else table.keep(learning.eligibility),
        "kept": 0,
        "ahead": 0,
        "turns": 0,
        "moved": 0,
    }
    if learning.eligibility is None or learning.modulator is None:
        return values
    signal, keep = learning.modulator.reshape(-1).double(), learning.keep_eligibility
    constants = torch.tensor([[keep], [1.0], [0.0]], dtype=torch.float64)
    to_come = li_sequence(signal.flip(0)[:, None], signal.new_zeros(1), constants).flip(0).reshape(-1)
    return values | {
        "kept": table.keep(keep ** torch.arange(steps + 1, dtype=torch.float64)),
        "ahead": table.keep(torch.cat([keep * to_come, to_come.new_zeros(1)])),
        "turns": table.keep(_turns(signal, learning)),
        "moved": table.keep(torch.full((len(learning.eligibility),), -1, dtype=torch.int32)),
    }


def _beyond(weight: Tensor, learning: Learning) -> bool:
    """Whether some weight is out of its bounds before anything is learned."""
    if not weight.numel() or (learning.low == -float("inf") and learning.high == float("inf")):
        return False
    least, most = torch.aminmax(weight)
    return bool(least < learning.low) or bool(most > learning.high)


def _turns(signal: Tensor, learning: Learning) -> Tensor:
    """Return for each step the last one up to which the signal keeps its sign, where it matters which way weights go.

    Without ends that they come to it does not.
    """
    steps = len(signal)
    if learning.low == -float("inf") and learning.high == float("inf"):
        return torch.full((steps,), steps - 1, dtype=torch.int32)
    there = signal.nonzero().flatten()
    sign = signal[there].sign()
    begins = there[1:][sign[1:] != sign[:-1]]
    ends = torch.cat([begins - 1, torch.tensor([steps - 1])])
    return ends[torch.searchsorted(begins, torch.arange(steps), right=True)].int()


def _remembered(table: Table, each: RingCells, longest: int, before: int, watched: bool) -> dict[str, int]:
    """Return what is kept of who fired: when each neuron did last, and in which of the last steps."""
    words = 1
    while _WORD * words < longest + 1:
        words *= 2
    if not watched:
        return {"last": 0, "past": 0, "past_words": words}
    last = torch.full((each.n,), _NEVER, dtype=torch.int32)
    past = torch.zeros(words * each.n, dtype=torch.int64)
    if each.before is not None:
        step, neuron = each.before.step.long() - before, each.before.neuron.long()
        recent = (step < 0) & (step >= -_WORD * words)
        step, neuron = step[recent], neuron[recent]
        last.scatter_reduce_(0, neuron, step.int(), "amax")
        past.index_add_(0, ((step >> 6) & (words - 1)) * each.n + neuron, torch.ones_like(step) << (step & 63))
    return {"last": table.keep(last), "past": table.keep(past) if longest else 0, "past_words": words}
