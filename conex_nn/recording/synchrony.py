"""How much a population does the same thing at the same time."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from conex_nn.durations import whole_steps
from conex_nn.recording.layout import activity, by_neuron, check_series, length_of_step
from conex_nn.recording.rates import spike_counts
from conex_nn.structure.events import Events

__all__ = ["synchrony"]


def synchrony(
    values: Shaped[Tensor, " time *trains"] | Events,
    *,
    dt: float | None = None,
    axes: int = 1,
    width: float | None = None,
) -> Float[Tensor, "*batch"]:
    r"""Return how synchronous a population is, :math:`\chi`: 1 where all do the same, near :math:`1/\sqrt{N}` for none.

    .. math:: \chi^2 = \mathrm{var}_t \langle x_i \rangle_i \,/\, \langle \mathrm{var}_t\, x_i \rangle_i

    A population of which nothing varies, such as a silent one, has NaN.

    Args:
        values: Spikes or potentials, ``(time, *batch, *neurons)``, or events.
        dt: Length of a step [ms]; None for that of events, else 1.
        axes: How many of the last axes of a tensor count neurons [1].
        width: Bins in which spikes are counted first; None for every step [ms].

    Returns:
        ``(*batch)`` [1].

    Example:
        >>> x = torch.tensor([0.0, 1.0, 0.0, 1.0])
        >>> synchrony(torch.stack([x, x], 1)), synchrony(torch.stack([x, 1 - x], 1))
        (tensor(1.), tensor(0.))

    References:
        Golomb and Rinzel, Physica D 72 (1994); Golomb, Scholarpedia 2 (2007), 1347.
    """
    step = length_of_step(values, dt)
    if isinstance(values, Events):
        together, alone, shape = *_of_events(values, step if width is None else width, step), values.batch
    else:
        checked = check_series(values, dt=step, name="values")
        found = checked if width is None else spike_counts(checked, width=width, dt=step)
        neurons = by_neuron(found.double(), axes=axes, name="values")
        together, alone = neurons.mean(2).var(0, correction=0), neurons.var(0, correction=0).mean(1)
        shape = values.shape[1 : values.dim() - axes]
    return torch.where(alone > 0, (together / alone).sqrt(), torch.nan).reshape(shape).float()


def _of_events(events: Events, width: float, dt: float) -> tuple[Tensor, Tensor]:
    """Return the variances over time of the mean of all neurons and of one alone, of counts that are mostly 0."""
    steps, samples = whole_steps(width, dt=dt, name="width"), max(1, events.batch.numel())
    bins, trains = events.steps // steps, events.train_shape.numel()
    counts = spike_counts(activity(events), width=width, dt=dt)
    place = (events.time.long() - events.begin) // steps * trains + events.train
    cell, count = place.unique(return_counts=True)
    inside = cell < bins * trains
    train, count = cell[inside] % trains, count[inside].double()
    mean, square = (count.new_zeros(trains).index_add_(0, train, x) / bins for x in (count, count**2))
    alone = (square - mean**2).reshape(samples, -1).mean(1)
    return (counts / (trains // samples)).var(0, correction=0), alone
