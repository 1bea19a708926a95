"""The background of a population: arrivals from many neurons that are not simulated."""

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.functional import poisson_thresholds
from conex_nn.kept import kept
from conex_nn.kernels import NumberTable, number_table
from conex_nn.neurons.background import Background
from conex_nn.neurons.draws import Draws, check_seed, draw, first_draws
from conex_nn.parameters import register, shown

__all__ = ["PoissonDrive"]

_MOST = 1e4
"""Mean number of arrivals per step up to which a table of their distribution is made [1]."""


class PoissonDrive(Background):
    """Poisson arrivals at every neuron, independent of each other: a background of neurons that are not simulated.

    In each step a neuron is reached by a Poisson number of arrivals of mean ``rate * dt / 1000``, each of which brings
    ``weight``. The numbers are a function of seed, step, sample and neuron: going on from a state goes on with the
    stream, and where the seed is the same so is the run.

    Args:
        rate: Rate of all arrivals at a neuron together, or one per neuron [Hz].
        weight: Current that an arrival brings, or one per neuron; negative for inhibition, trainable if an
            ``nn.Parameter`` [nA].
        compartment: Where they arrive; None for the membrane itself.
        seed: For the same numbers from every initial state; None for a seed of its own for each, from torch's
            generator [1].

    Raises:
        TypeError: A constant that is no number and no tensor, or a trainable ``rate``.
        ValueError: A negative rate, a seed out of range; in a run, more than 10,000 arrivals in a step on average.

    Example:
        >>> import conex_nn as cx
        >>> background = PoissonDrive(rate=8000.0, weight=1.5, seed=0)
        >>> population = cx.Population(3, cx.LIF(), background=background)
        >>> spikes, state = population({"proximal": torch.zeros(1000, 3)}, dt=0.1)
        >>> spikes.sum(0)
        tensor([5., 6., 5.])

    References:
        Potjans and Diesmann, Cerebral Cortex 24 (2014), table 5 (background of 8 Hz in each of some 2000 neurons).
    """

    rate: Tensor
    weight: Tensor

    def __init__(
        self,
        *,
        rate: float | Tensor,
        weight: float | Tensor,
        compartment: str | None = "proximal",
        seed: int | None = None,
    ) -> None:
        super().__init__(compartment)
        if isinstance(rate, nn.Parameter):
            raise TypeError("Expected `rate` to be fixed [Hz]: the number of arrivals has no gradient.")
        register(self, "rate", rate, unit="Hz", not_negative=True)
        register(self, "weight", weight, unit="nA")
        self.seed = check_seed(seed)

    @override
    def initial_state(self, x: Tensor) -> Draws:
        return first_draws(x, x.shape if self.shape is None else self.shape, self.seed)

    def thresholds(self, *, dt: float) -> tuple[Tensor, Tensor]:
        """Return the tables from which numbers of arrivals are read, and which of them each neuron reads.

        Args:
            dt: Length of a step [ms].

        Returns:
            :func:`poisson_thresholds` of the distinct means, and the row of each neuron, in the axes of ``rate``.

        Raises:
            ValueError: More than 10,000 arrivals in a step on average.
        """

        def make() -> tuple[Tensor, Tensor]:
            means, row = (self.rate.double() * (dt / 1000)).unique(return_inverse=True)
            if float(means.max()) > _MOST:
                raise ValueError(
                    f"Expected `rate` of at most {_MOST * 1000 / dt:g} Hz in steps of {dt:g} ms [Hz], got "
                    f"{float(self.rate.max()):g}. A current that hardly varies is a `ConstantDrive`."
                )
            return poisson_thresholds(means), row

        return kept(self, "thresholds", dt, make, of=[self.rate])

    @override
    def forward(self, state: Draws, steps: int, x: Tensor, *, dt: float) -> tuple[Tensor, Draws]:
        if self.rate.is_meta:
            return self.weight * x.new_empty(steps, *x.shape), state._replace(step=state.step + steps)
        counts, after = draw(state, steps, self._table(x.shape[state.sample.dim() :], dt), self.weight)
        return self.weight * counts, after

    def _table(self, shape: torch.Size, dt: float) -> NumberTable:
        def make() -> NumberTable:
            return number_table(*self.thresholds(dt=dt), shape)

        return kept(self, "table", (dt, shape), make, of=[self.rate])

    @override
    def extra_repr(self) -> str:
        where = "" if self.compartment == "proximal" else f", compartment={self.compartment!r}"
        return f"rate={shown(self.rate)}, weight={shown(self.weight)}{where}"
