"""Connections that learn by rules while a network runs, against a simulator that knows one step at a time."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn import plasticity as P  # noqa: N812
from conex_nn.structure import Connection

STEPS, BATCH = 24, 3
close = partial(assert_close, rtol=0, atol=1e-10)


def drawn(low: float, high: float):
    return partial(nn.init.uniform_, a=low, b=high)


def network(seed: int, when: str = "step", *, wrap=lambda rule: rule, latency: int = 2) -> cx.Neocortex:
    """Two layers that learn: from the input, on to the next, and back, with delays, bounds and constraints."""
    torch.manual_seed(seed)
    cells = partial(cx.LIF, tau_mem=4.0, resistance=4.0)
    net = cx.Neocortex(
        retina=cx.InputLayer(6),
        a=cx.Population(5, cells(), winners=cx.KWinners(2)),
        i=cx.Population(2, cells(), inhibitory=True),
        b=cx.Population(4, cells()),
    )
    up = wrap(P.chain(P.STDP(a_plus=0.05, a_minus=0.03, tau_plus=5.0), P.Soft(0, 1), P.Normalise(2.5), P.Clip(0, 1)))
    net.connect("retina", "a", cx.Dense, init=drawn(0, 1), rule=up, when=when, axon_delay=torch.arange(6) % 3)
    net.connect(
        "a", "b", cx.Sparse, in_degree=3, init=drawn(0, 1), when=when, dendrite_delay=torch.arange(4) % 2,
        rule=wrap(P.chain(P.STDP(a_plus=0.1, nearest=True), P.Normalise(3.0, at="sequence"), P.Clip(0, 2))),
    )  # fmt: skip
    net.connect("b", "a", cx.Dense, init=drawn(0, 0.2), rule=wrap(P.Oja(rate=0.01)), when=when, latency=latency)
    net.connect("a", "i", cx.Dense, init=drawn(0, 1))
    net.connect("i", "a", cx.Dense, init=drawn(0, 1), rule=wrap(P.ISTDP(rate=0.02, rho=0.05)), when=when)
    return net.double()


def stimulus(seed: int, steps: int = STEPS, batch: int = BATCH) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + 100)
    return (torch.rand(steps, batch, 6, generator=generator) < 0.35).double()


def connections(net: cx.Neocortex) -> dict[str, Connection]:
    return {path.split(".")[-1]: c for path, c in net.all_connections().items()}


def weights(net: cx.Neocortex) -> dict[str, torch.Tensor]:
    return {name: c.synapse.weight.detach().clone() for name, c in connections(net).items()}


class Simulator:
    """One step at a time, with a queue of all spikes ever sent; it shares nothing with the engine but the models."""

    def __init__(self, net: cx.Neocortex, modulators=None):
        self.net, self.modulators = net, modulators or {}
        self.sent: dict[str, list[torch.Tensor]] = {path: [] for path in net.populations()}
        self.states = {}
        self.rules = {}
        self.lines: dict[int, list[torch.Tensor]] = {}

    def past(self, path: str, delays: torch.Tensor, t: int) -> torch.Tensor:
        shape = self.net.populations()[path].shape
        delays = torch.as_tensor(delays).expand(shape).flatten()
        columns = [
            self.sent[path][t - int(d)][:, n] if t >= int(d) else torch.zeros(BATCH).double()
            for n, d in enumerate(delays)
        ]
        return torch.stack(columns, 1)

    def run(self, xs: torch.Tensor, *, learn: bool = True):
        paths = [p for p in self.net.populations() if p != "retina.sensory"]
        for t, x in enumerate(xs):
            self.sent["retina.sensory"].append(x)
            spikes = {}
            for path in paths:
                population = self.net[path]
                currents = x.new_zeros(len(x), *population.shape)
                for c in connections(self.net).values():
                    if c.target == path:
                        currents = currents + self.current(c, t)
                state = self.states.get(path) or population.initial_state(currents, ["proximal"])
                spikes[path], self.states[path] = population.step({"proximal": currents}, state)
            for path in paths:
                self.sent[path].append(spikes[path])
            if learn:
                for name, c in connections(self.net).items():
                    if c.rule is not None:
                        self.learn(name, c, t, last=t == len(xs) - 1)
        return {path: torch.stack(self.sent[path]) for path in paths}

    def current(self, c: Connection, t: int) -> torch.Tensor:
        source = self.net.populations()[c.source]
        delays = torch.as_tensor(c.axon_delay).expand(source.shape) + c.latency
        line = self.lines.setdefault(id(c), [])  # what went through the synapse at each step, with its weight then
        line.append(c.synapse(self.past(c.source, delays, t)).detach())
        dendrite = torch.as_tensor(c.dendrite_delay).expand(c.synapse.target_shape)
        arrived = torch.zeros_like(line[0])
        for d in dendrite.unique():
            current = line[t - d] if t >= d else torch.zeros_like(line[0])
            arrived = torch.where(dendrite == d, current, arrived)
        return -arrived if c.inhibitory else arrived

    def learn(self, name: str, c: Connection, t: int, *, last: bool) -> None:
        pre, post = self.past(c.source, c.axon_delay, t), self.past(c.target, c.dendrite_delay, t)
        signals = {k: v[t] for k, v in self.modulators.items()}
        self.rules[name] = P.learn_step(c.rule, c.synapse, self.rules.get(name), pre, post, signals, last=last)
        if c.inhibitory:
            c.synapse.weight.data.clamp_(min=0)


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
    with pytest.raises(ValueError, match=r"(?s)modulators.*reward.*net\(x, modulators"):
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


def hybrid(seed: int, when: str = "sequence", **options) -> cx.Neocortex:
    torch.manual_seed(seed)
    net = cx.Neocortex(
        retina=cx.InputLayer(6),
        a=cx.Population(5, cx.LIF(tau_mem=4.0, resistance=4.0)),
        b=cx.Population(4, cx.LIF(tau_mem=4.0, resistance=4.0)),
        out=cx.Population(2, cx.LI()),
    )
    net.connect("retina", "a", cx.Dense, init=drawn(0, 0.8))
    net.connect("a", "b", cx.Dense, init=drawn(0, 0.8), rule=cx.STDP(a_plus=0.05), when=when, **options)
    net.connect("b", "out", cx.Dense)
    return net.double()


def test_gradients_pass_through_the_weights_in_force():
    """What a rule does to a weight while or after the graph is made does not change the gradients of that graph."""
    xs, frozen, learning = stimulus(0), hybrid(0).eval(), hybrid(0)
    for net in (frozen, learning):
        net(xs)[0]["out"].square().sum().backward()
    before = connections(frozen)["a_to_b"].synapse.weight
    assert not torch.equal(connections(learning)["a_to_b"].synapse.weight, before)
    for mine, theirs in zip(learning.parameters(), frozen.parameters(), strict=True):
        assert (mine.grad is None) == (theirs.grad is None)
        if mine.grad is not None:
            assert mine.grad.any()
            close(mine.grad, theirs.grad)


def test_gradients_pass_through_the_weights_of_each_step():
    """The gradient of a weight that changes at every step is that of a shift of its whole course."""
    xs, net = stimulus(0), hybrid(0, "step", gradient=True)
    out, _ = net(xs)
    out["out"].square().sum().backward()
    course, state = [], None
    twin = hybrid(0, "step", gradient=True)
    with torch.no_grad():
        for x in xs.split(1):
            course.append(connections(twin)["a_to_b"].synapse.weight.clone())
            _, state = twin(x, state)
    still = hybrid(0, "step", gradient=True).eval()
    weight = connections(still)["a_to_b"].synapse.weight
    ys, state = [], None
    shifts = torch.zeros(STEPS, *weight.shape, dtype=torch.float64, requires_grad=True)
    for t, x in enumerate(xs.split(1)):
        y, state = torch.func.functional_call(
            still, {"connections.a_to_b.a_to_b.synapse.weight": course[t] + shifts[t]}, (x, state)
        )
        ys.append(y["out"])
    torch.cat(ys).square().sum().backward()
    assert shifts.grad is not None
    assert shifts.grad.any()
    close(connections(net)["a_to_b"].synapse.weight.grad, shifts.grad.sum(0))


def test_into_the_gradient_an_optimizer_follows_the_rule():
    xs = stimulus(0)
    direct, through = hybrid(0), hybrid(0, into="grad")
    assert connections(through)["a_to_b"].synapse.weight.requires_grad
    assert not connections(direct)["a_to_b"].synapse.weight.requires_grad
    before = weights(direct)["a_to_b"]
    direct(xs)
    change = weights(direct)["a_to_b"] - before
    optimizer = torch.optim.SGD(through.parameters(), lr=1.0)
    out, _ = through(xs)
    optimizer.zero_grad()  # as Lightning does, between the forward pass and the backward pass
    (0.0 * out["out"]).sum().backward()
    close(connections(through)["a_to_b"].synapse.weight.grad, -change)
    optimizer.step()
    close(weights(through)["a_to_b"] - before, change)
    through(xs)  # without a loss: when an optimizer makes its step
    optimizer.zero_grad()
    optimizer.step()
    assert not torch.equal(weights(through)["a_to_b"] - before, change)


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


def test_checkpointing_of_what_learns():
    with pytest.raises(ValueError, match="rule"):
        hybrid(0)(stimulus(0), checkpoint_every=5)


def test_pickled_and_copied_networks_learn():
    import copy
    import pickle

    net = hybrid(0, into="grad")
    net(stimulus(0))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        twin(stimulus(0))


def test_the_state_is_plain_tensors():
    _, state = network(0)(stimulus(0))
    assert all(leaf is None or isinstance(leaf, torch.Tensor) for leaf in tree_leaves(state))
