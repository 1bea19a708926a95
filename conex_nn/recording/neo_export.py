"""What was recorded as objects of neo, which elephant and other libraries of electrophysiology analyse."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch

from conex_nn.recording.layout import length_of_step
from conex_nn.structure.events import Events
from conex_nn.structure.recording import Recording
from conex_nn.structure.simulation import Simulation

__all__ = ["to_neo"]


def to_neo(
    recording: Recording | Simulation, *, dt: float | None = None, units: Mapping[str, str] | None = None
) -> Any:
    """Return a recording as a ``neo.Block``: a segment for each sample, spike trains and signals in it.

    Variables called ``spikes`` become a ``SpikeTrain`` for each neuron, silent ones included, all others an
    ``AnalogSignal`` of all neurons. Their ``name`` is the address with the variable; a spike train's annotation
    ``neuron`` says whose it is.

    Args:
        recording: What was recorded, or what a simulation returned.
        dt: Length of a step of the run [ms]; None for that of events, else 1.
        units: Unit of variables by their last name, such as ``{"v": "mV"}``; without one they are pure numbers.

    Raises:
        ImportError: There is no neo.
        ValueError: A ``dt`` that is not positive.

    Example:
        >>> import importlib.util
        >>> recording = Recording(["v1.spikes"])
        >>> recording.append("v1.spikes", torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]))
        >>> if importlib.util.find_spec("neo"):
        ...     trains = to_neo(recording).segments[0].spiketrains
        ...     assert [train.magnitude.tolist() for train in trains] == [[1.0], [0.0, 1.0]]
    """
    try:
        neo, quantities = importlib.import_module("neo"), importlib.import_module("quantities")
    except ImportError as error:
        raise ImportError(
            "Expected neo to be installed, which conex_nn does without otherwise: `uv pip install neo`, or the extra "
            "`conex-nn[neo]`."
        ) from error
    if dt is not None and not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    spikes, variables = _parts(recording)
    step = next((length_of_step(events, dt) for events in spikes.values()), dt or 1.0)
    step = recording.dt if isinstance(recording, Simulation) and dt is None else step
    block = neo.Block(name="conex_nn")

    def segment(sample: int) -> Any:
        while len(block.segments) <= sample:
            block.segments.append(neo.Segment(index=len(block.segments)))
        return block.segments[sample]

    for name, events in spikes.items():
        end = (events.begin + events.steps) * step * quantities.ms
        neurons = range(events.shape.numel()) if events.neurons is None else events.neurons.tolist()
        for train, times in enumerate(_times(events, step)):
            sample, place = divmod(train, len(neurons))
            found = neo.SpikeTrain(times, units="ms", t_stop=end, name=name, neuron=neurons[place])
            segment(sample).spiketrains.append(found)
    for name in [name for name in variables if name not in spikes]:
        values, steps, _ = variables.laid_out(name)
        for sample, signal in enumerate(values.float().cpu().unbind(1)):
            found = neo.AnalogSignal(
                signal.numpy(), units=(units or {}).get(name.rpartition(".")[2], "dimensionless"), name=name,
                sampling_period=variables.every * step * quantities.ms, t_start=float(steps[0]) * step * quantities.ms,
            )  # fmt: skip
            segment(sample).analogsignals.append(found)
    return block


def _parts(recording: Recording | Simulation) -> tuple[dict[str, Events], Recording]:
    """Return spikes by their full names, and all variables."""
    if isinstance(recording, Simulation):
        return {f"{address}.spikes": events for address, events in recording.events.items()}, recording.recording
    names = [name for name in recording if name.rpartition(".")[2] == "spikes"]
    return {name: recording.events(name) for name in names}, recording


def _times(events: Events, dt: float) -> list[Any]:
    """Return the times of every train [ms]."""
    train, order = events.train.cpu().sort(stable=True)
    counts = torch.bincount(train, minlength=events.train_shape.numel())
    times = events.time.cpu()[order].double() * dt
    return [each.numpy() for each in times.split(counts.tolist())]
