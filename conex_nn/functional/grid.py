"""Where the neurons of a population lie: one coordinate per neuron, in neuron spacings."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["area", "coordinates", "move", "near_square", "population_shape", "rotate", "scale", "stretch"]


def population_shape(shape: int | Sequence[int], *, name: str = "shape") -> torch.Size:
    """Return the shape of a population as a ``torch.Size``.

    Args:
        shape: A number of neurons, or one number per axis.
        name: What to call it in a message.

    Raises:
        TypeError: It is no whole number and no sequence of them.
        ValueError: It has no axis, or one without a neuron.

    Example:
        >>> population_shape(5), population_shape((1, 28, 28))
        (torch.Size([5]), torch.Size([1, 28, 28]))
    """
    sizes = (shape,) if isinstance(shape, (int, str)) else tuple(shape) if isinstance(shape, Sequence) else (None,)
    whole = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    if len(whole) < len(sizes):
        raise TypeError(f"Expected `{name}` to be a number of neurons or one per axis, whole numbers, got {shape!r}.")
    if not whole or min(whole) < 1:
        raise ValueError(f"Expected `{name}` of at least one axis, each of at least one neuron, got {shape!r}.")
    return torch.Size(whole)


def coordinates(shape: int | Sequence[int], *, device: torch.device | str | None = None) -> Float[Tensor, "neurons 3"]:
    """Return x, y and z of every neuron of a population, in the order in which ``flatten`` gives them: x runs fastest.

    Args:
        shape: ``(n,)``, ``(height, width)`` or ``(depth, height, width)``; a row of neurons runs along x.
        device: Where to make them.

    Returns:
        One row ``(x, y, z)`` per neuron, in neuron spacings [1].

    Raises:
        ValueError: More than three axes.

    Example:
        >>> coordinates((2, 3))
        tensor([[0., 0., 0.],
                [1., 0., 0.],
                [2., 0., 0.],
                [0., 1., 0.],
                [1., 1., 0.],
                [2., 1., 0.]])
    """
    sizes = population_shape(shape)
    if len(sizes) > 3:
        raise ValueError(f"Expected `shape` of at most three axes (depth, height, width), got {tuple(sizes)}.")
    axes = [
        torch.arange(size, dtype=torch.get_default_dtype(), device=device) for size in (1,) * (3 - len(sizes)) + sizes
    ]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3).flip(-1)


def near_square(n: int) -> tuple[int, int]:
    """Return the height and width of the grid of ``n`` neurons that comes nearest to a square.

    Args:
        n: Number of neurons.

    Returns:
        The largest divisor of ``n`` up to its square root, and what that leaves.

    Raises:
        ValueError: Fewer than one neuron.

    Example:
        >>> near_square(400), near_square(12), near_square(7)
        ((20, 20), (3, 4), (1, 7))
    """
    if n < 1:
        raise ValueError(f"Expected `n` of at least one neuron, got {n}.")
    height = next(size for size in range(math.isqrt(n), 0, -1) if n % size == 0)
    return height, n // height


def move(
    points: Float[Tensor, "neurons 3"], *, x: float = 0.0, y: float = 0.0, z: float = 0.0
) -> Float[Tensor, "neurons 3"]:
    """Shift neurons.

    Args:
        points: Their coordinates [1].
        x: Shift along x, in neuron spacings [1].
        y: Shift along y [1].
        z: Shift along z [1].

    Example:
        >>> move(coordinates(2), y=0.5)
        tensor([[0.0000, 0.5000, 0.0000],
                [1.0000, 0.5000, 0.0000]])
    """
    return points + points.new_tensor([x, y, z])


def scale(
    points: Float[Tensor, "neurons 3"], *, x: float = 1.0, y: float = 1.0, z: float = 1.0
) -> Float[Tensor, "neurons 3"]:
    """Stretch or shrink the distances from the origin.

    Args:
        points: Coordinates of the neurons [1].
        x: Factor along x [1].
        y: Factor along y [1].
        z: Factor along z [1].

    Example:
        >>> scale(coordinates(3), x=0.5)[:, 0]
        tensor([0.0000, 0.5000, 1.0000])
    """
    return points * points.new_tensor([x, y, z])


def rotate(
    points: Float[Tensor, "neurons 3"], angle: float, *, axis: Literal["x", "y", "z"] = "z"
) -> Float[Tensor, "neurons 3"]:
    """Rotate neurons about an axis through the origin, counter-clockwise where the axis points at the viewer.

    Args:
        points: Their coordinates [1].
        angle: Angle [rad].
        axis: ``"x"``, ``"y"`` or ``"z"``.

    Raises:
        ValueError: Another axis.

    Example:
        >>> rotate(torch.tensor([[1.0, 0.0, 5.0]]), torch.pi / 2).round(decimals=4).abs()
        tensor([[0., 1., 5.]])
    """
    if axis not in ("x", "y", "z"):
        raise ValueError(f'Expected `axis` to be "x", "y" or "z", got {axis!r}.')
    fixed = "xyz".index(axis)
    first, second = (fixed + 1) % 3, (fixed + 2) % 3
    turned = points.clone()
    turned[:, first] = math.cos(angle) * points[:, first] - math.sin(angle) * points[:, second]
    turned[:, second] = math.sin(angle) * points[:, first] + math.cos(angle) * points[:, second]
    return turned


def _cover(points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the middle and the extent of a grid along each axis; a neuron fills one spacing, a single one fills 1."""
    low, high = points.amin(0), points.amax(0)
    gaps = torch.stack([points.new_tensor(column.unique().numel() - 1) for column in points.unbind(1)])
    return (low + high) / 2, torch.where(gaps > 0, (high - low) * (1 + 1 / gaps.clamp(min=1)), torch.ones_like(low))


def stretch(points: Float[Tensor, "neurons 3"], onto: Float[Tensor, "others 3"]) -> Float[Tensor, "neurons 3"]:
    """Stretch and shift a grid along x, y and z so that it covers another.

    Every neuron fills one spacing of its grid, so that those of a coarse grid come to lie amid the blocks of a fine
    one that they stand for.

    Args:
        points: Coordinates of the neurons [1].
        onto: Those of the grid to cover [1].

    Example:
        >>> stretch(coordinates(2), coordinates(4))[:, 0]
        tensor([0.5000, 2.5000])
    """
    (middle, extent), (middle_onto, extent_onto) = _cover(points), _cover(onto)
    return (points - middle) * (extent_onto / extent) + middle_onto


def area(
    points: Float[Tensor, "neurons 3"],
    *,
    x: tuple[float, float] = (-math.inf, math.inf),
    y: tuple[float, float] = (-math.inf, math.inf),
    z: tuple[float, float] = (-math.inf, math.inf),
) -> Bool[Tensor, " neurons"]:
    """Return which neurons lie in an area, its edges included.

    Args:
        points: Coordinates of the neurons [1].
        x: Lowest and highest x [1].
        y: Lowest and highest y [1].
        z: Lowest and highest z [1].

    Example:
        >>> area(coordinates((2, 3)), x=(1, 2), y=(0, 0))
        tensor([False,  True,  True, False, False, False])
    """
    bounds = points.new_tensor([x, y, z])
    return ((points >= bounds[:, 0]) & (points <= bounds[:, 1])).all(-1)
