"""Edges drawn with replacement or pair by pair, weights and delays drawn with them, and the memory that they take."""

import copy
import pickle

import pytest
import torch
from torch.testing import assert_close

from conex_nn.synapses import LogNormal, Normal, Sparse, Uniform
from conex_nn.synapses.draw_edges import draw_edges

from .reference import matrix, sparse_entries


def seeded(seed):
    return torch.Generator().manual_seed(seed)


OPTIONS = [
    {"number": 300, "multapses": True},
    {"number": 300},
    {"number": 3, "multapses": True},
    {"density": 0.6, "multapses": True},
    {"probability": 0.3},
    {"in_degree": 45, "multapses": True},
    {"out_degree": 7, "multapses": True},
]


@pytest.mark.parametrize("self_connections", [True, False])
@pytest.mark.parametrize("options", OPTIONS)
def test_counts_and_currents_are_those_of_the_matrix(options, self_connections):
    n = 30 if "in_degree" in options else 20
    make = {"self_connections": self_connections, "generator": seeded(1), **options}
    synapse = Sparse(n, n, weight=Uniform(0.5, 1.5), **make).double()
    source, target = synapse.source, synapse.target
    assert (torch.diff(source * n + target) >= (0 if options.get("multapses") else 1)).all()
    assert self_connections or (source != target).all()
    pairs = n * (n - (not self_connections))
    number = {"number": options.get("number"), "density": round(options.get("density", 0) * pairs)}
    for name, wanted in number.items():
        assert name not in options or synapse.num_edges == wanted
    assert "in_degree" not in options or (torch.bincount(target, minlength=n) == 45).all()
    assert "out_degree" not in options or (torch.bincount(source, minlength=n) == 7).all()
    assert synapse.indptr.diff().tolist() == torch.bincount(source, minlength=n).tolist()
    spikes = torch.rand(12, n).double()
    dense = matrix(sparse_entries(synapse), synapse.weight.detach(), synapse)
    assert_close(synapse(spikes).detach(), spikes @ dense.T)


@pytest.mark.parametrize("device", ["cpu", "keys"])
@pytest.mark.parametrize(
    ("options", "of_source", "of_target"),
    [
        # The variance of a degree, as a part of its mean.
        ({"number": 40_000, "multapses": True}, 1 - 1 / 200, 1 - 1 / 100),
        ({"number": 6_000}, 0.7 * 200 / 201, 0.7 * 100 / 101),  # hypergeometric, with 6 000 of 20 000 pairs
        ({"probability": 0.3}, 0.7, 0.7),
        ({"in_degree": 60, "multapses": True}, 1 - 1 / 200, 0.0),
        ({"out_degree": 60, "multapses": True}, 0.0, 1 - 1 / 100),
        ({"in_degree": 60}, 0.7, 0.0),
    ],
)
def test_degrees_are_binomial(options, of_source, of_target, device, monkeypatch):
    if device == "keys":  # as on a GPU
        from conex_nn.synapses import draw_edges as module

        monkeypatch.setattr(module, "_on_cpu", lambda place: False)
    found = {"source": [], "target": []}
    for seed in range(30):
        indptr, target = draw_edges(200, 100, **options, generator=seeded(seed))
        found["source"].append(indptr.diff())
        found["target"].append(torch.bincount(target.int(), minlength=100))
    if "probability" in options:
        totals = torch.stack(found["source"]).sum(1).double()
        assert 0.4 < totals.var() / (20_000 * 0.3 * 0.7) < 2  # chi-square with 29 degrees of freedom
    for name, wanted in (("source", of_source), ("target", of_target)):
        degrees = torch.stack(found[name]).double()
        mean = degrees.mean()
        ratio = (degrees - mean).square().mean() / mean
        assert abs(ratio - wanted) <= 4.5 * wanted * (2 / degrees.numel()) ** 0.5 + 1e-9


def test_pairs_have_several_synapses_as_often_as_by_chance():
    indptr, target = draw_edges(100, 100, number=30_000, multapses=True, generator=seeded(1))
    source = torch.arange(100).repeat_interleave(indptr.diff())
    counts = torch.bincount(source * 100 + target.long(), minlength=10_000)
    poisson = (
        10_000 * torch.exp(-torch.tensor(3.0)) * 3.0 ** torch.arange(8) / torch.tensor([1, 1, 2, 6, 24, 120, 720, 5040])
    )
    seen = torch.bincount(counts, minlength=8)[:8]
    assert ((seen - poisson).square() / poisson).sum() < 30  # chi-square with some 7 degrees of freedom


@pytest.mark.parametrize("options", OPTIONS)
def test_a_generator_decides_all_whatever_the_threads(options):
    before, made = torch.get_num_threads(), []
    try:
        for threads, seed in ((1, 3), (2, 3), (2, 4)):
            torch.set_num_threads(threads)
            drawn = {"weight": Normal(1.0, 0.1), "delay": Normal(9, 3, low=1), "generator": seeded(seed)}
            made.append(Sparse(900, 800, **{**options, "number": 60_000} if "number" in options else options, **drawn))
    finally:
        torch.set_num_threads(before)
    one, same, other = (synapse.state_dict() for synapse in made)
    for name, tensor in one.items():
        assert torch.equal(tensor, same[name])
        assert tensor.shape != other[name].shape or name == "indptr" or not torch.equal(tensor, other[name])


def test_weights_and_delays_are_drawn():
    synapse = Sparse(
        500, 400, number=100_000, weight=LogNormal(0.5, 0.2), delay=Normal(15, 7.5, low=1), generator=seeded(1)
    )
    assert synapse.weight.mean().item() == pytest.approx(0.5, rel=0.01)
    assert synapse.weight.std().item() == pytest.approx(0.2, rel=0.02)
    delay = synapse.delay
    assert (delay.dtype, int(delay.min())) == (torch.int32, 1)
    assert synapse.stored_delay.dtype == torch.uint8
    kept = Normal(15, 7.5, low=1)(torch.empty(100_000)).round()
    assert delay.double().mean().item() == pytest.approx(kept.double().mean().item(), rel=0.01)
    assert synapse.delays() == delay.unique().tolist()
    assert sum(len(edges) for _, edges in synapse.taps()) == 100_000
    assert (synapse.init, synapse.number) == (LogNormal(0.5, 0.2), 100_000)


@pytest.mark.parametrize(
    ("delay", "kind"),
    [(Uniform(0, 255), torch.uint8), (Uniform(250, 300), torch.int16), (Uniform(1, 1e5), torch.int32)],
)
def test_delays_take_what_they_need(delay, kind):
    synapse = Sparse(50, 40, number=900, delay=delay)
    assert synapse.stored_delay.dtype == kind
    assert_close(synapse.stored_delay.int(), synapse.delay)
    given = Sparse(50, 40, edges=(synapse.source, synapse.target), delay=synapse.delay)
    assert given.stored_delay.dtype == kind
    assert_close(given.delay, synapse.delay)


def nbytes(module):
    return sum(tensor.nbytes for tensor in (*module.buffers(), *module.parameters()))


@pytest.mark.parametrize(
    ("options", "most"),
    [
        ({"weight": Normal(1.0, 0.1), "delay": Normal(9, 3, low=1)}, 7),
        ({"weight": Normal(1.0, 0.1), "delay": Normal(900, 3, low=1)}, 8),
        ({"weight": 0.5, "delay": 3}, 2),
        ({"weight": Normal(1.0, 0.1), "delay": 3, "dtype": torch.bfloat16}, 4),
    ],
)
def test_bytes_of_an_edge(options, most):
    synapse = Sparse(1000, 900, number=400_000, multapses=True, **options)
    assert nbytes(synapse) <= most * 400_000 + 8 * 1001
    again = pickle.loads(pickle.dumps(synapse))
    assert nbytes(again) == nbytes(synapse)
    far = Sparse(10, 70_000, number=100_000, **options)
    assert far.stored_target.dtype == torch.int32
    assert nbytes(far) <= (most + 2) * 100_000 + 8 * 11


def test_the_index_is_made_once_and_kept_out_of_copies():
    synapse = Sparse(20, 10, number=60, delay=Uniform(1, 4))
    size = len(pickle.dumps(synapse))
    first = synapse.wiring()
    assert len(pickle.dumps(synapse)) == size
    assert synapse.wiring() is first
    for other in (copy.deepcopy(synapse), pickle.loads(pickle.dumps(synapse))):
        assert other.wiring() is not first
        assert all(torch.equal(a, b) for a, b in zip(other.wiring(), first, strict=True))
    assert synapse.double().wiring() is first
    other = Sparse(20, 10, number=60, delay=Uniform(1, 4))
    synapse.load_state_dict(other.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(synapse.wiring(), other.wiring(), strict=True))
    assert synapse.to("meta").wiring().source.is_meta


@pytest.mark.parametrize("delays", [(Uniform(1, 9), Uniform(250, 300)), (Uniform(250, 300), 4), (4, Uniform(1, 9))])
@pytest.mark.parametrize("assign", [False, True])
def test_a_state_dict_brings_delays_of_another_width(delays, assign):
    one, other = (Sparse(20, 10, number=60, delay=delay) for delay in delays)
    one.load_state_dict(other.state_dict(), assign=assign)
    assert_close(one.delay, other.delay)
    assert_close(one.target, other.target)
    blank = Sparse(20, 10, number=60, delay=delays[0], device="meta").to_empty(device="cpu")
    blank.load_state_dict(other.state_dict())
    assert_close(blank.delay, other.delay)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_half_precision_are_summed_in_the_spikes(dtype):
    synapse = Sparse(30, 20, number=400, weight=Normal(1.0, 0.3), dtype=dtype, generator=seeded(1))
    assert synapse.weight.dtype == dtype
    spikes = (torch.rand(9, 30) < 0.5).float()
    current = synapse(spikes)
    dense = matrix(sparse_entries(synapse), synapse.weight.detach().double(), synapse)
    assert_close(current.detach().double(), spikes.double() @ dense.T, rtol=1e-6, atol=1e-5)
    current.sum().backward()
    assert synapse.weight.grad.dtype == dtype


def test_one_weight_for_all_is_learned_as_one():
    synapse = Sparse(6, 5, number=12, weight=0.5, delay=2)
    assert (synapse.weight.shape, synapse.shared, synapse.taps()[0][0]) == ((1,), True, 2)
    own = Sparse(6, 5, edges=(synapse.source, synapse.target), weight=torch.full((12,), 0.5))
    spikes, post = torch.rand(4, 6), torch.rand(4, 5)
    assert_close(synapse(spikes), own(spikes))
    assert_close(synapse.backproject(post, synapse.weight), own.backproject(post, own.weight))
    for edges in (None, torch.tensor([1, 5])):
        assert_close(synapse.hebbian(spikes, post, edges), own.hebbian(spikes, post, edges).sum().reshape(1))
        assert_close(synapse.project(spikes, synapse.weight, edges), own.project(spikes, own.weight, edges))
    (synapse(spikes) * post).sum().backward()
    assert_close(synapse.weight.grad, own.hebbian(spikes, post).sum().reshape(1))
    assert "1 weights for 12 edges" in repr(synapse)
    synapse.unshare()
    assert (synapse.weight.shape, synapse.shared) == ((12,), False)
    assert_close(synapse(spikes), own(spikes))
    assert Sparse(6, 5, number=12, weight=0.5, shared=False).weight.tolist() == [0.5] * 12
    assert Sparse(6, 5, number=12, shared=True).weight.shape == (1,)
    assert not Sparse(1, 1, number=1, weight=0.5).shared


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"number": 37},
            "`number` to be a whole number from 0 to 36, the pairs to choose from, got 37. With `multapses",
        ),
        ({"number": -1, "multapses": True}, "`number` to be a whole number at least 0, got -1"),
        ({"number": 1.5}, "`number` to be a whole number"),
        ({"probability": 1.5}, r"`probability` from 0 to 1 \[1\], got 1.5"),
        ({"probability": "half"}, r"`probability` from 0 to 1 \[1\], got 'half'"),
        ({"probability": 0.5, "multapses": True}, "`probability` without `multapses`"),
        ({"probability": 0.5, "device": "meta"}, "`density` on the meta device"),
        ({"number": 3, "weight": 0.5, "init": torch.nn.init.ones_}, "one of `init` and `weight`, got both"),
        ({"number": 9, "delay": Normal(0.0, 5.0)}, r"`delay` of 0 up to 2147483647 \[steps\], got one of -.*`low=1`"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        Sparse(6, 6, **options)
