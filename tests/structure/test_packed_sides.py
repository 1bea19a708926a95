"""Sequences learned from spikes kept as bits, against the same connections without them."""

import copy
from functools import partial
from typing import Any

import pytest
import torch
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn import plasticity as P  # noqa: N812
from conex_nn.structure import packed_sides
from tests.structure.learning_nets import connections, drawn
from tests.structure.live_bytes import LiveBytes

STEPS, BATCH = 20, 3

RULES: dict[str, Any] = {
    "stdp": lambda: P.STDP(a_plus=0.05, a_minus=0.03, tau_plus=5.0),
    "nearest": lambda: P.STDP(a_plus=0.05, a_minus=0.03, nearest=True),
    "istdp": lambda: P.ISTDP(rate=0.02, rho=0.05),
    "soft": lambda: P.chain(P.STDP(a_plus=0.05), P.Soft(0, 1.5, mu=0.5), P.Normalise(2.5), P.Clip(0, 1)),
    "product": lambda: P.chain(P.STDP(a_plus=-0.05), P.Product(0, 1.5), P.LearningRate(-0.5)),
    "late": lambda: P.chain(P.STDP(a_plus=0.1), P.Normalise(3.0, at="sequence"), P.Clip(0, 2)),
    "modulated": lambda: P.chain(P.STDP(a_plus=0.05), P.Soft(0, 1.5), P.Modulated("reward")),
    "eligible": lambda: P.chain(P.STDP(a_plus=0.05), P.Modulated("reward", tau=10.0), P.Clip(0, 1)),
}


def network(make: Any, **options: Any) -> cx.Neocortex:
    torch.manual_seed(0)
    cells = partial(cx.LIF, tau_mem=4.0, resistance=4.0)
    net = cx.Neocortex(
        retina=cx.InputLayer(2, 5, 4),
        a=cx.Population((2, 6), cells(), winners=cx.KWinners(1)),
        i=cx.Population(12, cells(), inhibitory=True),
        b=cx.Population(13, cells()),
    )
    net.connect("retina", "a", cx.Dense, init=drawn(0, 1), rule=make(), **options)
    net.connect("a", "b", cx.Dense, init=drawn(0, 1.5), rule=make(), **options)
    net.connect("a", "i", cx.Dense, init=drawn(0, 1.5), mask=torch.rand(12, 12) < 0.6, rule=make(), **options)
    net.connect("i", "b", cx.Dense, init=drawn(0, 0.5), rule=make(), **options)
    return net.double()


def stimulus(density: float = 0.08) -> torch.Tensor:
    return (torch.rand(STEPS, BATCH, 2, 5, 4, generator=torch.Generator().manual_seed(1)) < density).double()


def learn(net: cx.Neocortex, xs: torch.Tensor, reward: Any, *, later: bool = False) -> Any:
    """Calls of which each goes on where the last has ended; weights, and the state at the end.

    The first is given the reward, the others come to know it afterwards where it comes ``later``.
    """
    state, waits = None, any(c.rule is not None and c.rule.modulators() for c in connections(net).values())
    with torch.no_grad():
        for begin in (0, 12):
            here = slice(begin, begin + 12)
            given, waiting = {"reward": reward[here]} if waits else {}, later and begin > 0
            _, state = net(xs[here], state, modulators={} if waiting else given)
            if waiting:
                net.learn(**given)
    return {name: c.synapse.weight.detach().clone() for name, c in connections(net).items()}, state


def both(make: Any, monkeypatch: Any, *, times: int = 2, **options: Any) -> None:
    """Check that a network learns the same with bits, which its first connection uses so often, and without."""
    xs, reward = options.pop("xs", stimulus()), options.pop("reward", torch.randn(STEPS, BATCH).double())
    later, asked = options.pop("later", False), []

    def noted(weight: torch.Tensor, *given: Any, change: Any = packed_sides.pair_change) -> torch.Tensor:
        asked.append(weight.shape)
        return change(weight, *given)

    monkeypatch.setattr(packed_sides, "pair_change", noted)
    net = network(make, **options)
    twin, before = copy.deepcopy(net), {name: c.synapse.weight.clone() for name, c in connections(net).items()}
    got, state = learn(net, xs, reward, later=later)
    assert asked.count((40, 12)) == times
    asked.clear()
    monkeypatch.setattr(packed_sides.PackedSides, "of", lambda *_, **__: None)
    wanted, after = learn(twin, xs, reward, later=later)
    assert not asked
    for name, weight in wanted.items():
        assert_close(got[name], weight, rtol=1e-10, atol=1e-10)
        assert not torch.equal(weight, before[name]), name
    leaves = [[x for x in tree_leaves(tree) if isinstance(x, torch.Tensor)] for tree in (state, after)]
    assert len(leaves[0]) > 10
    for a, b in zip(*leaves, strict=True):
        assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("rows", [1, 17, 4096])
@pytest.mark.parametrize("name", [name for name in RULES if name != "eligible"])
def test_rules_learn_the_same_in_chunks_of_any_size(name, rows, monkeypatch):
    monkeypatch.setattr("conex_nn.structure.engine._ROWS", rows)
    both(RULES[name], monkeypatch)


@pytest.mark.parametrize("name", ["stdp", "istdp", "modulated"])
def test_delays(name, monkeypatch):
    both(RULES[name], monkeypatch, axon_delay=2, dendrite_delay=1)
    monkeypatch.undo()
    monkeypatch.setattr("conex_nn.structure.sequences._BLOCK", 200)  # a few steps
    both(RULES[name], monkeypatch, axon_delay=3)


@pytest.mark.parametrize("name", ["modulated", "eligible"])
def test_modulators_that_come_later(name, monkeypatch):
    both(RULES[name], monkeypatch, later=True)


def test_an_eligibility_of_each_sample(monkeypatch):
    both(RULES["eligible"], monkeypatch)


def test_an_eligibility_that_goes_on_is_kept_as_ever(monkeypatch):
    both(RULES["eligible"], monkeypatch, reward=torch.randn(STEPS).double(), times=0)


@pytest.mark.parametrize(("name", "later"), [("soft", False), ("modulated", False), ("modulated", True)])
def test_what_is_no_spike_is_learned_as_ever(name, later, monkeypatch):
    monkeypatch.setattr("conex_nn.structure.engine._ROWS", 9)
    xs = stimulus()
    xs[7] *= 0.5  # in the third chunk
    both(RULES[name], monkeypatch, xs=xs, later=later, times=1)


def test_where_much_spikes_dense_products_are_taken(monkeypatch):
    monkeypatch.setattr("conex_nn.structure.engine._ROWS", 9)
    xs = stimulus()
    xs[3:] = (torch.rand(STEPS - 3, BATCH, 2, 5, 4) < 0.9).double()
    monkeypatch.setattr("conex_nn.kernels.pairs.DENSEST", 0.06)
    both(RULES["soft"], monkeypatch, xs=xs, times=0)


def test_changes_that_go_into_the_gradient(monkeypatch):
    found = []
    for able in (True, False):
        if not able:
            monkeypatch.setattr(packed_sides.PackedSides, "of", lambda *_, **__: None)
        net = network(RULES["stdp"], into="grad")
        optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
        with torch.no_grad():
            net(stimulus())
        optimizer.step()
        found.append(learn(net.eval(), stimulus(), torch.ones(STEPS))[0])
    for name, weight in found[0].items():
        assert_close(weight, found[1][name], rtol=1e-10, atol=1e-10)


def test_a_modulator_of_other_samples_is_an_error():
    net = network(RULES["modulated"])
    with pytest.raises(ValueError, match=r"modulator 'reward' of shape \(time, batch\) = \(20, 3\)"):
        net(stimulus(), modulators={"reward": torch.ones(STEPS, BATCH + 1)})


def test_competing_neurons_read_sparse_inputs_on_the_way():
    found = []
    for by_events in (None, False):
        net = network(RULES["soft"])
        net.by_events = by_events
        with torch.no_grad():
            out, state = net(stimulus())
            more, _ = net(stimulus(), state)
        spikes = {path: torch.cat([xs, more[path]]) for path, xs in out.items()}
        found.append((spikes, {name: c.synapse.weight.clone() for name, c in connections(net).items()}))
    assert all(torch.equal(spikes, found[1][0][path]) and spikes.any() for path, spikes in found[0][0].items())
    for name, weight in found[0][1].items():
        assert_close(weight, found[1][1][name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("when", ["step", "sequence"])
def test_learning_takes_less_than_three_weights_beside_the_spikes(when, monkeypatch):
    monkeypatch.setattr(packed_sides, "plain", lambda _: True)  # whoever counts bytes is no reason to go another way
    inputs, neurons, steps, batch = 784, 400, 20, 32
    cells = cx.LIF(tau_mem=10.0, method="euler", v_threshold=3.0)
    net = cx.Neocortex(retina=cx.InputLayer(inputs), a=cx.Population(neurons, cells, winners=cx.KWinners(5)))
    rule = P.chain(P.STDP(a_plus=0.01, a_minus=0.012), P.Soft(0, 1), P.Normalise(78.4), P.Clip(0, 1))
    net.connect("retina", "a", cx.Dense, init=drawn(0, 0.2), rule=rule, when=when)
    xs = (torch.rand(steps, batch, inputs) < 0.05).float()
    weight = connections(net)["retina_sensory_to_a"].synapse.weight
    for _ in range(2):
        before = weight.detach().clone()
        with torch.no_grad(), LiveBytes() as live:
            out, _ = net(xs, outputs=["a"])
    assert not torch.equal(weight, before)
    assert live.peak - out["a"].numel() * 4 < 3 * inputs * neurons * 4
