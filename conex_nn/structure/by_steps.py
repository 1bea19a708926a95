"""Say that populations run step by step where events were asked for."""

import warnings
from collections.abc import Sequence

__all__ = ["say_by_steps"]


def say_by_steps(populations: Sequence[str], why: object) -> None:
    """Warn that populations are run step by step, where someone has asked for events.

    Args:
        populations: Their addresses.
        why: Why they cannot be run by the kernel, as a sentence; anything else where that is not for what they are.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as said:
        ...     say_by_steps(["v1.exc"], "its neurons are none that it knows")
        >>> str(said[0].message)[:64]
        "'v1.exc' runs step by step in spite of `by_events=True`: its neu"
    """
    names = ", ".join(map(repr, populations))
    if not isinstance(why, str):
        why = "what is recorded of it, what arrives, or what is under way is for the step loop"
    warnings.warn(f"{names} runs step by step in spite of `by_events=True`: {why}.", stacklevel=2)
