"""From what weights and delays are drawn: a normal, log-normal or uniform distribution between two bounds."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from typing_extensions import override

__all__ = ["Distribution", "LogNormal", "Normal", "Uniform"]

_PIECE = 1 << 20  # values drawn at a time: what is made on the way stays small beside what is filled
_RARE = 1e-3  # the least part of all draws that has to lie within the bounds


@dataclass(frozen=True)
class Distribution(ABC):
    """What values are drawn from; what lies outside its bounds is drawn again, so there are no heaps at the bounds.

    A synapse takes one as its ``weight`` or ``delay``; its numbers are in the unit of that. It is an
    initialiser too: ``init=Normal(0.0, 0.1)``.

    Args:
        low: The least value [1].
        high: The greatest [1].

    Example:
        >>> weight = torch.empty(1000)
        >>> bool(Normal(1.0, 0.5, low=0.0)(weight).min() >= 0)
        True
    """

    low: float = field(default=-math.inf, kw_only=True)
    high: float = field(default=math.inf, kw_only=True)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
                raise ValueError(f"Expected `{name}` of {type(self).__name__} to be a number, got {value!r}.")
        self._check()
        if self._share(self.low, self.high) < _RARE:
            raise ValueError(
                f"Expected `low` and `high` with at least 1 in {round(1 / _RARE)} draws between them, got {self}: what "
                "lies outside is drawn again."
            )

    @abstractmethod
    def _check(self) -> None:
        """Raise where a number is out of range."""

    @abstractmethod
    def _share(self, low: float, high: float) -> float:
        """Return which part of all draws lies between two values."""

    @abstractmethod
    def _draw(self, values: Tensor, generator: torch.Generator | None) -> Tensor:
        """Fill a tensor, whatever the bounds."""

    def pieces(self, number: int, *, like: Tensor, generator: torch.Generator | None = None) -> Iterator[Tensor]:
        """Yield values, so many in all, a piece at a time.

        Args:
            number: How many [1].
            like: A tensor of their dtype, ``float32`` or ``float64``, and device.
            generator: Source of randomness.
        """
        for begin in range(0, number, _PIECE):
            values = self._draw(like.new_empty(min(_PIECE, number - begin)), generator)
            while len(outside := ((values < self.low) | (values > self.high)).nonzero().flatten()):
                values[outside] = self._draw(like.new_empty(len(outside)), generator)
            yield values

    @torch.no_grad()
    def __call__(
        self,
        weight: Tensor,
        generator: torch.Generator | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Fill a tensor of any floating dtype, and return it.

        Args:
            weight: The tensor.
            generator: Source of randomness.
            advance: Told from time to time how many more have been drawn.
        """
        flat = weight.view(-1)
        like = flat.new_empty(0, dtype=torch.float64 if weight.dtype == torch.float64 else torch.float32)
        begin = 0
        for values in self.pieces(flat.numel(), like=like, generator=generator):
            flat[begin : begin + len(values)] = values
            begin += len(values)
            if advance is not None:
                advance(len(values))
        return weight


@dataclass(frozen=True)
class Normal(Distribution):
    """A normal distribution.

    Args:
        mean: Its mean, before the bounds cut it [1].
        std: Its standard deviation, likewise [1].
        low: The least value; what lies below is drawn again [1].
        high: The greatest value [1].

    Raises:
        ValueError: A negative ``std``, or bounds between which hardly a value lies.

    Example:
        >>> Normal(15.0, 7.5, low=1.0)(torch.empty(4))
        tensor([...])
    """

    mean: float
    std: float

    @override
    def _check(self) -> None:
        if not 0 <= self.std < math.inf:
            raise ValueError(f"Expected `std` of at least 0, got {self.std}.")

    @override
    def _share(self, low: float, high: float) -> float:
        if self.std == 0:
            return float(low <= self.mean <= high)
        below = (0.5 * math.erfc((self.mean - x) / (self.std * math.sqrt(2))) for x in (low, high))
        return -next(below) + next(below)

    @override
    def _draw(self, values: Tensor, generator: torch.Generator | None) -> Tensor:
        return values.normal_(self.mean, self.std, generator=generator)


@dataclass(frozen=True)
class LogNormal(Distribution):
    """A log-normal distribution: its logarithm is normal.

    Args:
        mean: Mean of the values themselves, before the bounds cut them [1].
        std: Standard deviation of the values themselves [1].
        low: The least value; what lies below is drawn again [1].
        high: The greatest value [1].

    Raises:
        ValueError: A ``mean`` that is not positive, a negative ``std``, or bounds between which hardly a value lies.

    Example:
        >>> values = LogNormal(2.0, 1.0)(torch.empty(100_000))
        >>> bool((values > 0).all()), round(values.mean().item(), 1)
        (True, 2.0)
    """

    mean: float
    std: float

    @property
    def _logarithm(self) -> Normal:
        spread = math.log1p((self.std / self.mean) ** 2)
        return Normal(math.log(self.mean) - spread / 2, math.sqrt(spread))

    @override
    def _check(self) -> None:
        if not (0 < self.mean < math.inf and 0 <= self.std < math.inf):
            raise ValueError(
                f"Expected `mean` above 0 and `std` of at least 0 of a LogNormal, got {self.mean} and {self.std}."
            )

    @override
    def _share(self, low: float, high: float) -> float:
        logs = [-math.inf if x <= 0 else math.log(x) for x in (low, high)]
        return self._logarithm._share(*logs)

    @override
    def _draw(self, values: Tensor, generator: torch.Generator | None) -> Tensor:
        return self._logarithm._draw(values, generator).exp_()


@dataclass(frozen=True, init=False)
class Uniform(Distribution):
    """A uniform distribution between two values.

    Args:
        low: The least value [1].
        high: The greatest value [1].

    Raises:
        ValueError: Values that are not finite, or the first above the second.

    Example:
        >>> values = Uniform(0.5, 1.0)(torch.empty(1000))
        >>> bool((values >= 0.5).all() and (values <= 1.0).all())
        True
    """

    def __init__(self, low: float, high: float) -> None:
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        self.__post_init__()

    @override
    def _check(self) -> None:
        if not -math.inf < self.low <= self.high < math.inf:
            raise ValueError(f"Expected `low` up to `high`, both finite, got {self.low} and {self.high}.")

    @override
    def _share(self, low: float, high: float) -> float:
        return 1.0

    @override
    def _draw(self, values: Tensor, generator: torch.Generator | None) -> Tensor:
        return values.uniform_(self.low, self.high, generator=generator)
