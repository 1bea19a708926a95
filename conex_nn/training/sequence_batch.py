"""What a batch of sequences has to be like."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["SequenceBatch", "sequence_batch"]


class SequenceBatch(NamedTuple):
    """Sequences to learn, time first."""

    x: Tensor
    """What the network sees, ``(time, batch, *features)``."""
    targets: Tensor
    """Classes ``(time, batch)``, or values ``(time, batch, outputs)``."""
    mask: Tensor
    """Weight of each step in the loss, ``(time, batch)`` [1]."""
    decision: Tensor
    """Steps at which the choice is read, ``(time, batch)``, bool."""
    info: Mapping[str, Tensor]
    """What each sequence is about, ``(batch,)`` each."""

    @property
    def of_classes(self) -> bool:
        """Whether the targets are classes."""
        return not self.targets.is_floating_point()


def sequence_batch(batch: Any) -> SequenceBatch:
    """Take a batch as a data module gives it, batch first, and return it time first, or raise.

    On a CUDA device, values are not looked at: that would wait for it at every step.

    Args:
        batch: ``(x, targets)``, ``(x, targets, mask)``, ``(x, targets, mask, decision)`` or ``(..., decision, info)``.
            Without a mask, all steps count; without a decision, it is where the mask is not 0.

    Raises:
        TypeError: No such tuple.
        ValueError: Shapes that do not fit, NaN, infinity, weights below 0 or nowhere above it.

    Example:
        >>> batch = sequence_batch((torch.zeros(8, 20, 3), torch.zeros(8, 20, dtype=torch.long)))
        >>> batch.x.shape, batch.of_classes
        (torch.Size([20, 8, 3]), True)
    """
    if not isinstance(batch, tuple | list) or not 2 <= len(batch) <= 5:
        got = f"{type(batch).__name__}" + (f" of {len(batch)}" if isinstance(batch, tuple | list) else "")
        raise TypeError(f"Expected a batch to be (x, targets) and, where there are, mask, decision, info, got a {got}.")
    for name, part in zip(SequenceBatch._fields[:-1], batch[:4], strict=False):
        if not isinstance(part, Tensor):
            raise TypeError(f"Expected `{name}` of a batch to be a tensor, got {type(part).__name__}.")
    info = batch[4] if len(batch) == 5 else {}
    if not isinstance(info, Mapping):
        raise TypeError(f"Expected `info` of a batch to be a mapping, got {type(info).__name__}.")
    x, targets, *rest = (part.movedim(1, 0) for part in batch[:4] if _has_time(part, batch))
    targets = targets if targets.is_floating_point() else targets.long()
    mask = rest[0] if rest else torch.ones(targets.shape[:2], device=targets.device)
    decision = rest[1].bool() if len(rest) > 1 else mask != 0
    found = SequenceBatch(x, targets, mask, decision, info)
    _check_shapes(found)
    if not x.is_cuda:
        _check_values(found)
    return found


def _has_time(part: Tensor, batch: Any) -> bool:
    if part.dim() < 2:
        shapes = ", ".join(str(tuple(each.shape)) for each in batch[:4])
        raise ValueError(f"Expected tensors of a batch as (batch, time, ...), got shapes {shapes}.")
    return True


def _check_shapes(batch: SequenceBatch) -> None:
    x, targets = batch.x, batch.targets
    shapes = f"got, time first, `x` {tuple(x.shape)} and `targets` {tuple(targets.shape)}."
    if x.dim() < 3 or x.numel() == 0:
        raise ValueError(f"Expected `x` of shape (batch, time, *features), {shapes}")
    if targets.shape[:2] != x.shape[:2] or targets.dim() != (2 if batch.of_classes else 3):
        raise ValueError(
            "Expected `targets` of classes (integers) as (batch, time), of values (floating) as "
            f"(batch, time, outputs), {shapes}"
        )
    for name in ("mask", "decision"):
        if getattr(batch, name).shape != x.shape[:2]:
            got = tuple(getattr(batch, name).shape)
            raise ValueError(f"Expected `{name}` of shape (batch, time), got, time first, {got}; {shapes}")


def _check_values(batch: SequenceBatch) -> None:
    for name in ("x", "targets", "mask"):
        values = getattr(batch, name)
        if values.is_floating_point() and not values.detach().isfinite().all():
            raise ValueError(f"Expected `{name}` to be finite, got NaN or infinity in the batch.")
    if bool((batch.mask < 0).any()) or not bool(batch.mask.any()):
        raise ValueError("Expected `mask` of weights 0 or more, somewhere above 0 [1], got others.")
