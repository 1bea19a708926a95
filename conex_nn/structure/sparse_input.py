"""Currents of a dense synapse where little of its input is not zero: only the rows of what spiked are touched."""

from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels import event_currents, mostly_zeros
from conex_nn.synapses import Dense

__all__ = ["dense_by_events"]


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
    if not able:
        return None
    lead, rows = spikes.shape[: spikes.dim() - len(synapse.source_shape)], spikes.flatten(-len(synapse.source_shape))
    rows = rows.reshape(-1, rows.shape[-1])
    if not mostly_zeros(rows):
        return None
    current = event_currents(rows, weight.t())
    return current.reshape(*lead, *synapse.target_shape)
