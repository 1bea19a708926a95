"""What was recorded as objects of neo, which elephant and other libraries of electrophysiology analyse."""

import importlib
from collections.abc import Mapping
from typing import Any

from conex_nn.structure.recording import Recording

__all__ = ["to_neo"]


def to_neo(recording: Recording, *, dt: float = 1.0, units: Mapping[str, str] | None = None) -> Any:
    """Return a recording as a ``neo.Block``: a segment for each sample, spike trains and signals in it.

    Variables called ``spikes`` become a ``SpikeTrain`` for each neuron, silent ones included, all others an
    ``AnalogSignal`` of all neurons. Their ``name`` is the address with the variable; a spike train's annotation
    ``neuron`` says whose it is.

    Args:
        recording: What was recorded.
        dt: Length of a step of the run [ms].
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
    if not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    block = neo.Block(name="conex_nn")
    for name in recording:
        values, steps, neurons = recording.laid_out(name)
        values, variable = values.float().cpu(), name.rpartition(".")[2]
        while len(block.segments) < values.shape[1]:
            block.segments.append(neo.Segment(index=len(block.segments)))
        end = (int(steps[-1]) + recording.every) * dt * quantities.ms
        for segment, sample in zip(block.segments, values.unbind(1), strict=False):
            if variable == "spikes":
                for place, neuron in enumerate(neurons.tolist()):
                    times = steps[sample[:, place].nonzero().flatten()].double().numpy() * dt
                    train = neo.SpikeTrain(times, units="ms", t_stop=end, name=name, neuron=neuron)
                    segment.spiketrains.append(train)
            else:
                signal = neo.AnalogSignal(
                    sample.numpy(), units=(units or {}).get(variable, "dimensionless"), name=name,
                    sampling_period=recording.every * dt * quantities.ms, t_start=float(steps[0]) * dt * quantities.ms,
                )  # fmt: skip
                segment.analogsignals.append(signal)
    return block
