"""Contrast in place of brightness: each pixel against its surroundings, each sample against its strongest."""

import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_count, check_positive
from conex_nn.encoders.samples import check_feature_ndim, flat_samples


class LocalNormalise(nn.Module):
    r"""Divide each pixel by the mean around it.

    .. math:: y = \frac{x}{\varepsilon + \langle x \rangle_{(2r + 1)^2}}

    Channels are treated alike but apart. Pixels outside the image count as 0, so the mean is smaller at its borders.
    The result has no upper end: :class:`PeakNormalise` brings it to [0, 1].

    Args:
        radius: Distance to which pixels count, in height and width [pixel].
        epsilon: Mean below which a pixel is not amplified much further [1].

    Raises:
        ValueError: If an argument is out of range.
        TypeError: If `radius` is not an integer; at its use: if the image is not of a floating type.

    Example:
        >>> even = torch.full((1, 5, 5), 0.2)
        >>> LocalNormalise(1, epsilon=1e-6)(even)[0, 2]
        tensor([1.5000, 1.0000, 1.0000, 1.0000, 1.5000])

    References:
        Mozafari et al., SpykeTorch: efficient simulation of convolutional spiking neural networks with at most one
        spike per neuron, Frontiers in Neuroscience 13 (2019), "local normalization".
    """

    def __init__(self, radius: int, *, epsilon: float = 1e-6) -> None:
        super().__init__()
        check_count("radius", radius)
        check_positive("epsilon", epsilon, unit="1")
        self.radius = radius
        self.epsilon = epsilon

    @override
    def forward(
        self, x: Shaped[Tensor, "*batch channels height width"]
    ) -> Shaped[Tensor, "*batch channels height width"]:
        if x.ndim < 3:
            raise ValueError(f"Expected `x` to have the shape (*batch, channels, height, width), got {tuple(x.shape)}.")
        if not x.is_floating_point():
            raise TypeError(f"Expected `x` to be of a floating type, got {x.dtype}. Convert it: `x.float()`.")
        flat = x.reshape(-1, 1, *x.shape[-2:])
        mean = F.avg_pool2d(flat, 2 * self.radius + 1, stride=1, padding=self.radius)
        return (flat / (mean + self.epsilon)).reshape(x.shape)

    @override
    def extra_repr(self) -> str:
        return f"radius={self.radius}, epsilon={self.epsilon:g}"


class PeakNormalise(nn.Module):
    """Give each sample in parts of its strongest value.

    Args:
        feature_ndim: Trailing dimensions that make a sample, 3 for images (channels, height, width), 1 for vectors [1].
        epsilon: Strongest value below which a sample counts as empty and is not amplified further [1].

    Raises:
        ValueError: If an argument is out of range.
        TypeError: If `feature_ndim` is not an integer.

    Example:
        >>> PeakNormalise(feature_ndim=1)(torch.tensor([[0.1, 0.2], [0.0, 0.0]]))
        tensor([[0.5000, 1.0000],
                [0.0000, 0.0000]])
    """

    def __init__(self, feature_ndim: int = 3, *, epsilon: float = 1e-6) -> None:
        super().__init__()
        check_feature_ndim(feature_ndim)
        check_positive("epsilon", epsilon, unit="1")
        self.feature_ndim = feature_ndim
        self.epsilon = epsilon

    @override
    def forward(self, x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
        flat = flat_samples(x, self.feature_ndim)
        if flat.numel() == 0:
            return x.clone()
        peak = flat.amax(-1, keepdim=True).clamp(min=self.epsilon)
        return (flat / peak).reshape(x.shape)

    @override
    def extra_repr(self) -> str:
        return f"feature_ndim={self.feature_ndim}"
