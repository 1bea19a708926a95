"""Images under a Lightning Trainer."""

from torch import Tensor
from typing_extensions import override

from conex_nn.data.in_memory_data_module import InMemoryDataModule, Splits
from conex_nn.data.labelled_images import LabelledImages, to_intensity

__all__ = ["ImageDataModule", "Splits"]


class ImageDataModule(InMemoryDataModule):
    """Load, split, augment and encode images that fit in memory.

    A subclass says what the data are: it implements ``splits``, with :class:`LabelledImages` made by ``labelled``.

    A batch reaches the model as ``(x, labels)``. With an encoder `x` has the shape ``(batch, time, *features)``, the
    transposed view of what the encoder made; without one it is the intensities ``(batch, *features)``. It is in torch's
    default dtype or in that of the Trainer's precision: what an encoder makes in bytes or booleans, which is a quarter
    of the memory and of the way from a worker, is cast on the device. :class:`InMemoryDataModule` says what is random.

    Args:
        class_names: Name of each class.
        feature_shape: Shape of one sample before encoding [1].
        encoder: Maps intensities ``(*features)`` to ``(time, *features)``; None leaves them as they are.
        encode_on: ``"device"`` encodes the whole batch after its transfer; ``"worker"`` each sample as it is read, in
            the main process where there are no workers; ``"setup"`` all samples once, and keeps the result; see
            :class:`InMemoryDataModule`.
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

    @staticmethod
    @override
    def ready(x: Tensor) -> Tensor:
        return to_intensity(x)

    @override
    def encode_batch(self, x: Tensor) -> tuple[Tensor, None]:
        if self.encoder is None:
            return x, None
        spikes = self.encoder(x)
        if spikes.shape[1:2] != x.shape[:1]:
            raise ValueError(
                f"Expected `encoder` to map {tuple(x.shape)} to (time, {x.shape[0]}, ...), got {tuple(spikes.shape)}. "
                'An encoder that takes single samples needs encode_on="worker".'
            )
        return spikes.movedim(0, 1), None
