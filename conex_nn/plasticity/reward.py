"""STDP that waits for a reward."""

from torch import Tensor

from conex_nn.plasticity.bounds import Bound
from conex_nn.plasticity.chain import Chain, Link
from conex_nn.plasticity.constants import require_positive
from conex_nn.plasticity.learning_rate import LearningRate
from conex_nn.plasticity.modulated import Modulated
from conex_nn.plasticity.rule import Rule
from conex_nn.plasticity.stdp import STDP

__all__ = ["MSTDP", "MSTDPET", "RSTDP"]


def RSTDP(  # noqa: N802  named as the rule is
    *,
    a_plus: float | Tensor = 0.01,
    a_minus: float | Tensor = 0.012,
    tau_plus: float = 20.0,
    tau_minus: float = 20.0,
    tau_c: float = 1000.0,
    nearest: bool = False,
    by: str | tuple[str, ...] = "dopamine",
    bound: Bound | None = None,
) -> Chain:
    r"""Make R-STDP: pair STDP leaves an eligibility trace, and dopamine turns that into a change.

    .. math:: c \leftarrow c\, e^{-dt/\tau_c} + \Delta w_\mathrm{STDP}, \qquad \Delta w = c\, d\, dt

    It is ``chain(STDP(...), bound, Modulated(by, tau=tau_c))``.

    Args:
        a_plus: Eligibility by a pair of spikes, source first [1].
        a_minus: That of the target first, taken off [1]; it does not follow ``a_plus``.
        tau_plus: Time constant of the source's trace [ms].
        tau_minus: Time constant of the target's trace [ms].
        tau_c: Time constant of the eligibility trace [ms].
        nearest: A spike pairs with the last one of the other side only.
        by: Name of the modulator, or of several, whose product is taken.
        bound: What slows the rule down towards the ends of the weight's range.

    Example:
        >>> RSTDP(tau_c=200.0).modulators()
        ['dopamine']

    References:
        Izhikevich, Cerebral Cortex 17 (2007), equations 1 to 3.
    """
    rule = STDP(a_plus=a_plus, a_minus=a_minus, tau_plus=tau_plus, tau_minus=tau_minus, nearest=nearest)
    return Chain(_with(rule, bound, Modulated(by, tau=require_positive("tau_c", tau_c, unit="ms"))))


def MSTDP(  # noqa: N802
    *,
    a_plus: float | Tensor = 1.0,
    a_minus: float | Tensor = 1.0,
    tau_plus: float = 20.0,
    tau_minus: float = 20.0,
    by: str | tuple[str, ...] = "reward",
    bound: Bound | None = None,
) -> Chain:
    r"""Make modulated STDP, :math:`\Delta w = r\, \Delta w_\mathrm{STDP}`, without memory.

    The reward at a step meets what the rule did at that step; delay it by one for the paper's own convention.

    Args:
        a_plus: Change by a pair of spikes, source first, at a reward of 1 [1].
        a_minus: That of the target first, taken off [1].
        tau_plus: Time constant of the source's trace [ms].
        tau_minus: Time constant of the target's trace [ms].
        by: Name of the modulator, or of several, whose product is taken.
        bound: What slows the rule down towards the ends of the weight's range.

    Example:
        >>> MSTDP().modulators()
        ['reward']

    References:
        Florian, Neural Computation 19 (2007), equations 4.1 to 4.5.
    """
    rule = STDP(a_plus=a_plus, a_minus=a_minus, tau_plus=tau_plus, tau_minus=tau_minus)
    return Chain(_with(rule, bound, Modulated(by)))


def MSTDPET(  # noqa: N802
    *,
    a_plus: float | Tensor = 1.0,
    a_minus: float | Tensor = 1.0,
    tau_plus: float = 20.0,
    tau_minus: float = 20.0,
    tau_z: float = 25.0,
    by: str | tuple[str, ...] = "reward",
    bound: Bound | None = None,
) -> Chain:
    r"""Make modulated STDP with an eligibility trace.

    .. math:: z \leftarrow z\, e^{-dt/\tau_z} + \Delta w_\mathrm{STDP} / \tau_z, \qquad \Delta w = r\, z\, dt

    Args:
        a_plus: What a pair of spikes, source first, adds to :math:`\tau_z z` [1].
        a_minus: That of the target first, taken off [1].
        tau_plus: Time constant of the source's trace [ms].
        tau_minus: Time constant of the target's trace [ms].
        tau_z: Time constant of the eligibility trace [ms].
        by: Name of the modulator, or of several, whose product is taken.
        bound: What slows the rule down towards the ends of the weight's range.

    Example:
        >>> MSTDPET(tau_z=25.0)
        Chain(STDP(...) -> LearningRate(0.04) -> Modulated(reward, tau=25))

    References:
        Florian, Neural Computation 19 (2007), equations 4.6 to 4.8.
    """
    tau_z = require_positive("tau_z", tau_z, unit="ms")
    rule = STDP(a_plus=a_plus, a_minus=a_minus, tau_plus=tau_plus, tau_minus=tau_minus)
    return Chain(_with(rule, bound, LearningRate(1 / tau_z), Modulated(by, tau=tau_z)))


def _with(rule: Rule, bound: Bound | None, *links: Link) -> list[Rule | Link]:
    return [rule, *([] if bound is None else [bound]), *links]
