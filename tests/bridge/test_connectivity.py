"""Rate networks and spiking populations: the same connectivity, to and fro, and a loop of both."""

import pytest
import torch
from torch.testing import assert_close

from conex_nn.bridge import RateLoop, to_areas, to_connectivity, to_spiking
from conex_nn.neurons import LI, LIF
from conex_nn.rates import CTRNN, Areas, MultiArea, MultiAreaEI, NoSelf
from conex_nn.testing import check_module

SIZES = {"v1": 12, "pfc": 8}


def rate_network(kind=MultiAreaEI, **options):
    areas = kind(SIZES, within=0.6, forward=0.5, backward=0.3, input_areas=["v1"])
    taus = {"v1": 5.0, "pfc": 15.0}
    net = CTRNN(3, 20, areas=areas, tau=taus, activation=lambda v: v, recurrent_constraints=[NoSelf()], **options)
    torch.nn.init.normal_(net.input.bias, std=0.1)
    torch.nn.init.normal_(net.recurrent.bias, std=0.1)
    return net


@pytest.mark.parametrize("kind", [MultiArea, MultiAreaEI])
def test_with_leaky_integrators_it_is_the_rate_network(kind):
    net = rate_network(kind)
    spiking = to_spiking(net, neuron=lambda tau, bias: LI(tau_mem=tau, v_rest=bias), dt=2.0)
    x = torch.randn(15, 4, 3)
    # Both start at 0: the integrators start at their bias by themselves.
    state = spiking.initial_state(x[0])
    for part in state.populations.values():
        if hasattr(part.neuron, "v"):
            part.neuron.v.zero_()
    out, _ = spiking(x, state)
    rates, _ = net(x, dt=2.0)
    for name in SIZES:
        kinds = [("exc", "excitatory"), ("inh", "inhibitory")] if net.areas.signs is not None else [("", "")]
        for short, long in kinds:
            place = net.areas.index(f"{name}.{long}".strip("."))
            assert_close(out[f"{name}.{short}".strip(".")], rates[..., place], rtol=1e-4, atol=1e-5)


def test_there_and_back_is_the_same():
    net = rate_network()
    spiking = to_spiking(net, gain=0.5)
    back = to_areas(spiking)
    order = torch.cat([net.areas.index(f"{a}.{k}") for a in SIZES for k in ("excitatory", "inhibitory")])
    weight = net.recurrent.weight.detach()[order][:, order]
    assert_close(to_connectivity(spiking), 0.5 * weight)
    assert torch.equal(back.recurrent, weight != 0)
    assert torch.equal(back.signs, net.areas.signs[order])
    assert torch.equal(back.receives, net.areas.receives[order])
    assert back.names == ("v1.exc", "v1.inh", "pfc.exc", "pfc.inh")
    other = CTRNN(3, 20, areas=back)
    other.recurrent.weight = to_connectivity(spiking)
    assert_close(other.recurrent.weight, 0.5 * weight)
    chosen = to_connectivity(spiking, ["pfc.inh", "v1.exc"])
    rows = torch.cat([net.areas.index("pfc.inhibitory"), net.areas.index("v1.excitatory")])
    assert_close(chosen, 0.5 * net.recurrent.weight.detach()[rows][:, rows])


def test_a_synapse_stays_one_while_its_weight_is_0():
    net = rate_network(how="project")
    net.recurrent.weight = torch.zeros(20, 20)
    there = sum(
        int(connection.synapse.mask.sum()) if connection.synapse.mask is not None else connection.synapse.weight.numel()
        for connection in to_spiking(net).network().connections.values()
        if connection.source != "input"
    )
    assert there == int((net.areas.recurrent & ~torch.eye(20).bool()).sum())


def test_the_spiking_network_has_the_dtype_of_the_rate_network():
    out, _ = to_spiking(rate_network(output_size=2).double())(torch.rand(4, 2, 3, dtype=torch.float64))
    assert {each.dtype for each in out.values()} == {torch.float64}


def test_a_learned_start_is_learned_in_a_loop_with_truncated_gradients():
    start = torch.nn.Parameter(torch.zeros(20))
    net = CTRNN(2 + 5, 20, output_size=2, areas=AREAS, activation=torch.tanh, v_initial=start)
    both = RateLoop(net, LIF(), area="pfc", size=5)
    both(torch.randn(9, 3, 2), detach_every=3)[0].sum().backward()
    assert net.v_initial.grad.any()


def test_spiking_populations_fire_and_are_read_out():
    spiking = to_spiking(rate_network(output_size=2), gain=0.1)
    out, _ = spiking(5 * torch.rand(40, 2, 3))
    assert 0 < out["v1.exc"].mean() < 1
    assert out["readout"].shape == (40, 2, 2)
    assert out["readout"].abs().max() > 0
    bare = to_spiking(CTRNN(3, 6))
    assert [*bare.populations()] == ["input", "all"]


AREAS = MultiArea(SIZES, generator=torch.Generator().manual_seed(0))


def loop(**options):
    net = CTRNN(2 + 5, 20, output_size=2, areas=AREAS, activation=torch.tanh)
    return RateLoop(net, LIF(tau_mem=5.0, v_threshold=0.1, **options), area="pfc", size=5, tau=8.0)


def test_a_loop_is_lawful():
    check_module(loop, 2 * torch.randn(9, 3, 2), skip=["permutation"])


def test_the_loop_is_closed_and_differentiable_both_ways():
    both = loop()
    x = torch.randn(30, 4, 2)
    output, state = both(x)
    assert state.filtered.v.abs().max() > 0
    output.sum().backward()
    assert both.forth.weight.grad.abs().sum() > 0  # from the output back through the spikes
    stored = both.net.input.parametrizations.weight.original
    assert stored.grad[12:, 2:].abs().sum() > 0
    assert stored.grad[:12, 2:].abs().sum() == 0  # the way back reaches the area alone
    assert (both.net.input.weight[:12, 2:] == 0).all()
    with torch.no_grad():
        both.forth.bias.fill_(-1e3)  # silent neurons: another output
    assert not torch.allclose(both(x)[0], output, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RateLoop(CTRNN(5, 20), LIF(), area="pfc", size=3), ValueError, "Expected `net` with areas"),
        (
            lambda: RateLoop(CTRNN(3, 20, areas=MultiArea(SIZES)), LIF(), area="pfc", size=3),
            ValueError,
            "beside the 3 for the filtered spikes",
        ),
        (lambda: RateLoop(CTRNN(5, 20, areas=MultiArea(SIZES)), LIF(), area="v9", size=3), KeyError, "v9"),
        (lambda: loop()(torch.ones(4, 2, 3)), ValueError, "Expected an input of 2 features"),
        (lambda: to_spiking(CTRNN(2, 3, areas=Areas({"input": range(3)}))), ValueError, "areas of other names"),
        (lambda: to_spiking(CTRNN(2, 3, areas=Areas({"a.b": range(3)}))), ValueError, "without a dot"),
        (lambda: to_connectivity(to_spiking(CTRNN(2, 3)), ["v1"]), ValueError, "Expected `populations` among"),
    ],
)
def test_errors(make, error, message):
    with pytest.raises(error, match=message):
        make()
