"""What every learning rule is: terms of what both sides of a synapse see, for any wiring and any number of steps."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from conex_nn.plasticity.hebbian import hebbian, hebbian_of, weight_of

__all__ = ["Activity", "Rule", "Term", "Terms", "combine"]


class Activity(NamedTuple):
    """What a rule sees of a sequence, or of one step of it."""

    synapse: nn.Module
    """The synapse, or any module that is linear in its weight."""
    weight: Tensor
    """Its weight at the start."""
    pre: Tensor
    """Spikes of the source, ``(time, batch, *source)`` [1]."""
    post: Tensor
    """Spikes of the target, ``(time, batch, *target)`` [1]."""
    v: Tensor | None
    """Potential of the target, ``(time, batch, *target)`` [mV], where it is known."""
    modulators: Mapping[str, Tensor]
    """Signals of the whole network, each ``(time or 1, batch or 1)``."""
    dt: float
    """Length of a step [ms]."""
    keep_state: bool
    """Whether the state after the sequence will be needed."""
    differentiable: bool = False
    """Whether gradients pass through what the rule does."""

    @property
    def batch(self) -> int:
        """Number of samples [1]."""
        return self.post.shape[1]


class Term(NamedTuple):
    """One product of a change: ``sign * amount * factors * hebbian(pre, post)``, averaged over the batch."""

    pre: Tensor
    """Signal of the source, ``(time, batch, *source)``."""
    post: Tensor
    """Signal of the target, ``(time, batch, *target)``."""
    sign: int = 1
    """1 where it strengthens, -1 where it weakens, 0 where no bound concerns it."""
    amount: float = 1.0
    """Factor of all entries [1]."""
    factors: tuple[Tensor, ...] = ()
    """Factors of each entry, which broadcast to the weight [1]."""

    def times(self, factor: float | Tensor) -> "Term":
        """Return the term scaled; a negative number turns strengthening into weakening."""
        if isinstance(factor, Tensor):
            return self._replace(factors=(*self.factors, factor))
        if self.sign and factor < 0:
            return self._replace(sign=-self.sign, amount=self.amount * -factor)
        return self._replace(amount=self.amount * factor)


Terms = Sequence[Term | Tensor]
"""What a rule returns: terms, and ready changes of the weight's shape."""


def combine(terms: Terms, seen: Activity) -> Tensor:
    """Add up terms to a change of the weight: the sum over time and the mean over the batch.

    Args:
        terms: The terms. Those of the same ``pre`` without factors take one product together.
        seen: What they were made from.

    Example:
        >>> pre, post = torch.ones(2, 1, 1), torch.ones(2, 1, 1)
        >>> layer = nn.Linear(1, 1)
        >>> seen = Activity(layer, layer.weight, pre, post, None, {}, 1.0, False)
        >>> combine([Term(pre, post), Term(pre, post, sign=-1, amount=0.25)], seen)
        tensor([[1.5000]])
    """
    change = None
    for term in _merged(terms):
        if isinstance(term, Tensor):
            part = term
        else:
            product = hebbian_of if seen.differentiable else hebbian
            part = product(seen.synapse, term.pre, term.post)
            if (scale := _signed(term) / seen.batch) != 1:
                part.mul_(scale)
            for factor in term.factors:
                part.mul_(factor)
        change = part if change is None else change.add_(part)
    return torch.zeros_like(seen.weight) if change is None else change


def _merged(terms: Terms) -> list[Term | Tensor]:
    found: list[Term | Tensor] = []
    groups: dict[int, list[Term]] = {}
    for term in terms:
        if isinstance(term, Term) and not term.factors:
            groups.setdefault(id(term.pre), []).append(term)
        else:
            found.append(term)
    for group in groups.values():
        if len(group) == 1:
            found += group
        else:
            post = sum((t.post * _signed(t) for t in group[1:]), group[0].post * _signed(group[0]))
            found.append(Term(group[0].pre, post))
    return found


def _signed(term: Term) -> float:
    return (term.sign or 1) * term.amount


class Rule(nn.Module):
    """Base of all learning rules.

    A rule of your own defines ``terms``, and ``initial_state`` where it remembers something; it then learns with every
    wiring, over whole sequences or step by step, in batches and across processes. Its fast state (traces) is a value;
    what it keeps on itself is slow state.

    Example:
        >>> from conex_nn.plasticity import trace
        >>> class Hebb(Rule):  # strengthens what was active before each postsynaptic spike
        ...     def initial_state(self, synapse, pre, post):
        ...         return torch.zeros_like(pre)
        ...     def terms(self, seen, state):
        ...         x, state = trace(seen.pre, state, tau=20.0, dt=seen.dt)
        ...         return [Term(x, seen.post).times(0.01)], state
        >>> spikes = torch.ones(2, 1, 1)  # (time, batch, neurons)
        >>> change, state = Hebb().update(nn.Linear(1, 1), None, spikes, spikes)
        >>> change
        tensor([[0.0295]])
    """

    reads_v = False
    """Whether it needs the potential of the target."""
    enabled: bool = True
    """Whether it learns; a network switches it."""

    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> Any:
        """Return the state before the first step: None, unless a rule says otherwise.

        Args:
            synapse: What will learn.
            pre: Spikes of one step of the source, ``(batch, *source)``, for their shape and device.
            post: Those of the target, ``(batch, *target)``.
        """
        return None

    def terms(self, seen: Activity, state: Any) -> tuple[Terms, Any]:
        """Return the terms of the change that a sequence causes, and the state after it.

        Args:
            seen: What the rule sees of it.
            state: State before its first step.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `terms(self, seen, state)`.")

    def check(self, synapse: nn.Module) -> None:
        """Raise if the rule cannot learn this synapse: if it has no weight, or one outside of soft bounds.

        Args:
            synapse: What shall learn.
        """
        weight_of(synapse)

    def constrain_(self, weight: Tensor, synapse: nn.Module) -> None:
        """Apply the constraints to a weight that was changed, in place.

        Args:
            weight: The weight.
            synapse: Whose it is.
        """

    def finish_(self, weight: Tensor, synapse: nn.Module) -> None:
        """Apply the constraints that wait for the end of a sequence, in place.

        Args:
            weight: The weight.
            synapse: Whose it is.
        """

    def modulators(self) -> list[str]:
        """Return the names of the modulators that the rule waits for."""
        return []

    def update(
        self,
        synapse: nn.Module,
        state: Any,
        pre: Tensor,
        post: Tensor,
        modulators: Mapping[str, Tensor | float] | None = None,
        *,
        v: Tensor | None = None,
        dt: float = 1.0,
        keep_state: bool = True,
        weight: Tensor | None = None,
        differentiable: bool = False,
    ) -> tuple[Tensor, Any]:
        """Return the change of the weight that a sequence causes; nothing is changed yet.

        Args:
            synapse: A synapse, or any module that is linear in its weight.
            state: State before the first step; None to begin.
            pre: Spikes of the source, ``(time, batch, *source)`` [1]. One step is a sequence of length 1.
            post: Spikes of the target, ``(time, batch, *target)`` [1].
            modulators: Signals of the whole network by name: ``(time, batch)``, or ``(time,)`` or a number where all
                samples share them.
            v: Potential of the target, ``(time, batch, *target)`` [mV], for rules that read it.
            dt: Length of a step [ms].
            keep_state: Whether the state after the sequence will be needed; eligibility can be had cheaper otherwise.
            weight: The weight that bounds see; None for the synapse's own.
            differentiable: Let gradients pass through the change: to the rule's own parameters, the weight, spikes and
                modulators.

        Returns:
            The change, summed over time and averaged over the batch, and the state after the last step (None unless
            ``keep_state``).

        Raises:
            TypeError: The synapse has no weight.
            ValueError: Shapes that do not fit, or something that the rule needs and was not given.
        """
        with torch.set_grad_enabled(differentiable and torch.is_grad_enabled()):
            weight = weight_of(synapse) if weight is None else weight
            if not differentiable:
                pre, post, weight = pre.detach(), post.detach(), weight.detach()
                v = None if v is None else v.detach()
            seen = _activity(self, synapse, modulators or {}, dt, keep_state, pre=pre, post=post, v=v, weight=weight)
            seen = seen._replace(differentiable=torch.is_grad_enabled())
            if state is None:
                state = self.initial_state(synapse, seen.pre[0], seen.post[0])
            with torch.autocast(seen.weight.device.type, enabled=False):
                made = self.terms(seen, state)
                if not (isinstance(made, tuple) and len(made) == 2):
                    raise TypeError(
                        f"Expected `terms` of {type(self).__name__} to return its terms and the state after them, "
                        f"`[...], state`, got a {type(made).__name__}."
                    )
                terms, state = made
                change = combine(terms, seen)
        return change, state if keep_state else None


def _activity(
    rule: Rule,
    synapse: nn.Module,
    modulators: Mapping[str, Tensor | float],
    dt: float,
    keep_state: bool,
    *,
    pre: Tensor,
    post: Tensor,
    v: Tensor | None,
    weight: Tensor,
) -> Activity:
    """Return what a rule sees, checked and in the dtype of the weight."""
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    if pre.dim() < 2 or pre.shape[:2] != post.shape[:2] or 0 in pre.shape[:2]:
        raise ValueError(
            "Expected `pre` (time, batch, *source) and `post` (time, batch, *target) of the same sequence, got "
            f"{tuple(pre.shape)} and {tuple(post.shape)}."
        )
    if rule.reads_v and (v is None or v.shape != post.shape):
        got = "none" if v is None else tuple(v.shape)
        raise ValueError(f"Expected `v`, the potential of the target [mV], of shape {tuple(post.shape)}, got {got}.")
    signals = {name: _modulator(name, each, pre, weight) for name, each in modulators.items()}
    pre, post = pre.to(weight.dtype), post.to(weight.dtype)
    v = None if v is None else v.to(weight.dtype)
    return Activity(synapse, weight, pre, post, v, signals, dt, keep_state)


def _modulator(name: str, value: Tensor | float, pre: Tensor, weight: Tensor) -> Tensor:
    """Return a modulator as (time or 1, batch or 1)."""
    signal = torch.as_tensor(value, dtype=weight.dtype, device=weight.device)
    shaped = signal.reshape(-1, 1) if signal.dim() < 2 else signal
    if shaped.dim() != 2 or any(got not in (1, want) for got, want in zip(shaped.shape, pre.shape[:2], strict=True)):
        raise ValueError(
            f"Expected modulator {name!r} of shape (time, batch) = {tuple(pre.shape[:2])}, (time,) or a number, got "
            f"{tuple(signal.shape)}."
        )
    return shaped
