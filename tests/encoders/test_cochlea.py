import math

import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import Cochlea

RATE = 8000


def ear(**options) -> Cochlea:
    return Cochlea(10, sample_rate=RATE, window=64.0, **{"generator": torch.Generator().manual_seed(0), **options})


def tone(frequency: float, seconds: float) -> torch.Tensor:
    return torch.sin(2 * math.pi * frequency * torch.arange(round(RATE * seconds)) / RATE)


@pytest.mark.parametrize(("max_rate", "dt"), [(250.0, 1.0), (400.0, 2.0)])
def test_fibres_fire_at_the_rate_of_their_level(max_rate, dt):
    sound = 0.1 * tone(1000, 5.0)
    cochlea = ear(max_rate=max_rate, dt=dt)
    p = cochlea.bank(sound).double() * max_rate * dt / 1000
    counts = cochlea(sound).double().sum(0)
    five_sigma = 5 * (p * (1 - p)).sum(0).sqrt()
    assert bool(((counts - p.sum(0)).abs() <= five_sigma + 1e-9).all())
    assert counts.max() > 4 * five_sigma.max()


def test_spikes_are_when_the_sound_is():
    sound = torch.cat([torch.zeros(RATE), tone(1000, 1.0), torch.zeros(RATE)])
    spikes = ear()(sound).sum(1)
    assert spikes.shape == (3000,)
    assert spikes[1000:2000].sum() > 200
    assert spikes[:960].sum() == spikes[2040:].sum() == 0


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.bfloat16])
def test_compact_spikes_are_the_same_spikes(dtype):
    sounds = torch.randn(2, 4000) * 0.3
    compact = ear(dtype=dtype)(sounds)
    assert compact.dtype == dtype
    assert compact.shape == (500, 2, 10)
    assert_close(compact.float(), ear()(sounds))


def test_more_than_one_spike_per_step_is_refused():
    with pytest.raises(ValueError, match=r"Expected `max_rate` to be at most 500 \[Hz\], one spike per step"):
        ear(max_rate=501.0, dt=2.0)
    with pytest.raises(ValueError, match=r"Expected `max_rate` to be positive and finite \[Hz\], got -1.0"):
        ear(max_rate=-1.0)
    with pytest.raises(TypeError, match="Expected `dtype` to be a floating type"):
        ear(dtype=torch.int32)
    assert repr(ear()).startswith("Cochlea(\n  max_rate=250 Hz\n  (bank): MelFilterBank(channels=10")


def test_a_generator_on_another_device_is_refused():
    class Elsewhere:
        device = torch.device("cuda:0")

    cochlea = ear()
    cochlea.generator = Elsewhere()
    message = r"Expected `x` to be on the device of `generator`, cuda:0, got cpu|parameter 'generator'"  # or the hook
    with pytest.raises((ValueError, TypeError), match=message):
        cochlea(torch.zeros(800))
