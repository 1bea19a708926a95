"""Networks that learn at every step, by events and step by step: they are one."""

import copy
import random
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.kernels.learning import gains_of
from conex_nn.plasticity import ISTDP, STDP, Clip, Modulated, Normalise, Soft, chain
from conex_nn.structure import Connection
from conex_nn.structure.by_events import EventLoop

STEPS = 25
POPULATIONS = ["exc", "inh", "out"]


def wired(net: cx.Neocortex) -> list[Connection]:
    """All connections."""
    return [module for module in net.modules() if isinstance(module, Connection)]


def rule(rng: random.Random) -> Any:
    """A rule that the kernel knows."""
    links = [STDP(a_plus=0.04, a_minus=0.03, nearest=rng.random() < 0.3)]
    if rng.random() < 0.5:
        links.append(Soft(0.0, 1.5, mu=rng.choice([1.0, 0.5])))
    kind = rng.choice(["plain", "modulated", "eligible"])
    if kind == "modulated":
        links.append(Modulated("reward"))
    if kind == "eligible":
        links.append(Modulated("dopamine", tau=30.0))
    if rng.random() < 0.5:
        links.append(Normalise(3.0, at=rng.choice(["change", "sequence"])))
    if rng.random() < 0.5:
        links.append(Clip(0.0, 1.2))
    return chain(*links)


def network(seed: int) -> tuple[cx.Neocortex, set[str]]:
    """A network that learns, and the modulators that it waits for."""
    rng = random.Random(seed)
    torch.manual_seed(seed)

    def cells(n: int, **options: Any) -> cx.Population:
        behaviors = {"adaptive": cx.AdaptiveThreshold(increment=0.02, tau=200.0)} if rng.random() < 0.5 else {}
        return cx.Population(
            n,
            cx.LIF(v_threshold=0.15, refractory_time=rng.choice([0.0, 2.0]), soft_reset=rng.random() < 0.3),
            winners=cx.KWinners(rng.choice([1, 3])) if rng.random() < 0.6 else None,
            behaviors=behaviors,
            **options,
        )

    net = cx.Neocortex(retina=cx.InputLayer(15), exc=cells(10), inh=cells(10, inhibitory=True), out=cells(6)).double()

    def connect(source: str, target: str, synapse: Any, plastic: bool, **options: Any) -> None:
        learns = {"rule": rule(rng), "when": "step"} if plastic else {}
        net.connect(source, target, synapse, **options, **learns)

    few = {"init": lambda w: w.uniform_(0.0, 0.6)}
    each = {"axon_delay": torch.randint(0, 3, (15,))} if rng.random() < 0.4 else {"axon_delay": rng.choice([0, 2])}
    connect(
        "retina", "exc", cx.Dense, True, **few, **each, dendrite_delay=rng.choice([0, 0, 2]), latency=rng.choice([0, 1])
    )
    connect("retina", "inh", cx.Dense, rng.random() < 0.5, **few)
    connect("exc", "inh", cx.OneToOne, False, init=torch.nn.init.ones_)
    weak = {"init": lambda w: w.uniform_(0.0, 0.1)}
    connect("inh", "exc", cx.Dense, rng.random() < 0.5, **weak, self_connections=rng.random() < 0.5)
    connect("exc", "exc", cx.Dense, rng.random() < 0.5, **few, self_connections=False, axon_delay=1, dendrite_delay=1)
    if rng.random() < 0.7:
        connect("exc", "out", cx.Sparse, rng.random() < 0.7, density=0.5, **few)
        connect("retina", "out", cx.Dense, rng.random() < 0.5, **few, dendrite_delay=torch.arange(6) % 3)
    net.double()
    return net, {name for c in wired(net) if c.rule is not None for name in c.rule.modulators()}


def run(net: cx.Neocortex, waits: set[str], batch: int, *, by_events: bool, seed: int) -> tuple[list, Any, dict]:
    net.by_events = by_events
    torch.manual_seed(seed)
    found, state = [], None
    with torch.no_grad():
        for _ in range(2):
            xs = (torch.rand(STEPS, batch, 15) < 0.2).double()
            signals = {"reward": torch.randn(STEPS, batch).double(), "dopamine": torch.rand(STEPS).double()}
            out, state = net(xs, state, outputs=POPULATIONS, modulators={name: signals[name] for name in sorted(waits)})
            found.append([out[path] for path in POPULATIONS])
    return found, state, net.state_dict()


def flat(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(8, 20))])
def test_by_events_and_by_steps_are_one(seed, batch, monkeypatch):
    net, waits = network(seed)
    other, runs = copy.deepcopy(net), []
    of = EventLoop.of.__func__
    monkeypatch.setattr(EventLoop, "of", classmethod(lambda cls, *a, **k: runs.append(of(cls, *a, **k)) or runs[-1]))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    expected = run(net, waits, batch, by_events=False, seed=seed)
    assert not runs
    got = run(other, waits, batch, by_events=True, seed=seed)
    assert any(loop is not None for loop in runs)
    assert len(flat(expected[0])) == 2 * len(POPULATIONS)
    assert any(spikes.any() for spikes in flat(expected[0]))
    assert all(torch.equal(a, b) for a, b in zip(flat(got[0]), flat(expected[0]), strict=True))
    assert len(flat(expected[1])) > 10
    for a, b in zip(flat(got[1]), flat(expected[1]), strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)
    assert got[2].keys() == expected[2].keys()
    for name in got[2]:
        assert_close(got[2][name], expected[2][name], rtol=1e-9, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}")
    assert any(not torch.equal(before[name], value) for name, value in expected[2].items())


@pytest.mark.parametrize("steps", [150, pytest.param(600, marks=pytest.mark.long)])
@pytest.mark.parametrize("ends", [None, (0.0, 0.35), (0.2, 9.0)])
@pytest.mark.parametrize(("a_plus", "a_minus"), [(0.05, 0.04), (0.0, 0.5), (0.5, 0.0)])
def test_sums_that_are_set_by_a_gain_are_those_of_the_weights(ends, a_plus, a_minus, steps, monkeypatch):
    """One sample: gains drift far from 1 where all changes have one sign, and stop at ends of the weights."""
    found, gained = [], []

    def watched(link, batch):
        gained.append(gains_of(link, batch))
        return gained[-1]

    monkeypatch.setattr("conex_nn.kernels.events.gains_of", watched)
    for by_events in (True, False):
        torch.manual_seed(0)
        net = cx.Neocortex(retina=cx.InputLayer(15), exc=cx.Population(10, cx.LIF(v_threshold=0.15)))
        links = [STDP(a_plus=a_plus, a_minus=a_minus), Soft(0.0, 1.5), Normalise(3.0), *([Clip(*ends)] if ends else [])]
        net.connect(
            "retina", "exc", cx.Dense, init=lambda w: w.uniform_(0.0, 0.6), dendrite_delay=2,
            rule=chain(*links), when="step",
        )  # fmt: skip
        net.double().by_events = by_events
        xs = (torch.rand(steps, 1, 15) < 0.2).double()
        with torch.no_grad():
            spikes = [net(part, outputs=["exc"])[0]["exc"] for part in xs.split(2 * steps // 3)]
        found.append((torch.cat(spikes), wired(net)[0].synapse.weight.detach()))
    assert len(gained) == 2
    assert all(gains is not None for gains in gained)
    assert found[1][0].any(0).all()
    assert torch.equal(found[0][0], found[1][0])
    assert_close(found[0][1], found[1][1], rtol=1e-9, atol=1e-12)


def test_what_is_not_known_runs_step_by_step():
    torch.manual_seed(0)
    for links in [
        [ISTDP(), Soft(0, 1)],
        [STDP(a_plus=torch.tensor(0.1))],
        [STDP(), Modulated("a"), Modulated("b", tau=10.0)],
        [cx.TripletSTDP()],
    ]:
        net = cx.Neocortex(retina=cx.InputLayer(5), v1=cx.Population(4, cx.LIF(v_threshold=0.2)))
        net.connect("retina", "v1", cx.Dense, init=torch.nn.init.ones_, rule=chain(*links), when="step")
        weight = wired(net)[0].synapse.weight
        signals = dict.fromkeys(wired(net)[0].rule.modulators(), 1.0)
        net.by_events, before = True, weight.clone()
        with torch.no_grad(), pytest.warns(UserWarning, match="step by step in spite of"):
            net((torch.rand(10, 1, 5) < 0.5).float(), modulators=signals)
        assert not torch.equal(weight, before)


def test_in_eval_nothing_is_learned():
    net, _ = network(0)
    net.eval()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    a = run(net, set(), 2, by_events=True, seed=0)
    b = run(net, set(), 2, by_events=False, seed=0)
    assert all(torch.equal(x, y) for x, y in zip(flat(a[0]), flat(b[0]), strict=True))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert any(x.any() for x in flat(a[0]))


def test_a_weight_laid_out_by_target_learns_too():
    found = []
    for by_events in (True, False):
        net, waits = network(2)
        for connection in wired(net):
            weight = connection.synapse.weight
            weight.data = weight.data.clone(memory_format=torch.contiguous_format)
        found.append(run(net, waits, 2, by_events=by_events, seed=1))
    for a, b in zip(flat(found[0]), flat(found[1]), strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-9)
