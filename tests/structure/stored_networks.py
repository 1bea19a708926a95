"""Networks with everything in them that can be saved, for the tests of saving, loading and replicating."""

import json
from functools import partial

import torch
from torch import nn

import conex_nn as cx
from conex_nn.structure.structure_files import STRUCTURE


@cx.register("tests.rate")
def rate(v, spikes):
    return spikes


@cx.register("tests.Leash")
class Leash(cx.Behavior):
    def __init__(self, v_min):
        super().__init__()
        self.v_min = v_min

    def membrane(self, v, state, neuron, *, dt):
        return v.clamp(min=self.v_min), state


@cx.register("tests.Shift")
class Shift(cx.Synapse):
    """A user's synapse with arguments of its own."""

    def __init__(self, n, by=1):
        super().__init__(n, n)
        self.n, self.by = n, by
        self.weight = nn.Parameter(torch.rand(n))

    def forward(self, spikes):
        return spikes.roll(self.by, -1) * self.weight


def layer():
    exc = cx.Population(
        (2, 4, 4),
        cx.LIF(tau_mem=5.0, v_threshold=0.8),
        dendrite=cx.Dendrite(tau_syn={"proximal": 3.0, "apical": 5.0}),
        winners=cx.KWinners(6),
        voltage_homeostasis=cx.VoltageHomeostasis(v_max=1.0, v_min=-1.0, rate=0.01),
        activity_homeostasis=cx.ActivityHomeostasis(
            activity_rate=2.0, window_size=6.0, updating_rate=0.05, decay_rate=0.9
        ),
        tags=["exc"],
    )
    inh = cx.Population(
        9, cx.LIF(tau_mem=torch.linspace(2, 4, 9), spike_fn=cx.surrogate.fast_sigmoid(10.0)), inhibitory=True
    )
    made = cx.CorticalLayer(exc=exc, inh=inh, tags=["layer"])
    uniform = partial(nn.init.uniform_, a=0.0, b=0.5)
    made.connect("exc", "inh", cx.Dense, init=uniform, axon_delay=torch.arange(32).reshape(2, 4, 4) % 3)
    made.connect("inh", "exc", cx.Sparse, in_degree=4, init=uniform, delay=2, latency=2)
    made.connect(
        "exc", "exc", cx.Lateral, kernel_size=(1, 3, 3), centre=False, compartment="distal", gain=0.5, tags=["lateral"]
    )
    made.connect("inh", "inh", cx.Dense, self_connections=False, dendrite_delay=1)
    return made.port("input", "exc").port("all", "exc", "inh")


def column():
    made = cx.CorticalColumn(l4=layer(), l23=layer())
    made.connect("l4.exc", "l23.exc", cx.OneToOne, init=partial(nn.init.constant_, val=0.4))
    edges = torch.arange(16) % 8, torch.arange(16)
    made.connect("l23.exc", "l4.exc", cx.Sparse, edges=edges, delay=torch.arange(16) % 3, compartment="apical")
    return made.port("input", "l4.input")


def other_neurons():
    """One population of each other model and behavior."""
    slow = nn.Parameter(torch.linspace(5.0, 9.0, 6))
    return cx.Container({
        "elif_": cx.Population(6, cx.ELIF(tau_mem=slow, v_reset=nn.Parameter(torch.tensor(-0.1)))),
        "aelif": cx.Population(6, cx.AELIF(tau_w=[50.0, 200.0], b=torch.rand(2, 6) * 0.2)),
        "if_": cx.Population((6,), cx.IF(refractory_time=2.0), behaviors=[Leash(-1.0)], winners=cx.KWinners(2, axis=0)),
        "izhikevich": cx.Population(
            6,
            cx.Izhikevich(),
            activity_homeostasis=cx.ActivityHomeostasis(activity_rate=1.0, window_size=9.0, updating_rate=0.1),
        ),
        "homeostatic": cx.Population(
            6,
            cx.LIF(v_threshold=torch.linspace(0.5, 1.0, 6)),
            noise=cx.Noise(0.1, draw=torch.rand_like),
            behaviors={"slow": cx.Homeostasis("v_threshold", rate, low=float("-inf"), high=0.1, rate=0.05)},
        ),
        "adaptive": cx.Population(
            6,
            cx.LIF(v_threshold=0.7),
            winners=cx.KWinners(1),
            behaviors={"threshold": cx.AdaptiveThreshold(increment=torch.linspace(0.01, 0.02, 6), tau=500.0)},
        ),
        "shifted": cx.Population(6, cx.LIF(), dendrite=cx.Dendrite({"soma": cx.Drive(), "tuft": cx.Pull(0.5)})),
        "out": cx.OutputLayer(representation=cx.Population(6, cx.LI(tau_mem=4.0))),
    })  # fmt: skip


def network():
    """Two columns, an input layer with a location, and one of every synapse, neuron, behavior and delay."""
    net = cx.Neocortex(retina=cx.InputLayer(1, 8, 8, location=6), v1=column(), v2=column(), zoo=other_neurons(), dt=0.5)
    strong = partial(nn.init.uniform_, a=0.0, b=1.5)
    net.connect("retina", "v1.input", cx.Conv2d, kernel_size=5, init=strong, name="filters")
    net.connect("retina", "v2.input", cx.Local2d, kernel_size=5, init=strong, latency=0)
    net.connect("v1.l23.exc", "v2.l4.exc", cx.Dense, mask=cx.synapses.masks.circle(1.5), init=strong)
    net.connect("v2.l23", "v1.l23.inh", cx.Dense, compartment="apical", latency=3)
    net.connect("v1.l4.exc", "v2.l23.exc", cx.AvgPool2d)
    strong = partial(nn.init.uniform_, a=10.0, b=30.0)
    for path in net["zoo"].populations():
        compartment = "soma" if path == "shifted" else "proximal"
        net.connect("retina.location", f"zoo.{path}", cx.Dense, init=strong, compartment=compartment)
    net.connect("zoo.shifted", "zoo.shifted", Shift(6, by=2), compartment="tuft")
    net.find(cx.Connection)["connections.filters.retina_sensory_to_v1_l4_exc"].synapse.weight.requires_grad_(False)
    net.switch("zoo.homeostatic.noise", on=False)
    net["zoo.if_.behaviors.0"].tags = ("leash",)
    return net


def inputs(steps=40, batch=3):
    return {"retina": (torch.rand(steps, batch, 1, 8, 8) < 0.3).float(), "retina.location": torch.rand(steps, batch, 6)}


def edit(folder, change):
    """Change the JSON as a user with an editor would."""
    file = folder / STRUCTURE
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def small_network(folder):
    """Save a network with one dense connection, and return where."""
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(3, cx.LIF(), winners=cx.KWinners(2)))
    net.connect("retina", "v1", cx.Dense, init=nn.init.ones_)
    net.save(folder / "net")
    return folder / "net"


def connection(content):
    """Return the connection of the small network in its JSON."""
    return content["part"]["connections"]["retina_to_v1"]["connections"]["retina_sensory_to_v1"]
