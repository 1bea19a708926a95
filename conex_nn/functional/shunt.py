"""What an open conductance leaves of the currents into a membrane, held for a step."""

from jaxtyping import Float
from torch import Tensor

from conex_nn.functional.decaying_current import mean_decay

__all__ = ["shunted_current"]


def shunted_current(
    current: Float[Tensor, "*batch neurons"],
    conductance: Float[Tensor, "*batch neurons"],
    v: Float[Tensor, "*batch neurons"],
    *,
    capacitance: Float[Tensor, "#neurons"],
    tau_mem: Float[Tensor, "#neurons"] | None = None,
    v_rest: Float[Tensor, "#neurons"] | None = None,
    dt: float,
) -> Float[Tensor, "*batch neurons"]:
    r"""Return the current that, held for a step, does what currents do while a conductance is open.

    An open conductance makes the membrane faster: as the potential moves, so does the current through it. With
    :math:`I` the current that flows at the start of the step, the part through the conductance :math:`g` included, the
    potential obeys

    .. math:: C \dot v = (v_\mathrm{rest} - v) C / \tau_m + I - g (v - v_0)

    whose solution a leaky membrane, integrated exactly, reaches with the held current

    .. math:: \rho \, (I + L) - L, \quad \rho = \psi(dt/\tau_m + g\,dt/C) \, / \, \psi(dt/\tau_m), \quad
        \psi(x) = (1 - e^{-x}) / x,

    :math:`L = (v_\mathrm{rest} - v_0) C / \tau_m` being that of the leak. It is exact for a conductance and a current
    that are constant; where they change within the step, and their means are given, the potential is of second order
    in ``dt``. However strong the conductance, the potential does not pass the value at which it comes to rest.

    Args:
        current: All currents at the start of the step [nA].
        conductance: The conductance that is open in it [uS].
        v: Membrane potential at the start of the step [mV].
        capacitance: Of the membrane [nF].
        tau_mem: Time constant of the membrane without it; None where it has no leak [ms].
        v_rest: Resting potential, where there is a leak [mV].
        dt: Length of the step [ms].

    Returns:
        The current to hold [nA].

    Example:
        >>> one, v = torch.ones(1), torch.full((1,), 2.0)
        >>> current = shunted_current(one * (10.0 - v), one, v, capacitance=5 * one, dt=1.0)  # 1 uS, toward 10 mV
        >>> v + current * 1.0 / 5.0, 10 + (v - 10) * torch.exp(-one / 5.0)
        (tensor([3.4502]), tensor([3.4502]))

    References:
        Rotter and Diesmann, Biological Cybernetics 81 (1999), section 3.1 (exact integration of a linear step).
    """
    opened = dt * conductance / capacitance
    if tau_mem is None or v_rest is None:
        return mean_decay(opened) * current
    closed = dt / tau_mem
    leak = capacitance / tau_mem * (v_rest - v)
    return mean_decay(closed + opened) / mean_decay(closed) * (current + leak) - leak
