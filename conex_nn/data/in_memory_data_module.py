"""What every data set of this package that fits in memory does under a Lightning Trainer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, SequentialSampler
from typing_extensions import override

from conex_nn.data.encoded import Encoded, ReseedingLoader
from conex_nn.data.in_batch import in_batch
from conex_nn.data.labelled_images import LabelledImages
from conex_nn.data.labelled_series import LabelledSeries
from conex_nn.encoders.composition import check_encodes_once

EncodeOn = Literal["device", "worker", "setup"]
"""Where samples are encoded: a batch at a time on the device, one at a time as they are read, or once, beforehand."""


class Splits(NamedTuple):
    """The three parts of a data set. One may be empty; Lightning then warns of a loader of zero length."""

    train: Dataset[Any]
    """Learned from."""
    validation: Dataset[Any]
    """Looked at during training."""
    test: Dataset[Any]
    """Looked at once."""


class InMemoryDataModule(L.LightningDataModule, ABC):
    """Load, split, augment and encode samples of any kind that fit in memory.

    A subclass says what the data are (``splits``) and how a batch of them is encoded on the device
    (``encode_batch``). See :class:`ImageDataModule`, :class:`SeriesDataModule` and :class:`EventDataModule`.

    Shuffling draws from torch's global generator, and so does encoding on the device; workers encode each sample with
    random numbers of its own, from a seed drawn with the order of the pass (see :class:`Encoded`). So
    ``L.seed_everything`` fixes all of it, and the number of workers changes nothing. The split has a seed of its own.
    Several processes that were seeded alike draw alike on their devices; what their workers draw differs between
    samples all the same.

    Args:
        class_names: Name of each class.
        feature_shape: Shape of one sample before encoding [1].
        encoder: Makes a sequence of a sample; None leaves samples as they are.
        encode_on: ``"device"`` encodes the whole batch after its transfer; ``"worker"`` each sample as it is read;
            ``"setup"`` each part of the data once, and keeps the result in the type that the encoder gives it:
            ``dtype=torch.uint8`` saves memory. What is random is then drawn once as well.
        batch_size: Samples per batch [1].
        augment: Maps a training batch, on the device and before encoding, to a batch of the same kind.
        num_workers: Processes that read batches, which live as long as the Trainer's loaders [1].

    Raises:
        ValueError: If `encode_on` is unknown, a number is out of range, or arguments do not go together.

    Example:
        >>> class Coin(InMemoryDataModule):
        ...     def splits(self) -> Splits:
        ...         data = LabelledSeries(torch.eye(2).unsqueeze(-1), torch.arange(2))
        ...         return Splits(train=data, validation=data, test=data)
        ...     def encode_batch(self, x):
        ...         return x, None
        >>> next(iter(Coin(class_names=["heads", "tails"], feature_shape=(1,)).test_dataloader()))[1]
        tensor([0, 1])
    """

    def __init__(
        self,
        *,
        class_names: Sequence[str],
        feature_shape: Sequence[int],
        # To jsonargparse a callable that returns a class is a factory of it: hence Any in those that a YAML file names.
        encoder: Callable[[Any], Tensor] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Any], Any] | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if encode_on not in ("device", "worker", "setup"):
            raise ValueError(f'Expected `encode_on` to be "device", "worker" or "setup", got {encode_on!r}.')
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` to be at least 1, got {batch_size}.")
        if num_workers < 0:
            raise ValueError(f"Expected `num_workers` to be 0 or more, got {num_workers}.")
        if encode_on != "device" and augment is not None:
            raise ValueError(
                f'Expected `encode_on` to be "device" when `augment` is given, got {encode_on!r}: augmentation comes '
                "before encoding and runs on the device."
            )
        check_encodes_once(encoder)
        self.class_names = tuple(class_names)
        self.num_classes = len(self.class_names)
        self.feature_shape = tuple(feature_shape)
        self.encoder = encoder
        self.encode_on = encode_on
        self.batch_size = batch_size
        self.augment = augment
        self.num_workers = num_workers
        self._splits: Splits | None = None

    @abstractmethod
    def splits(self) -> Splits:
        """Load the data and cut them; called once, by ``setup``.

        Returns:
            The three parts.
        """

    @staticmethod
    def ready(x: Any) -> Any:
        """Make of samples what `augment` and `encoder` take; as they are, unless a subclass says more.

        A worker calls it with one sample, and on the device it is called with a batch.

        Args:
            x: Samples, as the data set gives them.

        Returns:
            Samples.
        """
        return x

    @abstractmethod
    def encode_batch(self, x: Any) -> tuple[Any, Tensor | None]:
        """Encode a batch of samples on its device.

        Args:
            x: Samples, as ``ready`` and `augment` gave them.

        Returns:
            Samples ``(batch, time, *features)``, and their lengths where these differ [steps].
        """

    def ragged(self, data: Any) -> bool:
        """Return whether samples that are encoded one by one are of different lengths.

        Args:
            data: A part of the data.
        """
        return bool(getattr(_source(data), "ragged", False))

    @override
    def setup(self, stage: str | None = None) -> None:
        self._loaded()

    @override
    def train_dataloader(self) -> DataLoader[Any]:
        return self._loader(self._loaded().train, shuffle=True)

    @override
    def val_dataloader(self) -> DataLoader[Any]:
        return self._loader(self._loaded().validation)

    @override
    def test_dataloader(self) -> DataLoader[Any]:
        return self._loader(self._loaded().test)

    @override
    def predict_dataloader(self) -> DataLoader[Any]:
        return self.test_dataloader()

    @override
    def on_after_batch_transfer(self, batch: Sequence[Any], dataloader_idx: int) -> tuple[Any, ...]:
        x, labels, *lengths = batch
        if self.encode_on != "device" and self.encoder is not None:
            return self._computable(x), labels, *lengths
        x = self._precise(self.ready(x))  # before encoding: it would copy an expanded view
        if self.augment is not None and self.trainer is not None and self.trainer.training:
            x = self.augment(x)
        x, encoded = self.encode_batch(x)
        x = self._computable(x)
        if lengths and encoded is None:
            encoded = _kept_lengths(lengths[0], x)
        return (x, labels) if encoded is None else (x, labels, encoded)

    def _computable(self, x: Any) -> Any:
        """Return samples as a network takes them: floating numbers."""
        bytes_or_bits = isinstance(x, Tensor) and not x.is_floating_point()
        return self._precise(x.to(torch.get_default_dtype()) if bytes_or_bits else x)

    def _precise(self, x: Any) -> Any:
        return x if self.trainer is None else self.trainer.precision_plugin.convert_input(x)

    def _loaded(self) -> Splits:
        if self._splits is None:
            splits = self.splits()
            once = self.encode_on == "setup" and self.encoder is not None
            self._splits = Splits(*(self._encoded(part) for part in splits)) if once else splits
        return self._splits

    @torch.no_grad()
    def _encoded(self, part: Any) -> Dataset[Any]:
        """Encode a part of the data, and keep it."""
        samples, classes = [], []
        alone = getattr(_source(part), "ragged", False)  # then nothing is padded
        for batch in DataLoader(part, batch_size=1 if alone else self.batch_size, collate_fn=LabelledImages.collate):
            x, labels, *_ = batch
            x, encoded = self.encode_batch(self.ready(x))
            samples += list(x) if encoded is None else [each[:n] for each, n in zip(x, encoded.tolist(), strict=True)]
            classes.append(labels)
        return LabelledSeries(samples, torch.cat(classes)) if samples else part

    def _loader(self, data: Dataset[Any], *, shuffle: bool = False) -> DataLoader[Any]:
        collate: Callable[[Any], Any] = LabelledImages.collate
        if self.encode_on == "worker" and self.encoder is not None:
            collate = partial(_collate_encoded, ragged=self.ragged(data))
            data = Encoded(data, self.encoder, seed=None, ready=self.ready)
        sampler: Any = RandomSampler if shuffle and len(data) else SequentialSampler  # pyright: ignore[reportArgumentType]
        return ReseedingLoader(
            data,
            batch_size=self.batch_size,
            sampler=sampler(data),
            generator=torch.Generator().manual_seed(torch.initial_seed()),  # samplers draw from the global one
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )


def _source(data: Any) -> Any:
    """Return the data set that a part was cut from, in one cut or several."""
    while (within := getattr(data, "dataset", None)) is not None:
        data = within
    return data


def _collate_encoded(batch: Sequence[tuple[Tensor, Tensor]], *, ragged: bool) -> tuple[Tensor, ...]:
    return in_batch([x for x, _ in batch], torch.stack([label for _, label in batch]), ragged=ragged)


def _kept_lengths(lengths: Tensor, x: Tensor) -> Tensor:
    """Return the lengths of samples that have been encoded step by step."""
    if int(lengths.max()) != x.shape[1]:
        raise ValueError(
            f"Expected `encoder` to keep the number of steps of series of unequal length, {int(lengths.max())}, got "
            f'{x.shape[1]}. Encode each alone, before it is padded: `encode_on="worker"` or `"setup"`.'
        )
    return lengths
