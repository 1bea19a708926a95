"""What neurons respond to, and how selectively."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["CircularTuning", "Tuning", "circular_tuning", "sparseness", "tuning"]


class Tuning(NamedTuple):
    """Mean response of neurons to each stimulus."""

    stimuli: Tensor
    """The stimuli that occurred, ascending."""
    mean: Tensor
    """Mean response to each, ``(stimuli, *neurons)``, in the unit of the responses."""
    error: Tensor
    """Standard error of the mean; NaN of a stimulus that occurred once."""


class CircularTuning(NamedTuple):
    """How selective neurons are for a direction, and for which."""

    selectivity: Tensor
    """Length of the mean vector: 0 for none, 1 for a response to a single direction [1]; NaN for silent neurons."""
    preferred: Tensor
    """Its direction, from 0 up to the period, in the unit of the angles; NaN for silent neurons."""


def tuning(responses: Float[Tensor, " trials *neurons"], stimuli: Shaped[Tensor, " trials"]) -> Tuning:
    """Return the mean response of every neuron to each stimulus.

    Args:
        responses: Of each trial, such as rates [Hz] or counts [1].
        stimuli: What was shown: labels, angles, contrasts.

    Raises:
        ValueError: Not as many stimuli as responses, or none.

    Example:
        >>> tuning(torch.tensor([[1.0], [3.0], [7.0], [7.0]]), torch.tensor([0, 0, 1, 1]))
        Tuning(stimuli=tensor([0, 1]), mean=tensor([[2.],
                [7.]]), error=tensor([[1.],
                [0.]]))
    """
    if stimuli.dim() != 1 or not len(stimuli) or len(responses) != len(stimuli):
        raise ValueError(
            f"Expected `stimuli` to be one for each of the {len(responses)} trials of `responses`, got shape "
            f"{tuple(stimuli.shape)}."
        )
    found, place = torch.unique(stimuli, return_inverse=True)
    values = responses.detach().double()
    number = torch.bincount(place, minlength=len(found)).to(values).reshape(-1, *[1] * (values.dim() - 1))
    empty = values.new_zeros(len(found), *values.shape[1:])
    mean = empty.index_add(0, place, values) / number
    squares = empty.index_add(0, place, (values - mean[place]) ** 2)
    error = torch.where(number > 1, (squares / (number - 1) / number).sqrt(), torch.nan)
    return Tuning(found, mean.float(), error.float())


def sparseness(mean: Float[Tensor, " stimuli *neurons"]) -> Float[Tensor, "*neurons"]:
    r"""Return how few of the stimuli a neuron responds to: 0 for all alike, 1 for a single one.

    .. math:: S = \frac{1 - \langle r \rangle^2 / \langle r^2 \rangle}{1 - 1/n}

    Silent neurons have NaN.

    Args:
        mean: Mean response to each of n stimuli, none negative, as ``tuning(...).mean``.

    Returns:
        ``(*neurons)`` [1].

    Raises:
        ValueError: Fewer than two stimuli.

    Example:
        >>> sparseness(torch.tensor([[5.0, 1.0, 0.0], [0.0, 1.0, 0.0]]))
        tensor([1., 0., nan])

    References:
        Vinje and Gallant, Science 287 (2000), after Rolls and Tovee, J Neurophysiol 73 (1995).
    """
    if len(mean) < 2:
        raise ValueError(f"Expected `mean` responses to at least two stimuli [1], got {len(mean)}.")
    values = mean.detach().double()
    share = values.mean(0) ** 2 / (values**2).mean(0)
    return ((1 - share) / (1 - 1 / len(values))).float()


def circular_tuning(
    mean: Float[Tensor, " stimuli *neurons"], angles: Float[Tensor, " stimuli"], *, period: float = 360.0
) -> CircularTuning:
    r"""Return selectivity for and preferred direction of angles: :math:`\sum_k r_k e^{2\pi i\theta_k/T} / \sum_k r_k`.

    The angles should cover the circle evenly. One minus the selectivity is the circular variance.

    Args:
        mean: Mean response to each angle, none negative.
        angles: The angles, such as ``tuning(...).stimuli`` [degree].
        period: When they repeat: 360 for directions, 180 for orientations [degree].

    Returns:
        Selectivity and preferred angle, ``(*neurons)`` each.

    Raises:
        ValueError: Not as many angles as responses, or a period that is not positive.

    Example:
        >>> angles = torch.arange(0.0, 360.0, 30.0)
        >>> circular_tuning(1 + torch.cos(torch.deg2rad(angles - 60)), angles)
        CircularTuning(selectivity=tensor(0.5000), preferred=tensor(60.0000))

    References:
        Ringach, Shapley and Hawken, J Neuroscience 22 (2002), the circular variance.
    """
    if angles.shape != mean.shape[:1]:
        raise ValueError(f"Expected `angles` for the {len(mean)} stimuli of `mean`, got shape {tuple(angles.shape)}.")
    if not period > 0:
        raise ValueError(f"Expected `period` to be positive [degree], got {period}.")
    values = mean.detach().double()
    phase = (2 * torch.pi / period) * angles.double().reshape(-1, *[1] * (values.dim() - 1))
    total = values.sum(0)
    x, y = (values * phase.cos()).sum(0) / total, (values * phase.sin()).sum(0) / total
    preferred = torch.atan2(y, x).remainder(2 * torch.pi) * period / (2 * torch.pi)
    preferred = preferred.float()
    preferred = torch.where(preferred >= period, 0, preferred)  # just below 0, rounded
    return CircularTuning(torch.hypot(x, y).float(), preferred)
