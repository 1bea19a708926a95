"""What a report holds, as plain numbers and texts."""

import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import torch

from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.trainable import Trainable

__all__ = ["contents", "of_the_run", "tested", "versions"]

_OFTEN = 0.5  # share of steps with a spike, beyond which a layer can hardly say more


def contents(
    model: SpikingClassifier,
    logged: Mapping[str, float],
    *,
    class_names: Sequence[str],
    seconds: float,
    config: Mapping[str, Any],
    history: Sequence[Mapping[str, int | float]],
) -> dict[str, Any]:
    """Put together a report. It holds nothing that tells of the machine or the network it stands in.

    Args:
        model: A classifier after a test.
        logged: What the test logged, by name (``test/...``).
        class_names: Name of each class.
        seconds: Wall-clock time [s].
        config: Configuration of the run.
        history: One mapping per epoch of training.

    Returns:
        The figures of the test by their names without ``test/``, ``accuracy`` first, what else was given, and ``notes``
        on layers that are silent or fire nearly all the time, where there are such.

    Example:
        >>> import conex_nn as cx
        >>> model = SpikingClassifier(cx.Sequential(torch.nn.Linear(4, 2), cx.LIF()), num_classes=2)
        >>> model.confusion = torch.tensor([[3, 1], [0, 4]])
        >>> report = contents(
        ...     model, {"test/accuracy": 0.875}, class_names=["a", "b"], seconds=1.0, config={}, history=[]
        ... )
        >>> report["accuracy"], report["per_class"], report["samples"]
        (0.875, {'a': 0.75, 'b': 1.0}, 8)
    """
    figures = tested(logged)
    rates = {name.removeprefix("rate/"): value for name, value in figures.items() if name.startswith("rate/")}
    report: dict[str, Any] = {"accuracy": figures.pop("accuracy", None)}
    report |= {name: value for name, value in figures.items() if not name.startswith("rate/")}
    report["rate"] = rates
    if notes := [note for name, rate in rates.items() for note in _noteworthy(name, rate, dt=model.dt)]:
        report["notes"] = notes
    if model.confusion is not None:
        counts = model.confusion
        shares = (counts.diagonal() / counts.sum(1)).tolist()  # NaN for a class without samples
        report["per_class"] = {
            name: None if math.isnan(share) else share for name, share in zip(class_names, shares, strict=True)
        }
        report["samples"] = int(counts.sum())
    return report | of_the_run(model, seconds=seconds, config=config, history=history)


def _noteworthy(name: str, rate: float | None, *, dt: float) -> Iterator[str]:
    """Say of a layer that tells nothing what would make it tell something."""
    if rate == 0:
        yield f"{name} is silent: it needs more input, or a larger `gain` of what reaches it"
    elif rate is not None and rate * dt / 1000 > _OFTEN:
        share = f"{rate * dt / 1000:.0%}"
        yield f"{name} fires in {share} of all steps: it needs less input, or a smaller `gain` of what reaches it"


def tested(logged: Mapping[str, float]) -> dict[str, float | None]:
    """Return the figures of a test by their names without ``test/``; None for one that is not finite.

    Args:
        logged: What was logged, by name.

    Example:
        >>> tested({"test/loss": 0.5, "test/latency": float("nan"), "val/loss": 0.4})
        {'loss': 0.5, 'latency': None}
    """
    figures = {name.removeprefix("test/"): value for name, value in logged.items() if name.startswith("test/")}
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


def of_the_run(
    model: Trainable, *, seconds: float, config: Mapping[str, Any], history: Sequence[Mapping[str, int | float]]
) -> dict[str, Any]:
    """Return what a report says of any run: size, time, device, configuration, seed, versions, learning curves.

    Args:
        model: What was trained.
        seconds: Wall-clock time [s].
        config: Configuration of the run.
        history: One mapping per epoch of training.

    Example:
        >>> model = SpikingClassifier(torch.nn.Linear(4, 2), num_classes=2)
        >>> of_the_run(model, seconds=1.0, config={"seed": 3}, history=[])["seed"]
        3
    """
    seed = config.get("seed", os.environ.get("PL_GLOBAL_SEED"))  # L.seed_everything leaves it there
    return {
        "parameters": sum(parameter.numel() for parameter in model.net.parameters()),
        "epochs": len(history),
        "seconds": seconds,
        "device": model.device.type,
        "config": dict(config),
        "seed": None if seed is None else int(seed),
        "versions": versions(),
        "history": [dict(epoch) for epoch in history],
    }


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on.

    Example:
        >>> sorted(versions())
        ['conex_nn', 'lightning', 'numpy', 'python', 'snntorch', 'torch', 'torchmetrics']
    """
    found = {"python": platform.python_version(), "torch": str(torch.__version__)}
    found["conex_nn"] = sys.modules[__name__.partition(".")[0]].__version__  # the part of the root that parts may see
    return found | {name: version(name) for name in ("lightning", "torchmetrics", "snntorch", "numpy")}
