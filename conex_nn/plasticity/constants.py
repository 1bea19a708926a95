"""How a rule keeps its constants: numbers as they are, tensors and `nn.Parameter`s on the module."""

import math

import torch
from torch import Tensor, nn

__all__ = ["keep_amount", "require_positive"]


def require_positive(name: str, value: float, *, unit: str) -> float:
    """Return a number that has to be positive.

    Args:
        name: Its name, for the message.
        value: The number, in any unit, such as [ms].
        unit: Its unit.

    Raises:
        TypeError: It is no number.
        ValueError: It is not positive, or not finite.

    Example:
        >>> require_positive("tau_plus", 0.0, unit="ms")
        Traceback (most recent call last):
        ValueError: Expected `tau_plus` to be positive [ms], got 0.0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"Expected `{name}` to be a number [{unit}], got {value!r}.")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"Expected `{name}` to be positive [{unit}], got {value!r}.")
    return float(value)


def keep_amount(module: nn.Module, name: str, value: float | Tensor, *, unit: str = "1") -> None:
    """Keep how much a rule changes a weight on its module: a number as it is, a tensor as a buffer.

    Args:
        module: The rule.
        name: Its name.
        value: A number, a tensor that broadcasts to the weight, or an ``nn.Parameter``, in any unit, such as [1].
        unit: Its unit, for the message.

    Raises:
        TypeError: It is neither number nor real tensor.
        ValueError: It is not finite.

    Example:
        >>> rule = nn.Module()
        >>> keep_amount(rule, "a_plus", 0.01)
        >>> rule.a_plus
        0.01
    """
    if isinstance(value, nn.Parameter):
        setattr(module, name, value)
    elif isinstance(value, Tensor) and not value.is_complex():
        if not value.is_meta and not torch.isfinite(value).all():
            raise ValueError(f"Expected `{name}` to be finite [{unit}], got a tensor that is not.")
        dtype = torch.get_default_dtype() if value.dtype == torch.bool else value.dtype  # a mask
        module.register_buffer(name, value.detach().clone().to(dtype))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(f"Expected `{name}` to be finite [{unit}], got {value!r}.")
        setattr(module, name, float(value))
    else:
        got = value.dtype if isinstance(value, Tensor) else repr(value)
        raise TypeError(f"Expected `{name}` to be a number or a real tensor [{unit}], got {got}.")
