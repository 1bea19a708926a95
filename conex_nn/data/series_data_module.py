"""Any sequences as a data module."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.data.in_memory_data_module import EncodeOn, InMemoryDataModule, Splits
from conex_nn.data.labelled_series import LabelledSeries
from conex_nn.data.sample_pairs import as_tensors
from conex_nn.data.splitting import cut, sample_count


class SeriesDataModule(InMemoryDataModule):
    """Train on your own sequences: signals, spike trains, features over time, of equal length or not.

    A batch reaches the model as ``(x, labels)`` with x ``(batch, time, *features)``, or, where lengths differ, as
    ``(x, labels, lengths)`` with zeros after the end of each sample. The split is stratified and depends on `seed`
    alone.

    Args:
        series: An array ``(samples, time, *features)``; a list of arrays ``(time, *features)`` of any lengths; or a
            data set of ``(series, label)``. Values may be of any size.
        labels: One class index, from 0, per sample; None for a data set of pairs [1].
        test: Samples to keep for testing: a number [1], a fraction [1], a pair ``(series, labels)`` of their own, or a
            data set.
        validation: Samples to keep for validation: a number or a fraction of what is not for testing [1].
        class_names: Name of each class; by default their indices, up to the largest in `labels`.
        encoder: Maps ``(time, *batch, *features)`` to ``(time, *batch, ...)``, such as delta modulation. On the device
            it sees padded samples and has to keep the number of steps; elsewhere it sees each sample alone.
        encode_on: ``"device"``, ``"worker"`` or ``"setup"``; see :class:`InMemoryDataModule`.
        batch_size: Samples per batch [1].
        augment: Applied to training batches ``(batch, time, *features)`` on the device, before encoding.
        num_workers: Processes that read batches [1].
        seed: Seed of the split [1].

    Raises:
        ValueError: If shapes, labels or sizes do not fit.
        TypeError: If labels are no integers.

    Example:
        >>> series = [torch.rand(5 + index % 3, 2) for index in range(40)]
        >>> data = SeriesDataModule(series, torch.arange(40) % 2, batch_size=4)
        >>> x, labels, lengths = next(iter(data.test_dataloader()))
        >>> x.shape[0], bool((lengths <= x.shape[1]).all())
        (4, True)
    """

    def __init__(
        self,
        series: Any,
        labels: Any = None,
        *,
        test: Any = 0.2,
        validation: int | float = 0.1,
        class_names: Sequence[str] | None = None,
        encoder: Callable[[Tensor], Any] | None = None,
        encode_on: EncodeOn = "device",
        batch_size: int = 128,
        augment: Callable[[Tensor], Any] | None = None,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        samples, classes = as_tensors(series, labels)
        data = LabelledSeries(samples, classes)
        kept = isinstance(test, int | float)
        apart = None
        if not kept:
            apart = LabelledSeries(*as_tensors(*(test if isinstance(test, tuple) else (test, None))))
            if apart[0][0].shape[1:] != samples[0].shape[1:]:
                raise ValueError(
                    f"Expected `test` to have series with the features {tuple(samples[0].shape[1:])}, got "
                    f"{tuple(apart[0][0].shape[1:])}."
                )
        most = max(int(each.labels.max()) + 1 for each in (data, apart) if each is not None)
        names = [str(label) for label in range(most)] if class_names is None else class_names
        if most > len(names):
            raise ValueError(f"Expected `labels` to be below {len(names)}, the number of classes, got {most - 1}.")
        super().__init__(
            class_names=names,
            feature_shape=samples[0].shape[1:],
            encoder=encoder,
            encode_on=encode_on,
            batch_size=batch_size,
            augment=augment,
            num_workers=num_workers,
        )
        size = sample_count("test", test, total=len(data)) if kept else 0
        more = sample_count("validation", validation, total=len(data) - size)
        test_part, validation_part, train_part = cut(data, size, more, seed=seed)
        self._ready = Splits(train=train_part, validation=validation_part, test=test_part if apart is None else apart)

    @override
    def splits(self) -> Splits:
        return self._ready

    @staticmethod
    @override
    def ready(x: Tensor) -> Tensor:
        return x if x.is_floating_point() else x.to(torch.get_default_dtype())

    @override
    def encode_batch(self, x: Tensor) -> tuple[Tensor, None]:
        if self.encoder is None:
            return x, None
        encoded = self.encoder(x.movedim(1, 0))
        if encoded.shape[1:2] != x.shape[:1]:
            raise ValueError(
                f"Expected `encoder` to map (time, {x.shape[0]}, ...) to (time, {x.shape[0]}, ...), got "
                f'{tuple(encoded.shape)}. An encoder that takes single samples needs encode_on="worker".'
            )
        return encoded.movedim(0, 1), None
