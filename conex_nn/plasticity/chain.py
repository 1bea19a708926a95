"""Rules put together: a rule, then what changes its terms, then what the weights have to keep to."""

from collections.abc import Sequence
from typing import Any, cast

from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.rule import Activity, Rule, Terms

__all__ = ["Chain", "Link", "chain"]


class Link(nn.Module):
    """Base of what follows a rule in a chain: a bound, a learning rate, a modulator, a constraint, or your own.

    A link changes the terms of the rule, or the weights after they were changed, or both.

    Example:
        >>> class Round(Link):
        ...     def constrain_(self, weight, synapse):
        ...         weight.round_(decimals=1)
        >>> layer = nn.Linear(1, 1)
        >>> Round().constrain_(layer.weight.data, layer)
    """

    late = False
    """Whether its constraint waits for the end of a sequence, rather than to follow each change."""

    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> Any:
        """Return the state before the first step: None, unless a link says otherwise.

        Args:
            synapse: What will learn.
            pre: Spikes of one step of the source, ``(batch, *source)``.
            post: Those of the target, ``(batch, *target)``.
        """
        return None

    def terms(self, terms: Terms, seen: Activity, state: Any) -> tuple[Terms, Any]:
        """Return what becomes of the terms, and the state after the sequence.

        Args:
            terms: Those of the rule, as the links before have changed them.
            seen: What the rule sees.
            state: State before the first step.
        """
        return terms, state

    def check(self, synapse: nn.Module) -> None:
        """Raise if the link cannot be used with this synapse.

        Args:
            synapse: What shall learn.
        """

    def constrain_(self, weight: Tensor, synapse: nn.Module) -> None:
        """Change a weight in place, after the rule has.

        Args:
            weight: The weight.
            synapse: Whose it is.
        """

    def modulators(self) -> list[str]:
        """Return the names of the modulators that the link waits for."""
        return []


class Chain(Rule):
    """A rule and its links, which act in the order written: bound, learning rate, modulator, then constraints.

    Args:
        links: The rule, and what follows it.

    Raises:
        TypeError: The first is no rule, or another no link.
        ValueError: A bound after a modulator with memory: it would have to bound what happened long ago.

    Example:
        >>> from conex_nn.plasticity import STDP, Clip, Normalise, Soft
        >>> rule = Chain([STDP(a_plus=0.01, a_minus=0.012), Soft(0, 1), Normalise(78.4), Clip(0, 1)])
        >>> rule
        Chain(STDP(a_plus=0.01, a_minus=0.012, tau_plus=20, tau_minus=20) -> Soft(0, 1, mu=1) -> ...)
    """

    links: nn.ModuleList

    def __init__(self, links: Sequence[Rule | Link]) -> None:
        super().__init__()
        if not links or not isinstance(links[0], Rule):
            got = type(links[0]).__name__ if links else "nothing"
            raise TypeError(f"Expected a chain to begin with a rule, such as STDP(...), got {got}.")
        for link in links[1:]:
            if not isinstance(link, Link):
                hint = " A chain has one rule; two rules are two attachments." if isinstance(link, Rule) else ""
                raise TypeError(
                    f"Expected a bound, a modulator, a constraint or another link after the rule, got "
                    f"{type(link).__name__}.{hint}"
                )
        remembers = False
        for link in links:
            if remembers and getattr(link, "before_memory", False):
                raise ValueError(
                    f"Expected {type(link).__name__} before the modulator that remembers what the rule did, got it "
                    "after. Write chain(STDP(...), Soft(0, 1), Modulated(...)), or RSTDP(..., bound=Soft(0, 1))."
                )
            remembers = remembers or bool(getattr(link, "remembers", False))
        self.remembers = remembers
        self.links = nn.ModuleList(cast("Sequence[nn.Module]", links))

    @property
    def reads_v(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it needs the potential of the target."""
        return bool(self.links[0].reads_v)

    @property
    def enabled(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it learns: its rule says so."""
        return bool(self.links[0].enabled)

    @enabled.setter
    def enabled(self, on: bool) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self.links[0].enabled = on  # pyright: ignore[reportArgumentType]

    def arguments(self) -> dict[str, Any]:
        """Return what to call the class with to get another like it."""
        return {"links": list(self.links)}

    def _parts(self) -> tuple[Rule, list[Link]]:
        rule, *links = self.links
        return cast(Rule, rule), cast("list[Link]", links)

    @override
    def initial_state(self, synapse: nn.Module, pre: Tensor, post: Tensor) -> tuple[Any, ...]:
        rule, links = self._parts()
        return tuple(part.initial_state(synapse, pre, post) for part in (rule, *links))

    @override
    def terms(self, seen: Activity, state: tuple[Any, ...]) -> tuple[Terms, tuple[Any, ...]]:
        rule, links = self._parts()
        terms, first = rule.terms(seen, state[0])
        states = [first]
        for link, before in zip(links, state[1:], strict=True):
            terms, after = link.terms(terms, seen, before)
            states.append(after)
        return terms, tuple(states)

    @override
    def check(self, synapse: nn.Module) -> None:
        for link in self.links:
            cast(Link, link).check(synapse)

    @override
    def constrain_(self, weight: Tensor, synapse: nn.Module) -> None:
        _, links = self._parts()
        for link in links:
            if not link.late:
                link.constrain_(weight, synapse)

    @override
    def finish_(self, weight: Tensor, synapse: nn.Module) -> None:
        _, links = self._parts()
        if any(link.late for link in links):  # all of them again, in their order: one may undo what another did
            for link in links:
                link.constrain_(weight, synapse)

    @override
    def modulators(self) -> list[str]:
        return [name for link in self.links for name in cast(Link, link).modulators()]

    def __repr__(self) -> str:
        return f"Chain({' -> '.join(repr(link) for link in self.links)})"


def chain(*links: Rule | Link) -> Chain:
    """Put a rule and what follows it together, see :class:`Chain`.

    Args:
        links: The rule, then its links in the order in which they act.

    Example:
        >>> from conex_nn.plasticity import STDP, Clip
        >>> chain(STDP(), Clip(0, 1)).modulators()
        []
    """
    return Chain(links)
