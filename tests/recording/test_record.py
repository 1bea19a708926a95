"""Recording changes nothing, keeps what was asked for, and leaves nothing behind."""

from functools import partial
from typing import NamedTuple

import pytest
import snntorch
import torch
from torch import Tensor, nn

import conex_nn as cx
from conex_nn.recording import record, spiking_layers


def network():
    return cx.Sequential(
        nn.Linear(4, 8), cx.LIF(tau_mem=5.0), cx.Sequential(nn.Linear(8, 6), cx.AELIF()), nn.Linear(6, 3), cx.LI()
    )


XS = 3 * torch.rand(12, 2, 4, generator=torch.Generator().manual_seed(0))


def hooks(net):
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


def test_spikes_outputs_and_states():
    net = network()
    expected, _ = net(XS)
    with record(net, "1", "4", variables=("output", "v")) as recording, record(net, "2.1") as inner:
        ys, state = net(XS)
    torch.testing.assert_close(ys, expected, rtol=0, atol=1e-6)
    assert list(recording) == ["1.output", "1.v", "4.output", "4.v"]
    torch.testing.assert_close(recording["4.output"], ys.detach(), rtol=0, atol=0)
    torch.testing.assert_close(recording["4.v"], ys.detach(), rtol=0, atol=0)
    torch.testing.assert_close(recording["1.v"][-1], state[1].v.detach(), rtol=0, atol=0)
    spikes, _ = net[1](net[0](XS))
    torch.testing.assert_close(recording["1.output"], spikes.detach(), rtol=0, atol=0)
    assert recording["1.v"].shape == (12, 2, 8)
    assert inner["2.1.spikes"].shape == (12, 2, 6)
    assert not any(values.requires_grad for values in recording.values())
    assert repr(inner) == "Recording(2.1.spikes)"


def test_recording_spikes_changes_no_bit():
    net = network()
    expected, _ = net(XS)
    with record(net, *spiking_layers(net)):
        ys, _ = net(XS)
    torch.testing.assert_close(ys, expected, rtol=0, atol=0)


def test_states_after_each_step_are_those_of_the_steps():
    neuron = cx.LIF(tau_mem=5.0)
    with record(neuron, "", variables=("v", "refractory")) as recording:
        neuron(XS)
    state = neuron.initial_state(XS[0])
    for step, x in enumerate(XS):
        _, state = neuron.step(x, state)
        torch.testing.assert_close(recording["v"][step], state.v)


def test_calls_are_joined_along_time():
    net = network()
    with record(net, "1", "0", variables=["output"]) as halves:
        _, state = net(XS[:5])
        net(XS[5:], state)
    with record(net, "1", "0", variables=["output"]) as whole:
        net(XS)
    for name in ("1.output", "0.output"):
        torch.testing.assert_close(halves[name], whole[name])


@pytest.mark.parametrize("options", [{"checkpoint_every": 5}, {"detach_every": 5}])
def test_blocks_of_time_are_recorded_once(options):
    net = network()
    with record(net, "1", variables=("spikes", "v")) as recording:
        ys, _ = net(XS, **options)
        ys.sum().backward()  # computes the steps again where they were checkpointed
    assert recording["1.spikes"].shape == recording["1.v"].shape == (12, 2, 8)


def test_a_checkpointed_neuron_is_recorded_once():
    neuron, xs = cx.LIF(tau_mem=5.0), XS.clone().requires_grad_()
    with record(neuron, "", variables=("spikes", "v")) as recording:
        for _ in range(2):
            ys, state = neuron(xs, checkpoint_every=5)
            ys.sum().backward()
    assert recording["spikes"].shape == recording["v"].shape == (24, 2, 4)
    torch.testing.assert_close(recording["v"][-1], state.v.detach())


def test_gradients_pass_where_asked_for():
    net = network()
    with record(net, "1", variables=("spikes", "v"), detach=False) as recording:
        net(XS)
    (recording["1.spikes"].sum() + recording["1.v"].sum()).backward()
    assert net[0].weight.grad.abs().sum() > 0


def test_hooks_are_gone_even_after_an_error():
    net = network()
    seen = []

    def stop(*_):
        seen.append(hooks(net) - 1)
        raise RuntimeError("stop")

    handle = net[3].register_forward_hook(stop)
    with pytest.raises(RuntimeError, match="stop"), record(net, "1", variables=("spikes", "v")):
        net(XS)
    handle.remove()
    assert seen == [2]
    assert hooks(net) == 0


def test_an_observer_of_the_callers_own_is_still_called():
    neuron, seen = cx.LIF(), []
    with record(neuron, "", variables=["v"]) as recording:
        neuron(XS, observe=lambda output, state: seen.append(state.v))
    torch.testing.assert_close(recording["v"], torch.stack(seen))


def test_snntorch_states_have_numbers():
    net = cx.Sequential(nn.Linear(4, 3), cx.FromSnnTorch(snntorch.Synaptic(alpha=0.9, beta=0.8)))
    with record(net, "1", variables=("0", "1")) as recording:
        _, state = net(XS)
    torch.testing.assert_close(recording["1.1"][-1], state[1][1].detach())
    with pytest.raises(ValueError, match="a state variable, got '7'"), record(net, "1", variables=["7"]):
        net(XS)


def test_which_modules_spike():
    class Silent(cx.Neuron):
        spiking = False

        class State(NamedTuple):
            v: Tensor

    net = cx.Sequential(cx.LIF(), cx.LI(), Silent(), nn.ReLU())
    assert list(spiking_layers(net)) == ["0"]


def cortex():
    v1 = cx.CorticalLayer(exc=cx.Population((2, 4), cx.LIF()), inh=cx.Population(3, cx.LIF(), inhibitory=True))
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=v1, out=cx.Population(3, cx.LI()))
    for source, target in (("retina", "v1.exc"), ("v1.exc", "v1.inh"), ("v1.inh", "v1.exc"), ("v1.exc", "out")):
        net.connect(source, target, cx.Dense, init=partial(nn.init.uniform_, a=0.0, b=1.0))
    return net


def test_populations():
    net = cortex()
    assert list(spiking_layers(net)) == ["v1.exc", "v1.inh"]
    assert list(spiking_layers(net["v1.exc"])) == [""]
    with record(net, "v1.exc", "retina.sensory") as spikes, record(net, "out", variables="output") as out:
        ys, _ = net(XS)
    torch.testing.assert_close(spikes["v1.exc.spikes"], ys["v1.exc"].detach(), rtol=0, atol=0)
    torch.testing.assert_close(spikes["retina.sensory.spikes"], XS, rtol=0, atol=0)
    torch.testing.assert_close(out["output"], ys["out"].detach(), rtol=0, atol=0)
    assert hooks(net) == 0


@pytest.mark.parametrize(
    ("address", "variable", "message"),
    [
        ("v1.exc", "v", r"got 'v'\. .*`net.record\(...\)` sees the state of populations"),
        ("out", "spikes", "got 'spikes'"),
        ("v1.exk", "spikes", "Did you mean 'v1.exc'"),
    ],
)
def test_unknown_names_of_populations(address, variable, message):
    with pytest.raises(ValueError, match=message), record(cortex(), address, variables=variable):
        pass


@pytest.mark.parametrize(
    ("addresses", "variables", "message"),
    [
        ((), ["v"], "at least one address"),
        (("1",), (), "at least one address and one variable"),
        (("2.2",), ["v"], r"the address of a module, got '2.2'. Did you mean .*'2.1'"),
        (("1",), ["refractry"], "a variable of '1' .LIF., got 'refractry'. Did you mean 'refractory'"),
        (("0",), ["spikes"], "a variable of '0' .Linear., got 'spikes'. There is 'output'."),
        (("4",), ["spikes"], "a variable of '4' .LI., got 'spikes'"),
    ],
)
def test_unknown_names(addresses, variables, message):
    with pytest.raises(ValueError, match=message), record(network(), *addresses, variables=variables):
        pass


def test_reading_what_was_not_recorded():
    net = network()
    with record(net, "1") as recording:
        pass
    with pytest.raises(RuntimeError, match=r"'1\.spikes' to have been recorded, got nothing"):
        recording["1.spikes"]
    with pytest.raises(KeyError, match=r"got '1\.spike'\. Did you mean '1\.spikes'"):
        recording["1.spike"]
    with record(net, "1") as recording:
        net(XS)
        net(XS[:, :1])
    with pytest.raises(RuntimeError, match=r"differ in time only, got \(12, 2, 8\), \(12, 1, 8\)"):
        recording["1.spikes"]
