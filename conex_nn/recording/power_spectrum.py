"""At which frequencies activity goes up and down."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from conex_nn.durations import whole_steps
from conex_nn.recording.layout import check_series

__all__ = ["BANDS", "Spectrum", "band_power", "power_spectrum"]

BANDS: Mapping[str, tuple[float, float]] = {
    "delta": (1.0, 4.0),
    "theta": (4.0, 8.0),
    "alpha": (8.0, 13.0),
    "beta": (13.0, 30.0),
    "gamma": (30.0, 100.0),
}
"""Lower and upper end of the rhythms of the brain, by name [Hz]."""


class Spectrum(NamedTuple):
    """Power over frequency."""

    frequency: Tensor
    """Frequencies, from 0 up to half of the steps per second [Hz]."""
    power: Tensor
    """Density of power, ``(frequency, *trains)``: the square of the unit of the values [1/Hz]."""


def power_spectrum(
    values: Shaped[Tensor, " time *trains"], *, dt: float = 1.0, segment: float | None = None
) -> Spectrum:
    """Return the power of signals over frequency, by Welch's method.

    The signal is cut into segments that overlap by half, each taken about its mean and under a Hann window, and their
    spectra are averaged. A silent signal has power 0 everywhere.

    Args:
        values: Rates, potentials or spikes, ``(time, ...)``.
        dt: Length of a step [ms].
        segment: Length of a segment, which resolves ``1000 / segment`` Hz; None for an eighth of the recording, or all
            of one of fewer than 512 steps [ms].

    Returns:
        Frequencies and power.

    Raises:
        ValueError: A segment shorter than two steps, or longer than the recording.

    Example:
        >>> time = torch.arange(1000) / 1000  # a sine of 50 Hz
        >>> found = power_spectrum(torch.sin(2 * torch.pi * 50 * time), segment=500.0)
        >>> found.frequency[found.power.argmax()]
        tensor(50.)

    References:
        Welch, IEEE Transactions on Audio and Electroacoustics 15 (1967).
    """
    signal = check_series(values, dt=dt, name="values")
    n = len(signal)
    size = (n if n < 512 else n // 8) if segment is None else whole_steps(segment, dt=dt, name="segment")
    if not 2 <= size <= n:
        raise ValueError(f"Expected `segment` from {2 * dt:g} to {n * dt:g} ms, all that there is [ms], got {segment}.")
    pieces = signal.double().unfold(0, size, max(size // 2, 1))  # (segments, ..., size)
    window = torch.hann_window(size, dtype=torch.float64, device=signal.device)
    spectra = torch.fft.rfft((pieces - pieces.mean(-1, keepdim=True)) * window)
    per_second = 1000 / dt
    power = (spectra.abs() ** 2).mean(0) / (per_second * (window**2).sum())
    power[..., 1 : (size + 1) // 2] *= 2  # what negative frequencies hold
    frequency = torch.fft.rfftfreq(size, d=1 / per_second, dtype=torch.float64, device=signal.device)
    return Spectrum(frequency.float(), power.movedim(-1, 0).float())


def band_power(
    spectrum: Spectrum, bands: Mapping[str, tuple[float, float]] = BANDS
) -> dict[str, Float[Tensor, "*trains"]]:
    """Return the power of bands of frequency: the integral of the density from the lower end up to below the upper.

    Args:
        spectrum: A spectrum.
        bands: Lower and upper end of each, by name [Hz].

    Returns:
        Power by name, in the square of the values' unit.

    Example:
        >>> time = torch.arange(2000) / 1000
        >>> sine = power_spectrum(torch.sin(2 * torch.pi * 10 * time), segment=1000.0)
        >>> band_power(sine)["alpha"]  # half of the square of its amplitude
        tensor(0.5000)
    """
    width = spectrum.frequency[1] - spectrum.frequency[0]
    found = {}
    for name, (low, high) in bands.items():
        inside = (spectrum.frequency >= low) & (spectrum.frequency < high)
        found[name] = spectrum.power[inside].sum(0) * width
    return found
