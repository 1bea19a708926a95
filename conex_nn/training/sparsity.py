"""How silent neurons are."""

import torch
from torch import Tensor
from torchmetrics import Metric
from typing_extensions import override

__all__ = ["Sparsity"]


class Sparsity(Metric):
    """Share of neuron-steps without a spike; updates of several layers count by their size.

    Example:
        >>> sparsity = Sparsity()
        >>> sparsity(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        tensor(0.7500)
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    silent: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("silent", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("steps", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @override
    def update(self, spikes: Tensor, mask: Tensor | None = None) -> None:
        """Count zeros.

        Args:
            spikes: Spikes of any shape [1].
            mask: Steps to count, ``(time, batch)`` for spikes ``(time, batch, *neurons)``; None for all.
        """
        spikes = spikes if mask is None else spikes[mask]
        self.silent += spikes.numel() - spikes.count_nonzero()
        self.steps += spikes.numel()

    @override
    def compute(self) -> Tensor:
        """Return the share of silent neuron-steps [1]."""
        return self.silent / self.steps
