"""When a learning-rate scheduler is advanced."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import lightning as L
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

__all__ = ["scheduling"]


def scheduling(
    make: Callable[..., Any], optimizer: Optimizer, trainer: L.Trainer, *, interval: Literal["epoch", "step"]
) -> dict[str, Any]:
    """Return a scheduler as Lightning takes it.

    Args:
        make: Makes it from an optimizer. If it takes ``total_steps``, it is given the number of optimizer steps of the
            fit and is advanced after each of them.
        optimizer: The optimizer.
        trainer: The trainer of the fit.
        interval: When any other scheduler is advanced.

    Raises:
        ValueError: A ``ReduceLROnPlateau`` without validation data.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(1))
        >>> make = partial(torch.optim.lr_scheduler.StepLR, step_size=2)
        >>> found = scheduling(make, torch.optim.SGD([weight], lr=1.0), L.Trainer(logger=False), interval="epoch")
        >>> found["interval"]
        'epoch'
    """
    if _wants_total_steps(make):
        scheduler = make(optimizer, total_steps=int(trainer.estimated_stepping_batches))
        return {"scheduler": scheduler, "interval": "step"}
    scheduler = make(optimizer)
    if isinstance(scheduler, ReduceLROnPlateau):
        if not trainer.enable_validation:
            raise ValueError("Expected validation data for a ReduceLROnPlateau `scheduler`, got none.")
        return {"scheduler": scheduler, "reduce_on_plateau": False}
    return {"scheduler": scheduler, "interval": interval}


def _wants_total_steps(make: Callable[..., Any]) -> bool:
    """Whether a scheduler takes `total_steps` and has not got it yet."""
    given = make.keywords if isinstance(make, partial) else {}
    if "total_steps" in given:  # from a YAML file, every argument is given, if only as None
        return given["total_steps"] is None
    parameter = inspect.signature(make).parameters.get("total_steps")
    return parameter is not None and parameter.default in (None, inspect.Parameter.empty)
