"""Batches of trials that depend on a seed and their number alone."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.utils.data import Dataset, DistributedSampler
from typing_extensions import override

from conex_nn.data.cognition.trials import Trials

__all__ = ["FreshBatches", "TrialBatches", "batch_generator"]

_STREAMS = 4
_WORDS = 2**32


def batch_generator(*, seed: int, stream: int, index: int) -> torch.Generator:
    """Return a generator for one batch; no two batches of a run get the same.

    Args:
        seed: Seed of the run [1].
        stream: What the batch is for: 0 to 3 [1].
        index: Number of the batch, below 2^30 [1].

    Raises:
        ValueError: A number out of range.

    Example:
        >>> def drawn(**of):
        ...     return torch.rand(1, generator=batch_generator(**of)).item()
        >>> drawn(seed=0, stream=0, index=1) == drawn(seed=0, stream=0, index=1)
        True
        >>> drawn(seed=0, stream=0, index=1) == drawn(seed=0, stream=1, index=1)
        False
    """
    if not 0 <= stream < _STREAMS or not 0 <= index < _WORDS // _STREAMS:
        raise ValueError(f"Expected `stream` below {_STREAMS} and `index` below 2^30 [1], got {stream} and {index}.")
    # torch's generator takes 32 bits of a seed. Within a run the numbers differ by construction; another seed moves
    # them all to another place (the finaliser of MurmurHash3 mixes it).
    mixed = seed % _WORDS
    for factor, shift in ((0x85EBCA6B, 16), (0xC2B2AE35, 13)):
        mixed = (mixed ^ (mixed >> shift)) * factor % _WORDS
    mixed ^= mixed >> 16
    return torch.Generator().manual_seed(mixed ^ (stream * (_WORDS // _STREAMS) + index))


class TrialBatches(Dataset[Trials]):
    """Batches of trials by their number, batch first. There is no end of them: the length is that of an epoch.

    Args:
        trials: Makes trials, time first: ``trials(count, generator=...)``.
        batch_size: Trials per batch [1].
        batches: Batches in an epoch [1].
        seed: Seed of all trials [1].
        stream: What they are for, see :func:`batch_generator` [1].

    Example:
        >>> from conex_nn.data import PerceptualDecision
        >>> batches = TrialBatches(PerceptualDecision().trials, batch_size=8, batches=2)
        >>> len(batches), batches[0].inputs.shape
        (2, torch.Size([8, 60, 3]))
    """

    def __init__(
        self, trials: Callable[..., Trials], *, batch_size: int, batches: int, seed: int = 0, stream: int = 0
    ) -> None:
        self.trials = trials
        self.batch_size = batch_size
        self.batches = batches
        self.seed = seed
        self.stream = stream

    def __len__(self) -> int:
        return self.batches

    @override
    def __getitem__(self, index: int) -> Trials:
        generator = batch_generator(seed=self.seed, stream=self.stream, index=index)
        return self.trials(self.batch_size, generator=generator).swapped()


class FreshBatches(DistributedSampler[Any]):
    """Number the batches on and on, so that an epoch has none that one before had; processes share them out.

    It is a ``DistributedSampler`` so that Lightning leaves it where it is.

    Args:
        batches: What is numbered.
        epoch: Says which epoch is about to begin; None for what ``set_epoch`` was told. On resuming, Lightning asks for
            the first batches before it tells the epoch.

    Example:
        >>> sampler = FreshBatches(TrialBatches(lambda count, generator: None, batch_size=1, batches=3))
        >>> list(sampler)
        [0, 1, 2]
        >>> sampler.set_epoch(1)
        >>> list(sampler)
        [3, 4, 5]
    """

    def __init__(self, batches: TrialBatches, *, epoch: Callable[[], int] | None = None) -> None:
        apart = dist.is_available() and dist.is_initialized()
        replicas, rank = (dist.get_world_size(), dist.get_rank()) if apart else (1, 0)
        super().__init__(batches, num_replicas=replicas, rank=rank, shuffle=False)
        self._epoch_now = epoch

    @override
    def __iter__(self) -> Iterator[Any]:
        epoch = self.epoch if self._epoch_now is None else self._epoch_now()
        begin = epoch * self.total_size
        return iter(range(begin + self.rank, begin + self.total_size, self.num_replicas))
