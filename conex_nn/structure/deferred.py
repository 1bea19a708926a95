"""One weight gradient for a whole sequence whose steps had to be run one after the other.

Within a recurrent part the steps of a synapse cannot run together forward, but the gradient of its weight can: what
each step puts in and what comes back to it are kept, and one product over all steps and samples is made at the end.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from typing_extensions import override

from conex_nn.synapses import Synapse

__all__ = ["Deferred"]

_ROWS = 2048
"""Rows, time by batch, of a product: long enough to be fast, short enough to be joined within the cache."""


class Deferred:
    """Projects single steps through a synapse, and differentiates its weight once.

    Args:
        synapse: One that defines ``project``.
        weight: Its weights in force.

    Example:
        >>> from conex_nn.synapses import Dense
        >>> synapse = Dense(3, 2)
        >>> project = Deferred(synapse, synapse.weight)
        >>> sum(project(torch.ones(1, 3)).sum() for _ in range(4)).backward()
        >>> synapse.weight.grad
        tensor([[4., 4., 4.],
                [4., 4., 4.]])
    """

    def __init__(self, synapse: Synapse, weight: Tensor) -> None:
        self.synapse = synapse
        self.book = _Book(synapse, weight.detach())
        self.weight = _Anchor.apply(weight, self.book) if weight.requires_grad and torch.is_grad_enabled() else weight

    def __call__(self, spikes: Tensor) -> Tensor:
        """Project one step or block of steps."""
        if not self.weight.requires_grad or not torch.is_grad_enabled():
            return self.synapse.project(spikes, self.weight)
        return _Project.apply(spikes, self.weight, self.book)


class _Book:
    """What steps put in and what came back to them. The graph holds it; it holds nothing of the graph."""

    def __init__(self, synapse: Synapse, weight: Tensor) -> None:
        self.synapse = synapse
        self.weight = weight
        self.pre: list[Tensor] = []
        self.post: list[Tensor | None] = []
        self.task = -1
        """The backward pass to which ``post`` belongs."""

    def keep(self, place: int, grad: Tensor) -> None:
        """Keep what came back to a step, and nothing of an earlier backward pass that did not end at the weight."""
        if (task := torch._C._current_graph_task_id()) != self.task:
            self.task = task
            self._forget()
        self.post[place] = grad

    def _forget(self) -> None:
        self.post = [None for _ in self.pre]

    def collect(self) -> Tensor:
        """Return the gradient of the weight in force, and forget what it was made of."""
        if self.task != torch._C._current_graph_task_id():
            self._forget()
        pairs = [(x, g) for x, g in zip(self.pre, self.post, strict=True) if g is not None]
        self._forget()  # a second backward pass through a kept graph starts anew
        if not pairs:
            return torch.zeros_like(self.weight)
        rows = pairs[0][0].numel() // self.synapse.source_shape.numel()
        size = max(1, -(-_ROWS // rows))
        total = None
        for begin in range(0, len(pairs), size):
            xs, gs = zip(*pairs[begin : begin + size], strict=True)
            pre, post = _rows(xs, self.synapse.source_shape), _rows(gs, self.synapse.target_shape)
            product = self.synapse.hebbian(pre.to(self.weight.dtype), post.to(self.weight.dtype))
            total = product if total is None else total.add_(product)
        return total  # pyright: ignore[reportReturnType]


def _rows(steps: Sequence[Tensor], shape: torch.Size) -> Tensor:
    """Join steps to rows of a population."""
    rows = [step.reshape(-1, *shape) for step in steps]
    return torch.cat(rows) if len(rows) > 1 else rows[0]


class _Anchor(Function):
    """The weight as the steps see it; its backward comes after those of all steps."""

    @staticmethod
    @override
    def forward(ctx: Any, weight: Tensor, book: _Book) -> Tensor:
        ctx.book = book
        ctx.set_materialize_grads(False)
        return weight.view_as(weight)

    @staticmethod
    @override
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor, None]:
        total = ctx.book.collect()
        return total if grad is None else total + grad, None


class _Project(Function):
    """One step; what comes back to it is kept, not multiplied out."""

    @staticmethod
    @override
    def forward(ctx: Any, spikes: Tensor, weight: Tensor, book: _Book) -> Tensor:
        ctx.book, ctx.place = book, len(book.pre)
        ctx.save_for_backward(weight)
        ctx.dtype = spikes.dtype
        book.pre.append(spikes.detach())
        book.post.append(None)
        return book.synapse.project(spikes, weight)

    @staticmethod
    @override
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:
        (weight,) = ctx.saved_tensors
        ctx.book.keep(ctx.place, grad)
        if not ctx.needs_input_grad[0]:
            return None, None, None
        # Under autocast the product was in half precision, and so is what comes back to it.
        return ctx.book.synapse.backproject(grad.to(weight.dtype), weight).to(ctx.dtype), None, None
