"""Readouts: what an output sequence says of each class. Any callable of this kind will do."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "Decode",
    "first_spike",
    "last_membrane",
    "max_membrane",
    "mean_membrane",
    "running_scores",
    "spike_count",
]

Decode = Callable[[Tensor], Tensor]
"""Maps an output sequence ``(time, batch, classes)`` to scores ``(batch, classes)``, highest for the likeliest."""


def spike_count(outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
    """Count the spikes of each class.

    Args:
        outputs: Spikes of the output neurons [1].

    Returns:
        Scores: the number of spikes [1].

    Example:
        >>> spike_count(torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]))
        tensor([[1., 2.]])
    """
    return outputs.sum(0)


def mean_membrane(outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
    """Average the potential of each class over time; for outputs that do not spike, such as ``LI``.

    Args:
        outputs: Potentials of the output neurons [mV].

    Returns:
        Scores: the mean potential [mV].

    Example:
        >>> mean_membrane(torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]))
        tensor([[0.5000, 1.0000]])
    """
    return outputs.mean(0)


def max_membrane(outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
    """Take the highest potential of each class; for outputs that do not spike, such as ``LI``.

    Args:
        outputs: Potentials of the output neurons [mV].

    Returns:
        Scores: the highest potential [mV].

    Example:
        >>> max_membrane(torch.tensor([[[0.0, 3.0]], [[1.0, 2.0]]]))
        tensor([[1., 3.]])

    References:
        Cramer et al., IEEE TNNLS 33 (2022), section III.C, "max over time".
    """
    return outputs.amax(0)


def last_membrane(outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
    """Take the potential of each class at the last step; for outputs that do not spike, such as ``LI``.

    Args:
        outputs: Potentials of the output neurons [mV].

    Returns:
        Scores: the last potential [mV].

    Example:
        >>> last_membrane(torch.tensor([[[0.0, 3.0]], [[1.0, 2.0]]]))
        tensor([[1., 2.]])
    """
    return outputs[-1]


def first_spike(outputs: Float[Tensor, "time batch classes"]) -> Float[Tensor, "batch classes"]:
    r"""Score each class by how early it spikes first.

    .. math:: \sum_t (T - t) \, s_t \prod_{u < t} (1 - s_u)

    is the number of steps from the first spike to the end, and 0 where there is none. It is a polynomial in the spikes,
    so the surrogate gradient tells each step before the first spike what a spike there would have gained.

    Args:
        outputs: Spikes of the output neurons, 0 or 1 [1].

    Returns:
        Scores: steps from the first spike to the end, it included; 0 for a silent neuron [1].

    Example:
        >>> spikes = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
        >>> first_spike(spikes.unsqueeze(1))
        tensor([[2., 3., 0.]])
    """
    steps = len(outputs)
    left = torch.arange(steps, 0, -1, device=outputs.device, dtype=outputs.dtype).view(-1, 1, 1)
    still_silent = torch.cat([torch.ones_like(outputs[:1]), (1 - outputs[:-1]).cumprod(0)])
    return (left * outputs * still_silent).sum(0)


def running_scores(
    outputs: Float[Tensor, "time batch classes"], *, decode: Decode
) -> Float[Tensor, "time batch classes"]:
    """Decode after every step what has come so far.

    Args:
        outputs: Output sequence.
        decode: Readout.

    Returns:
        Scores of the first step, of the first two, and so on.

    Example:
        >>> running_scores(torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]), decode=spike_count)
        tensor([[[0., 1.]],
        <BLANKLINE>
                [[1., 2.]]])
    """
    return torch.stack([decode(outputs[:steps]) for steps in range(1, len(outputs) + 1)])
