"""Which pairs of neurons a dense synapse connects, by where they lie.

Distances are in neuron spacings of the source. Where the target is another grid, it is stretched over the source's
first, so that a field of radius 2 holds as many sources for every size of the target.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from conex_nn.functional.grid import coordinates
from conex_nn.functional.grid import stretch as stretch_onto

__all__ = ["Mask", "box", "circle", "distance", "distance_weights", "no_self", "ring", "ring_weights"]


@dataclass(frozen=True)
class Mask:
    """A rule that says which pairs are connected; rules combine with ``&``, ``|`` and ``~``.

    Args:
        rule: ``(source_coordinates, target_coordinates) -> bool (n_target, n_source)``, of ``(n, 3)`` coordinates.

    Example:
        >>> from conex_nn.functional.grid import coordinates
        >>> near = Mask(lambda source, target: (target[:, None] - source).norm(dim=-1) < 1.5)
        >>> (near & no_self())(coordinates(3), coordinates(3)).int()
        tensor([[0, 1, 0],
                [1, 0, 1],
                [0, 1, 0]], dtype=torch.int32)
    """

    rule: Callable[[Tensor, Tensor], Tensor]

    def __call__(self, source_coordinates: Tensor, target_coordinates: Tensor) -> Tensor:
        """Return which pairs are connected.

        Args:
            source_coordinates: x, y and z of the sources, ``(n_source, 3)`` [1].
            target_coordinates: Those of the targets, ``(n_target, 3)`` [1].

        Returns:
            A bool tensor, ``(n_target, n_source)``.
        """
        return self.rule(source_coordinates, target_coordinates)

    def __and__(self, other: Callable[[Tensor, Tensor], Tensor]) -> "Mask":
        return Mask(lambda source, target: self(source, target) & other(source, target))

    def __or__(self, other: Callable[[Tensor, Tensor], Tensor]) -> "Mask":
        return Mask(lambda source, target: self(source, target) | other(source, target))

    def __invert__(self) -> "Mask":
        return Mask(lambda source, target: ~self(source, target))


def _distance(source: Tensor, target: Tensor, stretch: bool) -> Tensor:
    """Return the distances in the plane, ``(n_target, n_source)``."""
    target = stretch_onto(target, source) if stretch else target
    return torch.hypot(target[:, None, 0] - source[:, 0], target[:, None, 1] - source[:, 1])


def distance(rule: Callable[[Tensor], Tensor], *, stretch: bool = True) -> Mask:
    """Connect by the distance in the plane of x and y, whatever the depth.

    Args:
        rule: Says of distances ``(n_target, n_source)`` which are connected; it may draw.
        stretch: Stretch the target's grid over the source's.

    Example:
        >>> from conex_nn.functional.grid import coordinates
        >>> fading = distance(lambda d: torch.rand_like(d) < torch.exp(-d / 2))
        >>> fading(coordinates((4, 4)), coordinates((2, 2))).shape
        torch.Size([4, 16])
    """
    return Mask(lambda source, target: rule(_distance(source, target, stretch)))


def box(reach: float | Sequence[float], *, stretch: bool = True) -> Mask:
    """Connect what is at most so far apart along each axis.

    Args:
        reach: One number for x and y, or one for each of x, y and z [1]. An axis without a number does not matter.
        stretch: Stretch the target's grid over the source's.

    Raises:
        ValueError: A negative reach, or too many.

    Example:
        >>> from conex_nn.functional.grid import coordinates
        >>> box(1.0)(coordinates(4), coordinates(4)).int()
        tensor([[1, 1, 0, 0],
                [1, 1, 1, 0],
                [0, 1, 1, 1],
                [0, 0, 1, 1]], dtype=torch.int32)
    """
    reaches = tuple(reach) if isinstance(reach, Sequence) else (reach, reach)
    if not 1 <= len(reaches) <= 3 or not all(value >= 0 for value in reaches):
        raise ValueError(f"Expected `reach` of one to three numbers of at least 0 [1], got {reach}.")

    def rule(source: Tensor, target: Tensor) -> Tensor:
        target = stretch_onto(target, source) if stretch else target
        near = [(target[:, None, i] - source[:, i]).abs() <= value for i, value in enumerate(reaches)]
        return torch.stack(near).all(0)

    return Mask(rule)


def circle(radius: float, *, stretch: bool = True) -> Mask:
    """Connect what is at most so far apart in the plane of x and y, whatever the depth.

    Args:
        radius: Largest distance [1].
        stretch: Stretch the target's grid over the source's.

    Raises:
        ValueError: A negative radius.

    Example:
        >>> from conex_nn.functional.grid import coordinates
        >>> circle(1.0)(coordinates((3, 3)), coordinates((3, 3)))[4].reshape(3, 3).int()  # onto the one amid them
        tensor([[0, 1, 0],
                [1, 1, 1],
                [0, 1, 0]], dtype=torch.int32)
    """
    if not radius >= 0:
        raise ValueError(f"Expected `radius` of at least 0 [1], got {radius}.")
    return distance(lambda d: d <= radius, stretch=stretch)


def ring(inner: float, outer: float, *, stretch: bool = True) -> Mask:
    """Connect what is from ``inner`` to ``outer`` apart in the plane of x and y, whatever the depth.

    Args:
        inner: Smallest distance [1].
        outer: Largest distance [1].
        stretch: Stretch the target's grid over the source's.

    Raises:
        ValueError: A negative distance, or an inner one beyond the outer one.

    Example:
        >>> from conex_nn.functional.grid import coordinates
        >>> ring(1.0, 1.2)(coordinates((3, 3)), coordinates((3, 3)))[4].reshape(3, 3).int()
        tensor([[0, 1, 0],
                [1, 0, 1],
                [0, 1, 0]], dtype=torch.int32)
    """
    if not 0 <= inner <= outer:
        raise ValueError(f"Expected `inner` from 0 to `outer` [1], got {inner} and {outer}.")
    return distance(lambda d: (d >= inner) & (d <= outer), stretch=stretch)


def no_self() -> Mask:
    """Connect all but neurons of the same index.

    Raises:
        ValueError: On use, unequal numbers of neurons.

    Example:
        >>> from conex_nn.functional.grid import coordinates
        >>> no_self()(coordinates(2), coordinates(2))
        tensor([[False,  True],
                [ True, False]])
    """

    def rule(source: Tensor, target: Tensor) -> Tensor:
        if len(source) != len(target):
            raise ValueError(
                "Expected `no_self()` between populations of one shape, got "
                f"{len(source)} sources and {len(target)} targets."
            )
        return ~torch.eye(len(source), dtype=torch.bool, device=source.device)

    return Mask(rule)


def _fading(
    source_shape: int | Sequence[int], target_shape: int | Sequence[int], middle: float, width: float, stretch: bool
) -> Tensor:
    d = _distance(coordinates(source_shape), coordinates(target_shape), stretch)
    return (1 - (d - middle).abs() / width).clamp(min=0)


def distance_weights(
    source_shape: int | Sequence[int], target_shape: int | Sequence[int], *, radius: float, stretch: bool = True
) -> Tensor:
    """Return weights that fall from 1 at no distance to 0 at the radius, for the ``weight`` of a dense synapse.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives.
        radius: Distance in the plane of x and y from which the weight is 0 [1].
        stretch: Stretch the target's grid over the source's.

    Returns:
        Weights, ``(n_target, n_source)``.

    Raises:
        ValueError: A radius that is not positive.

    Example:
        >>> distance_weights(4, 4, radius=2.0)[0]
        tensor([1.0000, 0.5000, 0.0000, 0.0000])
    """
    if not radius > 0:
        raise ValueError(f"Expected `radius` to be positive [1], got {radius}.")
    return _fading(source_shape, target_shape, 0.0, radius, stretch)


def ring_weights(
    source_shape: int | Sequence[int],
    target_shape: int | Sequence[int],
    *,
    radius: float,
    width: float,
    stretch: bool = True,
) -> Tensor:
    """Return weights that fall from 1 on a ring to 0 inside and outside it, for the ``weight`` of a dense synapse.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives.
        radius: Distance in the plane of x and y at which the weight is 1 [1].
        width: Distance from there at which it is 0 [1].
        stretch: Stretch the target's grid over the source's.

    Returns:
        Weights, ``(n_target, n_source)``.

    Raises:
        ValueError: A negative radius, or a width that is not positive.

    Example:
        >>> ring_weights(5, 5, radius=2.0, width=2.0)[0]
        tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    if not radius >= 0:
        raise ValueError(f"Expected `radius` of at least 0 [1], got {radius}.")
    if not (width > 0 and math.isfinite(width)):
        raise ValueError(f"Expected `width` to be positive [1], got {width}.")
    return _fading(source_shape, target_shape, radius, width, stretch)
