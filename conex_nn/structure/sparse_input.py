"""Currents of a dense synapse where little of its input is not zero: only the rows of what spiked are touched."""

from typing import Any

import torch
from torch import Tensor

from conex_nn.kernels import event_currents, mostly_zeros
from conex_nn.synapses import Dense

__all__ = ["Projection"]


class Projection:
    """Takes spikes to currents through a synapse, by events where that pays.

    Args:
        synapse: Any synapse.
        weight: The weights in force.

    Example:
        >>> project, spikes = Projection(Dense(2, 1), torch.ones(1, 2)), torch.ones(3, 1, 2)
        >>> project(spikes).flatten()
        tensor([2., 2., 2.])
        >>> project.late(torch.zeros(1, 1, 2), spikes).flatten()
        tensor([0., 2., 2.])
    """

    def __init__(self, synapse: Any, weight: Tensor) -> None:
        self.synapse, self.weight = synapse, weight

    def __call__(self, spikes: Tensor) -> Tensor:
        """Return the currents of spikes, ``(*lead, *source_shape)``."""
        if not self._pays(spikes):
            return self.synapse.project(spikes, self.weight)
        rows = self._rows(spikes)
        lead = spikes.shape[: spikes.dim() - len(self.synapse.source_shape)]
        return event_currents(rows, self.weight.t()).reshape(*lead, *self.synapse.target_shape)

    def late(self, before: Tensor, spikes: Tensor) -> Tensor:
        """Return the currents of spikes that arrive late, after others that were under way; none is copied for it.

        Args:
            before: Spikes under way, ``(delay, *batch, *source_shape)``.
            spikes: Those that follow, ``(time, *batch, *source_shape)``.

        Returns:
            Currents of as many steps as ``spikes`` has.
        """
        if not len(before):
            return self(spikes)
        kept = max(0, len(spikes) - len(before))
        pieces = before[: len(spikes)], spikes[:kept]
        if not kept or not self._pays(pieces[1]) or before.dtype != self.weight.dtype:
            return self(torch.cat(pieces) if kept else pieces[0])
        lead = spikes.shape[: spikes.dim() - len(self.synapse.source_shape)]
        current = self.weight.new_empty(*lead, *self.synapse.target_shape)
        out, weight = current.reshape(-1, len(self.weight)), self.weight.t().contiguous()
        first = len(out) // len(spikes) * len(before)
        event_currents(self._rows(pieces[0]), weight, out[:first])
        event_currents(self._rows(pieces[1]), weight, out[first:])
        return current

    def _rows(self, spikes: Tensor) -> Tensor:
        rows = spikes.flatten(-len(self.synapse.source_shape))
        return rows.reshape(-1, rows.shape[-1])

    def _pays(self, spikes: Tensor) -> bool:
        """Whether working by events is the better choice."""
        able = type(self.synapse) is Dense and not torch.is_grad_enabled() and spikes.device.type == "cpu"
        able = able and spikes.dtype == self.weight.dtype and spikes.dtype in (torch.float32, torch.float64)
        return able and mostly_zeros(self._rows(spikes))
