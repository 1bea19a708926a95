"""Who wants potentials now and then, of some neurons: what can be had of a run too large to look at every step of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Sampler", "Samples"]


@dataclass(frozen=True, eq=False)
class Sampler:
    """Wants the potentials of a population after some of the steps.

    Args:
        axes: How many of the last axes count neurons [1].
        neurons: Of which neurons, counted in the order of ``flatten``; None for all [1].
        kept: Returns after which of so many coming steps.
        take: Is handed what was asked for, ``(kept steps, *batch, neurons)`` [mV], and how many steps have passed.

    Example:
        >>> taken = []
        >>> sampler = Sampler(1, None, lambda steps: range(0, steps, 10), lambda v, steps: taken.append(steps))
        >>> list(sampler.kept(25))
        [0, 10, 20]
    """

    axes: int
    neurons: Tensor | None
    kept: Callable[[int], range]
    take: Callable[[Tensor, int], None]

    def of(self, v: Tensor) -> Tensor:
        """Return the potentials of its neurons.

        Args:
            v: Of all, ``(*batch, *neurons)`` [mV].
        """
        flat = v.detach().flatten(v.dim() - self.axes)
        return flat.clone() if self.neurons is None else flat[..., self.neurons.to(v.device)]


class Samples:
    """What a sampler is to be handed of a stretch of time.

    Args:
        sampler: Who wants it.
        steps: Length of the stretch [1].

    Example:
        >>> taken = []
        >>> samples = Samples(Sampler(1, None, lambda steps: range(1, steps), lambda v, steps: taken.append(v)), 2)
        >>> samples.values = torch.zeros(1, 3)
        >>> samples.hand_over()
        >>> taken
        [tensor([[0., 0., 0.]])]
    """

    def __init__(self, sampler: Sampler, steps: int) -> None:
        self.sampler, self.steps, self.kept = sampler, steps, sampler.kept(steps)
        self.step = 0
        self.pieces: list[Tensor] = []
        self.values: Tensor | None = None
        """All of it, where a kernel has made it."""

    def look(self, seen: Mapping[str, Any]) -> None:
        """Look at a step of the population."""
        if self.step in self.kept:
            self.pieces.append(self.sampler.of(seen["state"].neuron.v))
        self.step += 1

    def hand_over(self) -> None:
        """Give the sampler what was found."""
        found = torch.stack(self.pieces) if self.values is None and self.pieces else self.values
        if found is None:
            found = torch.empty(0)
        self.sampler.take(found, self.steps)
