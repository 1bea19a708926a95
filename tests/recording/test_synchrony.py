"""Synchrony and correlations in closed form."""

import pytest
import torch

from conex_nn.recording import correlations, synchrony


def test_all_alike_is_one_and_independent_is_the_root_of_the_number():
    generator = torch.Generator().manual_seed(0)
    one = torch.rand(20_000, 1, generator=generator)
    assert synchrony(one.expand(20_000, 30)).item() == pytest.approx(1.0, abs=1e-5)
    each = torch.rand(20_000, 100, generator=generator)
    assert synchrony(each).item() == pytest.approx(0.1, abs=0.005)


def test_a_shared_part_of_the_variance():
    """x_i = sqrt(c) z + sqrt(1 - c) e_i: chi^2 = c + (1 - c) / N, and every pair correlates by c."""
    generator = torch.Generator().manual_seed(1)
    z, e = torch.randn(20_000, 1, generator=generator), torch.randn(20_000, 50, generator=generator)
    x = 0.3**0.5 * z + 0.7**0.5 * e
    assert synchrony(x).item() == pytest.approx((0.3 + 0.7 / 50) ** 0.5, abs=0.01)
    assert correlations(x).mean.item() == pytest.approx(0.3, abs=0.02)


def test_bins_make_jittered_spikes_synchronous():
    spikes = torch.zeros(1000, 2)
    spikes[::20, 0] = 1
    spikes[1::20, 1] = 1
    assert synchrony(spikes) < 0.7
    assert synchrony(spikes[:, :, None].expand(1000, 2, 3), axes=2, width=5.0).item() == pytest.approx(1.0)
    assert correlations(spikes).matrix[0, 1] < 0
    assert correlations(spikes, width=5.0).matrix[0, 1].item() == pytest.approx(1.0)


def test_one_value_for_every_sample():
    x = torch.rand(100, 2, 3)
    x[:, 0] = x[:, 0, :1]
    found = synchrony(x)
    assert found.shape == (2,)
    assert found[0].item() == pytest.approx(1.0, abs=1e-6)
    torch.testing.assert_close(found[1], synchrony(x[:, 1]))


def test_correlations_are_those_of_torch():
    spikes = (torch.rand(300, 8) < 0.2).float()
    torch.testing.assert_close(correlations(spikes).matrix, torch.corrcoef(spikes.T))
    samples = spikes.reshape(100, 3, 8)
    shifted = samples + torch.tensor([0.0, 5.0, 9.0])[:, None]  # what whole samples differ by says nothing
    torch.testing.assert_close(correlations(shifted).matrix, correlations(samples).matrix, atol=1e-5, rtol=1e-5)


def test_a_large_population_is_thinned_and_says_so():
    found = correlations(torch.rand(50, 40_000), max_neurons=20)
    assert found.matrix.shape == (20, 20)
    assert found.total == 40_000
    assert found.neurons[[0, -1]].tolist() == [0, 39_999]
    assert found.neurons.diff().min() > 2000
    whole = correlations(torch.rand(50, 20), max_neurons=20)
    assert whole.neurons.tolist() == list(range(20))


def test_silence_is_nan():
    silent = torch.zeros(50, 2, 3)
    assert synchrony(silent).isnan().all()
    found = correlations(silent)
    assert found.matrix.isnan().all()
    assert found.mean.isnan()
    with pytest.raises(ValueError, match=r"`max_neurons` to be at least 1 \[1\], got 0"):
        correlations(silent, max_neurons=0)
