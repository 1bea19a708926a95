"""Durations as people write them, in milliseconds and in steps."""

import re
from operator import index

__all__ = ["in_ms", "in_steps", "whole_steps"]

_UNITS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4}
_WRITTEN = re.compile(r"\s*(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\W\d]*)\s*")


def in_ms(duration: float | str, *, name: str = "duration") -> float:
    """Return a duration in milliseconds.

    Args:
        duration: A number [ms], or a number with its unit: ``"100 us"``, ``"500 ms"``, ``"1.5 s"``, ``"2 min"``.
        name: What to call it in a message.

    Returns:
        The duration [ms].

    Raises:
        TypeError: Something else.
        ValueError: An unknown unit or none, a negative number, or one that is not finite.

    Example:
        >>> in_ms("1.5 s"), in_ms("100 us"), in_ms(20.0)
        (1500.0, 0.1, 20.0)
    """
    if isinstance(duration, bool) or not isinstance(duration, str | int | float):
        raise TypeError(
            f"Expected `{name}` to be a number [ms], or a number with its unit, such as '500 ms', got {duration!r}."
        )
    if isinstance(duration, str):
        found = _WRITTEN.fullmatch(duration)
        if found is None or found[2] not in _UNITS:
            raise ValueError(
                f"Expected `{name}` as a number with its unit, one of us, ms, s and min, such as '500 ms', got "
                f"{duration!r}."
            )
        milliseconds = float(found[1]) * _UNITS[found[2]]
    else:
        milliseconds = float(duration)
    if not 0 <= milliseconds < float("inf"):
        raise ValueError(f"Expected `{name}` to be finite and not negative [ms], got {duration!r}.")
    return milliseconds


def in_steps(duration: int | str, *, dt: float, name: str = "duration") -> int:
    """Return a duration in steps.

    Args:
        duration: A number of steps [1], or a time with its unit, such as ``"500 ms"``.
        dt: Length of a step [ms].
        name: What to call it in a message.

    Returns:
        The number of steps, 0 or more [1].

    Raises:
        TypeError: A number that is not whole, or something else.
        ValueError: A negative number, an unknown unit, or a time that is no whole number of steps.

    Example:
        >>> in_steps("0.5 s", dt=0.1), in_steps(20, dt=0.1)
        (5000, 20)
    """
    if isinstance(duration, str):
        return whole_steps(in_ms(duration, name=name), dt=dt, name=name, least=0)
    try:
        if isinstance(duration, bool):
            raise TypeError
        steps = index(duration)
    except TypeError:
        raise TypeError(
            f"Expected `{name}` to be a whole number of steps [1], or a time with its unit, such as '500 ms', got "
            f"{duration!r}."
        ) from None
    if steps < 0:
        raise ValueError(f"Expected `{name}` to be 0 or more steps [1], got {steps}.")
    return steps


def whole_steps(duration: float, *, dt: float, name: str = "duration", least: int = 1) -> int:
    """Return a duration in milliseconds as so many steps.

    Args:
        duration: The duration [ms].
        dt: Length of a step [ms].
        name: What to call it in a message.
        least: The fewest steps that it may have [1].

    Raises:
        ValueError: It is no whole number of steps, or fewer than ``least``.

    Example:
        >>> whole_steps(5.0, dt=0.5, name="width")
        10
    """
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    exact = duration / dt
    steps = round(exact)
    if abs(exact - steps) > min(1e-6 * exact, 1e-3):  # of what rounding leaves
        low = int(exact)
        near = [f"{_shown(number * dt)} ms" for number in (low, low + 1) if number >= least]
        raise ValueError(
            f"Expected `{name}` to be a whole number of steps of {dt:g} ms [ms], got {duration:g}. The nearest "
            f"{'is' if len(near) == 1 else 'are'} {' and '.join(near)}."
        )
    if steps < least:
        raise ValueError(f"Expected `{name}` to be at least {least * dt:g} ms, {least} steps [ms], got {duration:g}.")
    return steps


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.9g}"
