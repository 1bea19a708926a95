"""How much a population does the same thing at the same time."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from conex_nn.recording.layout import by_neuron, check_series
from conex_nn.recording.rates import spike_counts

__all__ = ["synchrony"]


def synchrony(
    values: Shaped[Tensor, " time *trains"], *, dt: float = 1.0, axes: int = 1, width: float | None = None
) -> Float[Tensor, "*batch"]:
    r"""Return how synchronous a population is, :math:`\chi`: 1 where all do the same, near :math:`1/\sqrt{N}` for none.

    .. math:: \chi^2 = \mathrm{var}_t \langle x_i \rangle_i \,/\, \langle \mathrm{var}_t\, x_i \rangle_i

    A population of which nothing varies, such as a silent one, has NaN.

    Args:
        values: Spikes or potentials, ``(time, *batch, *neurons)``.
        dt: Length of a step [ms].
        axes: How many of the last axes count neurons [1].
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
    checked = check_series(values, dt=dt, name="values")
    found = checked if width is None else spike_counts(checked, width=width, dt=dt)
    neurons = by_neuron(found.double(), axes=axes, name="values")
    together = neurons.mean(2).var(0, correction=0)
    alone = neurons.var(0, correction=0).mean(1)
    chi = torch.where(alone > 0, (together / alone).sqrt(), torch.nan)
    return chi.reshape(values.shape[1 : values.dim() - axes]).float()
