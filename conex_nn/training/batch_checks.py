"""What a batch, an output and scores have to be like."""

import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Batch", "check_batch", "check_labels", "check_outputs", "check_scores"]


class Batch(NamedTuple):
    """What a classifier is given."""

    x: Any
    """Samples, ``(batch, time, *features)``, or several of these by address."""
    labels: Tensor
    """Class indices, ``(batch,)`` [1]."""
    lengths: Tensor | None
    """Length of each sample, ``(batch,)``, after which it is padded; None where all steps are its own [steps]."""

    @property
    def steps(self) -> int:
        """Steps of the batch, padding included [1]."""
        return (next(iter(self.x.values())) if isinstance(self.x, Mapping) else self.x).shape[1]


def check_batch(batch: Any, *, num_classes: int) -> Batch:
    """Return the input, the labels and the lengths of a batch, or raise.

    On a CUDA device the values are checked there, without waiting for the result: a bad one ends the program at a later
    line, with a device assertion. On the CPU the error comes at once.

    Args:
        batch: ``(x, labels)``, with x ``(batch, time, *features)``, or several of these by address; or
            ``(x, labels, lengths)``, with the length of each sample, where they are padded at their end.
        num_classes: Labels have to be below this [1].

    Raises:
        TypeError: Not such a pair, or labels or lengths that are no whole numbers.
        ValueError: Shapes that do not fit, nothing in it, labels or lengths out of range, NaN or infinity, or samples
            of unequal length that are not padded.

    Example:
        >>> x, labels, lengths = check_batch((torch.zeros(2, 5, 3), torch.tensor([0, 1])), num_classes=2)
        >>> lengths is None
        True
    """
    known = isinstance(batch, tuple | list) and len(batch) in (2, 3)
    if isinstance(batch, tuple | list) and batch:
        _check_one_length(batch[0])
    several = known and isinstance(batch[0], Mapping) and len(batch[0]) > 0
    parts: list[Any] = ([*batch[0].values()] if several else [batch[0]]) if known else []
    if not known or not all(isinstance(part, Tensor) for part in (*parts, *batch[1:])):
        got = f"{type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, tuple | list) else "")
        raise TypeError(
            f"Expected a batch to be two tensors, (x, labels), or three, (x, labels, lengths), got a {got}. "
            "x may be by address."
        )
    x, labels, lengths = (*batch, None) if len(batch) == 2 else batch
    for part in parts:
        _check_shapes(part, labels)
    check_labels(labels, num_classes=num_classes)
    for part in parts:
        _check_finite(part)
        if lengths is not None:
            _check_lengths(part, lengths)
    return Batch(x, labels.long(), None if lengths is None else lengths.long())


def check_labels(labels: Tensor, *, num_classes: int, name: str = "labels") -> None:
    """Raise unless labels are classes; on CUDA as :func:`check_batch`.

    Args:
        labels: One class index per sample.
        num_classes: Labels have to be below this [1].
        name: What to call them in the message.

    Raises:
        TypeError: No tensor, or no whole numbers.
        ValueError: Another shape, nothing in it, or out of range.

    Example:
        >>> check_labels(torch.tensor([0, 1]), num_classes=2)
    """
    if not isinstance(labels, Tensor):
        raise TypeError(f"Expected `{name}` to be a tensor, got {type(labels).__name__}.")
    if labels.is_floating_point() or labels.dtype == torch.bool:
        raise TypeError(f"Expected `{name}` to be class indices, as torch.long, got {labels.dtype}.")
    if labels.dim() != 1 or len(labels) == 0:
        raise ValueError(
            f"Expected `{name}` of shape (batch,), one class index per sample, got shape {tuple(labels.shape)}."
        )
    low, high = labels.amin(), labels.amax()
    _check(
        (low >= 0) & (high < num_classes),
        lambda: (
            f"Expected `{name}` to be from 0 to {num_classes - 1}, as `num_classes` = {num_classes}, "
            f"got values from {int(low)} to {int(high)}."
        ),
    )


def _check_finite(x: Tensor) -> None:
    if x.is_floating_point():
        low, high = torch.aminmax(x.detach())
        _check(
            low.isfinite() & high.isfinite(),
            lambda: f"Expected `x` to be finite, got {'NaN' if low.isnan() else 'infinity'} in the batch.",
        )


def _check_one_length(x: Any) -> None:
    if hasattr(x, "_fields"):
        raise TypeError(
            f"Expected x to be a tensor, or several by address, got {type(x).__name__}. An encoder makes tensors of "
            "recordings, such as `conex_nn.encoders.events.FramesByTime`."
        )
    if isinstance(x, tuple | list) and x and all(isinstance(each, Tensor) and each.dim() for each in x):
        lengths = [len(each) for each in x]
        raise ValueError(
            f"Expected the samples of a batch as one tensor, got a list of {len(x)}, from {min(lengths)} to "
            f"{max(lengths)} steps long. Pad them and give their lengths along, (x, labels, lengths), as "
            "`conex_nn.data.pad_batch` does: `DataLoader(..., collate_fn=pad_batch)`."
        )


def _check_lengths(x: Tensor, lengths: Tensor) -> None:
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise TypeError(f"Expected `lengths` to be whole numbers of steps, as torch.long, got {lengths.dtype}.")
    if lengths.shape != x.shape[:1]:
        raise ValueError(f"Expected `lengths` of shape ({len(x)},), one per sample, got {tuple(lengths.shape)}.")
    low, high = lengths.amin(), lengths.amax()
    _check(
        (low >= 1) & (high <= x.shape[1]),
        lambda: (
            f"Expected `lengths` to be from 1 to {x.shape[1]}, the steps of `x`, got values from {int(low)} to "
            f"{int(high)}."
        ),
    )


def _check_shapes(x: Tensor, labels: Tensor) -> None:
    shapes = f"got `x` of shape {tuple(x.shape)} and `labels` of shape {tuple(labels.shape)}."
    if labels.dim() != 1:
        raise ValueError(f"Expected `labels` of shape (batch,), one class index per sample, {shapes}")
    if x.dim() < 3:
        raise ValueError(
            f"Expected `x` of shape (batch, time, *features), {shapes} An encoder of `conex_nn.encoders` adds time."
        )
    if x.shape[0] != len(labels):
        hint = ""
        if x.shape[1] == len(labels):
            hint = " The input looks time-first; in a batch, samples come first: `x.movedim(0, 1)`."
        raise ValueError(f"Expected `x` and `labels` to hold equally many samples, {shapes}{hint}")
    if x.numel() == 0:
        raise ValueError(f"Expected at least one sample, one time step and one feature, {shapes}")
    if x.dim() == 4 and x.shape[1] == 1:
        warnings.warn(
            f"`x` of shape {tuple(x.shape)} is taken as one time step of {tuple(x.shape[2:])} features. If these are "
            "images, give the data module an encoder, e.g. `encoder=cx.encoders.Poisson(time=20)`.",
            stacklevel=2,
        )


def _check(good: Tensor, message: Any) -> None:
    """Raise on the CPU; assert without waiting on CUDA."""
    if good.is_cuda:
        torch._assert_async(
            good, "Expected finite `x`, `labels` below `num_classes`, `lengths` within `x`; see check_batch."
        )
    elif not good:
        raise ValueError(message())


def check_outputs(outputs: Any, *, num_classes: int | None, steps: int, batch: int) -> Tensor:
    """Return an output sequence that can be decoded into classes, or raise.

    Args:
        outputs: Output of a network or of one of its modules.
        num_classes: Outputs that there have to be at least; None where any number will do [1].
        steps: Steps that there were in the input [1].
        batch: Samples that there were in the input [1].

    Raises:
        TypeError: No tensor.
        ValueError: Not ``(time, batch, classes)``, or too few classes.

    Example:
        >>> check_outputs(torch.zeros(5 * 2, 3), num_classes=3, steps=5, batch=2).shape
        torch.Size([5, 2, 3])
    """
    if not isinstance(outputs, Tensor):
        raise TypeError(f"Expected the network's output to be a tensor, got {type(outputs).__name__}.")
    if outputs.dim() == 2 and len(outputs) == steps * batch:  # of a module that ran over time and batch together
        outputs = outputs.unflatten(0, (steps, batch))
    if outputs.dim() != 3 or outputs.shape[1] != batch:
        raise ValueError(
            f"Expected the output as (time, batch, classes) with a batch of {batch}, got shape {tuple(outputs.shape)}. "
            "End the network in nn.Flatten() and nn.Linear(..., num_classes), or give a `readout`."
        )
    if num_classes is not None and outputs.shape[2] < num_classes:
        raise ValueError(
            f"Expected at least as many outputs as classes, {num_classes}, got {outputs.shape[2]}. "
            "Widen the last layer, or lower `num_classes`."
        )
    return outputs


def check_scores(scores: Tensor, *, num_classes: int, batch: int) -> Tensor:
    """Return scores that are one number per sample and class, or raise.

    Args:
        scores: What a readout gave.
        num_classes: Number of classes [1].
        batch: Number of samples [1].

    Raises:
        ValueError: Another shape.

    Example:
        >>> check_scores(torch.zeros(2, 3), num_classes=3, batch=2).shape
        torch.Size([2, 3])
    """
    if scores.shape != (batch, num_classes):
        raise ValueError(
            f"Expected `decode` to return scores of shape ({batch}, {num_classes}), (batch, num_classes), got "
            f"{tuple(scores.shape)}. Where several outputs stand for a class, `decode` has to pool them."
        )
    return scores
