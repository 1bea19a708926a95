"""Neuromodulation: what a rule did counts as much as a signal of the whole network says, now or later."""

import math
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.plasticity.chain import Link
from conex_nn.plasticity.constants import require_positive
from conex_nn.plasticity.rule import Activity, Term, Terms, combine
from conex_nn.plasticity.trace import anticausal

__all__ = ["Modulated"]


class Modulated(Link):
    r"""Scales what a rule does by a modulator d, at once or with an eligibility trace c.

    Without ``tau``, :math:`\Delta w = d(t)\, \Delta w_\mathrm{rule}(t)`. With it,

    .. math:: c \leftarrow c\, e^{-dt/\tau} + \Delta w_\mathrm{rule}, \qquad \Delta w = c\, d\, dt,

    for each sample. Over a sequence that is
    :math:`\sum_s \Delta w_\mathrm{rule}(s) D(s)` with :math:`D(s) = \sum_{t \ge s} e^{-(t-s)dt/\tau} d(t)\, dt`, so
    that no eligibility is ever kept per sample and synapse. Only one that goes on after the sequence is kept, of the
    weight's shape; then the batch has one sample, or all of its samples share the modulator.

    Args:
        by: Name of the modulator, or of several, whose product is taken.
        tau: Time constant of the eligibility trace; None for no memory [ms].

    Raises:
        ValueError: A time constant that is not positive; no name. On learning: no modulator of that name, or one per
            sample where eligibility has to go on.

    Example:
        >>> from conex_nn.plasticity import STDP, chain
        >>> rule = chain(STDP(a_plus=1.0, a_minus=0.0), Modulated("dopamine", tau=1000.0))
        >>> layer, spikes = torch.nn.Linear(1, 1), torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
        >>> reward = torch.tensor([[0.0], [0.0], [1.0]])  # it comes two steps later
        >>> rule.update(layer, None, spikes, spikes, {"dopamine": reward}, keep_state=False)[0]
        tensor([[0.9980]])

    References:
        Izhikevich, Cerebral Cortex 17 (2007), equations 1 and 2.
    """

    def __init__(self, by: str | tuple[str, ...] = "dopamine", *, tau: float | None = None) -> None:
        super().__init__()
        self.by = (by,) if isinstance(by, str) else tuple(by)
        if not self.by:
            raise ValueError("Expected `by` to name a modulator, got none.")
        self.tau = None if tau is None else require_positive("tau", tau, unit="ms")

    @property
    def before_memory(self) -> bool:
        """Whether it cannot follow a modulator with memory."""
        return True

    @property
    def remembers(self) -> bool:
        """Whether it keeps an eligibility trace."""
        return self.tau is not None

    @override
    def modulators(self) -> list[str]:
        return list(self.by)

    def _signal(self, seen: Activity) -> Tensor:
        signal = seen.weight.new_ones(1, 1)
        for name in self.by:
            if name not in seen.modulators:
                given = ", ".join(map(repr, seen.modulators)) or "none"
                raise ValueError(
                    f"Expected a modulator {name!r} (time, batch), got {given}. A payoff makes one: "
                    f"`update(..., modulators={{{name!r}: Dopamine(...)(payoff)[0]}})`, or "
                    f"`handle.learn({name}=...)` where the rule is attached."
                )
            signal = signal * seen.modulators[name]
        return signal

    @override
    def terms(self, terms: Terms, seen: Activity, state: Tensor | None) -> tuple[Terms, Tensor | None]:
        d = self._signal(seen)
        if self.tau is None:
            return [_weighed(term, d) for term in terms], None
        steps, decay = len(seen.post), math.exp(-seen.dt / self.tau)
        if d.shape[1] > 1 and (seen.keep_state or state is not None):
            raise ValueError(
                f"Expected modulator {' * '.join(self.by)!r} shared by all samples, (time,), where eligibility goes on "
                f"from call to call with a batch, got {tuple(d.shape)}: each sample would need an eligibility of "
                'its own for every synapse. Learn whole sequences (when="sequence", keep_state=False), or take '
                "batches of 1."
            )
        if steps == 1 and seen.keep_state:
            eligibility = combine(terms, seen)
            if state is not None:
                eligibility = eligibility.add_(state, alpha=decay)
            return [eligibility * (d * seen.dt)[0, 0]], eligibility
        future = anticausal(d.expand(steps, -1) * seen.dt, tau=self.tau, dt=seen.dt)
        found: list[Term | Tensor] = [_weighed(term, future) for term in terms]
        if state is not None:
            found.append(state * (decay * future[0, 0]))
        if not seen.keep_state:
            return found, None
        left = decay ** torch.arange(steps - 1, -1, -1, dtype=d.dtype, device=d.device)
        eligibility = combine([_weighed(term, left[:, None]) for term in terms], seen)
        return found, eligibility if state is None else eligibility.add_(state, alpha=decay**steps)

    @override
    def extra_repr(self) -> str:
        return f"{'*'.join(self.by)}" + ("" if self.tau is None else f", tau={self.tau:g}")


def _weighed(term: Term | Tensor, signal: Tensor) -> Any:
    """Return a term whose every step and sample counts as much as a signal (time or 1, batch or 1) says."""
    if isinstance(term, Tensor):
        raise TypeError("Expected a modulator to follow a rule, got a change that is ready. Write it earlier.")
    return term._replace(post=term.post * signal.reshape(*signal.shape, *(1,) * (term.post.dim() - 2)))
