"""Kernels on several threads, with and without torch's OpenMP."""

import concurrent.futures

import pytest
import torch
from torch.testing import assert_close

from conex_nn.kernels import threads
from conex_nn.neurons import LIF


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("openmp", [True, False])
def test_both_pools_give_the_same(two_threads, monkeypatch, openmp):
    x, neuron = 2 * torch.rand(20, 4, 3000), LIF(tau_mem=5.0)
    torch.set_num_threads(1)
    expected = neuron(x)
    torch.set_num_threads(2)
    if not openmp:
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    assert_close(neuron(x), expected, rtol=0, atol=0)


def test_kernels_may_run_in_several_python_threads_at_once(two_threads):
    neuron = LIF(tau_mem=5.0)
    xs = [2 * torch.rand(20, 4, 3000) for _ in range(4)]
    expected = [neuron(x)[0] for x in xs]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for got, want in zip(pool.map(lambda x: neuron(x)[0], xs), expected, strict=True):
            assert_close(got, want, rtol=0, atol=0)
