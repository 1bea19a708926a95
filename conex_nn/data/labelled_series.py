"""Sequences that differ in length, in memory, and batches of them."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset
from typing_extensions import override

from conex_nn.data.in_batch import in_batch
from conex_nn.data.labelled_images import check_labels


class LabelledSeries(Dataset[tuple[Tensor, Tensor]]):
    """Hold sequences and labels in memory, and give out whole batches of them.

    Where all are equally long a batch is ``(x, labels)``. Where they are not, it is ``(x, labels, lengths)``: samples
    are padded with zeros at their end, and their lengths come along, which
    :class:`~conex_nn.training.SpikingClassifier` honours. Memory holds no padding. As with :class:`LabelledImages`, a
    batch needs no collating: pass ``collate_fn=LabelledImages.collate``.

    Args:
        series: A tensor ``(samples, time, *features)``, or one ``(time, *features)`` for each sample; values of any
            kind, which stay in their type.
        labels: One class index, from 0, per sample [1].

    Raises:
        ValueError: Shapes or labels that do not fit, an empty sequence.
        TypeError: Labels that are no integers.

    Example:
        >>> data = LabelledSeries([torch.ones(2, 1), torch.ones(3, 1)], torch.tensor([0, 1]))
        >>> x, labels, lengths = data.__getitems__([0, 1])
        >>> x.squeeze(-1), lengths
        (tensor([[1., 1., 0.],
                [1., 1., 1.]]), tensor([2, 3]))
    """

    def __init__(
        self,
        series: Shaped[Tensor, "samples time *features"] | Sequence[Tensor],
        labels: Shaped[Tensor, "*_"],
    ) -> None:
        labels = torch.as_tensor(labels)
        _check_series(series)
        check_labels(labels, samples=len(series))
        self.labels = labels.long()
        steps = [series.shape[1]] * len(series) if isinstance(series, Tensor) else [len(each) for each in series]
        self.lengths = torch.tensor(steps, dtype=torch.long)
        self.ragged = bool((self.lengths != self.lengths[:1]).any())
        if not isinstance(series, Tensor) and len(series) == 0:
            raise ValueError("Expected at least one of `series` in a list, got none.")
        if not isinstance(series, Tensor):
            series = torch.cat(list(series)) if self.ragged else torch.stack(list(series))
        self.values = series
        self.starts = self.lengths.cumsum(0) - self.lengths

    def __len__(self) -> int:
        return len(self.labels)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self._sample(index), self.labels[index]

    def __getitems__(self, indices: Sequence[int]) -> tuple[Tensor, ...]:
        """Read a batch; ``DataLoader`` calls this.

        Args:
            indices: Which samples [1].

        Returns:
            Samples and labels, both with the batch first, and lengths where they differ in the data set [1].

        Example:
            >>> LabelledSeries(torch.zeros(4, 5, 1), torch.arange(4)).__getitems__([3, 1])[0].shape
            torch.Size([2, 5, 1])
        """
        index = torch.as_tensor(indices)
        labels = self.labels.index_select(0, index)
        if self.ragged:
            return in_batch([self._sample(place) for place in indices], labels, ragged=True)
        return self.values.index_select(0, index), labels

    def _sample(self, index: int) -> Tensor:
        if not self.ragged:
            return self.values[index]
        start = int(self.starts[index])
        return self.values[start : start + int(self.lengths[index])]


def pad_batch(batch: Sequence[tuple[Any, Any]]) -> tuple[Tensor, Int64[Tensor, " batch"], Int64[Tensor, " batch"]]:
    """Collate samples of unequal length, for ``DataLoader(collate_fn=...)`` over any data set of ``(series, label)``.

    Args:
        batch: Pairs of a series ``(time, *features)`` and its class.

    Returns:
        Samples with zeros after their end ``(batch, time, *features)``, labels [1], and lengths [steps].

    Raises:
        ValueError: A series without steps, or with other features than the rest.

    Example:
        >>> x, labels, lengths = pad_batch([(torch.ones(2, 1), 0), (torch.ones(3, 1), 1)])
        >>> x.shape, labels, lengths
        (torch.Size([2, 3, 1]), tensor([0, 1]), tensor([2, 3]))
    """
    samples = [torch.as_tensor(sample) for sample, _ in batch]
    _check_series(samples)
    labels = torch.stack([torch.as_tensor(label).long() for _, label in batch])
    return pad_sequence(samples, batch_first=True), labels, torch.tensor([len(each) for each in samples])


def _check_series(series: Tensor | Sequence[Tensor]) -> None:
    for place, each in enumerate([series[0]] if isinstance(series, Tensor) and len(series) else series):
        if each.dim() < 2 or each.numel() == 0:
            hint = " Give it an axis of features: `unsqueeze(-1)`." if each.dim() == 1 else ""
            raise ValueError(
                f"Expected series of shape (time, *features), with at least one step, got {tuple(each.shape)} at "
                f"{place}.{hint}"
            )
        if each.shape[1:] != series[0].shape[1:]:
            raise ValueError(
                f"Expected series with the features {tuple(series[0].shape[1:])} of the first, got "
                f"{tuple(each.shape[1:])} at {place}."
            )
