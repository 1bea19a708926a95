"""The weight that a synapse starts with."""

import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["DrawnBy", "Initialiser", "initial_weight"]

Initialiser = Callable[[Tensor], Any]
"""What fills a weight: in place, as those of ``torch.nn.init`` do, or by returning a new tensor of its shape."""


class DrawnBy:
    """Remembers what filled a weight, so that another can be drawn like it.

    Copies share it; a pickle forgets what cannot be pickled, such as a lambda.

    Args:
        init: What filled it; None for the default.

    Example:
        >>> pickle.loads(pickle.dumps(DrawnBy(nn.init.ones_))).init.__name__
        'ones_'
        >>> pickle.loads(pickle.dumps(DrawnBy(lambda weight: weight.fill_(2.0)))).init
    """

    def __init__(self, init: Initialiser | None) -> None:
        self.init = init

    def __deepcopy__(self, memo: Any) -> "DrawnBy":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        try:
            pickle.dumps(self.init)
        except Exception:
            return DrawnBy, (None,)
        return DrawnBy, (self.init,)


def initial_weight(
    shape: Sequence[int],
    *,
    init: Initialiser | None,
    weight: Tensor | None,
    fan_in: float | int,
    mask: Tensor | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
    generator: torch.Generator | None = None,
) -> nn.Parameter:
    """Make the weight of a synapse.

    Without ``init`` and ``weight`` it is uniform between -1/sqrt(fan_in) and 1/sqrt(fan_in), as that of ``nn.Linear``:
    the current then varies as much whatever the number of sources, and gradients reach every layer.

    Args:
        shape: Its shape.
        init: Fills it.
        weight: Its values; they are copied.
        fan_in: Sources of one target [1].
        mask: Which entries exist; the others are made 0.
        dtype: Of what floating type; default that of ``weight``, or torch's default.
        device: Where to make it, unless ``weight`` says so.
        generator: Draws the default values.

    Raises:
        TypeError: ``init`` is no callable, or ``weight`` no real tensor.
        ValueError: A shape that does not fit, or both ``init`` and ``weight``.

    Example:
        >>> initial_weight((2, 2), init=torch.nn.init.ones_, weight=None, fan_in=2, mask=torch.eye(2).bool())
        Parameter containing:
        tensor([[1., 0.],
                [0., 1.]], requires_grad=True)
    """
    if init is not None and weight is not None:
        raise ValueError("Expected one of `init` and `weight`, got both.")
    if weight is not None:
        values = _given(weight, shape, name="weight")
        values = values if dtype is None else values.to(dtype)
    elif init is None:
        bound = 1 / math.sqrt(max(fan_in, 1))
        values = torch.empty(*shape, dtype=dtype, device=device).uniform_(-bound, bound, generator=generator)
    else:
        values = _filled(init, torch.empty(*shape, dtype=dtype, device=device))
    return nn.Parameter(values if mask is None else values * mask.to(values.device))


def _given(weight: Tensor, shape: Sequence[int], *, name: str) -> Tensor:
    if not isinstance(weight, Tensor) or weight.is_complex():
        got = weight.dtype if isinstance(weight, Tensor) else type(weight).__name__
        raise TypeError(f"Expected `{name}` to be a real tensor, got {got}.")
    if weight.shape != torch.Size(shape):
        raise ValueError(f"Expected `{name}` of shape {tuple(shape)}, got {tuple(weight.shape)}.")
    return weight.detach().clone().to(weight.dtype if weight.is_floating_point() else torch.get_default_dtype())


def _filled(init: Initialiser, weight: Tensor) -> Tensor:
    if not callable(init):
        raise TypeError(f"Expected `init` to be a callable that fills a tensor, got {init!r}. Values go to `weight`.")
    weight.zero_()  # what a callable leaves alone shall not be left to chance
    with torch.no_grad():
        result = init(weight)
    if not isinstance(result, Tensor) or result is weight:
        return weight
    return _given(result, weight.shape, name="init(weight)").to(weight)
