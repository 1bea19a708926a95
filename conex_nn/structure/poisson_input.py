"""Neurons that fire at random."""

from collections.abc import Sequence

from torch import Tensor, nn
from typing_extensions import override

from conex_nn.durations import in_ms
from conex_nn.kept import kept
from conex_nn.kernels import NumberTable, number_table
from conex_nn.neurons.draws import Draws, check_seed, draw, first_draws
from conex_nn.parameters import register, shown
from conex_nn.structure.spike_generator import SpikeGenerator

__all__ = ["PoissonInput"]

_NEARLY = 1e-3
"""Part of a step by which a time may miss one: what rounding leaves."""


class PoissonInput(SpikeGenerator):
    """Neurons that fire at random and independently, all the time or for a while: thalamic volleys, a background.

    In each step a neuron fires with probability ``rate * dt / 1000``, at most once. Spikes are a function of seed,
    step, sample and neuron: going on from a state goes on with the stream, and where the seed is the same so are they.

    Args:
        shape: Number of neurons, or ``(depth, height, width)`` [1].
        rate: Firing rate, or one per neuron [Hz].
        start: When they begin: a number [ms], or with its unit, ``"700 ms"``.
        stop: When they end, likewise; None for never [ms].
        seed: For the same spikes from every initial state; None for a seed of its own for each, from torch's
            generator [1].
        tags: Names by which it can be found.

    Raises:
        TypeError: ``rate`` is no number and no tensor, or is trainable.
        ValueError: A negative rate, one that does not fit the shape, ``stop`` that is not after ``start``, a seed out
            of range; in a run, more than one spike per step.

    Example:
        >>> import conex_nn as cx
        >>> thalamus = PoissonInput(902, rate=120.0, start="20 ms", stop="30 ms", seed=0)
        >>> spikes, state = thalamus.spikes(thalamus.initial_state(torch.zeros(902)), 400, dt=0.1)
        >>> spikes[:200].sum(), spikes[200:300].sum(), spikes[300:].sum()
        (tensor(0.), tensor(1097.), tensor(0.))

    References:
        Potjans and Diesmann, Cerebral Cortex 24 (2014), section "Thalamic inputs".
    """

    rate: Tensor

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        rate: float | Tensor,
        start: float | str = 0.0,
        stop: float | str | None = None,
        seed: int | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        super().__init__(shape, tags=tags)
        if isinstance(rate, nn.Parameter):
            raise TypeError("Expected `rate` to be fixed [Hz]: whether a spike is drawn has no gradient.")
        register(self, "rate", rate, unit="Hz", not_negative=True)
        ends = zip(reversed(self.rate.shape), reversed(self.shape), strict=False)
        if self.rate.dim() > len(self.shape) or not all(own in (1, axis) for own, axis in ends):
            raise ValueError(
                f"Expected `rate` to be a number or to fit `shape` = {tuple(self.shape)} [Hz], got shape "
                f"{tuple(self.rate.shape)}."
            )
        self.start, self.stop = in_ms(start, name="start"), None if stop is None else in_ms(stop, name="stop")
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"Expected `stop` to be after `start`, {self.start:g} ms [ms], got {self.stop:g}.")
        self.seed = check_seed(seed)

    @override
    def initial_state(self, x: Tensor) -> Draws:
        return first_draws(x, self.shape, self.seed)

    def thresholds(self, *, dt: float) -> tuple[Tensor, Tensor]:
        """Return which of 2^32 random bits a neuron fires from, and which of these each neuron reads.

        Args:
            dt: Length of a step [ms].

        Returns:
            One threshold for each rate that there is, ``(rates, 1)`` [1], and the row of each neuron, in the axes of
            ``rate`` [1].

        Raises:
            ValueError: More than one spike per step.
        """

        def make() -> tuple[Tensor, Tensor]:
            chance, row = (self.rate.double() * (dt / 1000)).unique(return_inverse=True)
            if not bool((chance <= 1).all()):
                raise ValueError(
                    f"Expected `rate` of at most one spike in a step, {1000 / dt:g} Hz in steps of {dt:g} ms [Hz], got "
                    f"{float(self.rate.max()):g}. Take shorter steps, or more neurons of a lower rate."
                )
            return 2**32 - (chance * 2**32).round().long()[:, None], row

        return kept(self, "thresholds", dt, make, of=[self.rate])

    def _table(self, dt: float) -> NumberTable:
        return kept(self, "table", dt, lambda: number_table(*self.thresholds(dt=dt), self.shape), of=[self.rate])

    def window(self, *, dt: float) -> tuple[int, int | None]:
        """Return the first step in which they fire, and the first after those; None for no end [1].

        Args:
            dt: Length of a step [ms].
        """
        return _first(self.start, dt), None if self.stop is None else _first(self.stop, dt)

    @override
    def spikes(self, state: Draws, steps: int, *, dt: float) -> tuple[Tensor, Draws]:
        out = self.rate.new_zeros(steps, *state.sample.shape, *self.shape)
        after = state._replace(step=state.step + steps)
        if out.is_meta:
            return out, after
        begin, (first, last) = int(state.step), self.window(dt=dt)
        low, high = max(first - begin, 0), steps if last is None else min(last - begin, steps)
        if low >= high:
            return out, after
        out[low:high], _ = draw(state._replace(step=state.step + low), high - low, self._table(dt), out)
        return out, after

    @override
    def extra_repr(self) -> str:
        until = "" if self.stop is None else f", stop={self.stop:g}"
        since = f", start={self.start:g}" if self.start or until else ""
        return f"{super().extra_repr()}, rate={shown(self.rate)}{since}{until}"


def _first(time: float, dt: float) -> int:
    """Return the first step that does not begin before a time."""
    return -int((_NEARLY - time / dt) // 1)
