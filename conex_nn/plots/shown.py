"""What of a recording is drawn: one variable, one sample, not too many neurons."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.recording import Recording
from conex_nn.recording.layout import evenly

__all__ = ["Data", "Shown", "evenly", "every_sample", "one_sample"]

Data = Tensor | Mapping[str, Tensor]
"""Values of one population, of several by name, or a recording."""


class Shown(NamedTuple):
    """Values that are drawn."""

    values: Tensor
    """``(time, neurons)``, or ``(time, trains)`` of all samples, on the CPU."""
    time: Tensor
    """When each step began [ms]."""
    neurons: Tensor
    """Number of each neuron in its population [1]."""
    step: float
    """From one value to the next [ms]: ``dt``, or more where a recording kept only some of the steps."""


def one_sample(data: Data, *, variable: str = "spikes", sample: int | None = None, dt: float = 1.0) -> dict[str, Shown]:
    """Return the values of one sample, by the name of each population; that of a lone tensor is empty.

    Args:
        data: A tensor ``(time, *neurons)``, or ``(time, batch, *neurons)`` with a ``sample``; such by name; or a
            recording.
        variable: Which variable of a recording.
        sample: Which sample of the batch [1]; a recording of a single one needs none.
        dt: Length of a step [ms].

    Raises:
        KeyError: A recording without that variable.
        ValueError: Nothing to draw, a batch without ``sample``, or a sample that there is not.

    Example:
        >>> shown = one_sample({"exc": torch.rand(10, 3, 4)}, sample=2)
        >>> shown["exc"].values.shape
        torch.Size([10, 4])
    """
    found = {}
    for name, (values, time, neurons) in _laid_out(data, variable, batched=sample is not None, dt=dt).items():
        samples = values.shape[1]
        if sample is None and samples > 1:
            raise ValueError(
                f"Expected one sample of {name!r}, got a batch of {samples}. Say which is meant: `sample=0`, up to "
                f"{samples - 1}."
            )
        if sample is not None and not -samples <= sample < samples:
            raise ValueError(f"Expected `sample` to be one of {samples}, from 0 to {samples - 1} [1], got {sample}.")
        found[name] = Shown(values[:, sample or 0], time, neurons, _step(data, dt))
    return found


def every_sample(data: Data, *, variable: str = "spikes", dt: float = 1.0) -> dict[str, Shown]:
    """Return the values of all samples as so many trains, by the name of each population.

    Args:
        data: A tensor ``(time, *batch, *neurons)``, such by name, or a recording.
        variable: Which variable of a recording.
        dt: Length of a step [ms].

    Raises:
        KeyError: A recording without that variable.
        ValueError: Nothing to draw.

    Example:
        >>> every_sample(torch.rand(10, 3, 4))[""].values.shape
        torch.Size([10, 12])
    """
    laid = _laid_out(data, variable, batched=False, dt=dt)
    step = _step(data, dt)
    return {name: Shown(values.flatten(1), time, neurons, step) for name, (values, time, neurons) in laid.items()}


def _step(data: Data, dt: float) -> float:
    return dt * data.every if isinstance(data, Recording) else dt


def _laid_out(data: Data, variable: str, *, batched: bool, dt: float) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Return values as (time, sample, neuron), times and numbers of neurons."""
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    if isinstance(data, Recording):
        names = [name for name in data if name.endswith(f".{variable}") or name == variable]
        if not names:
            raise KeyError(
                f"Expected {variable!r} to have been recorded, got {', '.join(map(repr, data)) or 'nothing'}. Record "
                f"it: `with net.record(address, {variable!r}) as recording:`."
            )
        laid = {name.removesuffix(variable).strip(".") or name: data.laid_out(name) for name in names}
        return {
            name: (values.cpu(), steps.cpu() * dt, numbers.cpu()) for name, (values, steps, numbers) in laid.items()
        }
    by_name = {"": data} if isinstance(data, Tensor) else dict(data)
    if not by_name:
        raise ValueError(f"Expected `{variable}` of at least one layer, got none.")
    found = {}
    for name, values in by_name.items():
        if values.dim() < 2 + batched or values.numel() == 0:
            axes = "(time, batch, *neurons)" if batched else "(time, *neurons)"
            raise ValueError(f"Expected `{variable}` of {name!r} as {axes}, got shape {tuple(values.shape)}.")
        flat = values.detach().cpu().flatten(1 + batched)
        flat = flat if batched else flat.unsqueeze(1)
        found[name] = (flat, torch.arange(len(flat)) * dt, torch.arange(flat.shape[2]))
    return found
