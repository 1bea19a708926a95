"""Rank order coding."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_intensity, check_spike_dtype, check_spikes, check_time
from conex_nn.encoders.samples import check_feature_ndim, flat_samples


class RankOrder(nn.Module):
    r"""Encode a sample as the order in which its features fire, the strongest first.

    Of the :math:`n` features of a sample that are above 0, one that :math:`r` others exceed fires once, in the step

    .. math:: k = \left\lfloor \frac{T r}{n} \right\rfloor.

    The code is the same for any monotone change of the intensities: of brightness and contrast nothing is left, and
    every step holds as many spikes as any other. Features of equal intensity fire together.

    Args:
        time: Number of steps [1].
        feature_ndim: Trailing dimensions that make a sample, 3 for images (channels, height, width), 1 for vectors [1].
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If an argument is out of range.
        TypeError: If an argument is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> RankOrder(time=3, feature_ndim=1)(torch.tensor([0.1, 0.9, 0.0, 0.11]))
        tensor([[0., 1., 0., 0.],
                [0., 0., 0., 1.],
                [1., 0., 0., 0.]])

    References:
        Thorpe and Gautrais, Rank order coding (1998), Computational Neuroscience: Trends in Research, 113-118.
    """

    def __init__(self, time: int, *, feature_ndim: int, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        check_time(time)
        check_feature_ndim(feature_ndim)
        check_spike_dtype(dtype)
        self.time = time
        self.feature_ndim = feature_ndim
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        dtype = self.dtype or x.dtype
        spikes = torch.zeros((self.time, *x.shape), dtype=dtype, device=x.device)
        flat = flat_samples(x.detach(), self.feature_ndim).contiguous()
        if flat.numel() == 0:
            return spikes
        ordered = flat.sort(dim=-1).values
        stronger = flat.shape[-1] - torch.searchsorted(ordered, flat, right=True)
        firing = flat > 0
        step = self.time * stronger // firing.sum(-1, keepdim=True).clamp(min=1)
        step = step.clamp(max=self.time - 1).view(1, *x.shape)
        return spikes.scatter_(0, step, firing.to(dtype).view(1, *x.shape))

    def decode(self, spikes: Shaped[Tensor, " time *features"]) -> Float[Tensor, "*features"]:
        """Read off how early each feature fired.

        Args:
            spikes: What the encoder made, ``(time, *features)`` [1].

        Returns:
            1 for the first step, ``1 / time`` for the last, 0 for a feature that did not fire [1].

        Raises:
            ValueError: If there are more or fewer steps than the encoder makes.

        Example:
            >>> encoder = RankOrder(time=4, feature_ndim=1)
            >>> encoder.decode(encoder(torch.tensor([0.1, 0.9, 0.0, 0.11])))
            tensor([0.5000, 1.0000, 0.0000, 0.7500])
        """
        fired = check_spikes(spikes, time=self.time) > 0
        early = 1.0 - torch.arange(self.time, dtype=torch.float32, device=spikes.device) / self.time
        return early[fired.int().argmax(0)] * fired.any(0)

    @override
    def extra_repr(self) -> str:
        return f"time={self.time}, feature_ndim={self.feature_ndim}"
