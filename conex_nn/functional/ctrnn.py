"""Rate neurons in continuous time."""

from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.leak import Method, decay_factor, rise_factor

__all__ = ["ctrnn_step"]


def ctrnn_step(
    current: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    rate: Float[Tensor, "*batch neurons"],
    *,
    weight: Float[Tensor, "neurons neurons"],
    tau: Float[Tensor, "#neurons"],
    dt: float,
    method: Method = "exact",
) -> Float[Tensor, "*batch neurons"]:
    r"""Advance a recurrent network of rate neurons by one step: :math:`\tau \dot v = -v + W r + I`.

    The leak is integrated exactly or by Euler's method; the rates are held constant over the step.

    Args:
        current: What arrives from outside, biases included [1].
        v: Activation variable at the start of the step [1].
        rate: Rates of the neurons at the start of the step [1].
        weight: Recurrent weights, ``(post, pre)`` [1].
        tau: Time constant [ms].
        dt: Length of the step [ms].
        method: ``"exact"`` or ``"euler"``.

    Returns:
        The activation variable after the step [1].

    Example:
        >>> import torch
        >>> one = torch.ones(1)
        >>> ctrnn_step(one, 0 * one, one, weight=torch.full((1, 1), 0.5), tau=10 * one, dt=1.0, method="euler")
        tensor([0.1500])

    References:
        Song, Yang and Wang, PLoS Computational Biology 12 (2016), equation 1.
    """
    rise = rise_factor(tau, dt=dt, method=method)
    return decay_factor(tau, dt=dt, method=method) * v + rise * (current + rate @ weight.t())
