"""The weight that a graph was made with, kept from what learning does to it, and what learning adds to its gradient."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["in_backward", "weight_in_force"]


def in_backward() -> bool:
    """Return whether autograd runs: what is checkpointed is then computed again.

    Example:
        >>> in_backward()
        False
    """
    return torch._C._current_graph_task_id() >= 0


class _InForce(torch.autograd.Function):
    """Passes a weight on; its gradient passes through a function on the way back."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, add: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.add = add
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return ctx.add(grad), None


def weight_in_force(weight: Tensor, add: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a weight under another name: a graph keeps its values when the weight is given others.

    Args:
        weight: The weight.
        add: Called with its gradient when that comes; returns what shall go on.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> y = (weight_in_force(weight, lambda grad: grad + 5) * 3).sum()
        >>> weight.data = torch.zeros(1)
        >>> y.backward()
        >>> weight.grad
        tensor([8.])
    """
    if weight.requires_grad and torch.is_grad_enabled():
        return _InForce.apply(weight, add)  # pyright: ignore[reportReturnType]
    return weight.detach()
