"""Connections that learn by rules while a network runs, against a simulator that knows one step at a time."""

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn import plasticity as P  # noqa: N812
from tests.structure.learning_nets import BATCH, STEPS, Simulator, close, connections, drawn, network, stimulus, weights


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("graph", [False, True])
def test_each_step_is_learned_as_one_would_by_hand(seed, graph):
    net, twin = network(seed), network(seed)
    assert all(torch.equal(a, weights(twin)[name]) for name, a in weights(net).items())
    before, xs = weights(net), stimulus(seed)
    expected = Simulator(twin).run(xs)
    out, _ = net(xs.requires_grad_(graph))
    for path, spikes in expected.items():
        close(out[path].detach(), spikes)
        assert spikes.any(), path
    for name, weight in weights(twin).items():
        close(weights(net)[name], weight)
        assert torch.equal(before[name], weight) == (connections(net)[name].rule is None), name


@pytest.mark.parametrize("seed", range(2))
def test_traces_go_on_where_the_state_does(seed):
    whole, parts = network(seed), network(seed)
    for net in (whole, parts):  # the end of a call is the end of a sequence
        for c in connections(net).values():
            if isinstance(c.rule, P.Chain):
                c.rule.links = nn.ModuleList([link for link in c.rule.links if not getattr(link, "late", False)])
    xs, state = stimulus(seed), None
    whole(xs)
    for part in xs.split(7):
        _, state = parts(part, state)
    for name, weight in weights(whole).items():
        close(weights(parts)[name], weight)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("graph", [False, True])
def test_a_sequence_is_learned_at_its_end(seed, graph):
    net, twin = network(seed, "sequence"), network(seed, "sequence")
    before, xs = weights(net), stimulus(seed)
    simulator = Simulator(twin)
    spikes = simulator.run(xs, learn=False)
    for c in connections(twin).values():
        if c.rule is not None:
            pre, post = (
                torch.stack([simulator.past(path, delays, t) for t in range(STEPS)])
                for path, delays in ((c.source, c.axon_delay), (c.target, c.dendrite_delay))
            )
            P.learn(c.rule, c.synapse, None, pre, post)
            if c.inhibitory:
                c.synapse.weight.data.clamp_(min=0)
    out, _ = net(xs.requires_grad_(graph))
    for path, each in spikes.items():
        close(out[path].detach(), each)
    for name, weight in weights(twin).items():
        close(weights(net)[name], weight)
        assert torch.equal(before[name], weight) == (connections(net)[name].rule is None), name


def test_chunks_of_a_long_run_learn_what_the_whole_does(monkeypatch):
    xs = stimulus(0)
    learned = []
    for rows in (1, 4096):
        monkeypatch.setattr("conex_nn.structure.engine._ROWS", rows)
        for when in ("step", "sequence"):
            net = network(3, when)
            net(xs)
            learned.append(weights(net))
    for name in learned[0]:
        close(learned[0][name], learned[2][name])
        close(learned[1][name], learned[3][name])


@pytest.mark.parametrize(
    "make",
    [
        P.STDP,
        P.ISTDP,
        P.TripletSTDP,
        P.ShiftSTDP,
        P.Clopath,
        P.Oja,
        lambda: P.BCM(rate=0.01, target=0.1, tau_theta=20.0, tau=5.0),
        lambda: P.chain(P.STDP(), P.Soft(0, 1), P.Modulated("reward", tau=30.0)),
        lambda: P.chain(P.STDP(), P.LearningRate(lambda sequences: 0.5**sequences)),
    ],
)
def test_blocks_of_time_learn_what_the_whole_does(make, monkeypatch):
    xs, reward, learned = stimulus(0), torch.randn(STEPS), []
    for block in (1 << 22, 100, 11):
        monkeypatch.setattr("conex_nn.structure.sequences._BLOCK", block)
        torch.manual_seed(0)
        net = cx.Neocortex(retina=cx.InputLayer(6), a=cx.Population(5, cx.LIF(tau_mem=4.0, resistance=4.0)))
        delays = {"axon_delay": torch.arange(6) % 3, "dendrite_delay": torch.arange(5) % 2}
        net.connect("retina", "a", cx.Dense, init=drawn(0, 1), rule=make(), when="sequence", **delays)
        before, state = weights(net.double())["retina_sensory_to_a"], None
        for begin in (0, 12):
            given = dict.fromkeys(net_rule(net).modulators(), reward[begin : begin + 12])
            _, state = net(xs[begin : begin + 12], state, modulators=given)
        learned.append(weights(net)["retina_sensory_to_a"])
        assert not torch.equal(learned[-1], before)
    close(learned[1], learned[0])
    close(learned[2], learned[0])


def net_rule(net):
    return connections(net)["retina_sensory_to_a"].rule


@pytest.mark.parametrize("when", ["step", "sequence"])
def test_nothing_is_learned_in_eval(when):
    net = network(0, when).eval()
    before, xs = weights(net), stimulus(0)
    _, state = net(xs)
    assert all(torch.equal(weight, before[name]) for name, weight in weights(net).items())
    net.train()
    net(xs, state)
    assert not torch.equal(weights(net)["retina_sensory_to_a"], before["retina_sensory_to_a"])


@pytest.mark.parametrize("when", ["step", "sequence"])
def test_a_rule_can_be_switched_off(when):
    net = network(0, when)
    assert net.switch("*retina_sensory_to_a.rule", on=False)
    before = weights(net)
    net(stimulus(0))
    changed = {name for name, weight in weights(net).items() if not torch.equal(weight, before[name])}
    assert changed == {"a_to_b", "b_to_a", "i_to_a"}
    assert "(off)" in repr(net)
    net.switch(cx.STDP, on=True)
    net(stimulus(0))
    assert not torch.equal(weights(net)["retina_sensory_to_a"], before["retina_sensory_to_a"])


def rewarded(rule):
    links = list(rule.links) if isinstance(rule, P.Chain) else [rule]
    at = next((i for i, link in enumerate(links) if isinstance(link, P.Normalise | P.Clip)), len(links))
    return P.chain(*links[:at], P.Modulated("reward"), *links[at:])


def test_modulators_of_each_step():
    net, twin = network(1, wrap=rewarded), network(1, wrap=rewarded)
    reward, xs = torch.randn(STEPS, BATCH).double(), stimulus(1)
    Simulator(twin, {"reward": reward}).run(xs)
    net(xs, modulators={"reward": reward})
    for name, weight in weights(twin).items():
        close(weights(net)[name], weight)
    with pytest.raises(ValueError, match=r"`modulators=\{'reward': 1.0\}`, .* in `net.eval\(\)`"):
        net(xs)
    net.eval()(xs)  # frozen, it needs none


def test_modulators_that_come_later():
    net, twin = network(1, "sequence", wrap=rewarded), network(1, "sequence", wrap=rewarded)
    reward, xs = torch.randn(STEPS, BATCH).double(), stimulus(1)
    before = weights(net)
    net(xs, modulators={"reward": reward})
    twin(xs)
    assert (twin.waits_for(), net.waits_for()) == (["reward"], [])
    assert all(torch.equal(weight, before[name]) for name, weight in weights(twin).items())
    with pytest.raises(ValueError, match=r"'rewrd'|none called reward"):
        twin.learn(rewrd=reward)
    twin.learn(reward=reward)
    for name, weight in weights(net).items():
        close(weights(twin)[name], weight)
    assert not torch.equal(weights(net)["retina_sensory_to_a"], before["retina_sensory_to_a"])
    with pytest.raises(RuntimeError, match="none"):
        twin.learn(reward=reward)


@pytest.mark.parametrize(
    ("modulators", "message"),
    [({"dopamin": 1.0}, "Did you mean"), ({"dopamine": torch.ones(3)}, "24 steps"), ({"x": 1.0}, "dopamine")],
)
def test_modulators_are_checked(modulators, message):
    net = cx.Neocortex(retina=cx.InputLayer(6), a=cx.Population(2, cx.LIF())).double()
    net.connect("retina", "a", cx.Dense, rule=cx.RSTDP()).double()
    with pytest.raises(ValueError, match=message):
        net(stimulus(0), modulators=modulators)


def test_each_connection_of_a_group_has_its_own_rule():
    net = cx.Neocortex(
        retina=cx.InputLayer(4), v1=cx.CorticalLayer(a=cx.Population(2, cx.LIF()), b=cx.Population(3, cx.LIF()))
    )
    synapsis = net.connect("retina", "v1", cx.Dense, rule=cx.STDP())
    assert len({id(c.rule) for c in synapsis}) == 2


@pytest.mark.parametrize("when", ["step", "sequence"])
def test_a_saved_network_learns_on(tmp_path, when):
    net = network(0, when)
    net(stimulus(0))
    net.save(tmp_path / "net")
    loaded = cx.load(tmp_path / "net")
    assert repr(loaded) == repr(net)
    for each in (net, loaded):
        each(stimulus(1))
    for name, weight in weights(net).items():
        assert torch.equal(weights(loaded)[name], weight)


def test_a_rule_that_reads_potentials():
    net = cx.Neocortex(retina=cx.InputLayer(6), a=cx.Population(2, cx.LIF(tau_mem=4.0, resistance=4.0))).double()
    options = {"a_plus": 0.1, "theta_minus": 0.0, "theta_plus": 0.4}
    learned = []
    for when in ("sequence", "step"):
        torch.manual_seed(0)
        net = cx.Neocortex(retina=cx.InputLayer(6), a=cx.Population(2, cx.LIF(tau_mem=4.0, resistance=4.0))).double()
        net.connect("retina", "a", cx.Dense, init=drawn(0, 1), rule=P.Clopath(**options), when=when).double()
        before, xs = weights(net)["retina_sensory_to_a"], stimulus(0, steps=1 if when == "step" else STEPS)
        with net.record("a", "v", "spikes") as recording:
            net(xs)
        learned.append(weights(net)["retina_sensory_to_a"] - before)
        twin = cx.Dense(6, 2, weight=before).double()
        expected, _ = P.Clopath(**options).update(twin, None, xs, recording["spikes"], v=recording["v"])
        close(learned[-1], expected)
    assert learned[0].any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rule": cx.STDP}, TypeError, "such as STDP"),
        ({"when": "step"}, ValueError, "Expected a `rule`"),
        ({"rule": cx.STDP(), "when": "often"}, ValueError, "`when`"),
        ({"rule": cx.STDP(), "into": "bias"}, ValueError, "`into`"),
        ({"rule": cx.STDP(), "into": "grad", "when": "step"}, ValueError, "sequence"),
        ({"rule": cx.STDP(), "into": "grad", "gradient": False}, ValueError, "trained"),
        ({"rule": P.chain(cx.STDP(), P.Soft(0, 1e-9))}, ValueError, "w_max"),
    ],
)
def test_rules_that_do_not_fit(options, error, message):
    net = cx.Neocortex(retina=cx.InputLayer(6), a=cx.Population(2, cx.LIF()))
    with pytest.raises(error, match=message):
        net.connect("retina", "a", cx.Dense, **options)


def test_a_rule_on_a_pool():
    net = cx.Neocortex(retina=cx.InputLayer(1, 4, 4), a=cx.Population((1, 2, 2), cx.LIF()))
    with pytest.raises(TypeError, match="weight"):
        net.connect("retina", "a", cx.AvgPool2d, rule=cx.STDP())


def test_the_state_is_plain_tensors():
    _, state = network(0)(stimulus(0))
    assert all(leaf is None or isinstance(leaf, torch.Tensor) for leaf in tree_leaves(state))
