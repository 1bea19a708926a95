"""How a weight slows down towards the ends of its range.

Without a bound in its chain a rule is additive. For hard bounds end the chain with :class:`Clip`: the rule stays
additive, and weights stop at the ends.
"""

import math

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.chain import Link
from conex_nn.plasticity.hebbian import weight_of
from conex_nn.plasticity.rule import Activity, Terms
from conex_nn.synapses import Synapse

__all__ = ["Bound", "Product", "Soft"]


class Bound(Link):
    """Base of bounds: factors of what strengthens and of what weakens, by the weight.

    A bound of your own defines ``up`` and ``down``.

    Args:
        w_min: Lower end of the range [1].
        w_max: Upper end of the range [1].

    Raises:
        ValueError: An empty range.

    Example:
        >>> class Third(Bound):
        ...     def up(self, weight):
        ...         return 0.3 * (self.w_max - weight)
        ...     def down(self, weight):
        ...         return 0.3 * (weight - self.w_min)
        >>> Third(0, 1).up(torch.tensor([0.0, 1.0]))
        tensor([0.3000, 0.0000])
    """

    before_memory = True

    def __init__(self, w_min: float = 0.0, w_max: float = 1.0) -> None:
        super().__init__()
        if not (math.isfinite(w_min) and math.isfinite(w_max) and w_min < w_max):
            raise ValueError(f"Expected `w_min` to be below `w_max` [1], got {w_min} and {w_max}.")
        self.w_min, self.w_max = w_min, w_max

    def up(self, weight: Tensor) -> Tensor:
        """Return the factor of what strengthens.

        Args:
            weight: The weight.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `up(self, weight)`.")

    def down(self, weight: Tensor) -> Tensor:
        """Return the factor of what weakens.

        Args:
            weight: The weight.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `down(self, weight)`.")

    @override
    def terms(self, terms: Terms, seen: Activity, state: None) -> tuple[Terms, None]:
        factors: dict[int, Tensor] = {}
        bounded = []
        for term in terms:
            if isinstance(term, Tensor):
                raise TypeError(
                    f"Expected {type(self).__name__} to follow a rule, got a change that is ready. Write it earlier."
                )
            if term.sign and term.sign not in factors:
                factors[term.sign] = self.up(seen.weight) if term.sign > 0 else self.down(seen.weight)
            bounded.append(term.times(factors[term.sign]) if term.sign else term)
        return bounded, state

    @override
    def check(self, synapse: nn.Module) -> None:
        """Raise if a weight lies outside of the range.

        Args:
            synapse: What shall learn.

        Raises:
            ValueError: One does.
        """
        weight = weight_of(synapse).detach()
        if weight.is_meta or isinstance(weight, nn.parameter.UninitializedParameter) or weight.numel() == 0:
            return
        if isinstance(synapse, Synapse) and synapse.mask is not None:
            weight = weight[synapse.mask]
        slack = 1e-6 * (self.w_max - self.w_min)
        low, high = (end.item() for end in torch.aminmax(weight))
        if low < self.w_min - slack or high > self.w_max + slack:
            raise ValueError(
                f"Expected weights between `w_min` and `w_max` [1], {self.w_min} and {self.w_max}, got {low:g} to "
                f"{high:g}. Start within the range (init=partial(nn.init.uniform_, a={self.w_min}, b={self.w_max})), "
                "or widen it."
            )


class Soft(Bound):
    r"""Bounds :math:`B_+ = (w_\max - w)^\mu` and :math:`B_- = (w - w_\min)^\mu`.

    A weight on a bound can leave it. One that a step has carried past a bound is not carried further, and comes back.

    Args:
        w_min: Lower end of the range [1].
        w_max: Upper end of the range [1].
        mu: Exponent, 0 for an additive rule, 1 for a multiplicative one [1].

    Raises:
        ValueError: An empty range, a negative exponent; and, where the chain meets a synapse, weights outside.

    Example:
        >>> bound = Soft(0, 1, mu=1)
        >>> bound.up(torch.tensor([0.0, 0.75, 1.0])), bound.down(torch.tensor([0.0, 0.75, 1.0]))
        (tensor([1.0000, 0.2500, 0.0000]), tensor([0.0000, 0.7500, 1.0000]))

    References:
        Guetig et al., Journal of Neuroscience 23 (2003), equation 2.
    """

    def __init__(self, w_min: float = 0.0, w_max: float = 1.0, *, mu: float = 1.0) -> None:
        super().__init__(w_min, w_max)
        if not (math.isfinite(mu) and mu >= 0):
            raise ValueError(f"Expected `mu` not to be negative [1], got {mu}.")
        self.mu = mu

    def _power(self, distance: Tensor) -> Tensor:
        distance = distance.clamp_min_(0)
        return distance if self.mu == 1 else distance.pow_(self.mu)

    @override
    def up(self, weight: Tensor) -> Tensor:
        return self._power(self.w_max - weight)

    @override
    def down(self, weight: Tensor) -> Tensor:
        return self._power(weight - self.w_min)

    @override
    def extra_repr(self) -> str:
        return f"{self.w_min:g}, {self.w_max:g}, mu={self.mu:g}"


class Product(Bound):
    r"""CoNeX's soft bound, :math:`(w - w_\min)(w_\max - w)` on both sides. A weight on a bound never leaves it.

    Args:
        w_min: Lower end of the range [1].
        w_max: Upper end of the range [1].

    Example:
        >>> Product(0, 1).up(torch.tensor([0.0, 0.5, 1.0]))
        tensor([0.0000, 0.2500, 0.0000])

    References:
        CoNeX 0.1.5 (github.com/cnrl/CoNeX), soft_bound.
    """

    @override
    def up(self, weight: Tensor) -> Tensor:
        return (weight - self.w_min).clamp_min_(0) * (self.w_max - weight).clamp_min_(0)

    @override
    def down(self, weight: Tensor) -> Tensor:
        return self.up(weight)

    @override
    def extra_repr(self) -> str:
        return f"{self.w_min:g}, {self.w_max:g}"
