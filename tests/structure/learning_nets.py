"""Networks whose connections learn, and a simulator of them that knows one step at a time."""

from functools import partial

import torch
from torch import nn
from torch.testing import assert_close

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
