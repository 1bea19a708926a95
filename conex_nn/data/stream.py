"""Samples one after another, as a stream that never has to be whole in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset, Subset, get_worker_info
from typing_extensions import override

from conex_nn.data.encoded import Encoded
from conex_nn.data.labelled_images import to_intensity
from conex_nn.data.seeded import check_global_draws, mixed_seed, seeded
from conex_nn.encoders.composition import check_encodes_once

SILENT = -1
"""Label of the steps at which no sample is presented."""

Inputs = Tensor | dict[str, Tensor]
Encoder = Callable[[Tensor], Tensor]


class Stream(IterableDataset[tuple[Inputs, Tensor]]):
    """Present the samples of a data set one after another, each for a while, with silence in between.

    It is read in chunks, ``(x, labels)``: x ``(steps, *features)``, or several of these by address, and a label for
    each step, ``SILENT`` (-1) in between. Give it to a ``DataLoader`` with ``batch_size=None`` and carry the state of
    the network from chunk to chunk: where chunks begin and end makes no difference. With any number of workers the
    chunks are the same, in the same order: each worker makes its own. In a process group each process presents its own
    part of the samples.

    Args:
        data: Items ``(x, label)``, with x a tensor or tensors by address; ``(image, location, label)`` of a
            :class:`LocationDataset`; or x alone.
        instance_duration: Steps for which each sample is presented [1].
        silent_interval: Steps without input after each sample [1].
        encoder: Maps x ``(*features)`` to ``(instance_duration, *features)``; by address where there are several
            inputs. What has none is held, as a current. Bytes become intensities first. ``nn.Identity()`` where x is
            such a sequence already: that is presented as it is.
        chunk: Steps in a chunk [1]; None for a sample and its silence. The last one may be shorter.
        lanes: Samples that are presented beside each other, as a batch, ``(steps, lanes, *features)`` [1]; None for no
            such axis. A lane that has no sample left is silent.
        loop: Begin again at the end, for ever; otherwise stop there.
        shuffle: Present samples in a random order, another in each pass.
        seed: Seed of the order and of what encoders draw [1].

    Raises:
        ValueError: If a number is out of range, there is no sample, an encoder has a generator of its own, or what is
            encoded would be again; at its use: an encoder of another duration, samples of unequal shapes, labels that
            are no numbers, fewer samples than processes.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> import conex_nn as cx
        >>> data = cx.data.LabelledImages(torch.rand(6, 4), torch.tensor([0, 1, 2, 0, 1, 2]))
        >>> poisson = cx.encoders.Poisson(time=5)
        >>> stream = Stream(data, instance_duration=5, silent_interval=2, encoder=poisson, chunk=10)
        >>> net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()))
        >>> _ = net.connect("retina", "v1", cx.Dense)
        >>> state = None
        >>> for x, labels in DataLoader(stream, batch_size=None):
        ...     out, state = net(x, state)  # goes on where the last chunk stopped
        >>> len(stream), x.shape, labels  # 42 steps
        (5, torch.Size([2, 4]), tensor([-1, -1]))
    """

    def __init__(
        self,
        data: Dataset[Any],
        *,
        instance_duration: int,
        silent_interval: int = 0,
        encoder: Encoder | Mapping[str, Encoder] | None = None,
        chunk: int | None = None,
        lanes: int | None = None,
        loop: bool = False,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        for name, value in (("instance_duration", instance_duration), ("chunk", chunk), ("lanes", lanes)):
            if value is not None and value < 1:
                raise ValueError(f"Expected `{name}` to be at least 1 [1], got {value}.")
        if silent_interval < 0:
            raise ValueError(f"Expected `silent_interval` to be 0 or more [steps], got {silent_interval}.")
        if len(data) == 0:  # pyright: ignore[reportArgumentType]
            raise ValueError("Expected `data` to have a sample to present, got none.")
        for each in encoder.values() if isinstance(encoder, Mapping) else [encoder]:
            check_global_draws("encoder", each)
            check_encodes_once(each)
        _check_not_encoded(data, encoder)
        self.data = data
        self.instance_duration = instance_duration
        self.silent_interval = silent_interval
        self.encoder = encoder
        self.chunk = instance_duration + silent_interval if chunk is None else chunk
        self.lanes = lanes
        self.loop = loop
        self.shuffle = shuffle
        self.seed = seed
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # seen by workers that are there already

    def set_epoch(self, epoch: int) -> None:
        """Draw anew from the next iteration on; without this, a stream that is read again is the same.

        Args:
            epoch: Number of the epoch [1].
        """
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """Return the number of chunks [1]."""
        if self.loop:
            raise TypeError("Expected a stream that ends, to tell its length, got one with `loop=True`.")
        return -(-self._steps() // self.chunk)

    @override
    def __iter__(self) -> Iterator[tuple[Inputs, Tensor]]:
        worker = get_worker_info()
        first, apart = (0, 1) if worker is None else (worker.id, worker.num_workers)
        presented = _Presented(self, epoch=int(self._epoch))
        index = first
        while self.loop or index < len(self):
            start = index * self.chunk
            yield presented.steps(start, start + self.chunk if self.loop else min(start + self.chunk, self._steps()))
            index += apart

    def _steps(self) -> int:
        """Return how many steps a pass takes."""
        rounds = -(-len(_share(len(self.data))) // (self.lanes or 1))  # pyright: ignore[reportArgumentType]
        return rounds * (self.instance_duration + self.silent_interval)


class _Presented:
    """The steps of a stream in one epoch, made as they are asked for."""

    def __init__(self, stream: Stream, *, epoch: int) -> None:
        self.stream = stream
        self.epoch = epoch
        self.share = _share(len(stream.data))  # pyright: ignore[reportArgumentType]
        self.shapes: dict[str, torch.Size] = {}
        self._order: tuple[int, Sequence[int]] | None = None
        self._round: tuple[int, dict[str, Tensor], Tensor] | None = None

    def steps(self, start: int, stop: int) -> tuple[Inputs, Tensor]:
        """Return what is presented from one step until before another."""
        period = self.stream.instance_duration + self.stream.silent_interval
        pieces: list[tuple[dict[str, Tensor], Tensor]] = []
        for index in range(start // period, -(-stop // period)):
            inputs, labels = self._at_once(index)
            part = slice(max(start - index * period, 0), stop - index * period)
            pieces.append(({address: x[part] for address, x in inputs.items()}, labels[part]))
        labels = torch.cat([labels for _, labels in pieces])
        inputs = {address: torch.cat([piece[address] for piece, _ in pieces]) for address in pieces[0][0]}
        if not self.stream.lanes:
            inputs, labels = {address: x.squeeze(1) for address, x in inputs.items()}, labels.squeeze(1)
        return inputs.get("", inputs), labels

    def _at_once(self, index: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return the samples of all lanes of one period, and labels, ``(steps, lanes, ...)``."""
        if self._round is None or self._round[0] != index:
            lanes = self.stream.lanes or 1
            samples = [self._sample(position) for position in range(index * lanes, (index + 1) * lanes)]
            there = next(sample for sample in samples if sample is not None)[0]
            inputs = {}
            for address, like in there.items():
                silence = torch.zeros_like(like)
                presented = torch.stack([silence if s is None else s[0][address] for s in samples], 1)
                inputs[address] = torch.cat([presented, presented.new_zeros(self._quiet(presented))])
            labels = torch.tensor([SILENT if sample is None else sample[1] for sample in samples])
            labels = labels.expand(self.stream.instance_duration, lanes)
            self._round = (index, inputs, torch.cat([labels, torch.full(self._quiet(labels), SILENT)]))
        return self._round[1], self._round[2]

    def _quiet(self, presented: Tensor) -> tuple[int, ...]:
        return (self.stream.silent_interval, *presented.shape[1:])

    def _sample(self, position: int) -> tuple[dict[str, Tensor], int] | None:
        """Return the sample at a place of the stream, encoded, and its label; None after the end."""
        walk, place = divmod(position, len(self.share))
        if walk > 0 and not self.stream.loop:
            return None
        place_of_all = walk * len(self.stream.data) + self.share[place]  # pyright: ignore[reportArgumentType]
        with seeded(mixed_seed(self.stream.seed, self.epoch, place_of_all, 1)):  # other draws in each process
            inputs, label = _parts(self.stream.data, self._index(walk, place))
            encoded = {address: self._encode(address, x) for address, x in inputs.items()}
        return encoded, label

    def _index(self, walk: int, place: int) -> int:
        if not self.stream.shuffle:
            return self.share[place]
        if self._order is None or self._order[0] != walk:
            generator = torch.Generator().manual_seed(mixed_seed(self.stream.seed, self.epoch, walk, 0))
            order = torch.randperm(len(self.stream.data), generator=generator).tolist()  # pyright: ignore
            self._order = (walk, [order[index] for index in self.share])
        return self._order[1][place]

    def _encode(self, address: str, x: Tensor) -> Tensor:
        if self.shapes.setdefault(address, x.shape) != x.shape:
            raise ValueError(
                f"Expected samples of one shape in a stream, got {tuple(x.shape)} after {tuple(self.shapes[address])}."
            )
        duration, encoder = self.stream.instance_duration, self.stream.encoder
        if isinstance(encoder, Mapping):
            encoder = encoder.get(address)
        elif encoder is not None and address:
            raise ValueError(
                f"Expected `encoder` by address where there are several inputs, such as {address!r}, got one."
            )
        if x.dtype == torch.uint8 and not isinstance(encoder, nn.Identity):  # of which they are spikes, or counts
            x = to_intensity(x)
        if encoder is None:
            held = x if x.is_floating_point() else x.to(torch.get_default_dtype())
            return held.expand(duration, *x.shape)
        encoded = encoder(x)
        if len(encoded) != duration:
            raise ValueError(
                f"Expected `encoder` to make sequences of `instance_duration` = {duration} [steps], got {len(encoded)}."
            )
        return encoded


def _parts(data: Dataset[Any], index: int) -> tuple[dict[str, Tensor], int]:
    """Return the inputs of a sample by address, "" for a single one, and its label."""
    item = data[index]
    if not isinstance(item, tuple | list):
        item = (item, SILENT)
    *inputs, label = item
    if isinstance(label, Tensor) and label.numel() != 1:
        raise ValueError(f"Expected a label of a sample to be a number, got a tensor of shape {tuple(label.shape)}.")
    if len(inputs) == 1:
        (x,) = inputs
        return (dict(x) if isinstance(x, Mapping) else {"": torch.as_tensor(x)}), int(label)
    addresses = getattr(data, "inputs", ())
    if len(addresses) != len(inputs):
        raise ValueError(
            f"Expected items of `data` to be (x, label), with x by address where there are several inputs, got a tuple "
            f"of {len(item)}."
        )
    return dict(zip(addresses, inputs, strict=True)), int(label)


def _check_not_encoded(data: Any, encoder: Any) -> None:
    """Raise if samples that are sequences already would be encoded, or held."""
    while isinstance(data, Subset):
        data = data.dataset
    if isinstance(encoder, Mapping):
        encoder = encoder.get("")
    if isinstance(data, Encoded) and not isinstance(encoder, nn.Identity):
        raise ValueError(
            "Expected `encoder` to leave `data` as it is, which is encoded already: `nn.Identity()`, got "
            f"{type(encoder).__name__}."
        )


def _share(samples: int) -> range:
    """Return the places that this process presents: as many in each of a group."""
    if not (dist.is_available() and dist.is_initialized()):
        return range(samples)
    processes = dist.get_world_size()
    if samples < processes:
        raise ValueError(f"Expected `data` to have a sample for each of {processes} processes, got {samples}.")
    return range(dist.get_rank(), samples // processes * processes, processes)
