"""Burst coding: the stronger, the more spikes, and the closer together."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_count, check_intensity, check_spike_dtype, check_spikes, check_time


class Burst(nn.Module):
    r"""Encode intensities as one burst, of more spikes at shorter intervals the stronger a feature is.

    A feature of intensity :math:`x` fires

    .. math:: N = \lceil N_\text{max} x \rceil

    spikes, the first at once and the others at intervals of

    .. math:: n = \lceil n_\text{max} - (n_\text{max} - n_\text{min}) x \rceil

    steps, and is silent from then on. A feature of intensity 0 never fires.

    Args:
        time: Number of steps [1].
        max_spikes: Spikes of the strongest burst [1].
        min_interval: Interval of the strongest burst [steps].
        max_interval: Longest interval; by default the longest for which every burst ends within the window [steps].
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If an argument is out of range, or a burst would not end within the window.
        TypeError: If an argument is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> encoder = Burst(time=7, max_spikes=4, max_interval=3)
        >>> encoder(torch.tensor([0.0, 0.5, 1.0])).T
        tensor([[0., 0., 0., 0., 0., 0., 0.],
                [1., 0., 1., 0., 0., 0., 0.],
                [1., 1., 1., 1., 0., 0., 0.]])

    References:
        Guo et al., Neural coding in spiking neural networks: a comparative study for robust neuromorphic systems,
        Frontiers in Neuroscience 15 (2021), section "Burst coding". There a burst begins after its first interval.
    """

    def __init__(
        self,
        time: int,
        *,
        max_spikes: int = 5,
        min_interval: int = 1,
        max_interval: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_time(time)
        check_count("max_spikes", max_spikes)
        check_count("min_interval", min_interval)
        check_spike_dtype(dtype)
        if max_interval is None:
            fitting = range(min_interval, 2 * time + min_interval)  # two spikes halve it at most
            max_interval = max(
                (n for n in fitting if _longest(max_spikes, min_interval, n) <= time), default=min_interval
            )
        check_count("max_interval", max_interval, least=min_interval)
        if (needed := _longest(max_spikes, min_interval, max_interval)) > time:
            raise ValueError(
                f"Expected `time` to hold bursts of up to {max_spikes} spikes at these intervals, {needed} [steps], "
                f"got {time}. Lower `max_spikes` or `max_interval`."
            )
        self.time = time
        self.max_spikes = max_spikes
        self.min_interval = min_interval
        self.max_interval = max_interval
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        # float64, rounded to what a float32 tells apart: 0.6 of 5 spikes are 3 of them, not the 4 of 0.60000002
        intensity = x.detach().double()
        count = _ceil(self.max_spikes * intensity)
        interval = _ceil(self.max_interval - (self.max_interval - self.min_interval) * intensity)
        step = torch.arange(self.time, device=x.device).view(-1, *[1] * x.ndim)
        return ((step % interval == 0) & (step // interval < count)).to(self.dtype or x.dtype)

    def decode(self, spikes: Shaped[Tensor, " time *features"]) -> Float[Tensor, "*features"]:
        """Estimate intensities from the numbers of spikes.

        Args:
            spikes: What the encoder made, ``(time, *features)`` [1].

        Returns:
            The middle of the intensities that give as many spikes, 0 for none [1].

        Raises:
            ValueError: If there are more or fewer steps than the encoder makes.

        Example:
            >>> encoder = Burst(time=20)
            >>> encoder.decode(encoder(torch.tensor([0.0, 0.5, 1.0])))
            tensor([0.0000, 0.5000, 0.9000])
        """
        count = check_spikes(spikes, time=self.time).sum(0)
        return (count - 0.5).clamp(min=0.0) / self.max_spikes

    @override
    def extra_repr(self) -> str:
        intervals = f"min_interval={self.min_interval}, max_interval={self.max_interval}"
        return f"time={self.time}, max_spikes={self.max_spikes}, {intervals}"


def _ceil(x: Tensor) -> Tensor:
    return torch.ceil(x - 1e-6).long()


def _longest(max_spikes: int, shortest: int, longest: int) -> int:
    """Return the steps that the longest of all bursts takes [1]."""
    weakest = ((n, (n - 1) / max_spikes) for n in range(1, max_spikes + 1))  # n spikes begin above this intensity
    return max(1 + (n - 1) * math.ceil(longest - (longest - shortest) * x - 1e-9) for n, x in weakest)
