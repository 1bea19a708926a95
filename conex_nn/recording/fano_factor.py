"""How much spike counts vary."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

__all__ = ["fano_factor"]


def fano_factor(counts: Shaped[Tensor, " bins *trains"], *, dim: int | Sequence[int] = 0) -> Float[Tensor, "..."]:
    r"""Return the Fano factor of spike counts, :math:`\sigma^2 / \mu`, the variance without bias.

    It is 1 for a Poisson process and 0 where all counts are the same. Silent trains, and fewer than two counts, have
    NaN.

    Args:
        counts: ``(bins, *batch, *neurons)``, as :func:`~conex_nn.recording.spike_counts` gives them [1].
        dim: Axes over which counts vary: 0 for bins of time, 1 for samples that are repeated trials, both for both [1].

    Returns:
        The factors, without these axes [1].

    Raises:
        ValueError: An axis that there is not.

    Example:
        >>> fano_factor(torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, 0.0]]))
        tensor([1., 0., nan])

    References:
        Gerstner et al., Neuronal Dynamics (2014), section 7.2.1.
    """
    axes = (dim,) if isinstance(dim, int) else tuple(dim)
    if not axes or any(not -counts.dim() <= axis < counts.dim() for axis in axes):
        raise ValueError(f"Expected `dim` to be axes of counts of shape {tuple(counts.shape)}, got {dim}.")
    values = counts.detach().double()
    number = torch.Size([values.shape[axis] for axis in axes]).numel()
    mean = values.mean(axes)
    squares = ((values - values.mean(axes, keepdim=True)) ** 2).sum(axes)
    return (squares / (number - 1) / mean if number > 1 else torch.full_like(mean, torch.nan)).float()
