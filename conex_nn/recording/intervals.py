"""Intervals between spikes, and how irregular they are."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from conex_nn.recording.layout import check_series, length_of_step
from conex_nn.structure.events import Events

__all__ = ["Intervals", "cv", "cv2", "intervals", "local_variation"]


class Intervals(NamedTuple):
    """Intervals between the spikes of trains, those of a train in the order of time."""

    length: Tensor
    """How long each is [ms]."""
    train: Tensor
    """Whose it is: a place among all trains, counted in the order of ``flatten`` [1]."""


def intervals(spikes: Shaped[Tensor, " time *trains"] | Events, *, dt: float | None = None) -> Intervals:
    """Return all intervals between successive spikes of one train. Trains of fewer than two spikes have none.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.

    Raises:
        ValueError: No step, or a ``dt`` that is not positive.

    Example:
        >>> intervals(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]))
        Intervals(length=tensor([1., 2.]), train=tensor([0, 0]))
    """
    length = length_of_step(spikes, dt)
    if isinstance(spikes, Events):
        number, order = spikes.train.sort(stable=True)
        step = spikes.time.long()[order]
    else:
        values = check_series(spikes, dt=length)
        number, step = values.reshape(len(values), -1).T.nonzero().unbind(1)
    same = number[1:] == number[:-1]
    return Intervals((step[1:] - step[:-1])[same] * float(length), number[1:][same])


def cv(spikes: Shaped[Tensor, " time *trains"] | Events, *, dt: float | None = None) -> Float[Tensor, "*trains"]:
    r"""Return the coefficient of variation of the intervals of every train, :math:`\sigma / \mu`.

    It is 1 for a Poisson process and 0 for a clock. Trains of fewer than three spikes, that is two intervals, have NaN.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.

    Returns:
        ``(*batch, *neurons)`` [1].

    Example:
        >>> spikes = torch.zeros(9, 2)
        >>> spikes[::2, 0] = 1
        >>> cv(spikes)
        tensor([0., nan])

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 7.3.1.
    """
    found, shape = intervals(spikes, dt=dt), _trains(spikes)
    length = found.length.double()
    mean = _mean(length, found.train, shape)
    variance = _mean((length - mean.flatten()[found.train]) ** 2, found.train, shape)
    number = torch.bincount(found.train, minlength=shape.numel()).reshape(shape)
    return torch.where(number < 2, torch.nan, variance.sqrt() / mean).float()


def cv2(spikes: Shaped[Tensor, " time *trains"] | Events, *, dt: float | None = None) -> Float[Tensor, "*trains"]:
    r"""Return the local coefficient of variation of every train: the mean of :math:`2|I_{k+1}-I_k|/(I_{k+1}+I_k)`.

    It compares neighbouring intervals only, so a rate that drifts does not count as irregular. It is 1 for a Poisson
    process and 0 for a clock. Trains of fewer than three spikes have NaN.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.

    Returns:
        ``(*batch, *neurons)`` [1].

    Example:
        >>> cv2(torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0]))  # intervals of 1 and 3 ms
        tensor(1.)

    References:
        Holt, Softky, Koch and Douglas, J Neurophysiol 75 (1996), the measure CV2.
    """
    relative, train = _neighbours(intervals(spikes, dt=dt))
    return _mean(2 * relative.abs(), train, _trains(spikes)).float()


def local_variation(
    spikes: Shaped[Tensor, " time *trains"] | Events, *, dt: float | None = None
) -> Float[Tensor, "*trains"]:
    r"""Return Lv of every train: the mean of :math:`3 ((I_{k+1}-I_k)/(I_{k+1}+I_k))^2`.

    It is 1 for a Poisson process and 0 for a clock. Trains of fewer than three spikes have NaN.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.

    Returns:
        ``(*batch, *neurons)`` [1].

    Example:
        >>> local_variation(torch.tensor([1.0, 1.0, 0.0, 0.0, 1.0]))  # intervals of 1 and 3 ms
        tensor(0.7500)

    References:
        Shinomoto, Shima and Tanji, Neural Computation 15 (2003), the measure Lv.
    """
    relative, train = _neighbours(intervals(spikes, dt=dt))
    return _mean(3 * relative**2, train, _trains(spikes)).float()


def _trains(spikes: Tensor | Events) -> torch.Size:
    """Return the shape of all trains."""
    return spikes.train_shape if isinstance(spikes, Events) else spikes.shape[1:]


def _neighbours(found: Intervals) -> tuple[Tensor, Tensor]:
    """Return how much neighbouring intervals of a train differ, by their sum, and whose they are."""
    length, train = found.length.double(), found.train
    same = train[1:] == train[:-1]
    relative = (length[1:] - length[:-1]) / (length[1:] + length[:-1])
    return relative[same], train[1:][same]


def _mean(values: Tensor, train: Tensor, shape: torch.Size) -> Tensor:
    """Return the mean of the values of each train, NaN where there is none."""
    total = values.new_zeros(shape.numel()).index_add_(0, train, values)
    return (total / torch.bincount(train, minlength=shape.numel())).reshape(shape)
