"""What turns the activation variable into rates: any callable on tensors."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

__all__ = ["Activation", "checked_activation"]

Activation = Callable[[Tensor], Tensor]
"""From ``v`` to rates."""


def checked_activation(activation: Activation, neurons: int) -> Activation:
    """Return an activation that takes a tensor and gives one of its shape, leaving it as it is.

    Args:
        activation: From ``v`` to rates.
        neurons: Number of neurons.

    Raises:
        TypeError: It is no callable on tensors, such as a name or a class.
        ValueError: It gives another shape, or writes to its input.

    Example:
        >>> checked_activation(torch.nn.ReLU, 3)
        Traceback (most recent call last):
        TypeError: Expected `activation` to be a callable on tensors, such as torch.tanh or nn.Softplus(), got ...
    """
    if isinstance(activation, type) or not callable(activation):
        raise TypeError(
            "Expected `activation` to be a callable on tensors, such as torch.tanh or nn.Softplus(), "
            f"got {activation!r}."
        )
    if isinstance(activation, nn.Module) and any(True for _ in activation.state_dict()):
        return activation  # its constants may be on another device
    v = torch.linspace(-1, 1, neurons, device="cpu").expand(2, neurons).clone()
    y, written = activation(v), v._version
    if not isinstance(y, Tensor) or y.shape != v.shape or written:
        got = "one that writes to it" if written else f"shape {tuple(getattr(y, 'shape', ()))}"
        raise ValueError(
            f"Expected `activation` to return a new tensor of the shape of its input, {tuple(v.shape)}, got {got}."
        )
    return activation
