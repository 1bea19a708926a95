"""Encode the samples of any data set as they are read, the same whoever reads them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset
from typing_extensions import override

from conex_nn.data.labelled_images import to_intensity
from conex_nn.encoders.composition import check_encodes_once, parts_of


class Encoded(Dataset[tuple[Any, ...]]):
    """Read samples ``(x, label)`` of a data set and encode `x`.

    What an encoder draws for a sample depends on `seed` and the sample's index alone: not on who reads it, after which
    others, or in how many processes. Set `seed` anew for other spikes in the next epoch; worker processes see it, those
    that persist from epoch to epoch included. A random number drawn from torch's global CPU generator counts as the
    encoder's, and so does one from a generator of its own, whose initial seed then counts too; both are afterwards as
    they were.

    Args:
        dataset: Samples ``(x, ...)``, with a length.
        encoder: Maps one sample's `x` to what is learned from, ``(time, *features)``.
        seed: Seed of the encoder's random numbers, 0 or more [1]; None lets it draw on from where torch is.
        ready: Makes of `x` what the encoder takes; None lets bytes and floating numbers become intensities of torch's
            default dtype, and leaves others as they are.

    Raises:
        ValueError: If `dataset` is encoded already, `encoder` encodes twice, or `seed` is negative.

    Example:
        >>> from conex_nn.encoders import Poisson
        >>> images = torch.utils.data.TensorDataset(torch.rand(100, 1, 8, 8), torch.arange(100) % 10)
        >>> data = Encoded(images, Poisson(time=20, dtype=torch.uint8), seed=3)
        >>> loader = torch.utils.data.DataLoader(data, batch_size=16, shuffle=True, num_workers=0)
        >>> next(iter(loader))[0].shape  # (batch, time, *features)
        torch.Size([16, 20, 1, 8, 8])
        >>> bool((data[5][0] == data[5][0]).all())
        True
    """

    def __init__(
        self,
        dataset: Any,
        encoder: Callable[[Any], Tensor],
        *,
        seed: int | None = 0,
        ready: Callable[[Any], Any] | None = None,
    ) -> None:
        check_encodes_once(encoder)
        within = dataset
        while isinstance(within, Subset):
            within = within.dataset
        if isinstance(within, Encoded):
            raise ValueError("Expected `dataset` to hold intensities, got one that is encoded already.")
        self.dataset = dataset
        self.encoder = encoder
        self.ready = _as_intensities if ready is None else ready
        self._seed = torch.full((), -1, dtype=torch.int64).share_memory_()
        self.seed = seed

    @property
    def seed(self) -> int | None:
        """Seed of the encoder's random numbers [1]."""
        return int(self._seed) if self._seed >= 0 else None

    @seed.setter
    def seed(self, seed: int | None) -> None:
        if seed is not None and seed < 0:
            raise ValueError(f"Expected `seed` to be 0 or more, got {seed}.")
        self._seed.fill_(-1 if seed is None else seed)

    def __len__(self) -> int:
        return len(self.dataset)

    @override
    @torch.no_grad()  # a tensor with a history cannot leave a worker
    def __getitem__(self, index: int) -> tuple[Any, ...]:
        if not -len(self) <= index < len(self):
            raise IndexError(f"Expected an index below {len(self)}, the number of samples, got {index}.")
        index %= len(self)  # -1 is the last sample, and draws what that draws
        x, *others = self.dataset[index]
        x = self.ready(x)
        if (seed := self.seed) is None:
            return self.encoder(x), *others
        with _drawing_from(_mixed(seed, index), self.encoder):
            return self.encoder(x), *others


class ReseedingLoader(DataLoader[Any]):
    """A ``DataLoader`` that draws a seed for its data set's encoder with each pass.

    It is the loader's, for a Trainer replaces samplers: processes that share a data set take a seed each from torch's
    global generator, and samples still draw apart where these are equal.
    """

    @override
    def __iter__(self) -> Any:
        # A DataLoader without a generator draws such a number once per pass, but not if its workers persist: drawn
        # here, and always, what follows from torch's global generator is the same for any number of workers.
        seed = int(torch.empty((), dtype=torch.int64).random_())
        if isinstance(self.dataset, Encoded):
            self.dataset.seed = seed
        return super().__iter__()


def _as_intensities(x: Any) -> Any:
    return to_intensity(x) if isinstance(x, Tensor) and (x.is_floating_point() or x.dtype == torch.uint8) else x


@contextmanager
def _drawing_from(seed: int, encoder: Any) -> Iterator[None]:
    """Let all that an encoder draws follow from a seed, and leave generators as they were."""
    own = {id(g): g for each in parts_of(encoder) if isinstance(g := getattr(each, "generator", None), torch.Generator)}
    seeds = [(torch.default_generator, seed)] + [(g, _mixed(seed, g.initial_seed())) for g in own.values()]
    states = [(g, g.get_state()) for g, _ in seeds]
    for generator, each in seeds:
        generator.manual_seed(each)
    try:
        yield
    finally:
        for generator, state in states:
            generator.set_state(state)


def _mixed(seed: int, index: int) -> int:
    """Return a number that looks like chance for each pair of numbers: the finaliser of splitmix64."""
    z = (seed + (index + 1) * 0x9E3779B97F4A7C15) & _ALL
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _ALL
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _ALL
    return (z ^ (z >> 31)) >> 1


_ALL = 2**64 - 1
