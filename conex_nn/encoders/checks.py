"""What every encoder asks of its arguments."""

import math

import torch
from torch import Tensor


def check_time(time: int) -> None:
    """Raise unless `time` is a number of steps an encoder can produce.

    Args:
        time: Number of steps [1].

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is below 1.

    Example:
        >>> check_time(30)
    """
    if isinstance(time, bool) or not isinstance(time, int):
        raise TypeError(f"Expected `time` to be an integer [steps], got {time!r}.")
    if time < 1:
        raise ValueError(f"Expected `time` to be at least 1 [steps], got {time}.")


def check_positive(name: str, value: float, *, unit: str) -> None:
    """Raise unless `value` is positive and finite.

    Args:
        name: Name of the argument, for the message.
        value: What was given [`unit`].
        unit: Unit of the argument, for the message.

    Raises:
        ValueError: If it is zero, negative, infinite or not a number.

    Example:
        >>> check_positive("dt", 1.0, unit="ms")
    """
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"Expected `{name}` to be positive and finite [{unit}], got {value}.")


def check_spike_dtype(dtype: torch.dtype | None) -> None:
    """Raise unless zeros and ones make sense as `dtype`.

    Args:
        dtype: Type of the spikes; None stands for the type of the input.

    Raises:
        TypeError: If it is neither floating point, nor ``torch.uint8``, nor ``torch.bool``.

    Example:
        >>> check_spike_dtype(torch.bfloat16)
    """
    if dtype is None or (isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype in _COMPACT)):
        return
    raise TypeError(f"Expected `dtype` to be a floating type, torch.uint8 or torch.bool, got {dtype}.")


def check_intensity(x: Tensor) -> None:
    """Raise unless every element of `x` is a floating point number in [0, 1].

    The range is read back from the device once. It is not read on the meta device nor inside ``torch.compile``, where
    there are no values to read.

    Args:
        x: Intensities [1].

    Raises:
        TypeError: If it is not a tensor of a floating type.
        ValueError: If a value is outside [0, 1] or not a number.

    Example:
        >>> check_intensity(torch.tensor([0.0, 0.5, 1.0]))
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"Expected `x` to be a tensor, got {type(x).__name__}. {_REMEDY}")
    if not x.dtype.is_floating_point:
        raise TypeError(f"Expected `x` to be of a floating type with values in [0, 1], got {x.dtype}. {_REMEDY}")
    if torch.compiler.is_compiling() or x.is_meta or x.numel() == 0:
        return
    low, high = torch.stack(torch.aminmax(x.detach())).tolist()
    if math.isnan(low) or math.isnan(high):
        raise ValueError("Expected `x` to have values in [0, 1], got NaN.")
    if low < 0 or high > 1:
        raise ValueError(f"Expected `x` to have values in [0, 1], got values from {low:g} to {high:g}.")


_COMPACT = (torch.uint8, torch.bool)
_REMEDY = "Scale images with torchvision.transforms.v2: ToImage(), then ToDtype(torch.float32, scale=True)."
