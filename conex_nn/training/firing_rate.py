"""How often neurons fire."""

import torch
from torch import Tensor
from torchmetrics import Metric
from typing_extensions import override

__all__ = ["FiringRate"]


class FiringRate(Metric):
    """Mean firing rate over neurons, steps and samples.

    Args:
        dt: Length of a step [ms].

    Example:
        >>> rate = FiringRate(dt=1.0)
        >>> rate(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))  # one spike in four steps of 1 ms
        tensor(250.)
    """

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    spikes: Tensor
    steps: Tensor

    def __init__(self, *, dt: float = 1.0) -> None:
        super().__init__()
        if not dt > 0:
            raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
        self.dt = dt
        self.add_state("spikes", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("steps", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @override
    def update(self, spikes: Tensor, mask: Tensor | None = None) -> None:
        """Count what is not 0.

        Args:
            spikes: Spikes of any shape [1].
            mask: Steps to count, ``(time, batch)`` for spikes ``(time, batch, *neurons)``; None for all.
        """
        spikes = spikes if mask is None else spikes[mask]
        self.spikes += spikes.count_nonzero()
        self.steps += spikes.numel()

    @override
    def compute(self) -> Tensor:
        """Return the rate [Hz]."""
        return (1000 / self.dt) * (self.spikes / self.steps)
