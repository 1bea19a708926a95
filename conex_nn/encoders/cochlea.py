"""Sound to the spikes of the auditory nerve."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_generator, check_positive, check_spike_dtype
from conex_nn.encoders.mel_filter_bank import MelFilterBank


class Cochlea(nn.Module):
    r"""Encode sound as the spikes of nerve fibres, each of which hears one band.

    The level of each band, :math:`x` in [0, 1] (see :class:`MelFilterBank`), is the rate of a fibre that fires in a
    step with probability :math:`x \, r_\text{max} \, \Delta t`. A step of the window is a step of the simulation: the
    number of steps follows from the length of the sound.

    Args:
        channels: Number of bands [1].
        sample_rate: Samples of sound per second [Hz].
        max_rate: Firing rate at full scale [Hz].
        dt: Length of a step [ms].
        window: Length of the window [ms].
        f_min: Where the lowest band begins [Hz].
        f_max: Where the highest ends; by default half the sample rate [Hz].
        dynamic_range: The level that counts as silence, below full scale [dB].
        generator: Source of randomness, on the device of the input; torch's global one by default.
        dtype: Type of the spikes; by default that of the sound. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If `max_rate` at `dt` asks for more than one spike per step, or as :class:`MelFilterBank`.
        TypeError: If `dtype` cannot hold spikes.

    Example:
        >>> ear = Cochlea(16, sample_rate=16000, generator=torch.Generator().manual_seed(0))
        >>> t = torch.arange(16000) / 16000
        >>> spikes = ear(0.1 * torch.sin(2 * torch.pi * ear.bank.centres[8] * t))  # (time, channels)
        >>> spikes.shape, bool(spikes[:, 8].sum() > 3 * spikes[:, 2].sum())
        (torch.Size([1000, 16]), True)
    """

    def __init__(
        self,
        channels: int,
        *,
        sample_rate: int,
        max_rate: float = 250.0,
        dt: float = 1.0,
        window: float = 32.0,
        f_min: float = 50.0,
        f_max: float | None = None,
        dynamic_range: float = 60.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_positive("max_rate", max_rate, unit="Hz")
        check_spike_dtype(dtype)
        self.bank = MelFilterBank(
            channels,
            sample_rate=sample_rate,
            dt=dt,
            window=window,
            f_min=f_min,
            f_max=f_max,
            dynamic_range=dynamic_range,
        )
        if max_rate * dt / 1000.0 > 1.0:
            raise ValueError(
                f"Expected `max_rate` to be at most {1000.0 / dt:g} [Hz], one spike per step of `dt` = {dt:g} [ms], "
                f"got {max_rate:g}."
            )
        self.max_rate = max_rate
        self.generator = generator
        self.dtype = dtype

    @override
    def forward(self, sound: Shaped[Tensor, "*batch samples"]) -> Shaped[Tensor, " time *batch channels"]:
        check_generator(self.generator, sound)
        level = self.bank(sound.detach())
        probability = level.float() * (self.max_rate * self.bank.dt / 1000.0)
        uniform = torch.rand(level.shape, generator=self.generator, dtype=torch.float32, device=level.device)
        return uniform.lt_(probability).to(self.dtype or sound.dtype)

    @override
    def extra_repr(self) -> str:
        return f"max_rate={self.max_rate:g} Hz"
