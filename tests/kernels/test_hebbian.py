"""Products by events against the products themselves."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.kernels import correlate, event_currents, event_product, mostly_zeros
from conex_nn.plasticity import hebbian

TOLERANCE = {torch.float32: {"rtol": 1e-5, "atol": 1e-5}, torch.float64: {"rtol": 1e-12, "atol": 1e-12}}


def spikes_of(rows: int, columns: int, density: float, dtype: torch.dtype) -> torch.Tensor:
    return (torch.rand(rows, columns) < density) * (0.5 + torch.rand(rows, columns, dtype=dtype))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("rows", "columns", "width", "density"),
    [(1, 1, 1, 1.0), (3, 8, 5, 0.5), (700, 65, 33, 0.05), (1300, 200, 17, 0.02), (40, 7, 130, 0.0), (130, 64, 8, 1.0)],
)
def test_a_product_by_events_is_the_product(rows, columns, width, density, dtype):
    events, values = spikes_of(rows, columns, density, dtype), torch.randn(rows, width, dtype=dtype)
    before = events.clone()
    assert_close(event_product(events, values), events.mT @ values, **TOLERANCE[dtype])
    assert_close(events, before, rtol=0, atol=0)


def test_it_adds_onto_what_is_there_and_reads_any_layout():
    events, values = spikes_of(50, 30, 0.1, torch.float64), torch.randn(9, 50).double().mT
    out = torch.ones(30, 9).double()
    assert event_product(events, values, out) is out
    assert_close(out, 1 + events.mT @ values)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter(threads):
    torch.manual_seed(3)
    events, values = spikes_of(600, 300, 0.05, torch.float32), torch.randn(600, 200)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        found = event_product(events, values)
        torch.set_num_threads(1)
        assert torch.equal(found, event_product(events, values))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("sources", "targets"), [(1, 1), (7, 3), (40, 33), (100, 8)])
@pytest.mark.parametrize("density", [0.0, 0.03, 0.5])
def test_currents_by_events_are_the_product(sources, targets, density, dtype):
    spikes, weight = spikes_of(37, sources, density, dtype), torch.randn(sources, targets, dtype=dtype)
    assert_close(event_currents(spikes, weight), spikes @ weight, **TOLERANCE[dtype])


def test_mostly_zeros_looks_at_rows_from_all_over():
    x = torch.zeros(1000, 10)
    assert mostly_zeros(x)
    x[500:] = 1
    assert not mostly_zeros(x)
    assert mostly_zeros(torch.empty(0, 4))


@pytest.mark.parametrize("pre_density", [0.02, 0.9])
@pytest.mark.parametrize("post_density", [0.02, 0.9])
def test_every_choice_of_correlate_and_of_the_hebbian_product_is_the_same(pre_density, post_density):
    pre, post = (spikes_of(400, n, d, torch.float64) for n, d in [(21, pre_density), (12, post_density)])
    expected = torch.einsum("ki,kj->ij", pre, post)
    assert_close(correlate(pre, post), expected)
    assert correlate(pre, post).is_contiguous()
    layer, synapse = nn.Linear(21, 12, bias=False).double(), cx.Dense(21, 12).double()
    for module in (layer, synapse):
        assert_close(hebbian(module, pre.reshape(50, 8, 21), post.reshape(50, 8, 12)), expected.mT)


def test_a_look_is_not_led_astray_by_one_sample():
    for batch in (5, 64):
        x = torch.ones(256, batch, 10)
        x[:, 0] = 0  # a blank image
        assert not mostly_zeros(x.flatten(0, 1))


def test_no_rows_and_sides_that_do_not_fit():
    assert torch.equal(event_product(torch.zeros(0, 3), torch.zeros(0, 2)), torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"`events` and `rows` of as many rows, got 5 and 6"):
        event_product(torch.zeros(5, 3), torch.ones(6, 2))
    with pytest.raises(RuntimeError):
        correlate(torch.zeros(5, 3), torch.ones(6, 2))


def test_transforms_of_torch_see_a_product():
    synapse, pre, post = cx.Dense(3, 2), torch.eye(20)[:, :3].expand(4, 20, 3), torch.rand(4, 20, 2)
    found = torch.func.vmap(synapse.hebbian)(pre, post)
    assert_close(found, post.mT @ pre)
