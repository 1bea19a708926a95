"""What every data set of this package does under a Lightning Trainer."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from conex_nn.data.encoded import Encoded, OrderedSampler, ShuffledSampler
from conex_nn.data.labelled_images import LabelledImages, to_intensity
from conex_nn.encoders.composition import check_encodes_once


class Splits(NamedTuple):
    """The three parts of a data set. One may be empty; Lightning then warns of a loader of zero length."""

    train: Dataset[tuple[Tensor, Tensor]]
    """Learned from."""
    validation: Dataset[tuple[Tensor, Tensor]]
    """Looked at during training."""
    test: Dataset[tuple[Tensor, Tensor]]
    """Looked at once."""


class ImageDataModule(L.LightningDataModule, ABC):
    """Load, split, augment and encode images that fit in memory.

    A subclass says what the data are: it implements ``splits``, with :class:`LabelledImages` made by ``labelled``.

    A batch reaches the model as ``(x, labels)``. With an encoder `x` has the shape ``(batch, time, *features)``, the
    transposed view of what the encoder made; without one it is the intensities ``(batch, *features)``. It is in torch's
    default dtype or in that of the Trainer's precision: what an encoder makes in bytes or booleans, which is a quarter
    of the memory and of the way from a worker, is cast on the device.

    Shuffling draws from torch's global generator, and so does encoding on the device; workers encode each sample with
    random numbers of its own, from a seed drawn with the order of the pass (see :class:`Encoded`). So
    ``L.seed_everything`` fixes all of it, and the number of workers changes nothing. The split has a seed of its own.

    Args:
        class_names: Name of each class.
        feature_shape: Shape of one sample before encoding [1].
        encoder: Maps intensities ``(*features)`` to ``(time, *features)``; None leaves them as they are.
        encode_on: ``"device"`` encodes the whole batch after its transfer; ``"worker"`` each sample as it is read, in
            the main process where there are no workers.
        batch_size: Samples per batch [1].
        augment: Maps a training batch of intensities, on the device and before encoding, to a batch of the same kind.
        num_workers: Processes that read batches [1]. With ``encode_on="device"`` reading is one indexing: 0 is fastest.

    Raises:
        ValueError: If `encode_on` is unknown, a number is out of range, or arguments do not go together.

    Example:
        >>> class TwoPixels(ImageDataModule):
        ...     def splits(self) -> Splits:
        ...         data = self.labelled(torch.eye(2), torch.arange(2))
        ...         return Splits(train=data, validation=data, test=data)
        >>> data = TwoPixels(class_names=["left", "right"], feature_shape=(2,))
        >>> data.num_classes
        2
        >>> data.setup()
        >>> next(iter(data.test_dataloader()))
        [tensor([[1., 0.],
                [0., 1.]]), tensor([0, 1])]
    """

    def __init__(
        self,
        *,
        class_names: Sequence[str],
        feature_shape: Sequence[int],
        encoder: Callable[[Tensor], Tensor] | None = None,
        encode_on: Literal["device", "worker"] = "device",
        batch_size: int = 128,
        augment: Callable[[Tensor], Tensor] | None = None,
        num_workers: int = 0,
    ) -> None:
        super().__init__()
        if encode_on not in ("device", "worker"):
            raise ValueError(f'Expected `encode_on` to be "device" or "worker", got {encode_on!r}.')
        if batch_size < 1:
            raise ValueError(f"Expected `batch_size` to be at least 1, got {batch_size}.")
        if num_workers < 0:
            raise ValueError(f"Expected `num_workers` to be 0 or more, got {num_workers}.")
        if encode_on == "worker" and augment is not None:
            raise ValueError(
                'Expected `encode_on` to be "device" when `augment` is given, got "worker": augmentation comes before '
                "encoding and runs on the device."
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

    def labelled(self, images: Tensor, labels: Tensor) -> LabelledImages:
        """Wrap two tensors as a data set.

        Args:
            images: Intensities, or bytes, ``(samples, *features)`` [1].
            labels: One class index per sample [1].

        Returns:
            The data set.

        Raises:
            ValueError: If a label has no class, or as :class:`LabelledImages`.
        """
        data = LabelledImages(images, labels)
        if len(data) and int(data.labels.max()) >= self.num_classes:
            raise ValueError(
                f"Expected `labels` to be below {self.num_classes}, the number of classes, "
                f"got {int(data.labels.max())}."
            )
        return data

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
    def on_after_batch_transfer(self, batch: Sequence[Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        x, labels = batch
        if self.encode_on == "worker" and self.encoder is not None:
            return self._computable(x), labels
        x = to_intensity(x)
        if self.trainer is not None:
            x = self.trainer.precision_plugin.convert_input(x)  # before encoding: it would copy an expanded view
            if self.augment is not None and self.trainer.training:
                x = self.augment(x)
        if self.encoder is None:
            return x, labels
        spikes = self.encoder(x)
        if spikes.shape[1:2] != x.shape[:1]:
            raise ValueError(
                f"Expected `encoder` to map {tuple(x.shape)} to (time, {x.shape[0]}, ...), got {tuple(spikes.shape)}. "
                'An encoder that takes single samples needs encode_on="worker".'
            )
        return self._computable(spikes).movedim(0, 1), labels

    def _computable(self, spikes: Tensor) -> Tensor:
        if not spikes.is_floating_point():
            spikes = spikes.to(torch.get_default_dtype())
        return spikes if self.trainer is None else self.trainer.precision_plugin.convert_input(spikes)

    def _loaded(self) -> Splits:
        if self._splits is None:
            self._splits = self.splits()
        return self._splits

    def _loader(self, data: Dataset[Any], *, shuffle: bool = False) -> DataLoader[Any]:
        collate = LabelledImages.collate
        if self.encode_on == "worker" and self.encoder is not None:
            data, collate = Encoded(data, self.encoder, seed=None), None
        own = torch.Generator().manual_seed(
            torch.initial_seed()
        )  # of the loader: the samplers draw from the global one
        return DataLoader(
            data,
            batch_size=self.batch_size,
            sampler=ShuffledSampler(data) if shuffle and len(data) else OrderedSampler(data),  # pyright: ignore[reportArgumentType]
            generator=own,
            num_workers=self.num_workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
        )
