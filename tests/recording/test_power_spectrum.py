"""Spectra: a sine's, white noise's, and scipy's."""

import pytest
import torch
from scipy import signal

from conex_nn.recording import BANDS, band_power, power_spectrum


@pytest.mark.parametrize(("dt", "hertz"), [(1.0, 40.0), (0.5, 12.0)])
def test_a_sine_has_half_of_the_square_of_its_amplitude_at_its_frequency(dt, hertz):
    time = torch.arange(int(4000 / dt), dtype=torch.float64) * dt / 1000
    found = power_spectrum(5 + 3 * torch.sin(2 * torch.pi * hertz * time), dt=dt, segment=1000.0)
    assert found.frequency[found.power.argmax()].item() == hertz
    near = (found.frequency - hertz).abs() <= 2
    width = found.frequency[1]
    assert (found.power[near].sum() * width).item() == pytest.approx(4.5, rel=1e-4)
    assert (found.power[~near].sum() * width).item() == pytest.approx(0, abs=1e-6)
    assert found.frequency[-1].item() == 500 / dt


@pytest.mark.parametrize(("n", "size"), [(1000, 128), (1000, 125), (300, 300)])
def test_scipy_says_the_same(n, size):
    values = torch.randn(n, 2, 3, dtype=torch.float64)
    found = power_spectrum(values, dt=2.0, segment=2.0 * size)
    frequency, power = signal.welch(values.numpy(), fs=500, nperseg=size, noverlap=size - max(size // 2, 1), axis=0)
    torch.testing.assert_close(found.frequency, torch.as_tensor(frequency).float())
    torch.testing.assert_close(found.power, torch.as_tensor(power).float())


def test_white_noise_is_flat_and_integrates_to_its_variance():
    found = power_spectrum(2 * torch.randn(100_000), segment=200.0)
    inner = found.power[1:-1]
    torch.testing.assert_close(inner.mean(), torch.tensor(4 / 500), rtol=0.02, atol=0)
    assert inner.std() / inner.mean() < 0.1
    whole = band_power(found, {"all": (0.0, 501.0)})["all"]
    assert whole.item() == pytest.approx(4.0, rel=0.05)


def test_a_rhythm_is_in_its_band():
    time = torch.arange(3000) / 1000
    found = band_power(power_spectrum(torch.sin(2 * torch.pi * 20 * time), segment=1000.0))
    assert list(found) == list(BANDS) == ["delta", "theta", "alpha", "beta", "gamma"]
    assert found["beta"].item() == pytest.approx(0.5, rel=1e-3)
    assert max(power for name, power in found.items() if name != "beta") < 1e-3


def test_silence_has_no_power():
    assert not power_spectrum(torch.zeros(100, 4)).power.any()
    with pytest.raises(ValueError, match=r"`segment` from 2 to 100 ms, all that there is \[ms\], got 200"):
        power_spectrum(torch.zeros(100), segment=200.0)
