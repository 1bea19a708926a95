"""Currents of a dense synapse where little of its input is not zero: only the rows of what spiked are touched."""

from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels import event_currents
from conex_nn.synapses import Dense

__all__ = ["dense_by_events"]

_DENSEST = 0.1
"""Fraction of spikes in an input above which a dense product is faster than adding the rows of what spiked."""


def dense_by_events(synapse: Any, spikes: Tensor, weight: Tensor) -> Tensor | None:
    """Return the currents of a dense synapse by events, or None where a dense product is the better choice.

    Args:
        synapse: Any synapse.
        spikes: ``(*lead, *source_shape)``.
        weight: The weights in force.

    Example:
        >>> dense_by_events(Dense(2, 3), torch.ones(1, 2), torch.ones(3, 2)) is None
        True
    """
    able = type(synapse) is Dense and not torch.is_grad_enabled() and spikes.device.type == "cpu"
    able = able and spikes.dtype == weight.dtype and weight.dtype in (torch.float32, torch.float64)
    if not able or int(torch.count_nonzero(spikes)) > _DENSEST * spikes.numel():
        return None
    lead = spikes.shape[: spikes.dim() - len(synapse.source_shape)]
    current = event_currents(spikes.reshape(-1, synapse.source_shape.numel()), weight.t())
    return current.reshape(*lead, *synapse.target_shape)
