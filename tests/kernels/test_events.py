"""Populations in a loop by events, against a loop over dense matrices."""

import random

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from conex_nn.functional.fire import is_refractory
from conex_nn.kernels import Cells, Link, event_currents, lif_loop, threads

STEPS = 25
DT = 0.5


def dense(link: Link, targets: int) -> Tensor:
    """The matrix of a link, ``(sources, targets)``."""
    sources = link.history.shape[2]
    if link.begins is None:
        return link.weight if link.weight.dim() == 2 else torch.diag(link.weight)
    matrix = link.weight.new_zeros(sources, targets)
    for i in range(sources):
        for e in range(int(link.begins[i]), int(link.begins[i + 1])):
            matrix[i, link.targets[e]] += link.weight[e]
    return matrix


def by_steps(cells: list[Cells], links: list[Link], steps: int = STEPS) -> tuple[list, list, list]:
    """What `lif_loop` computes, step by step, with every product in full."""
    matrices = [dense(link, cells[link.target].v.shape[1]) for link in links]
    past = [list(link.history) for link in links]
    spikes = [[] for _ in cells]
    potentials, left = [each.v for each in cells], [each.refractory for each in cells]
    for t in range(steps):
        for p, each in enumerate(cells):
            current = torch.zeros_like(each.v) if each.current is None else each.current[t].clone()
            for link, matrix, history in zip(links, matrices, past, strict=True):
                if link.target == p:
                    sent = (history + spikes[link.source])[t]
                    current = current + link.factor * (sent @ matrix)
            decay, gain, drive, threshold, reset, pause = each.rows
            charged = decay * potentials[p] + gain * current + drive
            held = is_refractory(left[p], dt=DT)
            charged = torch.where(held, potentials[p], charged)
            fired = ((charged >= threshold) & ~held).to(charged.dtype)
            after = charged - (threshold - reset) if each.soft_reset else reset.expand_as(charged)
            potentials[p] = torch.where(fired > 0, after, charged)
            left[p] = torch.where(fired > 0, pause, (left[p] - DT).clamp(min=0))
            spikes[p].append(fired)
    return [torch.stack(s) for s in spikes], potentials, left


def draw(seed: int, batch: int, *, real: torch.dtype = torch.float64, size: int = 20) -> tuple[list, list]:
    """Populations and links of every kind. All values are short binary fractions: sums of a few steps are exact."""
    rng, steps = random.Random(seed), STEPS
    torch.manual_seed(seed)

    def fractions(*shape: int, low: int, high: int, unit: int) -> Tensor:
        return (torch.randint(low, high, shape) / unit).to(real)

    cells = []
    for _ in range(rng.randint(1, 3)):
        n = rng.randint(1, size)
        columns = rng.choice([1, n])
        pauses = rng.random() < 0.5
        rows = torch.stack([
            torch.full((columns,), 0.5, dtype=real),
            fractions(columns, low=1, high=4, unit=4),
            fractions(columns, low=-1, high=2, unit=16),
            fractions(columns, low=2, high=6, unit=4),
            fractions(columns, low=-2, high=1, unit=4),
            fractions(columns, low=0, high=4, unit=2) if pauses else torch.zeros(columns, dtype=real),
        ])  # fmt: skip
        left = fractions(batch, n, low=0, high=4, unit=2) if pauses else torch.zeros(batch, n, dtype=real)
        kind = rng.choice(["none", "sequence", "constant"])
        current = fractions(steps, batch, n, low=-4, high=12, unit=4)
        current = None if kind == "none" else current if kind == "sequence" else current[:1].expand(steps, -1, -1)
        v = fractions(batch, n, low=-4, high=4, unit=8)
        cells.append(Cells(rows, v, left, current, pauses, rng.random() < 0.5))
    links = []
    for _ in range(rng.randint(1, 6)):
        source, target = rng.randrange(len(cells)), rng.randrange(len(cells))
        n, m = cells[source].v.shape[1], cells[target].v.shape[1]
        delay = rng.randint(0 if source < target else 1, 7)
        history = (torch.rand(delay, batch, n) < 0.3).to(real)
        options, kinds = {}, ["dense", "sparse"] + (["one"] if n == m else [])
        kind = rng.choice(kinds)
        weight = fractions(n, m, low=-4, high=8, unit=16)
        if kind == "dense" and rng.random() < 0.5:
            weight = weight.t().contiguous().t()  # as a connection hands it over
        if kind == "sparse":
            exists = torch.rand(n, m) < 0.3
            counts = exists.sum(1)
            options = {"begins": torch.cat([counts.new_zeros(1), counts.cumsum(0)]), "targets": exists.nonzero()[:, 1]}
            weight = weight[exists]
        if kind == "one":
            weight = weight.diagonal().clone()
        links.append(Link(source, target, delay, weight, history, rng.choice([1.0, -1.0, 2.5]), **options))
    return cells, links


def compare(got: tuple, expected: tuple, **tolerance: float) -> None:
    for mine, theirs in zip(got, expected, strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert_close(a, b, **tolerance)


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("seed", range(20))
def test_equals_a_loop_over_dense_matrices(seed, batch):
    cells, links = draw(seed, batch)
    given = [t.clone() for each in cells for t in (each.rows, each.v, each.refractory)]
    found = lif_loop(cells, links, steps=STEPS, dt=DT)
    compare(found, by_steps(cells, links), rtol=1e-12, atol=1e-12)
    after = [t for each in cells for t in (each.rows, each.v, each.refractory)]
    assert all(torch.equal(a, b) for a, b in zip(given, after, strict=True))


@pytest.mark.parametrize("seed", range(10))
def test_single_precision(seed):
    """Six steps of halving leave all values exact: the kernels add in another order than a matrix product."""
    cells, links = draw(seed, 3, real=torch.float32)
    cells = [
        Cells(c.rows, c.v, c.refractory, None if c.current is None else c.current[:6], c.pauses, c.soft_reset)
        for c in cells
    ]
    found = lif_loop(cells, links, steps=6, dt=DT)
    compare(found, by_steps(cells, links, steps=6), rtol=0, atol=0)


def test_the_random_cases_have_everything():
    cases = [draw(seed, 2) for seed in range(20)]
    cells = [each for case in cases for each in case[0]]
    links = [link for case in cases for link in case[1]]
    assert {each.rows.shape[1] == 1 for each in cells} == {each.pauses for each in cells} == {True, False}
    assert {each.soft_reset for each in cells} == {True, False}
    assert {link.delay for link in links} == set(range(8))
    assert {link.weight.dim() == 1 and link.begins is None for link in links} == {True, False}
    spikes = [s for case in cases for s in by_steps(*case)[0]]
    rates = torch.stack([s.mean() for s in spikes])
    assert (rates > 0.02).float().mean() > 0.5
    assert (rates < 0.9).all()


@pytest.mark.parametrize("openmp", [True, False])
def test_the_number_of_threads_does_not_matter(openmp, monkeypatch):
    if not openmp:
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    cells, links = draw(7, 300, size=60)
    spikes, weight = (torch.rand(900, 120) < 0.1).double(), torch.rand(120, 130).double()
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 5):
            torch.set_num_threads(count)
            loop = lif_loop(cells, links, steps=STEPS, dt=DT)
            found.append((*loop, [event_currents(spikes, weight)]))
    finally:
        torch.set_num_threads(before)
    assert STEPS * 300 * sum(each.v.shape[1] for each in cells) > threads._SERIAL
    compare(found[1], found[0], rtol=0, atol=0)
    compare(found[2], found[0], rtol=0, atol=0)


def test_a_sequence_equals_its_halves():
    """What a run leaves is what the next one needs: potentials, refractory times, and the last spikes."""
    cells, links = draw(3, 4)
    whole = lif_loop(cells, links, steps=STEPS, dt=DT)
    cut = 11

    def part(each: Cells, v: Tensor, left: Tensor, piece: slice) -> Cells:
        current = None if each.current is None else each.current[piece]
        return Cells(each.rows, v, left, current, each.pauses, each.soft_reset)

    first = [part(each, each.v, each.refractory, slice(cut)) for each in cells]
    spikes, v, left = lif_loop(first, links, steps=cut, dt=DT)
    second = [part(each, v[p], left[p], slice(cut, None)) for p, each in enumerate(cells)]
    later = []
    for link in links:
        history = torch.cat([link.history, spikes[link.source]])[cut:]
        later.append(
            Link(link.source, link.target, link.delay, link.weight, history, link.factor, link.begins, link.targets)
        )
    more, v, left = lif_loop(second, later, steps=STEPS - cut, dt=DT)
    joined = [torch.cat(pair) for pair in zip(spikes, more, strict=True)]
    compare((joined, v, left), whole, rtol=0, atol=0)


@pytest.mark.parametrize("real", [torch.float32, torch.float64])
@pytest.mark.parametrize(("rows", "rate"), [(1, 0.0), (1, 0.3), (40, 0.05), (33, 1.0)])
def test_currents_of_events(real, rows, rate):
    spikes = (torch.rand(rows, 150) < rate) * torch.randn(rows, 150)  # graded, as an encoder's may be
    weight = torch.randn(70, 150).t()
    expected = spikes.double() @ weight.double()
    found = event_currents(spikes.to(real), weight.to(real))
    assert found.dtype == real
    tolerance = 1e-12 if real == torch.float64 else 1e-5
    assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)
