"""Where input enters and where results are read."""

import pytest
import torch

import conex_nn as cx


def test_an_input_layer_stands_for_what_is_sensed():
    net = cx.Neocortex(eye=cx.InputLayer(1, 4, 4, location=(2, 2)), a=cx.Population(3, cx.LIF()))
    assert net.connect("eye", "a", cx.Dense).only.source == "eye.sensory"
    assert net.connect("eye.location", "a", cx.Dense).only.source == "eye.location"
    assert list(net.find("location")) == ["eye.location"]
    with pytest.raises(ValueError, match=r"Expected the shape of what is sensed .*`InputLayer\(1, 28, 28\)`, got none"):
        cx.InputLayer()
    with pytest.raises(ValueError, match="Expected `shape` to be positive whole numbers"):
        cx.InputLayer(1, 0)


def test_an_output_layer_stands_for_what_was_recognised():
    out = cx.OutputLayer(representation=cx.Population(4, cx.LIF()), motor=cx.Population(2, cx.LIF()))
    net = cx.Neocortex(eye=cx.InputLayer(3), out=out)
    assert net.connect("eye", "out", cx.Dense).only.target == "out.representation"
    assert net.connect("out", "out.motor", cx.Dense).only.source == "out.representation"
    assert cx.OutputLayer(motor=cx.Population(2, cx.LIF())).stands_for == ("motor",)
    with pytest.raises(ValueError, match="population for `representation` or `motor`, got neither"):
        cx.OutputLayer()


def test_what_is_sensed_passes_as_it_is():
    net = cx.Neocortex(eye=cx.InputLayer(3), a=cx.Population(3, cx.LI(tau_mem=1e-3)))
    net.connect("eye", "a", cx.OneToOne, init=torch.nn.init.ones_, latency=0)
    xs = torch.randn(5, 2, 3)  # currents are as good as spikes
    torch.testing.assert_close(net(xs)[0]["a"], xs)
