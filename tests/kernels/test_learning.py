"""Populations whose connections learn at every step, by events, against a loop of populations, synapses and rules."""

import functools
import random
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.kernels import Cells, Learning, Link, lif_loop, threads
from conex_nn.kernels.learning import Table, learner_rows
from conex_nn.plasticity import (
    ISTDP,
    STDP,
    Clip,
    Dale,
    LearningRate,
    Modulated,
    Normalise,
    Product,
    Soft,
    chain,
    learn_step,
)
from conex_nn.structure.learning_by_events import LearningPlan

STEPS, DT = 30, 0.5


def rule_of(rng: random.Random, kind: str, wiring: str) -> Any:
    """A rule with links."""
    amounts = {"a_plus": rng.choice([0.05, -0.03]), "a_minus": rng.choice([0.04, -0.02])}
    first = STDP(**amounts, tau_plus=8.0, tau_minus=12.0, nearest=rng.random() < 0.3)
    bound = rng.choice([None, Soft(-0.2, 1.3), Soft(-0.2, 1.3, mu=0.4), Product(-0.2, 1.3)])
    links = [first] if bound is None else [first, bound]
    if kind == "istdp":
        links = [ISTDP(rate=0.02, excitatory=rng.random() < 0.5)]
    if rng.random() < 0.5:
        links.append(LearningRate(rng.choice([0.5, -0.7])))
    if kind == "modulated":
        links.append(Modulated("reward"))
    if kind == "eligible":
        links.append(Modulated(("reward", "surprise"), tau=20.0))
    if rng.random() < 0.4:
        links.append(Clip(0.02, 0.9))
    if wiring != "one" and rng.random() < 0.6:
        links.append(Normalise(2.0, per=rng.choice(["target", "source"])))
        if rng.random() < 0.6:
            links.append(rng.choice([Clip(0.05, 0.8), Dale(1)]))
    return chain(*links) if len(links) > 1 else links[0]


class Case:
    """An input, two populations and what connects them."""

    def __init__(self, seed: int, batch: int, *, sizes: tuple[int, int, int] = (21, 12, 9), steps: int = STEPS) -> None:
        rng = random.Random(seed)
        torch.manual_seed(seed)
        self.batch, self.steps, self.sizes = batch, steps, sizes
        self.xs = (torch.rand(steps, batch, sizes[0]) < 0.15).double() * rng.choice([1.0, 0.5])
        self.signals = {"reward": torch.randn(steps, batch).double(), "surprise": torch.rand(steps, 1).double()}
        self.signals["surprise"][: steps // 2] = rng.choice([0.0, 1.0])
        self.populations = [
            cx.Population(
                n,
                cx.LIF(
                    tau_mem=rng.choice([5.0, 15.0]),
                    refractory_time=rng.choice([0.0, 1.5]),
                    v_threshold=torch.linspace(0.15, 0.35, n) if rng.random() < 0.5 else 0.2,
                    soft_reset=rng.random() < 0.5,
                ),
                winners=cx.KWinners(rng.choice([1, 3])) if rng.random() < 0.7 else None,
            ).double()
            for n in sizes[1:]
        ]
        self.links = []  # source, target, synapse, rule, latency, axon delay, dendrite delay, factor
        for source, target in [(0, 1), (1, 1), (1, 2), (2, 1), (0, 2)]:
            wiring = rng.choice(["dense", "dense", "sparse"])
            n, m = sizes[source], sizes[target]
            init = (torch.rand(m, n) * 1.2).double()
            if n == m and rng.random() < 0.6:
                wiring = rng.choice(["one", "masked"])
            synapse = {
                "dense": lambda init=init, n=n, m=m: cx.Dense(n, m, weight=init),
                "masked": lambda init=init, n=n, m=m: cx.Dense(n, m, weight=init, self_connections=False),
                "sparse": lambda n=n, m=m: cx.Sparse(n, m, density=0.4, init=lambda w: w.uniform_(0.0, 1.2)).double(),
                "one": lambda n=n, m=m: cx.OneToOne(n, m, init=torch.nn.init.ones_).double(),
            }[wiring]()
            kind = rng.choice(["stdp", "modulated", "istdp", "eligible", "none"])
            kind = "stdp" if kind == "eligible" and batch > 1 and rng.random() < 0.3 else kind
            rule = None if kind == "none" else rule_of(rng, kind, wiring)
            if wiring == "masked" and rule is not None and LearningPlan.of(rule, synapse) is None:
                rule = STDP()  # a clip above 0 brings back what the mask leaves out
            if kind == "eligible":
                self.signals["reward"] = self.signals["reward"][:, :1].expand(steps, batch)
            late = (rng.choice([0, 0, 2]), rng.choice([0, 0, 1])) if rule is not None else (0, 0)
            latency = rng.choice([0, 1]) if source < target else 1
            factor = rng.choice([1.0, 0.5]) if source < 2 else -0.5
            self.links.append((source, target, synapse, rule, latency, *late, factor))

    def by_steps(self) -> tuple[list[Tensor], list[Any]]:
        """Run the case step by step, and return the spikes of all, and the states of the rules."""
        sent: list[list[Tensor]] = [[], [], []]
        states: list[Any] = [p.initial_state(torch.zeros(self.batch, *p.shape).double()) for p in self.populations]
        rules: list[Any] = [None] * len(self.links)

        def seen(which: int, t: int) -> Tensor:
            return sent[which][t] if t >= 0 else torch.zeros(self.batch, self.sizes[which]).double()

        with torch.no_grad():
            for t in range(self.steps):
                sent[0].append(self.xs[t])
                for p, population in enumerate(self.populations, 1):
                    current = torch.zeros(self.batch, self.sizes[p]).double()
                    for source, target, synapse, _, latency, axon, dendrite, factor in self.links:
                        if target == p:
                            current = current + factor * synapse(seen(source, t - latency - axon - dendrite))
                    spikes, states[p - 1] = population.step({"proximal": current}, states[p - 1], dt=DT)
                    sent[p].append(spikes)
                for i, (source, target, synapse, rule, _, axon, dendrite, _) in enumerate(self.links):
                    if rule is not None:
                        here = {name: signal[t].reshape(-1) for name, signal in self.signals.items()}
                        here = {n: s[0] if len(s) == 1 or s.unique().numel() == 1 else s for n, s in here.items()}
                        rules[i] = learn_step(
                            rule, synapse, rules[i], seen(source, t - axon), seen(target, t - dendrite), here, dt=DT
                        )
        return [torch.stack(each) for each in sent], rules

    def by_events(self) -> tuple[list[Tensor], list[Any]]:
        """Run it by the kernel."""
        cells = [Cells.source(self.xs)]
        for population in self.populations:
            n, neuron = population.shape.numel(), population.neuron
            zero = torch.zeros(self.batch, n).double()
            rows = neuron._lif_rows(zero.shape, DT)
            k = 0 if population.winners is None else population.winners.k
            cells.append(Cells(rows, zero, zero, None, neuron._pauses, neuron.soft_reset, winners=k))
        links, plans = [], []
        signals = {n: s[:, :1] if len(s.unique(dim=1).T) == 1 else s for n, s in self.signals.items()}
        for source, target, synapse, rule, latency, axon, dendrite, factor in self.links:
            delay = latency + axon + dendrite
            plan = None if rule is None else LearningPlan.of(rule, synapse)
            assert (plan is None) == (rule is None)
            past = torch.zeros(delay, self.batch, self.sizes[source]).double()
            learning = None
            if plan is not None:
                pre, post = (
                    past.new_zeros(self.batch, self.sizes[source]),
                    past.new_zeros(self.batch, self.sizes[target]),
                )
                history = {"axon_history": past, "dendrite_history": past.new_zeros(dendrite, *post.shape)}
                late = {"axon": axon, "dendrite": dendrite, **history}
                learning = plan.learning(None, signals, pre=pre, post=post, steps=self.steps, dt=DT, **late)
                assert learning is not None
            options, weight = {}, synapse.weight.detach()
            if type(synapse) is cx.Dense:
                weight = weight.mT
                assert weight.is_contiguous()
            elif type(synapse) is cx.Sparse:
                options = {"begins": synapse.indptr, "targets": synapse.target}
            links.append(Link(source, target, delay, weight, past, factor, learning=learning, **options))
            plans.append((plan, learning))
        spikes, *_ = lif_loop(cells, links, steps=self.steps, dt=DT)
        states = [
            None if plan is None else plan.state(learning, learning.trace_pre.shape, learning.trace_post.shape)
            for plan, learning in plans
        ]
        return spikes, states

    @property
    def weights(self) -> list[Tensor]:
        return [link[2].weight.detach() for link in self.links]


def flat(state: Any) -> list[Tensor]:
    """All tensors of a state."""
    if isinstance(state, Tensor):
        return [state]
    return [] if state is None else [each for part in state for each in flat(part)]


@functools.cache
def known(seed: int, batch: int) -> tuple[Case, list[Tensor], list[Tensor], list[Any]]:
    """A case after its steps, its weights before them, the spikes, and the states of the rules."""
    case = Case(seed, batch)
    before = [weight.clone() for weight in case.weights]
    return case, before, *case.by_steps()


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("seed", range(25))
def test_equals_a_loop_of_steps(seed, batch):
    expected, before, spikes, states = known(seed, batch)
    found = Case(seed, batch)
    mine, after = found.by_events()
    for a, b in zip(mine, spikes, strict=True):
        assert torch.equal(a, b)
    for a, b in zip(found.weights, expected.weights, strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)
    for a, b in zip(flat(after), flat(states), strict=True):
        assert_close(a, b.reshape(a.shape), rtol=1e-9, atol=1e-9)
    changed = [not torch.equal(a, b) for a, b in zip(before, expected.weights, strict=True)]
    assert any(changed) or all(rule is None for *_, rule, _, _, _, _ in found.links)


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("side", ["source", "target"])
def test_an_end_that_one_side_takes_weights_to_is_kept(side, end):
    amount = 0.05 if end == "high" else -0.05
    first = STDP(a_plus=amount, a_minus=0.0) if side == "target" else STDP(a_plus=0.0, a_minus=-amount)
    ends, least, spread = {"high": ((None, 0.12), 0.09, 0.01), "low": ((0.0, None), 0.0, 0.19)}[end]
    expected, found = Case(3, 1), Case(3, 1)
    for case in (expected, found):
        torch.manual_seed(0)
        synapse = cx.Dense(21, 12, weight=least + spread * torch.rand(12, 21).double())
        case.links = [(0, 1, synapse, chain(first, Normalise(2.0), Clip(*ends)), 0, 0, 0, 1.0)]
    before = found.weights[0].clone()
    spikes, _ = expected.by_steps()
    mine, _ = found.by_events()
    assert all(torch.equal(a, b) for a, b in zip(mine, spikes, strict=True))
    assert_close(found.weights[0], expected.weights[0], rtol=1e-9, atol=1e-9)
    assert (found.weights[0] == ends[end == "high"]).any()
    assert not torch.equal(before, found.weights[0])


@pytest.mark.parametrize("sizes", [(70, 3, 3), (130, 17, 66), (258, 64, 5), (300, 9, 65)])
@pytest.mark.parametrize("seed", [1, 6])
def test_sizes_that_fill_no_chunk_and_no_square(seed, sizes):
    expected, found = (Case(seed, 2, sizes=sizes, steps=20) for _ in range(2))
    spikes, states = expected.by_steps()
    mine, after = found.by_events()
    assert all(torch.equal(a, b) for a, b in zip(mine, spikes, strict=True))
    for a, b in zip([*found.weights, *flat(after)], [*expected.weights, *flat(states)], strict=True):
        assert_close(a, b.reshape(a.shape), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("real", [torch.float32, torch.float64])
@pytest.mark.parametrize("targets", [8, 31, 64, 65, 138])
def test_a_batch_learns_at_every_width_in_either_precision(targets, real):
    torch.manual_seed(targets)
    xs, shift = ((torch.rand(12, 6, 70) < 0.2) * (1 + torch.randint(2, (12, 6, 70))) / 2).to(real), 0.3
    signals = (torch.randint(1, 5, (12, 6)) / 4).to(real)
    weight = (0.05 + 0.1 * torch.rand(70, targets)).to(real)
    rows = torch.tensor([[0.5], [1.0], [0.0], [0.7], [0.0], [0.0]], dtype=real)  # decay, gain, drive, threshold ...
    start = torch.zeros(6, targets, dtype=real)
    traces = [torch.zeros(6, n, dtype=real) for n in (70, targets)]
    learning = Learning(
        *traces, 0.9, 0.8, 0.03, -0.02, bound="soft", w_max=0.3, shift=shift, modulator=signals, normalise="target"
    )
    learned = weight.clone()
    history = torch.zeros(0, 6, 70, dtype=real)
    link = Link(0, 1, 0, learned, history, learning=replace(learning, total=7.0))
    (_, spikes), _, _ = lif_loop([Cells.source(xs), Cells(rows, start, start)], [link], steps=12, dt=1.0)
    v, (x, y), w = start.double(), [trace.double() for trace in (torch.zeros(6, 70), torch.zeros(6, targets))], weight
    w, expected = w.double(), []
    for pre, d in zip(xs.double(), signals.double()[..., None], strict=True):
        v = 0.5 * v + pre @ w
        post = (v >= 0.7).double()
        v = v * (1 - post)
        x, y = 0.9 * x + pre, 0.8 * y + post
        more, less = x.t() @ (d * post), pre.t() @ (d * (y + shift))
        w = w + (0.03 * (0.3 - w).clamp(min=0) * more - 0.02 * w.clamp(min=0) * less) / 6
        w = w * 7.0 / w.abs().sum(0)
        expected.append(post)
    tolerance = 1e-5 if real == torch.float32 else 1e-12
    assert torch.stack(expected).any(0).any(0).all()
    assert torch.equal(spikes.double(), torch.stack(expected))
    assert_close(learned.double(), w, rtol=tolerance, atol=tolerance)
    assert (learned - weight).abs().max() > 0.01


@pytest.mark.parametrize("openmp", [True, False])
@pytest.mark.parametrize("batch", [1, 40])
def test_the_number_of_threads_does_not_matter(batch, openmp, monkeypatch):
    if not openmp:
        monkeypatch.setattr(threads, "_openmp", lambda: None)
    monkeypatch.setattr("conex_nn.kernels.learning._WORTH", 0)
    before, found = torch.get_num_threads(), []
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            case = Case(5, batch, sizes=(90, 70, 40))
            spikes, states = case.by_events()
            found.append([*spikes, *case.weights, *flat(states)])
    finally:
        torch.set_num_threads(before)
    assert found[0][1].any()
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_the_random_cases_have_everything():
    links = [link for seed in range(25) for link in known(seed, 1)[0].links]
    assert {type(synapse) for _, _, synapse, *_ in links} == {cx.Dense, cx.Sparse, cx.OneToOne}
    assert {synapse.mask is None for _, _, synapse, *_ in links} == {True, False}
    kinds = {
        type(part) for *_, rule, _, _, _, _ in links for part in (rule.links if hasattr(rule, "links") else [rule])
    }
    assert {STDP, ISTDP, Soft, Product, LearningRate, Modulated, Normalise, Clip, Dale} <= kinds
    assert {axon + 10 * dendrite for *_, axon, dendrite, _ in links} == {0, 2, 10, 12}
    rates = torch.stack([s.mean() for seed in range(25) for s in known(seed, 1)[2][1:]])
    assert (rates > 0.01).double().mean() > 0.5


@pytest.mark.parametrize("batch", [1, 3])
def test_edges_onto_many_targets_stay_within_their_memory(batch):
    link = Link(
        0, 1, 1, torch.ones(1), torch.zeros(1, batch, 2), begins=torch.tensor([0, 1, 1]), targets=torch.tensor([0])
    )
    traces = torch.zeros(batch, 2), torch.zeros(batch, 5000)
    learning = Learning(*traces, keep_pre=0.9, keep_post=0.9, plus=0.1, minus=-0.1)
    room, _ = learner_rows(
        Table(torch.float32), [replace(link, learning=learning)], [2, 5000], {}, steps=1, batch=batch
    )
    assert room >= 5000  # one sum for each target
