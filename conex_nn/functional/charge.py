"""Integration of a membrane over one step, before it fires: the linear part that the leaky models share."""

from jaxtyping import Float
from torch import Tensor

__all__ = ["charge"]


def charge(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    *,
    decay: Float[Tensor, "#neurons"],
    gain: Float[Tensor, "#neurons"],
    drive: Float[Tensor, "#neurons"],
) -> Float[Tensor, "*batch neurons"]:
    """Integrate a linear membrane over one step, before it fires: ``decay * v + (gain * current + drive)``.

    What fires on it is :func:`fire`; something may come between the two.

    Args:
        current: Input current [nA].
        v: Membrane potential at the start of the step [mV].
        decay: What a step leaves of the potential [1].
        gain: Potential that a step adds per current [MOhm].
        drive: Potential that a step adds by itself [mV].

    Returns:
        The charged potential [mV].

    Example:
        >>> import torch
        >>> one = torch.ones(1)
        >>> charge(2 * one, one, decay=0.5 * one, gain=0.5 * one, drive=0 * one)
        tensor([1.5000])
    """
    return decay * v + (gain * current + drive)
