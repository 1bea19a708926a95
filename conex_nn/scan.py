"""Run any step over time: whole, observed, or in blocks that are detached or checkpointed."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only
from torch.utils.checkpoint import checkpoint

__all__ = ["Observer", "check_sequence", "check_state", "detach", "in_blocks", "scan"]

Observer = Callable[[Tensor, Any], None]
"""What is called after each observed step, with its output and its state."""


def check_sequence(xs: Tensor, *, name: str = "input") -> None:
    """Raise if a tensor cannot be a sequence, time first.

    Args:
        xs: The sequence.
        name: What to call it in the message.

    Raises:
        TypeError: It is no floating tensor.
        ValueError: It has no time axis, or no step.

    Example:
        >>> check_sequence(torch.zeros(0, 3))
        Traceback (most recent call last):
        ValueError: Expected `input` of at least one time step, (time, *batch, *neurons), got shape (0, 3).
    """
    if not isinstance(xs, Tensor) or not xs.is_floating_point():
        got = xs.dtype if isinstance(xs, Tensor) else type(xs).__name__
        raise TypeError(f"Expected `{name}` to be a floating tensor, got {got}. Convert it, e.g. with `.float()`.")
    if xs.dim() < 2:
        raise ValueError(
            f"Expected `{name}` of shape (time, *batch, *neurons), got {tuple(xs.shape)}. "
            "A single step goes to `step`, not to `forward`."
        )
    if xs.numel() == 0 and xs.shape[0] > 0:
        raise ValueError(f"Expected `{name}` of at least one sample and one neuron, got shape {tuple(xs.shape)}.")
    if xs.shape[0] == 0:
        raise ValueError(
            f"Expected `{name}` of at least one time step, (time, *batch, *neurons), got shape {tuple(xs.shape)}."
        )


def check_state(state: Any, expected: Any, current: Tensor) -> None:
    """Raise unless a state is one that a module could have returned for this input.

    Args:
        state: The state.
        expected: The module's initial state for this input.
        current: The sequence, time first, for messages.

    Raises:
        TypeError: It is another kind of state, or has another dtype or device.
        ValueError: It has another shape, as for another batch size.

    Example:
        >>> check_state((torch.zeros(2),), (torch.zeros(2),), torch.zeros(5, 2))
    """
    if type(state) is not type(expected):
        raise TypeError(f"Expected `state` to be a {type(expected).__name__}, got {type(state).__name__}.")
    leaves, wanted = tree_leaves(state), tree_leaves(expected)
    if len(leaves) != len(wanted):
        raise TypeError(
            f"Expected `state` to hold {len(wanted)} tensors, got {len(leaves)}: it is of another kind of neuron."
        )
    names = getattr(expected, "_fields", None) or [str(i) for i in range(len(wanted))]
    for name, got, want in zip(names, leaves, wanted, strict=True):
        if not isinstance(got, Tensor):
            raise TypeError(f"Expected `state.{name}` to be a tensor, got {type(got).__name__}.")
        if got.shape != want.shape:
            hint = ""
            if got.dim() and current.shape[0] == got.shape[0] and want.shape[:1] != got.shape[:1]:
                hint = " The input looks batch-first; time comes first: `x.movedim(1, 0)`."
            raise ValueError(
                f"Expected `state.{name}` of shape {tuple(want.shape)} for an input of shape {tuple(current.shape)} "
                f"(time, *batch, *neurons), got {tuple(got.shape)}: a state belongs to one batch size.{hint}"
            )
        if got.dtype != want.dtype or got.device != want.device:
            raise TypeError(
                f"Expected `state.{name}` as {want.dtype} on {want.device}, got {got.dtype} on {got.device}. "
                "Move it with `.to(...)`, or start from `state=None`."
            )


def scan(
    step: Callable[[Tensor, Any], tuple[Tensor, Any]],
    xs: Tensor,
    state: Any,
    *,
    observe: Observer | None = None,
) -> tuple[Tensor, Any]:
    """Run a step over a sequence, one time step after the other.

    Args:
        step: ``(x, state) -> (y, state)``.
        xs: Sequence, ``(time, ...)``.
        state: State at the start.
        observe: Called with each step's output and state.

    Returns:
        Outputs of all steps, stacked, and the last state.

    Example:
        >>> scan(lambda x, total: (x + total, x + total), torch.tensor([[1.0], [2.0], [3.0]]), torch.zeros(1))
        (tensor([[1.],
                [3.],
                [6.]]), tensor([6.]))
    """
    ys = []
    for x in xs.unbind(0):
        y, state = step(x, state)
        ys.append(y)
        if observe is not None:
            observe(y, state)
    return torch.stack(ys), state


def detach(state: Any) -> Any:
    """Cut every tensor of a state out of the graph.

    Args:
        state: Any nesting of tuples, lists and dicts.

    Example:
        >>> detach((torch.ones(1, requires_grad=True) * 2, None))
        (tensor([2.]), None)
    """
    return tree_map_only(Tensor, Tensor.detach, state)


def _check_size(name: str, size: int | None) -> None:
    if size is not None and (not isinstance(size, int) or size < 1):
        raise ValueError(f"Expected `{name}` to be a whole number of steps of at least 1, or None, got {size!r}.")


def in_blocks(
    run: Callable[[Any, Any], tuple[Any, Any]],
    xs: Any,
    state: Any,
    *,
    detach_every: int | None = None,
    checkpoint_every: int | None = None,
) -> tuple[Any, Any]:
    """Run a sequence in blocks of time.

    With both sizes, every detached block is checkpointed in its own smaller blocks.

    Args:
        run: ``(sequence, state) -> (outputs, state)``.
        xs: Sequence, ``(time, ...)``, or any nesting of sequences of one length.
        state: State at the start.
        detach_every: Steps after which gradients stop (truncated back-propagation through time); None for never.
        checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept; None for
            keeping all.

    Returns:
        Outputs of all steps and the last state.

    Example:
        >>> run = lambda xs, total: ((total + xs.cumsum(0)), total + xs.sum(0))
        >>> in_blocks(run, torch.ones(3, 1), torch.zeros(1), detach_every=2)
        (tensor([[1.],
                [2.],
                [3.]]), tensor([3.]))
    """
    _check_size("detach_every", detach_every)
    _check_size("checkpoint_every", checkpoint_every)
    if detach_every is None and checkpoint_every is None:
        return run(xs, state)
    outputs = []
    for block in _split(xs, detach_every or checkpoint_every or 1):
        if detach_every is None:
            ys, state = checkpoint(run, block, state, use_reentrant=False)  # pyright: ignore[reportGeneralTypeIssues]
        else:
            ys, state = in_blocks(run, block, detach(state), checkpoint_every=checkpoint_every)
        outputs.append(ys)
    return tree_map(lambda *ys: torch.cat(ys), *outputs), state


def _split(xs: Any, size: int) -> Iterator[Any]:
    """Yield blocks of steps of every sequence in a nest."""
    for begin in range(0, len(tree_leaves(xs)[0]), size):
        yield tree_map(lambda x, begin=begin: x[begin : begin + size], xs)
