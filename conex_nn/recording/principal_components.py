"""The few directions in which a population moves most."""

from typing import NamedTuple

import torch
from jaxtyping import Shaped
from torch import Tensor

from conex_nn.recording.layout import by_neuron, check_series

__all__ = ["Components", "principal_components"]


class Components(NamedTuple):
    """Principal components of what a population does."""

    scores: Tensor
    """Where it is along each component, ``(time, *batch, components)``, in the unit of the values."""
    directions: Tensor
    """What each neuron contributes, ``(components, neurons)``: rows of length 1 [1]."""
    explained: Tensor
    """Share of the variance along each [1]; NaN where nothing varies."""


def principal_components(
    values: Shaped[Tensor, " time *trains"], *, components: int = 3, axes: int = 1, dt: float = 1.0
) -> Components:
    """Return the principal components of activity, over all steps and samples together.

    The entry of largest magnitude of a direction is positive. Smooth spikes first: :func:`smoothed_rate`.

    Args:
        values: Rates or potentials, ``(time, *batch, *neurons)``.
        components: How many to return [1].
        axes: How many of the last axes count neurons [1].
        dt: Length of a step [ms].

    Raises:
        ValueError: More components than there are neurons or moments.

    Example:
        >>> line = torch.linspace(-1, 1, 5)[:, None] * torch.tensor([3.0, 4.0])
        >>> found = principal_components(line, components=1)
        >>> found.directions, found.explained
        (tensor([[0.6000, 0.8000]]), tensor([1.]))
    """
    checked = check_series(values, dt=dt, name="values")
    neurons = by_neuron(checked, axes=axes, name="values").double().flatten(0, 1)
    if not 1 <= components <= min(neurons.shape):
        raise ValueError(
            f"Expected `components` from 1 to {min(neurons.shape)}, the least of {neurons.shape[1]} neurons and "
            f"{len(neurons)} moments [1], got {components}."
        )
    about = neurons - neurons.mean(0)
    _, lengths, directions = torch.linalg.svd(about, full_matrices=False)
    directions = directions[:components]
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    directions = directions * torch.where(largest < 0, -1.0, 1.0)
    scores = (about @ directions.T).reshape(*values.shape[: values.dim() - axes], components)
    total = (lengths**2).sum()
    varies = total > 1e-24 * (neurons**2).sum()  # more than rounding leaves of values that never do
    explained = torch.where(varies, lengths**2 / total, torch.nan)[:components]
    return Components(scores.float(), directions.float(), explained.float())
