"""How sparse edges are drawn, kept, delayed and restricted; their products are in test_synapse.py too."""

import copy
import resource
import sys
import time

import pytest
import torch
from torch.testing import assert_close

from conex_nn.synapses import Sparse
from conex_nn.synapses.draw_edges import draw_edges

from .reference import EDGES, matrix, sparse_entries


def pairs(synapse):
    return list(zip(synapse.source.tolist(), synapse.target.tolist(), strict=True))


AMOUNTS = [
    {"density": density} for density in (0.0, 0.01, 0.3, 0.8, 1.0)
] + [{degree: count} for degree in ("in_degree", "out_degree") for count in (0, 1, 7, 19)]  # fmt: skip


@pytest.mark.parametrize("self_connections", [True, False])
@pytest.mark.parametrize("amount", AMOUNTS)
def test_the_edges_are_distinct_sorted_and_as_many_as_said(amount, self_connections):
    n_source, n_target = (20, 20) if not self_connections else (30, 20)
    synapse = Sparse(n_source, n_target, **amount, self_connections=self_connections)
    edges = pairs(synapse)
    assert edges == sorted(set(edges))
    assert all(0 <= source < n_source and 0 <= target < n_target for source, target in edges)
    assert self_connections or all(source != target for source, target in edges)
    for name, neurons, size in (("out_degree", synapse.source, n_source), ("in_degree", synapse.target, n_target)):
        if name in amount:
            assert torch.bincount(neurons, minlength=size).unique().tolist() == [amount[name]]
    if "density" in amount:
        possible = n_source * n_target - (0 if self_connections else n_source)
        assert len(edges) == round(amount["density"] * possible)
    assert synapse.weight.shape == (len(edges),)
    for i in range(n_source):
        part = slice(int(synapse.indptr[i]), int(synapse.indptr[i + 1]))
        assert (synapse.source[part] == i).all()


@pytest.mark.parametrize(
    "amount", [{"number": 6}, {"in_degree": 2}, {"out_degree": 2}, {"number": 1}, {"in_degree": 1}]
)
@pytest.mark.parametrize("crowded", [16, 0])  # drawn with a table, and without
@pytest.mark.parametrize("self_connections", [True, False])
def test_every_pair_is_as_likely(amount, crowded, self_connections, monkeypatch):
    monkeypatch.setattr("conex_nn.synapses.draw_edges._CROWDED", crowded)
    counts, draws, size = torch.zeros(4, 4), 500, 4
    for _ in range(draws):
        indptr, target = draw_edges(size, size, **amount, self_connections=self_connections)
        source, target = torch.arange(size).repeat_interleave(indptr.diff()), target.long()
        counts[source, target] += 1
    allowed = torch.ones(4, 4).bool() if self_connections else ~torch.eye(4).bool()
    assert not counts[~allowed].any()
    likely = len(source) / int(allowed.sum())
    spread = (draws * likely * (1 - likely)) ** 0.5
    assert (counts[allowed] - draws * likely).abs().max() < 4.5 * spread


def test_a_generator_decides_edges_and_weight():
    def draw(seed):
        return Sparse(50, 40, density=0.1, generator=torch.Generator().manual_seed(seed))

    one, same, other = draw(1), draw(1), draw(2)
    assert pairs(one) == pairs(same)
    assert torch.equal(one.weight, same.weight)
    assert pairs(one) != pairs(other)
    before = torch.get_rng_state()
    draw(3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("amount", [{"density": 1e-4}, {"in_degree": 10}, {"out_degree": 10}])
def test_a_large_graph_takes_seconds_and_little_memory(amount):
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    start = time.perf_counter()
    synapse = Sparse(100_000, 100_000, **amount, self_connections=False)
    spikes = (torch.rand(4, 100_000) < 0.01).float().requires_grad_()
    synapse(spikes).square().sum().backward()
    assert len(synapse.source) == pytest.approx(1_000_000, rel=1e-4)
    assert time.perf_counter() - start < 20  # less than a second here; the machine may be busy
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < 400e6  # a dense one has 4e10 bytes


def test_given_edges_are_sorted_with_their_weights_and_delays():
    weight, delay = torch.arange(7.0), torch.tensor([3, 0, 1, 2, 0, 3, 1])
    synapse = Sparse(6, (2, 2), edges=EDGES, weight=weight, delay=delay)
    assert pairs(synapse) == sorted(zip(*EDGES, strict=True))
    given = sorted(zip(*EDGES, weight.tolist(), delay.tolist(), strict=True))
    kept = zip(*(x.tolist() for x in (synapse.source, synapse.target, synapse.weight, synapse.delay)), strict=True)
    assert sorted(kept) == given
    from_tensors = Sparse(6, 4, edges=tuple(torch.tensor(index) for index in EDGES), weight=weight)
    assert_close(from_tensors(torch.ones(6)), synapse(torch.ones(6)).flatten())


def test_repeated_edges_are_synapses_of_their_own():
    synapse = Sparse(2, 1, edges=([0, 0, 1], [0, 0, 0]), weight=torch.tensor([1.0, 2.0, 4.0]))
    spikes = torch.tensor([1.0, 10.0], requires_grad=True)
    current = synapse(spikes)
    current.backward()
    assert current.item() == 43
    assert spikes.grad.tolist() == [3, 4]
    assert synapse.weight.grad.tolist() == [1, 1, 10]


def test_taps_are_the_edges_of_each_delay():
    synapse = Sparse(6, 4, edges=EDGES, delay=torch.tensor([3, 0, 1, 2, 0, 3, 1]))
    taps = synapse.taps()
    assert [delay for delay, _ in taps] == [0, 1, 2, 3]
    for delay, edges in taps:
        assert edges.tolist() == [e for e, d in enumerate(synapse.delay.tolist()) if d == delay]
    assert Sparse(6, 4, edges=EDGES).taps()[0][1].tolist() == list(range(7))
    assert Sparse(6, 4, edges=EDGES).delay is None
    ((delay, edges),) = Sparse(6, 4, edges=EDGES, delay=5).taps()
    assert (delay, edges.tolist()) == (5, list(range(7)))


@pytest.mark.parametrize("lead", [(), (3, 2), (20,)])
def test_some_edges_are_a_synapse_without_the_others(lead):
    synapse = Sparse((3, 4), 9, density=0.5, delay=torch.randint(0, 3, (54,))).double()
    pre, post = torch.randn(*lead, 3, 4).double().requires_grad_(), torch.randn(*lead, 9).double()
    total, grads = 0, 0
    for _, edges in synapse.taps():
        entries = [sparse_entries(synapse)[e] for e in edges.tolist()]
        dense = matrix(entries, synapse.weight, synapse)
        current = synapse.project(pre, synapse.weight, edges.flip(0))
        assert_close(current, pre.flatten(-2) @ dense.T)
        found = torch.autograd.grad((current * post).sum(), (pre, synapse.weight))
        wanted = torch.autograd.grad((pre.flatten(-2) @ dense.T * post).sum(), (pre, synapse.weight))
        assert_close(found, wanted)
        assert_close(synapse.hebbian(pre, post, edges), wanted[1])
        assert_close(synapse.backproject(post, synapse.weight, edges), wanted[0])
        part = synapse.part(edges)
        assert_close(synapse.project(pre, synapse.weight, part), current)
        assert_close(synapse.hebbian(pre, post, part), wanted[1])
        total, grads = total + current, grads + found[1]
    assert_close(total, synapse(pre))
    assert_close(grads, synapse.hebbian(pre, post))


def test_a_state_dict_brings_other_edges():
    synapse, other = Sparse(30, 20, density=0.2, delay=1), Sparse(30, 20, density=0.2, delay=2)
    assert sorted(synapse.state_dict()) == ["delay_bytes", "indptr", "target_bytes", "weight"]
    spikes = torch.rand(3, 30)
    for same in (copy.deepcopy(other), torch.nn.Sequential(other)[0]):
        torch.nn.Sequential(same).load_state_dict({f"0.{k}": v for k, v in synapse.state_dict().items()})
        assert pairs(same) == pairs(synapse)
        assert same.taps()[0][0] == 1
        assert_close(same(spikes), synapse(spikes))
        assert_close(same.hebbian(spikes, same(spikes)), synapse.hebbian(spikes, synapse(spikes)))


def test_the_second_derivative_is_refused():
    synapse = Sparse(6, 4, edges=EDGES)
    spikes = torch.rand(2, 6, requires_grad=True)
    (first,) = torch.autograd.grad(synapse(spikes).square().sum(), spikes, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.gpu
def test_drawn_and_used_on_the_gpu():
    several = {"number": 900, "multapses": True}
    for amount in ({"density": 0.1}, {"in_degree": 9}, {"out_degree": 50}, {"probability": 0.2}, several):
        generator = torch.Generator("cuda").manual_seed(0)
        synapse = Sparse(100, 80, **amount, generator=generator)
        assert synapse.weight.is_cuda
        assert synapse.source.is_cuda
        here = Sparse(100, 80, edges=(synapse.source.cpu(), synapse.target.cpu()), weight=synapse.weight.cpu())
        spikes, post = torch.rand(5, 2, 100), torch.rand(5, 2, 80)
        there = spikes.cuda().requires_grad_()
        (synapse(there) * post.cuda()).sum().backward()
        assert_close(synapse(there).cpu(), here(spikes))
        assert_close(there.grad.cpu(), here.backproject(post, here.weight))
        assert_close(synapse.weight.grad.cpu(), here.hebbian(spikes, post))


SELF = {"self_connections": False}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {},
            ValueError,
            "exactly one of `density`, `probability`, `number`, `in_degree`, `out_degree`, `edges`, got none",
        ),
        ({"density": 0.1, "in_degree": 2}, ValueError, "got `density` and `in_degree`"),
        ({"density": 1.1}, ValueError, r"`density` from 0 to 1 \[1\], got 1.1"),
        (
            {"in_degree": 7},
            ValueError,
            "`in_degree` to be a whole number from 0 to 6, the neurons to choose from, got 7",
        ),
        ({"out_degree": -1}, ValueError, "`out_degree` to be a whole number from 0 to 6, .* got -1"),
        ({"in_degree": 2.0}, ValueError, "`in_degree` to be a whole number from 0 to 6, .* got 2.0"),
        ({"in_degree": 6, **SELF}, ValueError, "`in_degree` to be a whole number from 0 to 5"),
        ({"edges": ([0], [0], [0])}, ValueError, r"a pair \(source_index, target_index\), got 3 parts"),
        ({"edges": ([0, 1], [0])}, ValueError, r"one source and one target each, got shapes \(2,\) and \(1,\)"),
        ({"edges": ([0.5], [0])}, TypeError, "`edges` to hold whole numbers, got torch.float32"),
        ({"edges": ([6], [0])}, ValueError, "`edges` with source indices from 0 to 5, got 6 to 6"),
        ({"edges": ([0, 1], [-1, 2])}, ValueError, "`edges` with target indices from 0 to 5, got -1 to 2"),
        ({"edges": ([0, 1], [0, 2]), **SELF}, ValueError, "`edges` without self-connections, .* got 1 of them"),
        (
            {"edges": ([0], [1]), "delay": -1},
            ValueError,
            r"`delay` to be whole numbers of at least 0 \[steps\], got -1",
        ),
        ({"edges": ([0], [1]), "delay": 1.5}, TypeError, "`delay` to hold whole numbers, got torch.float32"),
        ({"edges": ([0], [1]), "delay": torch.tensor([1, 2])}, ValueError, r"one per edge \(1\), got \(2,\)"),
        ({"edges": ([0], [1]), "weight": torch.ones(2)}, ValueError, r"`weight` of shape \(1,\), got \(2,\)"),
    ],
)
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        Sparse(6, 6, **options)


def test_errors_of_sizes():
    with pytest.raises(ValueError, match=r"only between populations of one shape, got \(6,\) and \(2, 3\)"):
        Sparse(6, (2, 3), in_degree=1, self_connections=False)
    with pytest.raises(ValueError, match="Expected at most 2147483647 edges, got 10000000000"):
        Sparse(100_000, 100_000, density=1.0)
