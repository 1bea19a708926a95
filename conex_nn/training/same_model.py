"""Tell whether a checkpoint belongs to a model."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

__all__ = ["check_same_model"]

_SHOWN = 4


def check_same_model(own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise, and say how they differ, unless a checkpoint's tensors are those of a model.

    Args:
        own: The model's ``state_dict``.
        given: The checkpoint's.

    Raises:
        ValueError: Names that are missing or unexpected, or other shapes.

    Example:
        >>> check_same_model({"weight": torch.zeros(2)}, {"weight": torch.zeros(3)})
        Traceback (most recent call last):
        ValueError: Expected a checkpoint of this model, got one of another: other shapes: weight (2,) here, (3,) there.
        Build the model with the arguments that it was trained with.
    """
    shapes = [
        f"{name} {tuple(own[name].shape)} here, {tuple(given[name].shape)} there"
        for name in own
        if name in given
        and isinstance(own[name], Tensor)
        and isinstance(given[name], Tensor)
        and not is_lazy(own[name])
        and own[name].numel()  # what is empty has yet to get its size
        and own[name].shape != given[name].shape
    ]
    found = {
        "missing in the checkpoint": [name for name in own if name not in given],
        "unknown to the model": [name for name in given if name not in own],
        "other shapes": shapes,
    }
    problems = [f"{what}: {_first(names)}" for what, names in found.items() if names]
    if problems:
        raise ValueError(
            f"Expected a checkpoint of this model, got one of another: {'; '.join(problems)}. "
            "Build the model with the arguments that it was trained with."
        )


def _first(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
