"""Whether weights have come to rest."""

import lightning as L
from torch import Tensor
from typing_extensions import override

from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.plastic_weights import plastic_weights

__all__ = ["Convergence"]


class Convergence(L.Callback):
    r"""Log after each epoch how far the weights that have a rule have moved, and how near to their bounds they are.

    ``change/<address>`` is the mean of :math:`|\Delta w|` over the epoch. With the range of the weights,
    ``spread/<address>`` is the mean of :math:`w' (1 - w')` with :math:`w' = (w - w_\min) / (w_\max - w_\min)`: 0.25 in
    the middle, and 0 where all weights are at one of their bounds.

    Args:
        w_min: Lower end of the range; None for no such measure [1].
        w_max: Upper end of the range [1].

    Raises:
        ValueError: An empty range; at fitting: no weight with a rule.
        TypeError: At fitting: a module that is no :class:`SpikingClassifier`.

    Example:
        >>> convergence = Convergence(w_min=0.0, w_max=1.0)
        >>> convergence.spread(torch.tensor([0.0, 0.5]))
        tensor(0.1250)

    References:
        Kheradpisheh et al., Neural Networks 99 (2018), section 2, who stop learning a layer by it.
    """

    def __init__(self, *, w_min: float | None = 0.0, w_max: float = 1.0) -> None:
        if w_min is not None and not w_min < w_max:
            raise ValueError(f"Expected `w_min` to be below `w_max` [1], got {w_min} and {w_max}.")
        self.w_min, self.w_max = w_min, w_max
        self._before: dict[str, Tensor] = {}

    def spread(self, weight: Tensor) -> Tensor:
        """Return how far weights are from their bounds [1].

        Args:
            weight: The weights.
        """
        low = 0.0 if self.w_min is None else self.w_min
        part = (weight.detach() - low) / (self.w_max - low)
        return (part * (1 - part)).mean()

    def _weights(self, module: L.LightningModule) -> dict[str, Tensor]:
        if not isinstance(module, SpikingClassifier):
            raise TypeError(f"Expected `Convergence` to see a SpikingClassifier, got {type(module).__name__}.")
        found = {each.address: each.weight.detach() for each in plastic_weights(module.net)}
        if not found:
            raise ValueError("Expected a network with rules for `Convergence` to watch, got none.")
        return found

    @override
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._weights(pl_module)  # for its checks

    @override
    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._before = {name: weight.clone() for name, weight in self._weights(pl_module).items()}

    @override
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        for name, weight in self._weights(pl_module).items():
            if name in self._before:  # not where a resumed run only ends an epoch
                pl_module.log(f"change/{name}", (weight - self._before[name]).abs().mean())
            if self.w_min is not None:
                pl_module.log(f"spread/{name}", self.spread(weight))
        self._before = {}
