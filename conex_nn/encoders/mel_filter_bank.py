"""Sound to the energy in bands of the ear."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_count, check_positive


class MelFilterBank(nn.Module):
    r"""Turn sound into the level of each band, step by step, as the cochlea's hair cells see it.

    Frequencies are spaced evenly in mel, :math:`m = 2595 \log_{10}(1 + f / 700)`. A band is a triangle that rises from
    the centre of the one below and falls to that of the one above. The power in it, of a short-time Fourier transform
    with a Hann window whose middle is at each step, is scaled so that a full-scale sine at its centre has 1 (0 dB), and

    .. math:: x = \operatorname{clip}\left(1 + \frac{10 \log_{10} P}{D}, 0, 1\right)

    is 0 at :math:`-D` dB and below. It looks at no other sample and at no other time: silence stays 0.

    Args:
        channels: Number of bands [1].
        sample_rate: Samples of sound per second [Hz].
        dt: Length of a step [ms].
        window: Length of the window [ms]; longer tells frequencies apart, shorter times.
        f_min: Where the lowest band begins [Hz].
        f_max: Where the highest ends; by default half the sample rate [Hz].
        dynamic_range: The level that counts as silence, below full scale [dB].

    Raises:
        ValueError: If an argument is out of range, a step is no whole number of samples, or a band is too narrow for
            the window to resolve; at its use: sound that is too short or not finite.
        TypeError: If an argument is not an integer where it has to be.

    Example:
        >>> bank = MelFilterBank(16, sample_rate=16000)
        >>> t = torch.arange(8000) / 16000
        >>> tone = torch.sin(2 * torch.pi * bank.centres[5] * t)
        >>> level = bank(tone)  # (time, channels), one step per ms
        >>> level.shape, level[250].argmax(), round(level[250].max().item(), 2)
        (torch.Size([500, 16]), tensor(5), 1.0)

    References:
        O'Shaughnessy, Speech Communication: Human and Machine (1987), p. 150, the mel scale. Davis and
        Mermelstein, Comparison of parametric representations for monosyllabic word recognition, IEEE Transactions on
        Acoustics, Speech, and Signal Processing 28 (1980), the triangles.
    """

    window: Tensor
    filters: Tensor
    centres: Tensor

    def __init__(
        self,
        channels: int,
        *,
        sample_rate: int,
        dt: float = 1.0,
        window: float = 32.0,
        f_min: float = 50.0,
        f_max: float | None = None,
        dynamic_range: float = 60.0,
    ) -> None:
        super().__init__()
        check_count("channels", channels)
        check_count("sample_rate", sample_rate)
        for name, value, unit in (("dt", dt, "ms"), ("window", window, "ms"), ("dynamic_range", dynamic_range, "dB")):
            check_positive(name, value, unit=unit)
        f_max = sample_rate / 2 if f_max is None else f_max
        if not 0.0 <= f_min < f_max <= sample_rate / 2:
            raise ValueError(
                f"Expected `f_min` to be below `f_max`, and that at most half of `sample_rate` = {sample_rate} [Hz], "
                f"got {f_min:g} and {f_max:g}."
            )
        self.hop = round(sample_rate * dt / 1000)
        if self.hop < 1 or abs(self.hop - sample_rate * dt / 1000) > 1e-6 * self.hop:
            raise ValueError(
                f"Expected `dt` to be a whole number of samples at {sample_rate} [Hz], got {dt:g} [ms], "
                f"{sample_rate * dt / 1000:g} samples."
            )
        self.dt = dt
        self.channels = channels
        self.sample_rate = sample_rate
        self.dynamic_range = dynamic_range
        length = round(sample_rate * window / 1000)
        edges = _mel_spaced(channels + 2, f_min, f_max)
        self.register_buffer("window", torch.hann_window(max(length, 1), dtype=torch.float64).float())
        self.register_buffer("centres", edges[1:-1].float())
        self.register_buffer("filters", _triangles(edges, length // 2 + 1, sample_rate / max(length, 1)))

    @override
    def forward(self, sound: Shaped[Tensor, "*batch samples"]) -> Float[Tensor, " time *batch {self.channels}"]:
        if not sound.dtype.is_floating_point:
            raise TypeError(f"Expected `sound` to be of a floating type with values in [-1, 1], got {sound.dtype}.")
        if sound.ndim < 1 or sound.shape[-1] < self.hop:
            raise ValueError(
                f"Expected `sound` to last at least a step of {self.hop} samples, got the shape {tuple(sound.shape)}."
            )
        if not (torch.compiler.is_compiling() or sound.is_meta or bool(torch.isfinite(sound).all())):
            raise ValueError("Expected `sound` to be finite, got NaN or infinity.")
        steps, length = sound.shape[-1] // self.hop, len(self.window)
        flat = sound.to(torch.promote_types(sound.dtype, torch.float32)).reshape(-1, sound.shape[-1])
        padded = nn.functional.pad(flat, (length // 2, length))  # silence before and after
        window = self.window.to(flat)
        spectrum = torch.stft(padded, length, self.hop, window=window, center=False, return_complex=True)[..., :steps]
        # by Parseval, a sine of amplitude 1 has length * sum(window^2) / 4 over its bins
        power = spectrum.abs().square().movedim(-1, 0) @ self.filters.to(flat).T * (4 / (length * (window**2).sum()))
        level = 1 + 10 / self.dynamic_range * power.clamp(min=1e-30).log10()
        return level.clamp(0, 1).reshape(steps, *sound.shape[:-1], self.channels).to(sound.dtype)

    @override
    def extra_repr(self) -> str:
        return f"channels={self.channels}, sample_rate={self.sample_rate} Hz, dt={self.dt:g} ms"


def _mel_spaced(count: int, f_min: float, f_max: float) -> Tensor:
    low, high = (2595 * math.log10(1 + f / 700) for f in (f_min, f_max))
    return 700 * (10 ** (torch.linspace(low, high, count, dtype=torch.float64) / 2595) - 1)


def _triangles(edges: Tensor, bins: int, resolution: float) -> Tensor:
    frequency = torch.arange(bins, dtype=torch.float64) * resolution
    below, centre, above = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters = torch.minimum((frequency - below) / (centre - below), (above - frequency) / (above - centre)).clamp(min=0)
    narrowest = float((edges[1:] - edges[:-1]).min())
    if narrowest < resolution:
        raise ValueError(
            f"Expected `window` to resolve bands {narrowest:.3g} [Hz] apart, got one that resolves {resolution:.3g} "
            "[Hz]. Lengthen `window`, take fewer `channels`, or raise `f_min`."
        )
    return filters.float()
