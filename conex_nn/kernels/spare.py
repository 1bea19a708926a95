"""Tensors that nobody reads again once a kernel has read them: it may write its results over them."""

import threading
from types import TracebackType

from torch import Tensor

__all__ = ["Spare", "is_spare"]


class _Held(threading.local):
    tensor: Tensor | None = None


_HELD = _Held()


class Spare:
    """While on, a kernel of this thread that is given this very tensor may overwrite it.

    Args:
        tensor: One that only the kernel will see, and that no backward pass needs.

    Example:
        >>> import torch
        >>> current = torch.ones(2)
        >>> with Spare(current):
        ...     is_spare(current), is_spare(torch.ones(2))
        (True, False)
    """

    def __init__(self, tensor: Tensor) -> None:
        self._tensor: Tensor | None = tensor

    def __enter__(self) -> None:
        self._tensor, _HELD.tensor = _HELD.tensor, self._tensor

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        _HELD.tensor = self._tensor


def is_spare(tensor: Tensor) -> bool:
    """Whether a tensor may be overwritten.

    Args:
        tensor: What a kernel is given.

    Example:
        >>> import torch
        >>> is_spare(torch.ones(2))
        False
    """
    return tensor is _HELD.tensor
