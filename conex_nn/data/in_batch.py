"""Samples in one tensor."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

__all__ = ["in_batch"]


def in_batch(samples: Sequence[Tensor], labels: Tensor, *, ragged: bool) -> tuple[Tensor, ...]:
    """Put samples into one tensor, padded where they may differ in length.

    Args:
        samples: Each ``(time, *features)``.
        labels: Their classes, ``(batch,)`` [1].
        ragged: Whether the data set has samples of different lengths.

    Returns:
        ``(x, labels)``, or ``(x, labels, lengths)`` of a ragged set.

    Raises:
        ValueError: Samples of different shapes, where they should not be.

    Example:
        >>> [part.shape for part in in_batch([torch.ones(2, 1), torch.ones(3, 1)], torch.arange(2), ragged=True)]
        [torch.Size([2, 3, 1]), torch.Size([2]), torch.Size([2])]
    """
    if ragged:
        return pad_sequence(list(samples), batch_first=True), labels, torch.tensor([len(each) for each in samples])
    shapes = {tuple(each.shape) for each in samples}
    if len(shapes) > 1:
        low, *_, high = sorted(shapes)
        raise ValueError(
            f"Expected encoded samples of one shape, got {low} and {high}. Give the encoder a fixed `time`; or, for "
            "recordings of events, a method `lengths`, which says how long each becomes: batches are then padded, and "
            "lengths come along."
        )
    return torch.stack(list(samples)), labels
