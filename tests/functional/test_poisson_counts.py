"""Poisson numbers from random bits."""

import pytest
import torch
from scipy import stats
from torch.testing import assert_close

from conex_nn.functional import poisson_counts, poisson_thresholds


@pytest.mark.parametrize("mean", [0.0, 1e-6, 0.01, 0.8, 1.6, 10.0, 300.0, 1e4])
def test_the_table_is_the_cumulative_distribution(mean):
    table = poisson_thresholds(torch.tensor([mean], dtype=torch.float64))[0]
    expected = stats.poisson.cdf(range(len(table)), mean) * 2.0**32
    assert_close(table.double(), torch.from_numpy(expected), rtol=0, atol=0.6)
    assert stats.poisson.sf(len(table), mean) * 2**32 < 0.6  # nothing that bits can tell is cut off
    assert (table[:-1] < 2**32).all()


def test_a_number_is_how_many_thresholds_its_bits_reach():
    table = poisson_thresholds(torch.tensor([1.6]))
    edges = table[0, :5]
    assert poisson_counts(edges, table, torch.tensor(0)).tolist() == [1, 2, 3, 4, 5]
    assert poisson_counts(edges - 1, table, torch.tensor(0)).tolist() == [0, 1, 2, 3, 4]


def test_every_neuron_reads_its_own_row():
    means = torch.tensor([0.0, 0.3, 40.0], dtype=torch.float64)
    bits, row = torch.randint(2**32, (5000, 4)), torch.tensor([2, 0, 1, 2])
    together = poisson_thresholds(means)
    found = poisson_counts(bits, together, row)
    for i, r in enumerate(row.tolist()):
        alone = poisson_thresholds(means[r : r + 1])
        assert torch.equal(found[:, i], poisson_counts(bits[:, i], alone, torch.tensor(0)))
    assert not found[:, 1].any()
    most = [int((together[r] < 2**32).sum()) for r in row]
    assert poisson_counts(torch.full((4,), 2**32 - 1), together, row).tolist() == most


def test_means_and_variances():
    mean = torch.tensor([0.05, 1.6, 90.0], dtype=torch.float64)
    counts = poisson_counts(torch.randint(2**32, (200_000, 3)), poisson_thresholds(mean), torch.arange(3)).double()
    assert_close(counts.mean(0), mean, rtol=0, atol=5 * (90 / 2e5) ** 0.5)
    assert_close(counts.var(0) / mean, torch.ones(3, dtype=torch.float64), rtol=0, atol=5 * (1 / 2e5) ** 0.5 * 5)
