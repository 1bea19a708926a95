"""How much neurons vary together, pair by pair."""

from typing import NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor

from conex_nn.recording.layout import by_neuron, check_series, evenly, length_of_step
from conex_nn.recording.rates import spike_counts
from conex_nn.structure.events import Events

__all__ = ["Correlations", "correlations"]


class Correlations(NamedTuple):
    """Correlations of some neurons of a population, pair by pair."""

    matrix: Tensor
    """Pearson's coefficient of each pair, ``(chosen, chosen)`` [1]; NaN for a neuron that never varies."""
    neurons: Tensor
    """Which neurons they are, counted in the order of ``flatten`` [1]."""
    total: int
    """How many neurons the population has [1]."""

    @property
    def mean(self) -> Tensor:
        """Mean over all pairs of two neurons that vary [1]; NaN where there is none."""
        apart = ~torch.eye(len(self.matrix), dtype=torch.bool, device=self.matrix.device)
        return self.matrix[apart].nanmean()


def correlations(
    spikes: Shaped[Tensor, " time *trains"] | Events,
    *,
    dt: float | None = None,
    width: float | None = None,
    axes: int = 1,
    max_neurons: int = 500,
) -> Correlations:
    """Return the correlation of spike counts, or of other values, of each pair of neurons.

    Bins of all samples count, about the mean of each sample, so that samples that differ as wholes correlate nothing.
    Of a population larger than ``max_neurons``, evenly spaced ones are taken: pairs grow with the square.

    Args:
        spikes: ``(time, *batch, *neurons)`` [1], or events.
        dt: Length of a step [ms]; None for that of events, else 1.
        width: Bins in which spikes are counted; None for every step [ms].
        axes: How many of the last axes of a tensor count neurons [1].
        max_neurons: Neurons that are compared at most [1].

    Returns:
        The coefficients, and of which neurons they are.

    Raises:
        ValueError: ``max_neurons`` below 1, or axes that there are not.

    Example:
        >>> x = torch.tensor([0.0, 1.0, 1.0, 0.0])
        >>> correlations(torch.stack([x, x, 1 - x, 0 * x], 1)).matrix
        tensor([[ 1.,  1., -1., nan],
                [ 1.,  1., -1., nan],
                [-1., -1.,  1., nan],
                [nan, nan, nan, nan]])
    """
    if max_neurons < 1:
        raise ValueError(f"Expected `max_neurons` to be at least 1 [1], got {max_neurons}.")
    step = length_of_step(spikes, dt)
    if isinstance(spikes, Events):
        known = torch.arange(spikes.shape.numel()) if spikes.neurons is None else spikes.neurons.cpu()
        total = len(known)
        chosen = known[evenly(total, max_neurons)]
        some = spikes.only(chosen)
        counts = spike_counts(some, width=step if width is None else width, dt=step)
        counts = counts.double().reshape(len(counts), -1, len(chosen))
    else:
        neurons = by_neuron(check_series(spikes, dt=step), axes=axes)
        total = neurons.shape[2]
        chosen = evenly(total, max_neurons).to(neurons.device)
        values = neurons[:, :, chosen]
        counts = (values if width is None else spike_counts(values, width=width, dt=step)).double()
    about = (counts - counts.mean(0)).flatten(0, 1)
    covariance = about.T @ about
    spread = covariance.diagonal().sqrt()
    noise = 1e-12 * (counts**2).sum((0, 1)).sqrt()  # what rounding leaves of a value that never varies
    spread = torch.where(spread > noise, spread, torch.nan)
    matrix = (covariance / spread / spread[:, None]).clamp(-1, 1)
    return Correlations(matrix.float(), chosen, total)
