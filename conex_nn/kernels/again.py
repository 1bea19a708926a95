"""Spikes that a layer would keep for its backward pass, made again from the potentials that their neurons keep."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from conex_nn.kernels.lif import spikes_again

__all__ = ["MadeAgain", "can_be_made_again"]


def can_be_made_again(node: Any) -> bool:
    """Whether spikes with this ``grad_fn`` need not be kept, and nobody else says how tensors are kept.

    Args:
        node: The ``grad_fn``; None for none.

    Example:
        >>> can_be_made_again(None)
        False
    """
    outer = torch._C._autograd
    return (
        getattr(node, "again", None) is spikes_again
        and outer._saved_tensors_hooks_is_enabled()
        and outer._top_saved_tensors_default_hooks(False) is None
    )


class MadeAgain(saved_tensors_hooks):
    """While on, backward passes keep nothing of some spikes.

    Args:
        spikes: What a layer gets, of any shape.
        node: The ``grad_fn`` of the neurons that fired.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> spikes, _ = LIF(resistance=9.0)(torch.ones(3, 1, 2, requires_grad=True))
        >>> layer = torch.nn.Linear(2, 1)
        >>> with MadeAgain(spikes, spikes.grad_fn):
        ...     current = layer(spikes)
        >>> current.sum().backward()
        >>> layer.weight.grad
        tensor([[1., 1.]])
    """

    def __init__(self, spikes: Tensor, node: Any) -> None:
        place, size = (spikes.data_ptr(), spikes.dtype), spikes.numel()

        def keep(x: Tensor) -> tuple[Any, Any]:
            if (x.data_ptr(), x.dtype) == place and x.numel() == size:
                return None, x.shape
            return x, x._version

        def give(kept: tuple[Any, Any]) -> Tensor:
            x, about = kept
            if x is None:
                return node.again(node).view(about)
            if x._version != about:  # torch does not look where there are hooks
                raise RuntimeError(
                    "Expected the weights of the backward pass to be those of the forward pass, got some modified by "
                    "an inplace operation since. Update them after `backward()`."
                )
            return x

        super().__init__(keep, give)
