"""Whether a synapse fits the populations that it is to connect."""

from typing import Any

import torch
from torch import nn

__all__ = ["check_fit", "check_magnitudes"]


def check_fit(synapse: nn.Module, s: str, t: str, sender: Any, receiver: Any) -> None:
    """Raise unless a synapse is between the shapes of two populations.

    Args:
        synapse: The synapse.
        s: Address of the population that sends.
        t: Address of the population that receives.
        sender: That population.
        receiver: The other.

    Raises:
        ValueError: It is between others.

    Example:
        >>> import conex_nn as cx
        >>> check_fit(cx.Dense(2, 3), "a", "b", cx.Source(2), cx.Population(3, cx.LIF()))
    """
    for end, path, part in (("source_shape", s, sender), ("target_shape", t, receiver)):
        shape = getattr(synapse, end, None)
        if shape is None or torch.Size(shape) != part.shape:
            raise ValueError(
                f"Expected a synapse whose `{end}` is that of {path!r}, {tuple(part.shape)}, got "
                f"{None if shape is None else tuple(shape)} of {type(synapse).__name__}."
            )


def check_magnitudes(synapse: nn.Module, source: str) -> None:
    """Raise where a weight from an inhibitory population is negative.

    Args:
        synapse: The synapse.
        source: Address of the population.

    Raises:
        ValueError: One is.

    Example:
        >>> import conex_nn as cx
        >>> check_magnitudes(cx.OneToOne(2, 2, weight=torch.ones(2)), "inh")
    """
    weight = getattr(synapse, "weight", None)
    if weight is not None and bool((weight < 0).any()):
        raise ValueError(
            f"Expected `weight` from the inhibitory population {source!r} to be magnitudes, 0 or more [nA], got values "
            f"down to {float(weight.detach().min()):g}. The connection makes their current negative by itself."
        )
