"""How often neurons fire: on the whole, in bins of time, smoothed, and as a population."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from conex_nn.durations import whole_steps
from conex_nn.recording.layout import activity, by_neuron, check_series, length_of_step
from conex_nn.structure.events import Events

__all__ = ["binned_rate", "population_rate", "rate", "smoothed_rate", "spike_counts"]


def rate(spikes: Shaped[Tensor, " time *trains"] | Events, *, dt: float | None = None) -> Float[Tensor, "*trains"]:
    """Return the mean rate of every spike train. A silent one has 0.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.

    Returns:
        Rates ``(*batch, *neurons)`` [Hz].

    Raises:
        ValueError: No step, or a ``dt`` that is not positive.

    Example:
        >>> rate(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), dt=2.0)
        tensor([500.,   0.])
    """
    step = length_of_step(spikes, dt)
    if isinstance(spikes, Events):
        count = torch.bincount(spikes.train, minlength=spikes.train_shape.numel()).reshape(spikes.train_shape)
        return count.float() * (1000 / (spikes.steps * step))
    return check_series(spikes, dt=step).mean(0) * (1000 / step)


def spike_counts(
    spikes: Shaped[Tensor, " time *trains"] | Events, *, width: float, dt: float | None = None
) -> Float[Tensor, " bins *trains"]:
    """Count the spikes of every train in bins of time. A last bin that is not whole is left out.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        width: Length of a bin, a whole number of steps [ms].
        dt: Length of a step [ms]; None for that of events, else 1.

    Returns:
        Counts ``(bins, *batch, *neurons)`` [1].

    Raises:
        ValueError: A width that is no whole number of steps, or longer than the recording.

    Example:
        >>> spike_counts(torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0]), width=2.0)
        tensor([1., 2.])
    """
    step = length_of_step(spikes, dt)
    steps, total = (
        whole_steps(width, dt=step, name="width"),
        spikes.steps if isinstance(spikes, Events) else len(spikes),
    )
    bins = total // steps
    if total and not bins:
        raise ValueError(f"Expected `width` to be at most the {total * step:g} ms that there are [ms], got {width}.")
    if isinstance(spikes, Events):
        trains = spikes.train_shape.numel()
        place = (spikes.time.long() - spikes.begin) // steps * trains + spikes.train
        found = torch.bincount(place, minlength=bins * trains)[: bins * trains]
        return found.reshape(bins, *spikes.train_shape).float()
    values = check_series(spikes, dt=step)
    return values[: bins * steps].unflatten(0, (bins, steps)).sum(1)


def binned_rate(
    spikes: Shaped[Tensor, " time *trains"] | Events, *, width: float, dt: float | None = None
) -> Float[Tensor, " bins *trains"]:
    """Return the rate of every train in bins of time. A last bin that is not whole is left out.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        width: Length of a bin, a whole number of steps [ms].
        dt: Length of a step [ms]; None for that of events, else 1.

    Returns:
        Rates ``(bins, *batch, *neurons)`` [Hz].

    Example:
        >>> binned_rate(torch.tensor([1.0, 0.0, 1.0, 1.0]), width=2.0)
        tensor([ 500., 1000.])
    """
    return spike_counts(spikes, width=width, dt=dt) * (1000 / width)


def smoothed_rate(
    spikes: Shaped[Tensor, " time *trains"], *, sigma: float, dt: float = 1.0
) -> Float[Tensor, " time *trains"]:
    """Return the rate of every train at every step, smoothed by a Gaussian.

    The Gaussian reaches four sigma and is scaled up where it reaches beyond an end, so that a constant rate stays so.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1].
        sigma: Standard deviation of the Gaussian [ms].
        dt: Length of a step [ms].

    Returns:
        Rates ``(time, *batch, *neurons)`` [Hz].

    Raises:
        ValueError: A ``sigma`` that is not positive.

    Example:
        >>> smoothed_rate(torch.ones(4), sigma=2.0)
        tensor([1000., 1000., 1000., 1000.])
    """
    values = check_series(spikes, dt=dt)
    if not sigma > 0:
        raise ValueError(f"Expected `sigma` to be positive [ms], got {sigma}.")
    reach = int(4 * sigma / dt)
    lag = torch.arange(-reach, reach + 1, dtype=values.dtype, device=values.device) * dt
    kernel = torch.exp(-((lag / sigma) ** 2) / 2)[None, None]
    trains = values.reshape(len(values), -1).T.unsqueeze(1)
    inside = F.conv1d(values.new_ones(1, 1, len(values)), kernel, padding=reach)
    smooth = F.conv1d(trains, kernel, padding=reach) / inside
    return smooth.squeeze(1).T.reshape(values.shape) * (1000 / dt)


def population_rate(
    spikes: Shaped[Tensor, " time *trains"] | Events,
    *,
    dt: float | None = None,
    axes: int = 1,
    sigma: float | None = None,
) -> Float[Tensor, " time *batch"]:
    """Return the mean rate of a population at every step.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.
        axes: How many of the last axes count neurons [1].
        sigma: Standard deviation of a Gaussian that smooths it, None for none [ms].

    Returns:
        Rates ``(time, *batch)`` [Hz].

    Example:
        >>> population_rate(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
        tensor([1000.,  500.])
    """
    step = length_of_step(spikes, dt)
    if isinstance(spikes, Events):
        neurons = spikes.train_shape.numel() // max(1, spikes.batch.numel())
        share = (activity(spikes) / neurons).float().reshape(spikes.steps, *spikes.batch)
    else:
        values = check_series(spikes, dt=step)
        share = by_neuron(values, axes=axes).mean(2).reshape(values.shape[: values.dim() - axes])
    return share * (1000 / step) if sigma is None else smoothed_rate(share, sigma=sigma, dt=step)
