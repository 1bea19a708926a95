"""Averages of patches, without a weight."""

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from conex_nn.synapses.images import require_grid
from conex_nn.synapses.synapse import Synapse

__all__ = ["AvgPool2d"]


class AvgPool2d(Synapse):
    """Average pooling of each channel down to the target's height and width. There is no weight and nothing to learn.

    Args:
        source_shape: (channels, height, width) of the population that sends.
        target_shape: That of the population that receives; as many channels.

    Raises:
        ValueError: Shapes that do not fit.

    Example:
        >>> AvgPool2d((1, 2, 4), (1, 1, 2))(torch.tensor([[[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]]))
        tensor([[[0.7500, 0.0000]]])
    """

    def __init__(self, source_shape: int | Sequence[int], target_shape: int | Sequence[int]) -> None:
        super().__init__(source_shape, target_shape)
        require_grid(self.source_shape, name="source_shape")
        require_grid(self.target_shape, name="target_shape")
        if self.source_shape[0] != self.target_shape[0]:
            raise ValueError(
                "Expected `source_shape` and `target_shape` with as many channels, got "
                f"{tuple(self.source_shape)} and {tuple(self.target_shape)}: pooling keeps channels apart."
            )
        self.register_parameter("weight", None)

    @override
    def project(self, spikes: Tensor, weight: Tensor | None = None) -> Tensor:
        lead = spikes.shape[:-3]
        images = spikes.reshape(lead.numel(), *self.source_shape)
        _, height, width = self.target_shape
        current = F.adaptive_avg_pool2d(images, (height, width))
        return current.reshape(*lead, *self.target_shape)

    @override
    def backproject(self, grad: Tensor, weight: Tensor | None = None) -> Tensor:
        return super().backproject(grad, weight)
