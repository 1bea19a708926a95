"""What of a recording is drawn: one variable, one sample, not too many neurons."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from conex_nn.recording import Events, Recording, Simulation
from conex_nn.recording.layout import evenly, length_of_step

__all__ = ["Data", "Fired", "Shown", "SpikeData", "evenly", "one_sample", "spikes_of"]

Data = Tensor | Mapping[str, Tensor]
"""Values of one population, of several by name, or a recording."""
SpikeData = Tensor | Events | Mapping[str, Tensor] | Mapping[str, Events] | Simulation
"""Spikes of one population, of several by name, a recording, or what a simulation returned."""


class Shown(NamedTuple):
    """Values that are drawn."""

    values: Tensor
    """``(time, neurons)``, on the CPU."""
    time: Tensor
    """When each step began [ms]."""
    neurons: Tensor
    """Number of each neuron in its population [1]."""


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
        chosen = _sample(name, sample, values.shape[1])
        found[name] = Shown(values[:, chosen], time, neurons)
    return found


class Fired(NamedTuple):
    """Spikes that are drawn."""

    events: Events
    """The spikes, of one sample or of all; their ``dt`` is the time from one step that was kept to the next."""
    every: int
    """Steps of the run from one to the next: more than 1 where a recording kept only some of them [1]."""

    @property
    def dt(self) -> float:
        """Length of a step of the run [ms]."""
        return (self.events.dt or 1.0) / self.every

    @property
    def neurons(self) -> Tensor:
        """Which neurons were looked at [1]."""
        known = self.events.neurons
        return torch.arange(self.events.shape.numel()) if known is None else known.cpu()


def spikes_of(
    data: SpikeData, *, sample: int | None = None, dt: float | None = None, whole_batch: bool = False
) -> dict[str, Fired]:
    """Return the spikes of one sample, or of all, by the name of each population; that of a lone one is empty.

    Args:
        data: A tensor ``(time, *neurons)``, or ``(time, batch, *neurons)`` with a ``sample``; events; such by name; a
            recording; or what a simulation returned.
        sample: Which sample of the batch [1]; a recording or events of a single one need none.
        dt: Length of a step [ms]; None for that of events, else 1.
        whole_batch: Take all samples, whatever axes of a tensor they are.

    Raises:
        KeyError: A recording without spikes.
        ValueError: Nothing to draw, a batch without ``sample``, or a sample that there is not.

    Example:
        >>> spikes_of({"exc": torch.ones(10, 3, 4)}, sample=2)["exc"].events
        Events(40 in 10 steps, shape=(4,), batch=())
    """
    data = data.events if isinstance(data, Simulation) else data
    if isinstance(data, Recording):
        names = _names(data, "spikes")
        known = {name: (data.events(name or "spikes"), data.spacing(full)) for name, full in names.items()}
    else:
        by_name = {"": data} if isinstance(data, Tensor | Events) else dict(data)
        if not by_name:
            raise ValueError("Expected `spikes` of at least one layer, got none.")
        batched = sample is not None and not whole_batch
        known = {name: (_as_events(name, each, batched=batched), 1) for name, each in by_name.items()}
    found = {}
    for name, (events, every) in known.items():
        step = length_of_step(events, dt) * every
        kept = replace(
            events, time=events.time // every, begin=events.begin // every, steps=events.steps // every, dt=step
        )
        found[name] = Fired(kept if whole_batch else kept.in_sample(_sample(name, sample, kept.batch.numel())), every)
    return found


def _as_events(name: str, spikes: Tensor | Events, *, batched: bool) -> Events:
    """Return spikes of which nothing but the first axis, or two, is told."""
    if isinstance(spikes, Events):
        return spikes
    _check_axes(name, spikes, "spikes", batched=batched)
    return Events.of(spikes.flatten(1 + batched), axes=1)


def _sample(name: str, sample: int | None, samples: int) -> int:
    """Return which sample is meant."""
    if sample is None and samples > 1:
        raise ValueError(
            f"Expected one sample of {name!r}, got a batch of {samples}. Say which is meant: `sample=0`, up to "
            f"{samples - 1}."
        )
    if sample is not None and not -samples <= sample < samples:
        raise ValueError(f"Expected `sample` to be one of {samples}, from 0 to {samples - 1} [1], got {sample}.")
    return sample or 0


def _laid_out(data: Data, variable: str, *, batched: bool, dt: float) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """Return values as (time, sample, neuron), times and numbers of neurons."""
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    if isinstance(data, Recording):
        laid = {name: data.laid_out(full) for name, full in _names(data, variable).items()}
        return {
            name: (values.cpu(), steps.cpu() * dt, numbers.cpu()) for name, (values, steps, numbers) in laid.items()
        }
    by_name = {"": data} if isinstance(data, Tensor) else dict(data)
    if not by_name:
        raise ValueError(f"Expected `{variable}` of at least one layer, got none.")
    found = {}
    for name, values in by_name.items():
        _check_axes(name, values, variable, batched=batched)
        flat = values.detach().cpu().flatten(1 + batched)
        flat = flat if batched else flat.unsqueeze(1)
        found[name] = (flat, torch.arange(len(flat)) * dt, torch.arange(flat.shape[2]))
    return found


def _names(recording: Recording, variable: str) -> dict[str, str]:
    """Return the full names of a variable by the addresses that have it."""
    names = [name for name in recording if name.endswith(f".{variable}") or name == variable]
    if not names:
        if inside := [name for name in recording if variable and name.startswith(f"{variable}.")]:
            raise KeyError(
                f"Expected a variable and, where several have it, its address, got the address {variable!r} alone. "
                f"Recorded there: {', '.join(map(repr, inside))}."
            )
        raise KeyError(
            f"Expected {variable!r} to have been recorded, got {', '.join(map(repr, recording)) or 'nothing'}. Record "
            f"it: `with net.record(address, {variable!r}) as recording:`."
        )
    return {name.removesuffix(variable).strip(".") or name: name for name in names}


def _check_axes(name: str, values: Tensor, variable: str, *, batched: bool) -> None:
    """Raise unless a tensor has the axes that are needed."""
    if values.dim() < 2 + batched or values.numel() == 0:
        axes = "(time, batch, *neurons)" if batched else "(time, *neurons)"
        raise ValueError(f"Expected `{variable}` of {name!r} as {axes}, got shape {tuple(values.shape)}.")
