"""When a spike arrives, with what weight, sign and gain; and what a connection refuses."""

import itertools

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.structure.connection import Connection, whole_steps


def arrivals(times: int, *, sources: int = 1, targets: int = 1, fire: int = 0, late_by: int = 0, **options):
    """Steps at which the spikes of step `fire` reach the membranes: a membrane that forgets shows its current.

    With `late_by`, the spikes go through a population that hands them on at once: the state is passed on mid-way too.
    """
    leaky = cx.LI(tau_mem=1e-3)
    net = cx.Neocortex(retina=cx.InputLayer(sources), out=cx.Population(targets, leaky))
    net.connect("retina", "out", cx.Dense, init=nn.init.ones_, **options)
    xs = torch.zeros(times, 1, sources)
    xs[fire] = 1
    if not late_by:
        return net(xs)[0]["out"][:, 0]
    first, state = net(xs[:late_by])
    return torch.cat([first["out"], net(xs[late_by:], state)[0]["out"]])[:, 0]


@pytest.mark.parametrize(("axon", "dendrite", "steps"), [(0, 0, 1), (1, 0, 2), (0, 1, 2), (2, 3, 6)])
@pytest.mark.parametrize("tensors", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 3])
def test_the_latency_rule(axon, dendrite, steps, tensors, cut):
    if tensors:
        axon, dendrite = torch.tensor([axon]), torch.tensor([dendrite])
    for fire in (0, 2):
        v = arrivals(10, latency=1, axon_delay=axon, dendrite_delay=dendrite, fire=fire, late_by=cut)
        assert v.flatten().nonzero().flatten().tolist() == [fire + steps]
        assert_close(v[fire + steps], torch.ones(1))


@pytest.mark.parametrize("grad", [True, False])
def test_the_latency_rule_reaches_a_spiking_neuron_in_a_loop(grad):
    for axon, dendrite, steps in [(0, 0, 1), (1, 0, 2), (0, 1, 2), (2, 3, 6)]:
        pops = {n: cx.Population(2, cx.LIF(tau_mem=1e-3)) for n in ("a", "b")}
        net = cx.Neocortex(retina=cx.InputLayer(2), **pops)
        net.connect("retina", "a", cx.OneToOne, init=nn.init.ones_, gain=2.0, latency=0)
        options = {"axon_delay": axon, "dendrite_delay": dendrite}
        for ends in itertools.permutations("ab"):
            net.connect(*ends, cx.OneToOne, init=nn.init.ones_, gain=2.0, **options)
        xs = torch.zeros(20, 1, 2)
        xs[0, 0, 1] = 1
        with torch.set_grad_enabled(grad):
            out, _ = net(xs)
        assert out["a"][:, 0, 1].nonzero().flatten().tolist() == list(range(0, 20, 2 * steps))
        assert out["b"][:, 0, 1].nonzero().flatten().tolist() == list(range(steps, 20, 2 * steps))
        assert not out["a"][..., 0].any()


def test_delays_of_each_neuron():
    """Axon i and dendrite j: from i to j after latency + axon[i] + dendrite[j]."""
    axon, dendrite = torch.tensor([0, 2, 1]), torch.tensor([3, 0])
    weight = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]])
    connection = Connection(
        cx.Dense(3, 2, weight=weight), "a", "b", latency=2, axon_delay=axon, dendrite_delay=dendrite
    )
    xs = torch.zeros(12, 3)
    xs[1] = 1
    expected = torch.zeros(12, 2)
    for i, j in itertools.product(range(3), range(2)):
        expected[1 + 2 + axon[i] + dendrite[j], j] += weight[j, i]
    for cut in (12, 1, 2, 5):
        state = connection.initial_state(xs[0])
        first, state = connection(xs[:cut], state)
        rest = connection(xs[cut:], state)[0] if cut < 12 else xs.new_zeros(0, 2)
        assert_close(torch.cat([first, rest]), expected)
    assert connection.delay == 2


def test_delays_of_each_synapse():
    source, target = torch.tensor([0, 0, 1, 2, 2]), torch.tensor([0, 1, 1, 0, 1])
    delay, weight = torch.tensor([4, 1, 1, 2, 3]), torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0])
    synapse = cx.Sparse(3, 2, edges=(source, target), delay=delay, weight=weight)
    axon, dendrite = torch.tensor([0, 1, 0]), torch.tensor([1, 0])
    connection = Connection(synapse, "a", "b", latency=1, axon_delay=axon, dendrite_delay=dendrite)
    xs = torch.zeros(12, 2, 3)
    xs[0, 0], xs[3, 1, 2] = 1, 1
    expected = torch.zeros(12, 2, 2)
    for s, t, d, w in zip(source.tolist(), target.tolist(), delay.tolist(), weight.tolist(), strict=True):
        expected[1 + d + axon[s] + dendrite[t], 0, t] += w
        if s == 2:
            expected[3 + 1 + d + axon[s] + dendrite[t], 1, t] += w
    for cut in (12, 1, 4):
        first, state = connection(xs[:cut], connection.initial_state(xs[0]))
        rest = connection(xs[cut:], state)[0] if cut < 12 else xs.new_zeros(0, 2, 2)
        assert_close(torch.cat([first, rest]), expected)
    assert connection.delay == 1 + 1 + 0 + 0


def test_reading_ahead_is_forward_of_what_was_sent():
    synapse = cx.Sparse(4, 3, density=0.6, delay=torch.randint(1, 4, (7,)))
    for made in (synapse, cx.Dense(4, 3)):
        axon, dendrite = torch.tensor([1, 0, 2, 0]), torch.tensor([0, 2, 1])
        connection = Connection(made, "a", "b", latency=2, axon_delay=axon, dendrite_delay=dendrite)
        xs = torch.rand(11, 2, 4)
        whole, last = connection(xs, connection.initial_state(xs[0]))
        state, pieces = connection.initial_state(xs[0]), []
        for begin in range(0, 11, connection.delay):
            block = xs[begin : begin + connection.delay]
            current, state = connection.read(state, len(block))
            state = connection.push(block, state)
            pieces.append(current)
        assert_close(torch.cat(pieces), whole)
        assert_close(state, last)


def test_latency_0_equals_a_chain_of_the_same_modules_exactly():
    synapses = [
        cx.Conv2d((1, 6, 6), (3, 4, 4), kernel_size=3),
        cx.AvgPool2d((3, 4, 4), (3, 2, 2)),
        cx.Dense((3, 2, 2), 5),
    ]
    neurons = [cx.LIF(tau_mem=3.0), cx.LIF(tau_mem=2.0, refractory_time=2.0, v_threshold=0.2), cx.ELIF(tau_mem=2.0)]
    chain = cx.Sequential(*itertools.chain(*zip(synapses, neurons, strict=True)))
    pops = {f"p{i}": cx.Population(s.target_shape, n) for i, (s, n) in enumerate(zip(synapses, neurons, strict=True))}
    net = cx.Neocortex(retina=cx.InputLayer(1, 6, 6), **pops)
    for ends, synapse in zip(itertools.pairwise(["retina", *pops]), synapses, strict=True):
        nn.init.uniform_(synapse.weight, 0, 4) if synapse.weight is not None else None
        net.connect(*ends, synapse, latency=0)
    xs = torch.rand(20, 3, 1, 6, 6).requires_grad_()
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            (ys, _), (out, _) = chain(xs), net(xs)
        assert 0 < ys.mean() < 1
        assert torch.equal(out["p2"], ys)
        if grad:
            leaves = [xs, *net.parameters()]
            mine = torch.autograd.grad((out["p2"].cumsum(0) ** 2).sum(), leaves, retain_graph=True)
            theirs = torch.autograd.grad((ys.cumsum(0) ** 2).sum(), leaves)
            assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def test_gain_and_sign():
    def current(**options):
        net = cx.Neocortex(
            retina=cx.InputLayer(2), pop=cx.Population(2, cx.LI(tau_mem=1e-3), inhibitory=options.pop("pop", False))
        )
        net.connect("retina", "pop", cx.OneToOne, latency=0, weight=torch.tensor([1.0, 2.0]), **options)
        return net(torch.ones(1, 1, 2))[0]["pop"].flatten()

    assert_close(current(), torch.tensor([1.0, 2.0]))
    assert_close(current(gain=3.0), torch.tensor([3.0, 6.0]))
    assert_close(current(inhibitory=True, gain=0.5), torch.tensor([-0.5, -1.0]))
    assert_close(current(pop=True), torch.tensor([1.0, 2.0]))  # the target's sign is its own affair


def test_weights_of_an_inhibitory_source_are_magnitudes():
    net = cx.Neocortex(
        retina=cx.InputLayer(3), i=cx.Population(3, cx.LIF(), inhibitory=True), e=cx.Population(2, cx.LI(tau_mem=1e-3))
    )
    net.connect("retina", "i", cx.OneToOne, init=nn.init.ones_, gain=50.0, latency=0)
    made = net.connect("i", "e", cx.Dense, latency=0).only
    assert made.inhibitory
    assert (made.synapse.weight >= 0).all()
    assert not net.connect("i", "e", cx.Dense, inhibitory=False).only.inhibitory  # an override
    del net.connections["i_to_e_2"]
    with torch.no_grad():
        made.synapse.weight.copy_(torch.tensor([[1.0, -2.0, 4.0], [0.5, 0.0, -8.0]]))  # as an optimizer may leave them
    out, _ = net(torch.ones(1, 1, 3))
    assert_close(out["e"].flatten(), torch.tensor([-7.0, -8.5]))
    out["e"].sum().backward()
    assert_close(made.synapse.weight.grad, torch.tensor([[-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]))  # 0 can grow
    assert_close(made.weight, torch.tensor([[1.0, 2.0, 4.0], [0.5, 0.0, 8.0]]))


def test_any_module_with_two_shapes_is_a_synapse():
    class Linear(nn.Linear):
        def __init__(self, source_shape, target_shape, *, bias=False):
            super().__init__(source_shape.numel(), target_shape.numel(), bias=bias)
            self.source_shape, self.target_shape = source_shape, target_shape

    torch.manual_seed(0)
    nets = []
    for kind in (Linear, cx.Dense):
        net = cx.Neocortex(retina=cx.InputLayer(4), p=cx.Population(4, cx.LIF(), inhibitory=True))
        net.connect("retina", "p", cx.OneToOne, init=nn.init.ones_, gain=10.0)
        net.connect("p", "p", kind, gain=5.0)
        nets.append(net)
    with torch.no_grad():
        nets[1].connections["p_to_p"].only.synapse.weight.copy_(nets[0].connections["p_to_p"].only.synapse.weight)
    xs = torch.rand(12, 2, 4)
    outs = [net(xs)[0]["p"] for net in nets]
    assert outs[0].any()
    assert_close(outs[0], outs[1])
    grads = [
        torch.autograd.grad(out.sum(), net.connections["p_to_p"].only.synapse.weight)
        for out, net in zip(outs, nets, strict=True)
    ]
    assert_close(grads[0], grads[1])


@pytest.mark.parametrize("name", ["latency", "axon_delay", "dendrite_delay"])
@pytest.mark.parametrize("value", [1.5, -1, True, torch.tensor([0.5, 1.0]), "2", None])
def test_a_delay_is_a_whole_number_of_steps(name, value):
    with pytest.raises(
        (ValueError, TypeError), match=rf"Expected `{name}` to be whole numbers of steps, 0 or more.*got"
    ):
        Connection(cx.Dense(2, 2), "a", "b", **{name: value})


def test_latency_is_one_number():
    with pytest.raises((ValueError, TypeError), match=r"Expected `latency` to be one number, got .*axon_delay"):
        Connection(cx.Dense(2, 2), "a", "b", latency=torch.tensor([1, 2]))


@pytest.mark.parametrize(("name", "shape"), [("axon_delay", (3,)), ("dendrite_delay", (2,))])
@pytest.mark.parametrize("value", [torch.tensor([1, 2, 3, 4]), torch.tensor([1, 1, 1, 1])])
def test_a_delay_has_the_shape_of_its_population(name, shape, value):
    with pytest.raises(ValueError, match=rf"Expected `{name}` .*{shape[0]}.*got .*4"):
        Connection(cx.Dense(3, 2), "a", "b", **{name: value})


def test_a_delay_is_whole_steps_of_any_integer_type():
    assert whole_steps("latency", 3) == 3
    assert whole_steps("latency", torch.tensor(3, dtype=torch.int8)) == 3


def test_one_of_several_is_named():
    net = cx.Neocortex(
        a=cx.Population(2, cx.LIF()), b=cx.CorticalLayer(x=cx.Population(2, cx.LIF()), y=cx.Population(3, cx.LIF()))
    )
    synapsis = net.connect("a", "b", cx.Dense)
    assert len(synapsis) == 2
    assert synapsis[1] is synapsis["a_to_b_y"]
    with pytest.raises(ValueError, match=r"Expected one connection, got 2: a_to_b_x, a_to_b_y"):
        _ = synapsis.only
