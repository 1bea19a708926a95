"""Pictures of weights while they learn."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.structure.addresses import nearest
from conex_nn.synapses import Dense, Local2d, Synapse
from conex_nn.training.pictures import Learner, Pictures
from conex_nn.training.plastic_weights import plastic_weights

__all__ = ["WeightImages"]


class WeightImages(Pictures):
    """Draw weights every few epochs of training: one mosaic for each, an image for each neuron or channel.

    The pictures are called as the addresses of the weights, and made before the first epoch, too; see
    :class:`Pictures` for where they go. Weights without rows, such as those of a ``Sparse`` synapse, are drawn as a
    histogram.

    Args:
        out_dir: Folder to write into; None for the logger, or a folder beside its log.
        weights: Shape of the source of each weight, by its address, as ``named_parameters`` of the network gives it, or
            None for what the synapse or the weight tells, see :func:`conex_nn.plots.weights`; by default all weights
            with a rule.
        every: Epochs from picture to picture [1].
        most: Neurons that are drawn at most [1].
        histogram: Draw how the weights are distributed beside the mosaic.

    Raises:
        ValueError: A period below 1; at fitting: a weight that does not exist, or none.
        TypeError: At fitting: a module that is neither a :class:`SpikingClassifier` nor a :class:`SequenceTask`.

    Example:
        >>> images = WeightImages("runs/first", {"0.weight": (28, 28)}, every=5)
        >>> trainer = L.Trainer(callbacks=[images], logger=False, enable_checkpointing=False, accelerator="cpu")
    """

    def __init__(
        self,
        out_dir: str | Path | None = None,
        weights: Mapping[str, Sequence[int] | None] | None = None,
        *,
        every: int = 1,
        most: int = 100,
        histogram: bool = False,
    ) -> None:
        super().__init__(out_dir, every=every)
        self.weights = weights
        self.most = most
        self.histogram = histogram

    @override
    def checked(self, module: L.LightningModule) -> Learner:
        model = super().checked(module)
        self._found(model)
        return model

    def _found(self, model: Learner) -> dict[str, Tensor]:
        if self.weights is None:
            found = {each.address: each.weight for each in plastic_weights(model.net)}
            if not found:
                raise ValueError("Expected `weights` to name weights of a network without rules, got None.")
            return found
        known = {**dict(model.net.named_parameters()), **dict(model.net.named_buffers())}
        for address in self.weights:
            if address not in known:
                raise ValueError(f"Expected a weight of the network, got {address!r}.{nearest(address, known)}")
        return {address: known[address] for address in self.weights}

    @override
    def pictures(self, trainer: L.Trainer, model: Learner, epoch: int) -> Iterator[tuple[str, Any]]:
        # Imported here: matplotlib is of use where pictures are drawn only.
        from conex_nn.plots import side_by_side, weight_histogram, weights

        for address, weight in self._found(model).items():
            if weight.dim() < 2:
                ax = weight_histogram(weight)
            else:
                given = None if self.weights is None else self.weights[address]
                shape = _source_shape(model.net, address) if given is None else given
                ax, right = side_by_side(2) if self.histogram else (None, None)
                ax = weights(weight, shape=shape, most=self.most, ax=ax)
                if right is not None:
                    weight_histogram(weight, ax=right)
            some = f"\n{ax.get_title()}" if ax.get_title() else ""
            ax.set_title(f"{address} after {epoch} epoch{'s' * (epoch != 1)}{some}", fontsize=10)
            yield address, ax


def _source_shape(net: nn.Module, address: str) -> Sequence[int] | None:
    """Return the shape that a synapse's images have, where it knows more than its weight."""
    synapse = dict(net.named_modules()).get(address.rpartition(".")[0])
    if isinstance(synapse, Local2d):
        return (synapse.source_shape[0], *synapse.kernel_size)
    if isinstance(synapse, Dense) and isinstance(synapse, Synapse) and len(synapse.source_shape) in (2, 3):
        return tuple(synapse.source_shape)
    return None
