"""Spikes of a sequence as bits, and what all pairs of them do to a matrix of weights."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from conex_nn.kernels.cpu.record import LANES, WORD
from conex_nn.kernels.hebbian import DENSEST
from conex_nn.kernels.layout import in_line
from conex_nn.kernels.learning import BOUNDS, Learning
from conex_nn.kernels.threads import launch

__all__ = ["PackedSpikes", "pair_change"]


@dataclass(frozen=True)
class PackedSpikes:
    """A sequence of spikes, one bit each.

    Args:
        words: 64 neurons each, ``(groups, batch, time)``, int64.
        neurons: Neurons of a sample [1].
        counts: Spikes of each sample, ``(batch,)`` [1].

    Example:
        >>> spikes, trace = torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]), torch.zeros(1, 2)
        >>> packed = PackedSpikes.of(spikes, trace, keep=0.5)
        >>> packed.counts, trace
        (tensor([3]), tensor([[1.0000, 1.5000]]))
        >>> torch.equal(packed.spikes(torch.float32), spikes)
        True
    """

    words: Tensor
    neurons: int
    counts: Tensor

    @classmethod
    def of(cls, spikes: Tensor, trace: Tensor, *, keep: float, nearest: bool = False) -> "PackedSpikes | None":
        """Pack spikes and let their trace follow; None where one is neither 0 nor 1.

        Args:
            spikes: ``(time, batch, neurons)``, on the CPU [1].
            trace: The trace before the first step, ``(batch, neurons)``, contiguous; moved in place [1].
            keep: What a step leaves of it [1].
            nearest: Only the last spike counts for the trace.
        """
        steps, batch, n = spikes.shape
        groups = -(-n // WORD)
        words = torch.empty(groups, batch, steps, dtype=torch.int64)
        counts, odd = torch.empty(2, batch, dtype=torch.int64)
        launch(
            "pack.pack",
            (),
            trace.dtype,
            (steps, batch, n, groups, int(nearest)),
            (in_line(spikes, trace.dtype), words, trace, counts, odd),
            spikes.numel(),
            scalars=(keep,),
        )
        return None if odd.any() else cls(words, n, counts)

    @property
    def steps(self) -> int:
        """Number of steps [1]."""
        return self.words.shape[2]

    @property
    def batch(self) -> int:
        """Number of samples [1]."""
        return self.words.shape[1]

    @property
    def is_sparse(self) -> bool:
        """Whether so few neurons spike that working by events pays."""
        return int(self.counts.sum()) <= DENSEST * self.steps * self.batch * self.neurons

    @staticmethod
    def joined(pieces: "Sequence[PackedSpikes]") -> "PackedSpikes":
        """Return sequences that follow each other as one.

        Args:
            pieces: One at least.
        """
        if len(pieces) == 1:
            return pieces[0]
        words = torch.cat([piece.words for piece in pieces], 2)
        return PackedSpikes(words, pieces[0].neurons, torch.stack([piece.counts for piece in pieces]).sum(0))

    def spikes(self, dtype: torch.dtype) -> Tensor:
        """Return the spikes as they were, ``(time, batch, neurons)``.

        Args:
            dtype: Their type.
        """
        bits = self.words.permute(2, 1, 0)[..., None] >> torch.arange(WORD) & 1
        return bits.flatten(2)[..., : self.neurons].to(dtype)


@dataclass(frozen=True)
class _Events:
    """Who spikes when, sample by sample."""

    begins: Tensor
    times: Tensor
    who: Tensor
    values: Tensor
    """What each counts, by its step and sample [1]."""
    added: Tensor
    """What each adds to the trace of its neuron [1]."""

    @classmethod
    def of(cls, packed: PackedSpikes, start: Tensor | None, keep: float, weighs: Tensor | None, like: Learning):
        n, steps, real = packed.neurons, packed.steps, like.trace_pre.dtype
        begins = torch.tensor([0, *accumulate(packed.counts.tolist())])
        total, threads = int(begins[-1]), torch.get_num_threads()
        times, who = torch.empty(2, total, dtype=torch.int32)
        values, added = torch.empty(2, total, dtype=real)
        powers = (keep ** torch.arange(steps + 1, dtype=torch.float64)).to(real)
        room = n * threads if like.nearest else 0
        launch(
            "pack.events",
            (),
            real,
            (steps, packed.batch, n, len(packed.words), int(like.nearest)),
            (
                packed.words, begins, times, who, values, added, powers, start, weighs,
                torch.zeros(1, dtype=torch.int64), torch.empty(room, dtype=real), torch.empty(room, dtype=torch.int32),
            ),
            packed.words.numel() + total,
        )  # fmt: skip
        return cls(begins, times, who, values, added)


def pair_change(
    weight: Tensor, pre: PackedSpikes, post: PackedSpikes, learning: Learning, out: Tensor | None = None
) -> Tensor:
    """Return what a sequence changes of a weight that stays as it is meanwhile.

    The traces of ``learning`` are those before the sequence, and stay as they are; eligibility and constraints are
    the caller's business.

    Args:
        weight: ``(sources, targets)``, contiguous.
        pre: Spikes of the source.
        post: Those of the target.
        learning: The rule.
        out: ``(sources, targets)``, contiguous, to which the change is added, such as the weight itself; zeros by
            default.

    Returns:
        ``(sources, targets)``: the sum over time and the mean over the batch.

    Example:
        >>> def packed(*spikes):
        ...     return PackedSpikes.of(torch.tensor(spikes).reshape(-1, 1, 1), torch.zeros(1, 1), keep=0.5)
        >>> rule = Learning(torch.zeros(1, 1), torch.zeros(1, 1), keep_pre=0.5, keep_post=0.5, plus=1.0, minus=-1.0)
        >>> pair_change(torch.zeros(1, 1), packed(1.0, 0.0, 0.0), packed(0.0, 1.0, 0.0), rule)
        tensor([[0.5000]])
    """
    real, (n, m), batch = weight.dtype, weight.shape, pre.batch
    by_source = int(pre.counts.sum()) * m < int(post.counts.sum()) * n
    sides = [(pre, learning.trace_pre, learning.keep_pre), (post, learning.trace_post, learning.keep_post)]
    (sparse, before, keep_sparse), (other, start, keep_other) = sides if by_source else sides[::-1]
    began, going = (trace if bool(trace.any()) else None for trace in (before, start))
    events = _Events.of(sparse, began, keep_sparse, learning.modulator, learning)
    shifted, totals = learning.shift != 0, None
    if shifted and by_source:
        totals = torch.zeros(n, dtype=real).index_add_(0, events.who, events.values)
    change, threads = torch.zeros_like(weight) if out is None else out, torch.get_num_threads()
    pitch = -(-sparse.neurons // LANES) * LANES
    room = 2 * pitch * (WORD + LANES) + 2 * WORD + max(pitch, WORD)
    bound = 2 if learning.bound == "soft" and learning.mu != 1 else BOUNDS[learning.bound]
    launch(
        "pairs.pairs",
        (),
        real,
        (
            pre.steps, batch, sparse.neurons, other.neurons, len(other.words), int(by_source), int(learning.nearest),
            int(shifted and not by_source), bound, int(learning.plus_up) + 2 * int(learning.minus_up),
        ),
        (
            other.words, events.begins, events.times, events.who, events.values, events.added, learning.modulator,
            going, began, _vectors(real), weight, change, totals, torch.zeros(1, dtype=torch.int64),
            torch.empty(threads, room, dtype=real),
        ),
        len(events.who) * WORD * len(other.words) + other.words.numel(),
        scalars=(
            learning.plus / batch, learning.minus / batch, learning.shift, keep_other, keep_sparse, learning.w_min,
            learning.w_max, learning.mu,
        ),
    )  # fmt: skip
    return change


@functools.cache
def _vectors(real: torch.dtype) -> Tensor:
    """Return the eight spikes that each byte stands for."""
    return (torch.arange(256)[:, None] >> torch.arange(8) & 1).to(real)
