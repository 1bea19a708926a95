"""Phase coding: the binary digits of an intensity, over and over."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_count, check_intensity, check_spike_dtype, check_spikes, check_time


class Phase(nn.Module):
    r"""Encode intensities by the phases of a rhythm at which features fire.

    In phase :math:`k = 0, 1, \dots` of each period of :math:`K` steps a feature fires if the binary digit of value
    :math:`2^{-(1+k)}` of its intensity is 1; what :math:`K` digits do not hold is cut off. A receiver that weighs
    spikes by their phase has the intensity, to :math:`2^{-K}`, after one period.

    Args:
        time: Number of steps [1].
        period: Steps of a period, at most 24, the digits of a ``float32`` [1].
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If an argument is out of range, or the window is shorter than a period.
        TypeError: If an argument is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> Phase(time=3, period=3)(torch.tensor([0.5, 0.625, 1.0, 0.0]))
        tensor([[1., 1., 1., 0.],
                [0., 0., 1., 0.],
                [0., 1., 1., 0.]])

    References:
        Kim et al., Deep neural networks with weighted spikes, Neurocomputing 311 (2018), "weighted spikes".
    """

    def __init__(self, time: int, *, period: int = 8, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        check_time(time)
        check_count("period", period)
        check_spike_dtype(dtype)
        if period > _DIGITS:
            raise ValueError(f"Expected `period` to be at most {_DIGITS} [steps], got {period}.")
        if time < period:
            raise ValueError(f"Expected `time` to hold a `period` of {period} [steps], got {time}. Shorten `period`.")
        self.time = time
        self.period = period
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        levels = 2**self.period
        level = (x.detach().double() * levels).long().clamp_(max=levels - 1)
        digit = (self.period - 1 - torch.arange(self.time, device=x.device) % self.period).view(-1, *[1] * x.ndim)
        return ((level >> digit) & 1).to(self.dtype or x.dtype)

    def decode(self, spikes: Shaped[Tensor, " time *features"]) -> Float[Tensor, "*features"]:
        """Weigh spikes by their phase, over all whole periods.

        Args:
            spikes: What the encoder made, ``(time, *features)`` [1].

        Returns:
            The intensity, cut off to ``period`` binary digits [1].

        Raises:
            ValueError: If there are more or fewer steps than the encoder makes.

        Example:
            >>> encoder = Phase(time=8)
            >>> encoder.decode(encoder(torch.tensor([0.5, 0.3, 1.0])))
            tensor([0.5000, 0.2969, 0.9961])
        """
        periods = self.time // self.period
        values = check_spikes(spikes, time=self.time)[: periods * self.period]
        phase = torch.arange(len(values), device=spikes.device) % self.period
        return torch.tensordot(torch.exp2(-(1.0 + phase)).to(values.dtype), values, dims=1) / periods

    @override
    def extra_repr(self) -> str:
        return f"time={self.time}, period={self.period}"


_DIGITS = 24
