import pytest
import torch
from torch.testing import assert_close

from conex_nn.encoders import Phase


@pytest.mark.parametrize("period", [1, 4, 8, 24])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_decoding_is_exact_to_the_digits(period, dtype):
    x = torch.linspace(0, 1, 1001, dtype=dtype)[:-1]
    encoder = Phase(2 * period, period=period)
    decoded = encoder.decode(encoder(x)).double()
    cut = (x.double() * 2**period).floor() / 2**period
    assert_close(decoded, cut, rtol=0, atol=1e-7)


def test_spikes_are_binary_digits():
    for level in range(32):
        spikes = Phase(5, period=5)(torch.tensor(level / 32))
        assert "".join(str(int(s)) for s in spikes) == f"{level:05b}"


def test_full_intensity_is_the_largest_number():
    assert_close(Phase(8)(torch.ones(2)), torch.ones(8, 2))
    assert_close(Phase(8).decode(torch.ones(8)), torch.tensor(255 / 256))


def test_periods_repeat_and_the_last_may_be_cut():
    x = torch.rand(30)
    spikes = Phase(10, period=4)(x)
    assert_close(spikes[4:8], spikes[:4], rtol=0, atol=0)
    assert_close(spikes[8:], spikes[:2], rtol=0, atol=0)
    assert_close(Phase(10, period=4).decode(spikes), Phase(4, period=4).decode(spikes[:4]))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"time": 7}, ValueError, r"Expected `time` to hold a `period` of 8 \[steps\], got 7"),
        ({"time": 30, "period": 25}, ValueError, r"Expected `period` to be at most 24 \[steps\], got 25"),
        ({"time": 30, "period": 0}, ValueError, r"Expected `period` to be at least 1"),
        ({"time": 30, "period": 2.0}, TypeError, r"Expected `period` to be an integer|parameter 'period'"),
    ],
)
def test_a_period_fits_into_the_window(options, error, message):
    with pytest.raises(error, match=message):
        Phase(**options)
