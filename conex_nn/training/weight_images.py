"""Pictures of weights while they learn."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor
from typing_extensions import override

from conex_nn.structure.addresses import nearest
from conex_nn.training.classifier import SpikingClassifier
from conex_nn.training.plastic_weights import plastic_weights

__all__ = ["WeightImages"]


class WeightImages(L.Callback):
    """Save pictures of weights every few epochs of training: one mosaic for each, an image for each neuron or channel.

    They are ``<folder>/<address>-<epoch>.png``, with 0 before the first epoch; the main process saves them.

    Args:
        out_dir: Folder to write into; made where there is none.
        weights: Shape of the source of each weight, by its address, as ``named_parameters`` of the network gives it, or
            None for what the weight tells, see :func:`conex_nn.plots.weights`; by default all weights with a rule.
        every: Epochs from picture to picture [1].
        most: Neurons that are drawn at most [1].

    Raises:
        ValueError: A period below 1; at fitting: a weight that does not exist, or none.
        TypeError: At fitting: a module that is no :class:`SpikingClassifier`.

    Example:
        >>> images = WeightImages("runs/first", {"0.weight": (28, 28)}, every=5)
        >>> trainer = L.Trainer(callbacks=[images], logger=False, enable_checkpointing=False, accelerator="cpu")
    """

    def __init__(
        self,
        out_dir: str | Path,
        weights: Mapping[str, Sequence[int] | None] | None = None,
        *,
        every: int = 1,
        most: int = 100,
    ) -> None:
        if every < 1:
            raise ValueError(f"Expected `every` to be at least 1 [1], got {every}.")
        self.out_dir = Path(out_dir)
        self.weights = weights
        self.every = every
        self.most = most

    def _found(self, module: L.LightningModule) -> dict[str, Tensor]:
        if not isinstance(module, SpikingClassifier):
            raise TypeError(f"Expected `WeightImages` to see a SpikingClassifier, got {type(module).__name__}.")
        if self.weights is None:
            found = {each.address: each.weight for each in plastic_weights(module.net)}
            if not found:
                raise ValueError("Expected `weights` to name weights of a network without rules, got None.")
            return found
        known = {**dict(module.net.named_parameters()), **dict(module.net.named_buffers())}
        for address in self.weights:
            if address not in known:
                raise ValueError(f"Expected a weight of the network, got {address!r}.{nearest(address, known)}")
        return {address: known[address] for address in self.weights}

    @override
    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        found = self._found(pl_module)
        if trainer.current_epoch == 0:
            self._draw(trainer, found, 0)

    @override
    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if (trainer.current_epoch + 1) % self.every == 0:
            self._draw(trainer, self._found(pl_module), trainer.current_epoch + 1)

    def _draw(self, trainer: L.Trainer, found: dict[str, Tensor], epoch: int) -> None:
        if not trainer.is_global_zero:
            return
        # Imported here: matplotlib is of use where pictures are drawn only.
        from conex_nn.plots import weights

        self.out_dir.mkdir(parents=True, exist_ok=True)
        for address, weight in found.items():
            ax = weights(weight, shape=None if self.weights is None else self.weights[address], most=self.most)
            ax.set_title(f"{address} after {epoch} epochs")
            figure: Any = ax.figure
            figure.savefig(self.out_dir / f"{address}-{epoch}.png", dpi=150, bbox_inches="tight")
