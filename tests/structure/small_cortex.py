"""A small network with a little of everything, to be recorded."""

import torch
from torch import nn

import conex_nn as cx

XS = 4 * torch.rand(23, 3, 6, generator=torch.Generator().manual_seed(0)).round()


class Count(cx.Behavior):
    """Counts its steps, in fast state and in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))

    def initial_state(self, x):
        return {"steps": torch.zeros_like(x)}

    def spikes(self, spikes, state, neuron, *, dt):
        self.total = self.total + 1
        return spikes, {"steps": state["steps"] + 1}


def cortex(*, loops=True, latency=1, plain=False):
    """A layer of a grid and a row, driven by six inputs."""
    torch.manual_seed(1)
    options = {} if plain else {
        "dendrite": cx.Dendrite(tau_syn={"proximal": 3.0}),
        "activity_homeostasis": cx.ActivityHomeostasis(activity_rate=1.0, window_size=5.0, updating_rate=0.1),
        "behaviors": {"count": Count()},
    }  # fmt: skip
    inhibitory = cx.LIF(tau_mem=3.0) if plain else cx.AELIF(tau_w=[20.0, 50.0])
    layer = cx.CorticalLayer(
        exc=cx.Population((2, 2, 2), cx.LIF(tau_mem=5.0), **options),
        inh=cx.Population(3, inhibitory, inhibitory=True, tags=["shy"]),
    ).port("input", "exc")
    net = cx.Neocortex(eye=cx.InputLayer(6), v1=layer)

    def positive(weight):
        nn.init.uniform_(weight, 0.0, 1.0)

    net.connect("eye", "v1.input", cx.Dense, init=positive)
    net.connect("v1.exc", "v1.inh", cx.Dense, init=positive, gain=2.0, latency=latency, name="up")
    if loops:
        net.connect("v1.inh", "v1.exc", cx.Dense, init=positive, latency=latency, name="down")
    return net


UP, DOWN = "connections.up.v1_exc_to_v1_inh", "connections.down.v1_inh_to_v1_exc"


def hooks(net):
    modules = list(net.modules())
    return (
        sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)
        + len(net._observers)
        + len(net._listeners)
        + len(net._spike_listeners)
        + len(net._starters)
    )
