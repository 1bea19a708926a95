"""Tuning, decoding, principal components and groups, each where the answer is known."""

import pytest
import torch
from sklearn.decomposition import PCA

from conex_nn.recording import (
    circular_tuning,
    clusters,
    correlations,
    linear_probe,
    principal_components,
    sparseness,
    tuning,
)


def test_the_mean_response_and_its_error():
    responses = torch.rand(60, 2, 3)
    stimuli = torch.tensor([30.0, 90.0, 150.0]).repeat(20)
    found = tuning(responses, stimuli)
    assert found.stimuli.tolist() == [30, 90, 150]
    of_90 = responses[stimuli == 90]
    torch.testing.assert_close(found.mean[1], of_90.mean(0))
    torch.testing.assert_close(found.error[1], of_90.std(0) / 20**0.5)
    assert tuning(responses[:1], stimuli[:1]).error.isnan().all()


def test_sparseness_between_one_and_all():
    n = 8
    half = torch.cat([torch.ones(4), torch.zeros(4)])
    responses = torch.stack([torch.eye(n)[3] * 7, torch.full((n,), 2.0), half, torch.zeros(n)], 1)
    found = sparseness(responses)
    assert found[:3].tolist() == pytest.approx([1.0, 0.0, 0.5 / (1 - 1 / 8)])
    assert found[3].isnan()


@pytest.mark.parametrize("period", [180.0, 360.0])
def test_cosine_tuning_has_half_of_its_modulation(period):
    """r = 1 + k cos(2 pi (theta - theta_0) / T): the mean vector has length k / 2 and points at theta_0."""
    angles = torch.arange(0, period, period / 12)
    depth, best = torch.tensor([0.4, 1.0, 0.0]), torch.tensor([20.0, 100.0, 0.0])
    mean = 1 + depth * torch.cos(2 * torch.pi * (angles[:, None] - best) / period)
    found = circular_tuning(mean, angles, period=period)
    assert found.selectivity.tolist() == pytest.approx([0.2, 0.5, 0.0], abs=1e-6)
    assert found.preferred[:2].tolist() == pytest.approx([20.0, 100.0], abs=1e-4)
    single = torch.zeros(12, 2)
    single[7, 0] = 3
    found = circular_tuning(single, angles, period=period)
    assert found.selectivity[0].item() == pytest.approx(1.0)
    assert found.preferred[0].item() == pytest.approx(7 * period / 12)
    assert found.selectivity[1].isnan()
    assert found.preferred[1].isnan()


def test_two_gaussians_are_read_as_well_as_can_be():
    """Two classes two deviations apart: the best reader is right with probability Phi(1)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4000) % 2
    responses = torch.randn(4000, 1, generator=generator) + 2 * labels[:, None]
    found = linear_probe(responses, labels + 5, generator=generator)
    best = float(torch.special.ndtr(torch.tensor(1.0)))
    assert found.accuracy.shape == (5,)
    assert found.accuracy.mean().item() == pytest.approx(best, abs=0.02)
    assert found.confusion.sum() == 4000
    assert found.confusion.trace() / 4000 == pytest.approx(found.accuracy.mean().item())
    assert found.chance == 0.5


def test_of_noise_and_silence_nothing_is_read():
    labels = torch.arange(300) % 3
    noise = torch.randn(300, 20, generator=torch.Generator().manual_seed(0))
    for responses in (noise, torch.zeros(300, 20)):
        assert linear_probe(responses, labels).accuracy.mean().item() == pytest.approx(1 / 3, abs=0.08)


def test_a_seed_draws_the_same_parts():
    responses, labels = torch.randn(60, 5), torch.arange(60) % 2
    first, second = (
        linear_probe(responses, labels, generator=torch.Generator().manual_seed(3)).accuracy for _ in range(2)
    )
    assert torch.equal(first, second)


def test_components_are_those_of_scikit_learn():
    values = torch.randn(40, 3, 2, 4, dtype=torch.float64) @ torch.diag(torch.tensor([3.0, 2, 1, 0.5]).double())
    found = principal_components(values, components=4, axes=2)
    pca = PCA(4).fit(values.reshape(120, 8).numpy())
    assert found.scores.shape == (40, 3, 4)
    torch.testing.assert_close(found.explained, torch.as_tensor(pca.explained_variance_ratio_).float())
    theirs = torch.as_tensor(pca.components_).float()
    torch.testing.assert_close((found.directions * theirs).sum(1).abs(), torch.ones(4))
    back = found.scores.flatten(0, 1) @ found.directions
    full = principal_components(values, components=8, axes=2)
    back = full.scores.flatten(0, 1) @ full.directions + values.reshape(120, 8).mean(0).float()
    torch.testing.assert_close(back, values.reshape(120, 8).float(), atol=1e-5, rtol=1e-5)


def test_points_on_a_line_have_one_component():
    """x = t (3, 4) / 5: one direction explains all, and the scores are t; two at right angles share 9 to 1."""
    t = torch.linspace(-1, 1, 11)
    found = principal_components(t[:, None] * torch.tensor([0.6, 0.8]) + 7.0, components=2)
    torch.testing.assert_close(found.explained, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(found.directions[0].abs(), torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(found.scores[:, 0].abs(), t.abs())
    cross = torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    torch.testing.assert_close(principal_components(cross, components=2).explained, torch.tensor([0.9, 0.1]))


def test_components_of_silence():
    found = principal_components(torch.zeros(10, 4), components=2)
    assert found.explained.isnan().all()
    assert not found.scores.any()


def test_groups_of_neurons_that_look_for_the_same():
    patterns = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    kind = torch.tensor([2, 0, 1, 0, 0, 1, 0])
    vectors = patterns[kind] * torch.arange(1, 8)[:, None] + 3.0
    vectors[6] = 1.0  # says nothing
    found = clusters(vectors + 0.01 * torch.randn(7, 50) * (torch.arange(7) < 6)[:, None])
    assert found.tolist() == [2, 0, 1, 0, 0, 1, -1]
    assert clusters(torch.zeros(3, 4)).tolist() == [-1, -1, -1]
    assert clusters(torch.rand(1, 4)).tolist() == [0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tuning(torch.rand(3, 2), torch.zeros(2)), r"`stimuli` to be one for each of the 3 trials"),
        (lambda: sparseness(torch.rand(1, 2)), r"`mean` responses to at least two stimuli \[1\], got 1"),
        (lambda: circular_tuning(torch.rand(3, 2), torch.zeros(2)), "`angles` for the 3 stimuli"),
        (lambda: circular_tuning(torch.rand(3, 2), torch.zeros(3), period=0.0), r"`period` to be positive \[degree\]"),
        (lambda: linear_probe(torch.rand(3, 2), torch.zeros(2)), "`labels` to be one for each of the 3 trials"),
        (lambda: linear_probe(torch.rand(9, 2), torch.zeros(9).long()), "`labels` of at least two classes, got 1"),
        (lambda: linear_probe(torch.rand(6, 2), torch.arange(6) % 2), r"`folds` from 2 to the 3 trials of the rarest"),
        (lambda: linear_probe(torch.rand(9, 2), torch.arange(9) % 3, folds=3, penalty=0.0), "`penalty` to be positive"),
        (lambda: principal_components(torch.rand(9, 2)), r"`components` from 1 to 2, the least of 2 neurons and 9"),
        (lambda: clusters(torch.rand(9)), r"`vectors` of shape \(neurons, features\), got \(9,\)"),
        (lambda: clusters(torch.rand(9, 2), max_distance=0.0), r"`max_distance` to be positive \[1\], got 0.0"),
    ],
)
def test_unsuitable_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_preferred_angle_is_below_the_period():
    angles = torch.arange(0.0, 360.0, 30.0)
    assert circular_tuning(1 + torch.cos(torch.deg2rad(angles)), angles).preferred.item() < 1e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [0.1, -65.1, 1234.567])
def test_what_rests_at_any_value_is_silent(value, dtype):
    resting = torch.full((997, 3), value, dtype=dtype)
    assert principal_components(resting, components=1).explained.isnan().all()
    assert clusters(resting.T).tolist() == [-1, -1, -1]
    assert correlations(resting.expand(50, 997, 3).reshape(-1, 3)).matrix.isnan().all()
