"""What behaviors that learn have in common: constants moved neuron by neuron, by the mean over a batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from conex_nn.neurons.behavior import Behavior, constant

__all__ = ["learning", "mean_over_batch", "one_per_neuron", "unbound"]


def unbound(behavior: Behavior) -> RuntimeError:
    """Return the error of a behavior that was never bound.

    Args:
        behavior: The behavior.

    Example:
        >>> print(unbound(Behavior()))
        Expected Behavior to belong to a population: call `bind(shape, neuron)` first.
    """
    name = type(behavior).__name__
    return RuntimeError(f"Expected {name} to belong to a population: call `bind(shape, neuron)` first.")


@contextmanager
def learning(behavior: Behavior) -> Iterator[None]:
    """Learn without a trace in any graph, and only where each step is run once.

    Args:
        behavior: What learns.

    Raises:
        RuntimeError: It is not bound, or its step is one that a backward pass computes again.

    Example:
        >>> behavior = Behavior()
        >>> behavior.bind(torch.Size([2]), nn.Identity())
        >>> with learning(behavior):
        ...     torch.is_grad_enabled()
        False
    """
    if behavior.shape is None:
        raise unbound(behavior)
    if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
        raise RuntimeError(
            f"Expected each step to be run once, got {type(behavior).__name__} in a backward pass that computes steps "
            "again (`checkpoint_every`), when what it learned has moved on. Switch off one of the two."
        )
    with torch.inference_mode(False), torch.no_grad():
        yield


def one_per_neuron(behavior: Behavior, neuron: nn.Module, name: str, shape: torch.Size) -> Tensor:
    """Give a constant of the neurons one value for each, and return it.

    Args:
        behavior: What will move it.
        neuron: The neurons.
        name: Name of the constant.
        shape: Shape of the population.

    Raises:
        TypeError: They have no such constant, or a trainable one.
        ValueError: It does not fit the population.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> one_per_neuron(Behavior(), LIF(), "v_threshold", torch.Size([3]))
        tensor([1., 1., 1.])
    """
    value = constant(neuron, name)
    if isinstance(value, nn.Parameter) or f"log_{name}" in neuron._parameters:
        raise TypeError(
            f"Expected `{name}` of the neurons to be fixed, since {type(behavior).__name__} moves it, got a trainable "
            "nn.Parameter. Pass a number or a tensor."
        )
    behavior.moves = (name, value)  # where it began, for another of its kind
    try:
        value = value.expand(shape).clone()
    except RuntimeError as error:
        raise ValueError(
            f"Expected `{name}` of the neurons to fit the population's shape {tuple(shape)}, got {tuple(value.shape)}."
        ) from error
    setattr(neuron, name, value)
    return value


def mean_over_batch(behavior: Behavior, x: Tensor, like: Tensor) -> Tensor:
    """Return the mean of what was measured over all samples.

    Args:
        behavior: What measured.
        x: What it measured, ``(*batch, *neurons)``.
        like: One value per neuron, for the shape and the dtype.

    Raises:
        ValueError: Of another shape.

    Example:
        >>> mean_over_batch(Behavior(), torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.zeros(2))
        tensor([1.0000, 0.5000])
    """
    batch = x.dim() - like.dim()
    if x.shape[batch:] != like.shape or batch < 0:
        raise ValueError(
            f"Expected {type(behavior).__name__} to see (*batch, {', '.join(map(str, like.shape))}), "
            f"got {tuple(x.shape)}."
        )
    return x.detach().to(like.dtype).flatten(0, batch - 1).mean(0) if batch else x.detach().to(like.dtype)
