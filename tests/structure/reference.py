"""What the tests of the engine share: random networks, and a simulator that takes one step at a time."""

import random
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils._pytree import tree_map_only

import conex_nn as cx


@dataclass
class Wire:
    """A connection, as the test made it: nothing here is read from the package."""

    source: str
    target: str
    synapse: nn.Module
    compartment: str = "proximal"
    latency: int = 1
    axon: int | Tensor = 0
    dendrite: int | Tensor = 0
    edge_delay: Tensor | None = None
    gain: float = 1.0
    inhibitory: bool = False

    def delays(self) -> tuple[Tensor, Tensor]:
        """Delay of each source neuron and of each target neuron."""
        source, target = self.synapse.source_shape, self.synapse.target_shape
        return torch.as_tensor(self.axon).expand(source), torch.as_tensor(self.dendrite).expand(target)

    def soonest(self) -> int:
        """Delay of the first spike to arrive."""
        least = 0 if self.edge_delay is None else int(self.edge_delay.min())
        return self.latency + least + sum(int(d.min()) for d in self.delays())

    def current(self, history: list[Tensor], t: int, silence: Tensor, since: int = 0) -> Tensor:
        """What arrives at step t of all that was sent; currents already in the dendrite at step `since` are constants.

        The part of the dendrite's delay that all neurons share is waited for as spikes, the rest as currents.
        """
        axon, dendrite = self.delays()

        def sent(ago: int) -> Tensor:
            return history[t - ago] if t >= ago else silence

        if self.edge_delay is not None:
            return self._by_edge(sent, axon.flatten(), dendrite.flatten(), silence, t - since)
        total: Tensor | float = 0.0
        for a in axon.unique().tolist():
            for d in dendrite.unique().tolist():
                spikes = sent(self.latency + a + d) * (axon == a)
                current = self._through(spikes) * (dendrite == d)
                total = total + (current if t - (d - int(dendrite.min())) >= since else current.detach())
        return total  # pyright: ignore[reportReturnType]

    def _through(self, spikes: Tensor) -> Tensor:
        weight = getattr(self.synapse, "weight", None)
        if not self.inhibitory:
            return self.gain * self.synapse(spikes)
        if weight is None:
            return -self.gain * self.synapse(spikes)
        return -self.gain * functional_call(self.synapse, {"weight": weight.abs()}, (spikes,))

    def _by_edge(self, sent, axon: Tensor, dendrite: Tensor, silence: Tensor, live: int) -> Tensor:
        synapse = self.synapse
        source, target, late = synapse.source.long(), synapse.target.long(), self.edge_delay
        weight = -synapse.weight.abs() if self.inhibitory else synapse.weight
        late = self.latency + late + axon[source] + dendrite[target]
        batch = silence.shape[: silence.dim() - len(synapse.source_shape)]
        total = silence.new_zeros(*batch, synapse.target_shape.numel())
        within = (dendrite - dendrite.min())[target]
        for ago, inside in torch.stack([late, within]).unique(dim=1).T.tolist():
            here = (late == ago) & (within == inside)
            current = self.gain * weight[here] * sent(ago).reshape(*batch, -1)[..., source[here]]
            total = total.index_add(-1, target[here], current if inside <= live else current.detach())
        return total.reshape(*batch, *synapse.target_shape)


@dataclass
class Model:
    """A network, and all that the simulator has to know of it."""

    net: cx.Neocortex
    wires: list[Wire] = field(default_factory=list)
    inputs: dict[str, torch.Size] = field(default_factory=dict)

    def wire(self, source: str, target: str, synapse: nn.Module, **options) -> Wire:
        """Connect in the network, and note it for the simulator."""
        wire = Wire(source, target, synapse, **options)
        self.wires.append(wire)
        weight = getattr(synapse, "weight", None)
        if wire.inhibitory and weight is not None:
            weight.detach().abs_()
        self.net.connect(
            source, target, synapse, compartment=wire.compartment, latency=wire.latency, axon_delay=wire.axon,
            dendrite_delay=wire.dendrite, gain=wire.gain,
        )  # fmt: skip
        if wire.inhibitory and weight is not None:  # as an optimizer may leave them
            weight.detach().mul_(torch.where(torch.rand(weight.shape) < 0.3, -1.0, 1.0))
        return wire

    def populations(self) -> dict[str, cx.Population]:
        """Of the network, without those through which input enters."""
        return {p: m for p, m in self.net.populations().items() if isinstance(m, cx.Population)}

    def simulate(self, inputs: dict[str, Tensor], *, detach_every: int | None = None) -> tuple[dict, dict]:
        """Take one step at a time; return spikes and the last states of all populations."""
        populations, steps = self.populations(), len(next(iter(inputs.values())))
        name, xs = next(iter(inputs.items()))
        batch = xs.shape[1 : xs.dim() - len(self.inputs[name])]
        shapes = {**self.inputs, **{p: m.shape for p, m in populations.items()}}
        silence = {p: xs.new_zeros(*batch, *shape) for p, shape in shapes.items()}
        states = {
            p: m.initial_state(silence[p], {w.compartment for w in self.wires if w.target == p})
            for p, m in populations.items()
        }
        outputs: dict[str, list[Tensor]] = {p: [] for p in populations}
        history: dict[str, list[Tensor]] = {p: [] for p in populations} | {p: list(xs) for p, xs in inputs.items()}
        since = 0
        for t in range(steps):
            if detach_every and t % detach_every == 0:
                since = t
                history = {p: [s.detach() for s in past[:t]] + past[t:] for p, past in history.items()}
                states = tree_map_only(Tensor, Tensor.detach, states)
            for p in self._order():
                arrivals: dict[str, Tensor] = {}
                for w in self.wires:
                    if w.target == p:
                        current = w.current(history[w.source], t, silence[w.source], since)
                        before = arrivals.get(w.compartment)
                        arrivals[w.compartment] = current if before is None else before + current
                spikes, states[p] = populations[p].step(arrivals or {"proximal": silence[p]}, states[p], dt=self.net.dt)
                history[p].append(spikes)
                outputs[p].append(spikes)
        return {p: torch.stack(ys) for p, ys in outputs.items()}, states

    def _order(self) -> list[str]:
        """Populations, each after those whose spikes reach it in the same step."""
        left, order = list(self.populations()), []
        while left:
            now = next(
                p for p in left if not any(w.target == p and w.source in left and w.soonest() == 0 for w in self.wires)
            )
            left.remove(now)
            order.append(now)
        return order


SHAPES = [(2, 4, 4), (2, 4, 4), (2, 2, 2), (32,), (8,)]


def _synapse(rng: random.Random, source: torch.Size, target: torch.Size) -> tuple[nn.Module, Tensor | None]:
    """Draw a synapse of any kind that fits, and its delays by edge."""
    n, edge_delay = source.numel() * target.numel(), None
    kinds = ["dense", "masked", "sparse", "delayed"]
    grids = len(source) == len(target) == 3
    if source.numel() == target.numel():
        kinds += ["one"] * 2
    if grids and source == target:
        kinds += ["lateral"] * 2
    if grids and source[1] >= target[1]:
        kinds += ["conv", "local"] * 2
    if grids and source[1] > target[1]:
        kinds += ["pool"] * 2
    kind = rng.choice(kinds)
    conv = {"kernel_size": 3, "padding": 1 if source[-1] == target[-1] else 0}
    if kind == "masked":
        return cx.Dense(source, target, mask=torch.rand(target.numel(), source.numel()) < 0.5), None
    if kind in ("sparse", "delayed"):
        edges = round(0.3 * n)
        edge_delay = torch.randint(0, 3, (edges,)) if kind == "delayed" else None
        synapse = cx.Sparse(source, target, density=0.3, delay=edge_delay)
        return synapse, edge_delay
    makers = {
        "dense": lambda: cx.Dense(source, target),
        "one": lambda: cx.OneToOne(source, target),
        "lateral": lambda: cx.Lateral(source, target, kernel_size=(1, 3, 1), centre=rng.random() < 0.5),
        "conv": lambda: cx.Conv2d(source, target, **conv),
        "local": lambda: cx.Local2d(source, target, **conv),
        "pool": lambda: cx.AvgPool2d(source, target),
    }
    return makers[kind](), None


def _population(rng: random.Random, shape: tuple[int, ...]) -> cx.Population:
    tau_mem: float | Tensor = 2 + 8 * torch.rand(shape)
    if rng.random() < 0.3:
        tau_mem = nn.Parameter(tau_mem)
    neuron = cx.LIF(
        tau_mem=tau_mem if rng.random() < 0.7 else 4.0,
        v_threshold=0.5 + torch.rand(shape) if rng.random() < 0.7 else 0.8,
        refractory_time=rng.choice([0.0, 0.0, 2.0]),
        soft_reset=rng.random() < 0.3,
        detach_reset=rng.random() < 0.7,
    )
    winners = rng.random()
    return cx.Population(
        shape,
        neuron,
        inhibitory=rng.random() < 0.3,
        dendrite=cx.Dendrite(tau_syn={"distal": 5.0, "proximal": rng.choice([None, 3.0])})
        if rng.random() < 0.4
        else None,
        winners=cx.KWinners(3) if winners < 0.2 else cx.KWinners(1, axis=0) if winners < 0.35 else None,
    )


def _delays(rng: random.Random, shape: torch.Size) -> int | Tensor:
    return rng.choice([0, 0, 1, 2, torch.randint(0, 3, shape), torch.randint(0, 2, shape[-1:])])


def random_model(seed: int, *, plain: bool = False) -> Model:
    """Draw a network with loops; a plain one has only what the event kernel knows."""
    rng = random.Random(seed)
    torch.manual_seed(seed)
    net = cx.Neocortex(retina=cx.InputLayer(2, 4, 4, location=3 if rng.random() < 0.3 else None))
    model = Model(net)
    model.inputs = {path: population.shape for path, population in net.populations().items()}
    names = []
    for i in range(rng.randint(2, 4)):
        shape = rng.choice(SHAPES)
        population = _plain_population(rng, shape) if plain else _population(rng, shape)
        if i % 2:
            net.add(f"l{i}", cx.CorticalLayer(p=population))
            names.append(f"l{i}.p")
        else:
            net.add(f"p{i}", population)
            names.append(f"p{i}")
    names = rng.sample(names, len(names))
    pairs = [(source, rng.choice(names)) for source in model.inputs]
    pairs += [(rng.choice(names), rng.choice(names)) for _ in range(rng.randint(3, 6))]
    pairs += [(names[0], names[1]), (names[1], names[0])] if seed % 4 else []
    populations = net.populations()
    for source, target in pairs:
        ends = populations[source].shape, populations[target].shape
        outside = source in model.inputs
        backward = not outside and names.index(source) >= names.index(target)
        options = {"latency": rng.randint(1 if backward else 0, 3), "gain": rng.choice([3.0, 6.0])}
        options["inhibitory"] = populations[source].inhibitory
        if plain:
            synapse, options["axon"], edge_delay = _plain_synapse(rng, *ends), rng.choice([0, 0, 1]), None
            options["dendrite"] = rng.choice([0, 0, 1])
        else:
            synapse, edge_delay = _synapse(rng, *ends)
            options["axon"], options["dendrite"] = _delays(rng, ends[0]), _delays(rng, ends[1])
            options["compartment"] = rng.choice(["proximal", "proximal", "distal", "apical"])
        if outside:
            options |= {"gain": 8.0, "compartment": "proximal"}
        if edge_delay is not None:  # sorted with the edges, as the synapse has them
            edge_delay = synapse.delay.clone().long()
        model.wire(source, target, synapse, edge_delay=edge_delay, **options)
    net.double().eval()
    return model


def _plain_population(rng: random.Random, shape: tuple[int, ...]) -> cx.Population:
    constants = {"v_threshold": 0.5 + torch.rand(shape)} if rng.random() < 0.5 else {"v_threshold": 0.8}
    constants |= {"refractory_time": rng.choice([0.0, 2.0]), "soft_reset": rng.random() < 0.3}
    neuron = cx.IF(**constants) if rng.random() < 0.2 else cx.LIF(tau_mem=2 + 8 * torch.rand(shape[-1:]), **constants)
    return cx.Population(shape, neuron, inhibitory=rng.random() < 0.3)


def _plain_synapse(rng: random.Random, source: torch.Size, target: torch.Size) -> nn.Module:
    if source.numel() == target.numel() and rng.random() < 0.4:
        return cx.OneToOne(source, target)
    kinds = [
        lambda: cx.Dense(source, target),
        lambda: cx.Dense(source, target, mask=torch.rand(target.numel(), source.numel()) < 0.5),
        lambda: cx.Sparse(source, target, density=0.3),
    ]
    return rng.choice(kinds)()


def random_inputs(model: Model, steps: int, batch: tuple[int, ...]) -> dict[str, Tensor]:
    """Draw spikes for every input population."""
    return {p: (torch.rand(steps, *batch, *shape) < 0.4).double() for p, shape in model.inputs.items()}
