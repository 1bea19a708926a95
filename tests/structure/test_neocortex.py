"""The whole network as a module: inputs, outputs, states, copies, dtypes, and what a change after a run does."""

import contextlib
import copy
import pickle

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.testing import check_module


def pop(n=3, **options):
    return cx.Population(n, cx.LIF(tau_mem=3.0), **options)


def build(**options):
    """A loop of excitation and inhibition that fires."""
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.CorticalLayer(exc=pop(5), inh=pop(2, inhibitory=True)), **options)
    net.connect("retina", "v1.exc", cx.Dense, init=nn.init.ones_, gain=3.0)
    net.v1.connect("exc", "inh", cx.Dense, init=nn.init.uniform_, gain=3.0)
    net.v1.connect("inh", "exc", cx.Dense, latency=2, axon_delay=torch.tensor([0, 1]))
    net.v1.connect("exc", "exc", cx.Sparse, density=0.5, compartment="distal", delay=torch.randint(0, 3, (12,)))
    return net


def same(got, expected, **tolerance):
    for mine, theirs in zip(tree_leaves(got), tree_leaves(expected), strict=True):
        assert_close(mine, theirs, **tolerance)


@pytest.fixture
def net():
    return build()


@pytest.fixture
def xs():
    return torch.rand(12, 3, 4)


class OneOutput(nn.Module):
    """A network with the signature that the battery knows."""

    def __init__(self, make=build):
        super().__init__()
        self.net = make()
        with contextlib.suppress(RuntimeError):  # delays on the meta device are unknown
            self.net.network()  # the graph is kept from the first call on

    def initial_state(self, x):
        return self.net.initial_state(x)

    def step(self, x, state, *, dt=1.0):
        ys, state = self(x[None], state, dt=dt)
        return ys[0], state

    def forward(self, xs, state=None, *, dt=1.0, detach_every=None, checkpoint_every=None):
        options = {"dt": dt, "detach_every": detach_every, "checkpoint_every": checkpoint_every}
        out, state = self.net(xs, state, outputs=["v1.exc"], **options)
        return out["v1.exc"], state


def dense():
    """A loop that the event kernel knows, and that can be on the meta device."""
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.CorticalLayer(exc=pop(5), inh=pop(2, inhibitory=True)))
    net.connect("retina", "v1.exc", cx.Dense, init=nn.init.ones_, gain=3.0)
    net.v1.connect("exc", "inh", cx.Dense, init=nn.init.uniform_, gain=3.0, latency=0)
    net.v1.connect("inh", "exc", cx.Dense, latency=2, dendrite_delay=1)
    return net


def test_the_battery():
    """Nothing is kept between calls, halves equal the whole, copies and state_dicts carry everything ..."""
    x = torch.rand(10, 3, 4)
    check_module(OneOutput, x, skip=("permutation", "meta"))
    check_module(lambda: OneOutput(dense), x, skip=("permutation",))


class NoGradient(OneOutput):
    """The same, by events or by steps."""

    def __init__(self, *, events):
        super().__init__(dense)
        self.net.by_events = events

    @torch.no_grad()
    def forward(self, xs, state=None, *, dt=1.0):
        return super().forward(xs, state, dt=dt)


@pytest.mark.parametrize("events", [True, False])
def test_the_battery_without_gradients(events):
    check_module(lambda: NoGradient(events=events), torch.rand(10, 3, 4), skip=("permutation", "gradient"))


def test_outputs(net, xs):
    net.v1.port("out", "exc")
    out, _ = net(xs)
    assert list(out) == ["v1.exc", "v1.inh"]
    assert out["v1.exc"].any()
    assert out["v1.inh"].any()
    assert list(net(xs, outputs=["v1.out"])[0]) == ["v1.exc"]
    assert list(net(xs, outputs=["v1"])[0]) == ["v1.exc", "v1.inh"]
    assert_close(net(xs, outputs=["retina"])[0]["retina.sensory"], xs)
    with pytest.raises(KeyError, match=r"no output of 'v1.ex' among v1.exc, v1.inh. Did you mean v1.exc.*outputs="):
        out["v1.ex"]
    with pytest.raises(
        ValueError, match=r"got 'v1.ex': there is no 'ex' in 'v1' among exc, inh, out. Did you mean exc"
    ):
        net(xs, outputs=["v1.ex"])


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        (torch.ones(5, 2, 3), ValueError, r"input of 'retina.sensory' of shape \(time, \*batch, 4\) .*got \(5, 2, 3\)"),
        (torch.ones(4), ValueError, r"at least one step, got \(4,\)"),
        (torch.ones(0, 2, 4), ValueError, r"at least one step, got \(0, 2, 4\)"),
        (
            torch.ones(5, 2, 4).long(),
            TypeError,
            r"input of 'retina.sensory' to be a floating tensor, got torch.int64. .*float",
        ),
        ({"retina": [1.0]}, TypeError, "floating tensor, got list"),
        (
            {"retna": torch.ones(5, 2, 4)},
            ValueError,
            r"`inputs` for retina.sensory, got one for 'retna'. Did you mean retina",
        ),
        ({}, ValueError, "Expected `inputs` for retina.sensory, got none for retina.sensory"),
    ],
)
def test_inputs_that_do_not_fit(net, inputs, error, match):
    with pytest.raises(error, match=match):
        net(inputs)


def test_several_inputs():
    net = cx.Neocortex(eye=cx.InputLayer(4, location=2), ear=cx.InputLayer(3), a=pop())
    for source in ("eye", "eye.location", "ear"):
        net.connect(source, "a", cx.Dense)
    xs = {"eye": torch.rand(5, 2, 4), "eye.location": torch.rand(5, 2, 2), "ear": torch.rand(5, 2, 3)}
    assert net(xs)[0]["a"].shape == (5, 2, 3)
    with pytest.raises(ValueError, match=r"one for each of eye.sensory, eye.location, ear.sensory, got one tensor"):
        net(xs["eye"])
    with pytest.raises(ValueError, match=r"got none for eye.location"):
        net({"eye": xs["eye"], "ear": xs["ear"]})
    with pytest.raises(
        ValueError, match=r"equal length and batch, got .* = \(5, 2\) for 'eye.sensory' and \(4, 2\) for 'ear"
    ):
        net(xs | {"ear": torch.rand(4, 2, 3)})
    with pytest.raises(ValueError, match=r"equal length and batch, got .* and \(5, 1\) for 'eye.location'"):
        net(xs | {"eye.location": torch.rand(5, 1, 2)})
    with pytest.raises(ValueError, match="Expected an InputLayer in the network, through which"):
        cx.Neocortex(a=pop())(torch.rand(2, 1, 3))


def test_a_state_of_another_batch(net, xs):
    _, state = net(xs)
    for other in (xs[:, :2], xs[:, :1], xs[:, 0], xs[:, None]):
        with pytest.raises(ValueError, match=r"Expected `state` of as many samples as the inputs, .*got \(3,\)"):
            net(other, state)
    _, state = net(xs[:, :1])
    with pytest.raises(ValueError, match=r"\(\*batch\) = \(3,\), got \(1,\). Leave it out to start anew"):
        net(xs, state)


def test_a_state_of_before_the_network_changed(net, xs):
    _, state = net(xs)
    made = net.connect("v1.inh", "v1.inh", cx.Dense, name="more")
    with pytest.raises(ValueError, match=r"`state` of this network as it is now, .*differs in connections.more.v1_inh"):
        net(xs, state)
    _, state = net(xs)
    net(xs, state)
    del net.connections["more"]
    with pytest.raises(ValueError, match=r"differs in connections.more"):
        net(xs, state)
    assert len(made) == 1


def test_dt():
    with pytest.raises(ValueError, match=r"Expected `dt` to be positive .*ms.*, got 0"):
        cx.Neocortex(dt=0)
    net = cx.Neocortex(retina=cx.InputLayer(1), a=cx.Population(1, cx.LI(tau_mem=10.0)), dt=0.5)
    net.connect("retina", "a", cx.Dense, init=nn.init.ones_, latency=0)
    out, _ = net(torch.ones(3, 1, 1))
    t = torch.tensor([0.5, 1.0, 1.5])
    assert_close(out["a"].flatten(), 1 - torch.exp(-t / 10.0))
    assert_close(net(torch.ones(3, 1, 1), dt=2.0)[0]["a"].flatten(), 1 - torch.exp(-4 * t / 10.0))


def test_a_loop_without_latency_is_named():
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.CorticalLayer(exc=pop(5), inh=pop(2)))
    net.connect("retina", "v1", cx.Dense, latency=0)
    net.v1.connect("exc", "inh", cx.Dense, latency=0)
    net(torch.rand(2, 1, 4))
    net.v1.connect("inh", "exc", cx.Dense, latency=0)
    with pytest.raises(ValueError, match=r"got v1.exc -> v1.inh -> v1.exc without any. Give .*`latency=1`"):
        net(torch.rand(2, 1, 4))


def test_a_network_without_connections_or_steps_of_a_silent_part():
    net = cx.Neocortex(retina=cx.InputLayer(4), a=pop(), b=cx.Population(2, cx.LIF(v_rest=2.0, v_reset=0.5)))
    net.connect("b", "b", cx.Dense)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            out, _ = net(torch.rand(6, 2, 4))
        assert not out["a"].any()
        assert out["a"].shape == (6, 2, 3)
        assert out["b"][0].all()  # it rests above its threshold


def test_a_connection_made_after_a_run(net, xs):
    before, _ = net(xs)
    net.connect("retina", "v1.inh", cx.Dense, init=nn.init.ones_, gain=50.0, latency=0)
    after, _ = net(xs)
    assert after["v1.inh"].all()
    assert not before["v1.inh"].all()


def test_parts_removed_or_replaced_after_a_run(net, xs):
    net(xs)
    net.v1.exc = cx.Population(5, cx.LIF(v_rest=20.0))  # it rests above its threshold
    assert net(xs)[0]["v1.exc"][0].all()
    del net.v1.connections["exc_to_exc"]
    assert not any("exc_to_exc" in path for path in net(xs)[1].connections)
    del net.v1.inh
    with pytest.raises(
        ValueError, match=r"both ends of 'v1.connections.exc_to_inh.exc_to_inh', got none at 'v1.inh'. Delete"
    ):
        net(xs)
    del net["v1.connections"]["exc_to_inh"]
    del net["v1.connections"]["inh_to_exc"]
    assert list(net(xs)[0]) == ["v1.exc"]


def test_delays_that_come_with_a_state_dict(xs):
    """The blocks of the loops are those of the new delays, and each synapse's own."""
    for seed in range(6):
        one, two = (torch.manual_seed(s) and build() for s in (seed, seed + 10))
        one.v1.connections["inh_to_exc"].only.axon.steps.copy_(torch.tensor([1, 3]))
        two(xs)
        two.load_state_dict(one.state_dict())
        twin = copy.deepcopy(one)
        twin.load_state_dict(one.state_dict())
        with torch.no_grad():
            same(two(xs)[0], twin(xs)[0], rtol=0, atol=0)
        same(two(xs)[0], twin(xs)[0], rtol=0, atol=0)


def test_a_loop_that_a_state_dict_makes_shorter(xs):
    """The blocks in which a loop is run are those of the delays that it has now."""

    def ring(delay):
        net = cx.Neocortex(retina=cx.InputLayer(4), a=pop(4))
        net.connect("retina", "a", cx.OneToOne, init=nn.init.ones_, gain=4.0)
        net.connect("a", "a", cx.OneToOne, init=nn.init.ones_, gain=4.0, axon_delay=torch.tensor(delay))
        return net

    long, short = ring([4, 5, 4, 6]), ring([0, 1, 0, 2])
    assert not torch.equal(long(xs)[0]["a"], short(xs)[0]["a"])
    long.load_state_dict(short.state_dict())
    same(long(xs)[0], short(xs)[0], rtol=0, atol=0)


def test_copies_run_for_themselves(net, xs):
    expected, _ = net(xs)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        same(other(xs), net(xs), rtol=0, atol=0)
        with torch.no_grad():
            other.connections["retina_to_v1_exc"].only.synapse.weight.zero_()
        assert not other(xs)[0]["v1.exc"].any()
        other.v1.add("more", pop())
        other.connect("retina", "v1.more", cx.Dense)
        assert list(other(xs)[0]) == ["v1.exc", "v1.inh", "v1.more"]
        same(net(xs)[0], expected, rtol=0, atol=0)


def test_two_networks_may_share_a_part(xs):
    """Fast state is a value, so a shared part is shared in its weights alone."""
    layer = build().v1
    nets = [cx.Neocortex(retina=cx.InputLayer(4), v1=layer) for _ in range(2)]
    for gain, net in zip((2.0, 4.0), nets, strict=True):
        net.connect("retina", "v1.exc", cx.Dense, init=nn.init.ones_, gain=gain)
    alone = [copy.deepcopy(net)(xs) for net in nets]
    first = [net(xs[:6]) for net in nets]
    second = [net(xs[6:], state) for net, (_, state) in zip(nets, first, strict=True)]
    for a, b, (whole, _) in zip(first, second, alone, strict=True):
        assert_close(torch.cat([a[0]["v1.exc"], b[0]["v1.exc"]]), whole["v1.exc"])
    assert not torch.equal(alone[0][0]["v1.exc"], alone[1][0]["v1.exc"])


def test_a_network_in_a_network(net, xs):
    outer = cx.Neocortex(eye=cx.InputLayer(4), inner=cx.CorticalColumn(v1=net.v1))
    outer.connect("eye", "inner.v1.exc", net.connections["retina_to_v1_exc"].only.synapse, gain=3.0)
    same(outer(xs)[0]["inner.v1.exc"], net(xs)[0]["v1.exc"])


@pytest.mark.parametrize("grad", [True, False])
def test_double_precision(net, xs, grad):
    net(xs)
    net.double()
    with torch.set_grad_enabled(grad):
        out, state = net(xs.double())
    kinds = {leaf.dtype for leaf in tree_leaves((dict(out), state)) if leaf.is_floating_point()}
    assert kinds == {torch.float64}


def test_a_weight_changed_in_place_between_two_runs(net, xs):
    with torch.no_grad():
        for events in (True, False, None):
            net.by_events = events
            assert net(xs)[0]["v1.inh"].any()
            net.v1.connections["exc_to_inh"].only.synapse.weight.zero_()
            assert not net(xs)[0]["v1.inh"].any()
            net.v1.connections["exc_to_inh"].only.synapse.weight.fill_(1.0)


def test_any_number_of_batch_axes(net):
    xs = torch.rand(9, 2, 3, 4)
    whole, _ = net(xs)
    for i in range(2):
        for j in range(3):
            one, _ = net(xs[:, i, j])
            for path in whole:
                assert_close(one[path], whole[path][:, i, j])


def test_a_buffer_filled_anew_and_outputs_changed_in_place_do_not_reach_the_state():
    net = cx.Neocortex(eye=cx.InputLayer(3), e=cx.Population(3, cx.LIF(tau_mem=2.0)), readout=cx.Population(3, cx.LI()))
    net.connect("eye", "e", cx.OneToOne, weight=torch.full((3,), 4.0))
    net.connect("e", "readout", cx.OneToOne, weight=torch.ones(3))
    pulses = [torch.full((1, 1, 3), float(t in (1, 2))) for t in range(6)]
    fresh, reused, buffer = [], [], torch.empty(1, 1, 3)
    with torch.no_grad():
        state = None
        for pulse in pulses:
            out, state = net(pulse, state)
            fresh.append(out["readout"].clone())
        state = None
        for pulse in pulses:
            out, state = net(buffer.copy_(pulse), state)
            reused.append(out["readout"].clone())
            out["e"].mul_(0)
    assert torch.cat(fresh).any()
    assert_close(torch.cat(reused), torch.cat(fresh), rtol=0, atol=0)


def test_constants_changed_between_two_calls_count():
    net = cx.Neocortex(eye=cx.InputLayer(2), e=cx.Population(2, cx.LIF(tau_mem=2.0)))
    net.connect("eye", "e", cx.OneToOne, weight=torch.full((2,), 9.0))
    net.connect("e", "e", cx.Dense, weight=torch.zeros(2, 2))
    xs = torch.ones(20, 1, 2)
    for events in (True, False):
        net.by_events = events
        net["e"].neuron.refractory_time = torch.tensor([0.0])
        with torch.no_grad():
            _, state = net(xs)
            net["e"].neuron.refractory_time = torch.tensor([50.0])
            out, _ = net(xs, state)
        assert out["e"].sum(0).max() <= 1


def test_an_output_is_read_by_the_address_that_was_asked_for():
    layer = cx.CorticalLayer(exc=cx.Population(3, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
    net = cx.Neocortex(eye=cx.InputLayer(3), l4=layer.port("output", "exc"))
    net.connect("eye", "l4.exc", cx.OneToOne)
    xs = torch.ones(2, 1, 3)
    assert net(xs, outputs="l4.output")[0]["l4.output"].shape == (2, 1, 3)
    with pytest.raises(KeyError, match=r"several populations: l4\.exc, l4\.inh"):
        net(xs, outputs=["l4"])[0]["l4"]


def test_an_input_of_another_dtype_is_named():
    net = cx.Neocortex(eye=cx.InputLayer(3), e=cx.Population(3, cx.LIF()))
    net.connect("eye", "e", cx.Dense)
    with pytest.raises(TypeError, match=r"input of 'eye.sensory' as torch.float64 on cpu.*got torch.float32"):
        net.double()(torch.ones(2, 1, 3))
