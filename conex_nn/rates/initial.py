"""Initial weights: balance of excitation and inhibition, spectral radius, areas of their own. All in place."""

import warnings
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from conex_nn.rates.areas import Areas

__all__ = ["balance_", "by_area_", "spectral_radius_"]


@torch.no_grad()
def balance_(weight: Tensor) -> Tensor:
    r"""Scale the inhibition of each neuron to its excitation, in place: the weights of every row add up to 0.

    .. math:: w_{ij} \leftarrow w_{ij} \sum_k [w_{ik}]_+ \Big/ \sum_k [w_{ik}]_- \quad \text{where } w_{ij} < 0

    Signs and zeros stay, so that it goes with Dale's law and masks.

    Args:
        weight: Weights, ``(post, pre)`` [1].

    Returns:
        The same tensor.

    Raises:
        ValueError: A weight that is computed, such as a constrained one, and would not keep what is written into it.

    Warns:
        UserWarning: Rows with weights of one sign only, which nothing can balance, by their index.

    Example:
        >>> balance_(torch.tensor([[0.5, 0.25, -1.0], [0.0, 1.0, -0.5]]))
        tensor([[ 0.5000,  0.2500, -0.7500],
                [ 0.0000,  1.0000, -1.0000]])

    References:
        Rajan and Abbott, Physical Review Letters 97 (2006): the balance condition of each row.
    """
    _check_kept(weight)
    excitation, inhibition = weight.clamp(min=0).sum(1), -weight.clamp(max=0).sum(1)
    able = (excitation > 0) & (inhibition > 0)
    if not weight.is_meta and (one := (~able & (weight != 0).any(1)).nonzero().flatten().tolist()):
        warnings.warn(
            f"Neuron {', '.join(map(str, one[:10]))} has weights of one sign only, which cannot be balanced.",
            stacklevel=2,
        )
    factor = torch.where(able, excitation / inhibition, 1.0)
    return weight.mul_(torch.where(weight < 0, factor[:, None], 1.0))


@torch.no_grad()
def spectral_radius_(weight: Tensor, radius: float) -> Tensor:
    """Scale a square weight in place so that its largest eigenvalue has a given size.

    Args:
        weight: Weights, ``(post, pre)`` [1].
        radius: Size of the largest eigenvalue [1].

    Returns:
        The same tensor.

    Raises:
        ValueError: A weight that is not square, a negative radius, a weight whose eigenvalues are all 0, one that is
            computed, as for :func:`balance_`.

    Example:
        >>> spectral_radius_(torch.diag(torch.tensor([1.0, -2.0])), 0.5)
        tensor([[ 0.2500,  0.0000],
                [ 0.0000, -0.5000]])
    """
    _check_kept(weight)
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
        raise ValueError(f"Expected `weight` to be square (post, pre), got shape {tuple(weight.shape)}.")
    if not radius >= 0:
        raise ValueError(f"Expected `radius` not to be negative [1], got {radius}.")
    if weight.is_meta:
        return weight
    largest = torch.linalg.eigvals(weight.double()).abs().max().item()
    if largest < 1e-12 * weight.abs().max().item() or largest == 0:
        raise ValueError(f"Expected `weight` with an eigenvalue that is not 0 to scale to {radius} [1], got none.")
    return weight.mul_(radius / largest)


def _check_kept(weight: Tensor) -> None:
    """Raise if a weight is the result of a computation, so that what is written into it is lost."""
    if weight.grad_fn is not None and not weight._is_view():
        raise ValueError(
            "Expected `weight` to be a tensor that keeps what is written into it, got one that is computed, as a "
            "constrained weight is. Use `recurrent_init=`, or assign: "
            "`layer.weight = balance_(layer.weight.detach().clone())`."
        )


def by_area_(areas: Areas, fills: Mapping[str, Callable[[Tensor], object]]) -> Callable[[Tensor], Tensor]:
    """Return an initialiser that fills the recurrent weights within each area in its own way.

    Args:
        areas: Which neurons an area has.
        fills: By the area's name, what fills a weight in place, such as ``torch.nn.init.orthogonal_``.

    Returns:
        What fills the weights of all neurons, ``(post, pre)``, in place; other weights stay.

    Raises:
        KeyError: A name that is none of an area.

    Example:
        >>> areas = Areas({"v1": range(2), "pfc": range(2, 3)})
        >>> by_area_(areas, {"v1": torch.nn.init.ones_})(torch.zeros(3, 3))
        tensor([[1., 1., 0.],
                [1., 1., 0.],
                [0., 0., 0.]])
    """
    places = {name: areas.index(name) for name in fills}

    @torch.no_grad()
    def fill(weight: Tensor) -> Tensor:
        for name, place in places.items():
            block = weight[place[:, None], place].clone()
            fills[name](block)
            weight[place[:, None], place] = block
        return weight

    return fill
