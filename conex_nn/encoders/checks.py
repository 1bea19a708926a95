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
    there are no values to read. Spikes are told by their type, ``torch.bool`` or ``torch.uint8``; floating zeros and
    ones are not, for a black and white image is just that.

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
        remedy = f"{_REMEDY} {_ONCE}" if x.dtype in _COMPACT else _REMEDY
        raise TypeError(f"Expected `x` to be of a floating type with values in [0, 1], got {x.dtype}. {remedy}")
    if torch.compiler.is_compiling() or x.is_meta or x.numel() == 0:
        return
    low, high = torch.stack(torch.aminmax(x.detach())).tolist()
    if math.isnan(low) or math.isnan(high):
        raise ValueError("Expected `x` to have values in [0, 1], got NaN.")
    if low < 0 or high > 1:
        raise ValueError(f"Expected `x` to have values in [0, 1], got values from {low:g} to {high:g}.")


def check_generator(generator: torch.Generator | None, x: Tensor) -> None:
    """Raise unless `generator` can draw on the device of `x`.

    Args:
        generator: Source of randomness; None for torch's global one.
        x: What is to be encoded [1].

    Raises:
        ValueError: If they are on different devices.

    Example:
        >>> check_generator(torch.Generator(), torch.zeros(3))
    """
    if generator is None:
        return
    a, b = generator.device, x.device
    if a.type != b.type or (a.index is not None and b.index is not None and a.index != b.index):
        raise ValueError(
            f"Expected `x` to be on the device of `generator`, {a}, got {b}. "
            "Make the generator with torch.Generator(device=...)."
        )


def check_spikes(spikes: Tensor, *, time: int) -> Tensor:
    """Raise unless `spikes` has `time` steps, and return it in a floating type.

    Args:
        spikes: What is to be decoded, ``(time, *features)`` [1].
        time: Number of steps of the encoder [1].

    Returns:
        The spikes, in ``float32`` or wider [1].

    Raises:
        ValueError: If there are more or fewer steps.

    Example:
        >>> check_spikes(torch.ones(3, 2, dtype=torch.bool), time=3).dtype
        torch.float32
    """
    if spikes.ndim < 1 or len(spikes) != time:
        raise ValueError(
            f"Expected `spikes` to have the shape (time, *features) with {time} steps, got {tuple(spikes.shape)}."
        )
    return spikes.to(torch.promote_types(spikes.dtype, torch.float32))


def check_range(name: str, value: float, *, low: float, high: float) -> None:
    """Raise unless `value` is above `low` and at most `high`.

    Args:
        name: Name of the argument, for the message.
        value: What was given [1].
        low: Lower end, excluded [1].
        high: Upper end, included [1].

    Raises:
        ValueError: If it is outside or not a number.

    Example:
        >>> check_range("sparsity", 0.2, low=0.0, high=1.0)
    """
    if not low < value <= high:
        raise ValueError(f"Expected `{name}` to be above {low:g} and at most {high:g} [1], got {value}.")


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Raise unless `value` is an integer of at least `least`.

    Args:
        name: Name of the argument, for the message.
        value: What was given [1].
        least: The smallest that makes sense [1].

    Raises:
        TypeError: If it is not an integer.
        ValueError: If it is below `least`.

    Example:
        >>> check_count("period", 8)
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"Expected `{name}` to be an integer [1], got {value!r}.")
    if value < least:
        raise ValueError(f"Expected `{name}` to be at least {least} [1], got {value}.")


_COMPACT = (torch.uint8, torch.bool)
_ONCE = "Spikes are not encoded again."
_REMEDY = "Scale images with torchvision.transforms.v2: ToImage(), then ToDtype(torch.float32, scale=True)."
