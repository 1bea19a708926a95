"""Bands of the ear: where they are, how loud a tone is in them, when it is heard."""

import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import MelFilterBank

RATE = 8000


def tone(frequency: float, *, seconds: float = 0.5, amplitude: float = 1.0) -> torch.Tensor:
    return amplitude * torch.sin(
        2 * math.pi * frequency * torch.arange(round(RATE * seconds), dtype=torch.float64) / RATE
    )


def bank(channels: int = 12, **options) -> MelFilterBank:
    return MelFilterBank(channels, sample_rate=RATE, **options)


def test_centres_are_even_in_mel():
    centres = bank(f_min=100.0, f_max=3000.0).centres.double()
    mel = 2595 * torch.log10(1 + centres / 700)
    low, high = (2595 * math.log10(1 + f / 700) for f in (100.0, 3000.0))
    assert_close(mel, torch.linspace(low, high, 14, dtype=torch.float64)[1:-1], rtol=0, atol=1e-3)


def test_a_tone_is_loudest_in_its_band_at_its_level():
    ear = bank(10, window=64.0)
    for channel, frequency in enumerate(ear.centres.tolist()):
        for amplitude in (1.0, 0.1):
            level = ear(tone(frequency, amplitude=amplitude))[250]
            assert level.argmax() == channel
            # of the sine's power, what the window spreads over a triangle's slopes is lost: less than 1.2 dB
            decibel = 60 * (level[channel].item() - 1)
            assert -1.2 < decibel - 20 * math.log10(amplitude) <= 1e-3


def test_between_centres_bands_share_the_power():
    ear = bank(10, window=64.0)
    low, high = ear.centres[4:6].tolist()
    for part in (0.25, 0.5, 0.75):
        power = 10 ** (6 * (ear(tone(low + part * (high - low)))[250] - 1))
        assert_close(power[4:6], torch.tensor([1 - part, part], dtype=torch.float64), rtol=0, atol=0.02)
        assert power.sum().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("dynamic_range", [40.0, 60.0])
def test_levels_are_decibels(dynamic_range):
    ear = bank(dynamic_range=dynamic_range)
    loud, soft = (ear(tone(1000, amplitude=a))[250] for a in (0.5, 0.05))
    heard = soft > 0
    assert_close((loud - soft)[heard], torch.full_like(soft[heard], 20 / dynamic_range))
    assert ear(tone(1000, amplitude=10 ** (-dynamic_range / 20) / 2)).max() == 0


def test_silence_is_zero_and_too_loud_is_one():
    assert not bank()(torch.zeros(2, 3000)).any()
    assert bank()(tone(1000, amplitude=50.0)).max() == 1


@pytest.mark.parametrize("dt", [0.5, 1.0, 4.0])
def test_a_click_is_heard_when_it_comes(dt):
    sound = torch.zeros(4000)
    sound[2000] = 1.0  # 250 ms
    level = bank(dt=dt)(sound).sum(1)
    assert len(level) == round(500 / dt)
    middle = (level * torch.arange(len(level))).sum() / level.sum() * dt
    assert abs(middle.item() - 250) <= dt
    heard = level.nonzero() * dt
    assert 250 - 16 - dt <= heard.min() <= heard.max() <= 250 + 16 + dt


def test_a_batch_is_its_samples():
    sounds = torch.randn(2, 3, 1600) * 0.1
    ear = bank()
    together = ear(sounds)
    assert together.shape == (200, 2, 3, 12)
    for i in range(2):
        for j in range(3):
            assert_close(together[:, i, j], ear(sounds[i, j]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_type_and_the_argument_stay(dtype):
    sound = (torch.randn(800) * 0.1).to(dtype)
    before = sound.clone()
    assert bank()(sound).dtype == dtype
    assert_close(sound, before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"f_min": 3000.0, "f_max": 2000.0}, r"Expected `f_min` to be below `f_max`.*got 3000 and 2000"),
        ({"f_max": 5000.0}, r"at most half of `sample_rate` = 8000 \[Hz\], got 50 and 5000"),
        ({"dt": 0.3}, r"Expected `dt` to be a whole number of samples at 8000 \[Hz\], got 0.3 \[ms\], 2.4 samples"),
        ({"dt": 0.01}, "Expected `dt` to be a whole number of samples"),
        ({"channels": 60}, r"Expected `window` to resolve bands .* apart, got one that resolves 31.2 \[Hz\]"),
        ({"channels": 0}, "Expected `channels` to be at least 1"),
        ({"window": -1.0}, r"Expected `window` to be positive and finite \[ms\]"),
        ({"dynamic_range": 0.0}, r"Expected `dynamic_range` to be positive and finite \[dB\]"),
    ],
)
def test_what_does_not_work_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bank(**options)


def test_what_is_no_sound_is_refused():
    with pytest.raises(
        TypeError, match=r"Expected `sound` to be of a floating type with values in \[-1, 1\], got torch.int16"
    ):
        bank()(torch.zeros(800, dtype=torch.int16))
    with pytest.raises(
        ValueError, match=r"Expected `sound` to last at least a step of 8 samples, got the shape \(7,\)"
    ):
        bank()(torch.zeros(7))
    with pytest.raises(ValueError, match="Expected `sound` to be finite, got NaN or infinity"):
        bank()(torch.tensor([0.1, torch.nan]).repeat(400))
    assert repr(bank()) == "MelFilterBank(channels=12, sample_rate=8000 Hz, dt=1 ms)"
