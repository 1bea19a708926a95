"""What a rule would change, handed to an optimizer as a part of the gradient."""

import warnings
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

__all__ = ["GradientChange"]

_MANY = 100  # more sequences than anybody gathers before a step


class GradientChange:
    """Changes that wait to be taken off the gradient of a weight.

    They go along with the next backward pass through the weight, where :meth:`deliver` meets its gradient; or, where
    there is none, into ``.grad`` before an optimizer that holds the weight makes its step.

    After each step of an optimizer that holds the weight, the constraints of the rule are applied. In half precision,
    where gradients are scaled until an optimizer makes its step, changes wait for that.

    Args:
        weight: Returns the weight.
        constrain: Applies the constraints of the rule; None for none.

    Example:
        >>> layer = torch.nn.Linear(1, 1, bias=False)
        >>> _ = layer.weight.data.fill_(0)
        >>> change = GradientChange(lambda: layer.weight)
        >>> change.add(torch.ones(1, 1))
        >>> torch.optim.SGD(layer.parameters(), lr=0.5).step()
        >>> layer.weight.data
        tensor([[0.5000]])
    """

    def __init__(self, weight: Callable[[], Tensor], constrain: Callable[[], None] | None = None) -> None:
        self.weight, self.constrain = weight, constrain
        self.pending: Tensor | None = None
        self._sequences = 0
        self._scaled = False
        _LIVING.add(self)

    def add(self, change: Tensor) -> None:
        """Let one more change wait, and warn where nothing comes to take so many of them.

        Args:
            change: Of the weight's shape.
        """
        self._sequences = 1 if self.pending is None else self._sequences + 1
        if self._sequences == _MANY:
            warnings.warn(
                f"Changes of a weight of shape {tuple(change.shape)} from {_MANY} sequences wait for an optimizer "
                "(`into='grad'`), but none that holds it has made a step: nothing is learned. Give the weight to an "
                "optimizer, or let the rule change it itself, `into='weight'`.",
                stacklevel=2,
            )
        self.pending = change if self.pending is None else self.pending + change
        kind = change.device.type
        self._scaled = torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.float16

    @torch.no_grad()
    def give(self) -> None:
        """Take what waits off ``.grad`` now, where no backward pass has taken it along.

        An optimizer of torch calls for it at the start of its step. One whose step is given a closure has to be helped:
        what the closure runs comes after that.
        """
        if self.pending is not None:
            weight = self.weight()
            change, self.pending = self.pending.to(weight.dtype), None
            weight.grad = -change if weight.grad is None else weight.grad - change

    def deliver(self, grad: Tensor) -> Tensor:
        """Return a gradient less what waited.

        Args:
            grad: Gradient of the weight.
        """
        if self.pending is None or self._scaled:
            return grad
        change, self.pending = self.pending, None
        return grad - change.to(grad.dtype)


_LIVING: "WeakSet[GradientChange]" = WeakSet()


def _before_step(optimizer: Optimizer, *_: Any) -> None:
    waiting = [change for change in _LIVING if change.pending is not None]
    if not waiting:
        return
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for change in waiting:
        if id(change.weight()) in held:
            change.give()


@torch.no_grad()
def _after_step(optimizer: Optimizer, *_: Any) -> None:
    held = {id(p) for group in optimizer.param_groups for p in group["params"]} if len(_LIVING) else set()
    for change in list(_LIVING):
        if change.constrain is not None and id(change.weight()) in held:
            change.constrain()


register_optimizer_step_pre_hook(_before_step)
register_optimizer_step_post_hook(_after_step)
