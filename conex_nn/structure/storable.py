"""What populations and containers can do besides running: be saved, and be made again."""

import os
from typing import TypeVar

from torch import nn

__all__ = ["Storable"]

_This = TypeVar("_This", bound="Storable")


class Storable(nn.Module):
    """Base of populations and containers.

    Example:
        >>> import conex_nn as cx
        >>> cx.Population(3, cx.LIF()).replicate().shape
        torch.Size([3])
    """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save structure and tensors to a folder; :func:`conex_nn.load` loads them again.

        Args:
            path: The folder. What is saved there is replaced.
        """
        from conex_nn.structure.storage import save

        save(self, path)

    def replicate(self: _This, *, weights: bool = False) -> _This:
        """Make another one of the same structure, that shares nothing with this one.

        Ports and connections are made again. Weights are drawn anew by what drew them; constants of neurons are the
        same, those that a homeostasis has moved start where they started.

        Args:
            weights: Copy the weights and all else that is learned instead.
        """
        from conex_nn.structure.replicate import replicate

        return replicate(self, weights=weights)
