"""Something to differentiate for what has nothing."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

__all__ = ["Clock"]


class Clock(nn.Module):
    """A parameter that stays 0, whose loss lets optimizer steps go by.

    Lightning counts, logs and saves by them, and ``DistributedDataParallel`` asks for a parameter with a gradient; it
    then also gives all processes the same start. The clock is in no ``state_dict``.

    Example:
        >>> clock = Clock()
        >>> clock().backward()
        >>> clock.optimizer().step()
        >>> clock().item(), clock.state_dict()
        (0.0, OrderedDict())
    """

    def __init__(self) -> None:
        super().__init__()
        self.hand = nn.Parameter(torch.zeros(()))

    @override
    def forward(self) -> Tensor:
        """Return a loss of 0."""
        return self.hand.clone()

    def optimizer(self) -> torch.optim.Optimizer:
        """Return an optimizer that changes nothing."""
        return torch.optim.SGD([self.hand], lr=0.0)

    @override
    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        pass

    @override
    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        pass
