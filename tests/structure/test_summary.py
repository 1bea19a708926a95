"""What a network prints."""

import torch

import conex_nn as cx
from conex_nn.plasticity import Clip, chain


def test_populations_connections_shapes_and_counts():
    net = cx.Neocortex(
        retina=cx.InputLayer(1, 6, 6),
        v1=cx.CorticalLayer(
            exc=cx.Population((2, 4, 4), cx.LIF(), winners=cx.KWinners(3)),
            inh=cx.Population(1000, cx.LIF(), inhibitory=True),
        ),
    )
    net.v1.port("input", "exc", "inh")
    net.connect("retina", "v1.exc", cx.Conv2d, kernel_size=3)
    net.v1.connect("inh", "exc", cx.Dense, compartment="distal", latency=3, gain=0.5)
    net.v1.connect("exc", "exc", cx.Lateral, kernel_size=3).only.synapse.weight.requires_grad_(False)
    net.switch("v1.connections.exc_to_exc", on=False)
    text = repr(net)
    conv, dense = 2 * 1 * 3 * 3, 32 * 1000
    for line in (
        f"Neocortex  1,068 neurons, {conv + dense:,} trainable weights",
        "  retina: InputLayer",
        "    sensory: input 1x6x6",
        "  v1: CorticalLayer",
        "    exc: 2x4x4 x LIF, winners",
        "    inh: 1000 x LIF, inhibitory",
        "    port input = exc, inh",
        "    inh -> exc  Dense 1000 -> 2x4x4, distal, latency 3, 32,000 weights, inhibitory, gain 0.5",
        "    exc -> exc  Lateral 2x4x4 -> 2x4x4, proximal, latency 1, 27 weights, off",
        "  retina_sensory -> v1_exc  Conv2d 1x6x6 -> 2x4x4, proximal, latency 1, 18 weights",
    ):
        plain = line.replace("retina_sensory", "retina.sensory").replace("v1_exc", "v1.exc")
        assert line in text.splitlines() or plain in text.splitlines(), (line, text)
    assert str(net) == text
    assert "winners" in repr(net.v1)
    assert "retina" not in repr(net.v1)


def test_parts_of_it_print_too():
    net = cx.Neocortex(a=cx.Population(2, cx.LIF()))
    made = net.connect("a", "a", cx.Dense)
    assert "2" in repr(net.a)
    assert "LIF" in repr(net.a)
    assert "a -> a" in repr(made)
    assert repr(cx.CorticalLayer()).startswith("CorticalLayer  0 neurons, 0 trainable weights")


def test_the_docstring_names_addresses_that_exist():
    """What stands before and after an arrow can be given to `connect`, or comes close to it."""
    net = cx.Neocortex(eye=cx.InputLayer(3), v1=cx.CorticalLayer(exc=cx.Population(2, cx.LIF())))
    net.connect("eye", "v1.exc", cx.Dense)
    line = next(line for line in repr(net).splitlines() if "->" in line)
    source, target = line.split("  Dense")[0].strip().split(" -> ")
    assert source in net.populations()
    assert target in net.populations()


def test_delays_are_said():
    net = cx.Neocortex(eye=cx.InputLayer(3), a=cx.Population(3, cx.LIF()))
    net.connect("eye", "a", cx.OneToOne, axon_delay=torch.tensor([0, 4, 2]), dendrite_delay=2)
    assert "latency 1, 3 weights, axon_delay 0 to 4, dendrite_delay 2" in str(net)


def test_a_chain_in_a_chain_is_named_by_its_links():
    net = cx.Neocortex(retina=cx.InputLayer(2), v1=cx.Population(3, cx.LIF()))
    net.connect("retina", "v1", cx.Dense, rule=chain(cx.RSTDP(), Clip(0, 1)), init=torch.nn.init.uniform_)
    assert "learns by STDP -> Modulated -> Clip each sequence" in str(net)
