"""What a user may do between calls of a network that learns: optimizers, other states, retries, shared rules."""

import pytest
import torch

import conex_nn as cx
from conex_nn import plasticity as P  # noqa: N812
from tests.structure.learning_nets import BATCH, STEPS, close, connections, drawn, stimulus


def net_with(rule, *, inhibitory: bool = False, **options) -> cx.Neocortex:
    torch.manual_seed(0)
    cells = {"tau_mem": 4.0, "resistance": 4.0}
    net = cx.Neocortex(
        retina=cx.InputLayer(6),
        a=cx.Population(4, cx.LIF(**cells), inhibitory=inhibitory),
        b=cx.Population(3, cx.LIF(**cells)),
    )
    net.connect("retina", "a", cx.Dense, init=drawn(0, 0.8))
    net.connect("retina", "b", cx.Dense, init=drawn(0, 2))
    net.connect("a", "b", cx.Dense, init=drawn(0, 0.5), rule=rule, **options)
    return net.double()


def plastic(net):
    return connections(net)["a_to_b"]


def test_depression_of_inhibition_stops_at_nothing():
    net = net_with(P.STDP(a_plus=0.0, a_minus=1.0), inhibitory=True, into="grad")
    optimizer = torch.optim.SGD([plastic(net).synapse.weight], lr=1.0)
    for _ in range(3):
        with torch.no_grad():
            net(stimulus(0))
        optimizer.step()
        optimizer.zero_grad()
        assert plastic(net).synapse.weight.min() >= 0
    assert plastic(net).weight.max() == 0


def test_inhibition_is_a_magnitude_where_gradients_pass_the_rule():
    net = net_with(P.STDP(a_plus=0.0, a_minus=1.0), inhibitory=True, when="step", differentiable=True)
    net(stimulus(0).requires_grad_())
    assert plastic(net).synapse.weight.min() == 0


@pytest.mark.parametrize("options", [{"into": "grad"}, {"gradient": True}])
def test_constraints_follow_the_step_of_an_optimizer(options):
    net = net_with(P.chain(P.STDP(a_plus=0.5), P.Clip(0, 1)), **options)
    optimizer = torch.optim.SGD(net.parameters(), lr=50.0)
    net(stimulus(0))[0]["b"].square().sum().backward()
    optimizer.step()
    weight = plastic(net).synapse.weight
    assert 0 <= weight.min() <= weight.max() <= 1
    assert connections(net)["retina_sensory_to_a"].synapse.weight.abs().max() > 1  # it was a large step


def test_a_scaled_gradient_does_not_scale_the_rule():
    found = []
    for scaled in (False, True):
        net = net_with(P.STDP(a_plus=0.1), into="grad").float()
        weight = plastic(net).synapse.weight
        before, optimizer = weight.detach().clone(), torch.optim.SGD([weight], lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=scaled)
        with torch.autocast("cpu", torch.float16, enabled=scaled):
            loss = net(stimulus(0).float())[0]["b"].sum() * 0.0
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        found.append(weight.detach() - before)
    assert found[0].abs().max() > 0.1
    torch.testing.assert_close(found[1], found[0], rtol=0.3, atol=0.05)  # half precision has other spikes


def test_a_rule_that_is_given_twice_is_two():
    net, rule = net_with(cx.STDP()), cx.STDP()
    first = net.connect("retina", "b", cx.Dense, rule=rule).only
    second = net.connect("retina", "a", cx.Dense, rule=rule).only
    assert first.rule is rule
    assert second.rule is not rule
    rule.enabled = False
    assert not first.learns
    assert second.learns


def test_a_wrong_modulator_teaches_nobody():
    net, twin = net_with(cx.RSTDP()), net_with(cx.RSTDP())
    for each in (net, twin):
        each.connect("retina", "b", cx.Dense, init=drawn(0, 1), rule=cx.RSTDP()).double()
        each.load_state_dict(net.state_dict())
        each(stimulus(0))
    dopamine = torch.randn(STEPS, BATCH).double()
    for wrong in (torch.ones(STEPS, BATCH + 1), torch.ones(STEPS + 1, BATCH), torch.full((), torch.nan)):
        with pytest.raises(ValueError, match="dopamine"):
            net.learn(dopamine=wrong)
    for each in (net, twin):
        each.learn(dopamine=dopamine)
    for mine, theirs in zip(net.parameters(), twin.parameters(), strict=True):
        close(mine, theirs)


def test_dopamine_of_each_sample_is_learned_from_at_the_end_of_the_call():
    net, twin = net_with(cx.RSTDP()), net_with(cx.RSTDP())
    dopamine = torch.randn(STEPS, BATCH).double()
    net(stimulus(0), modulators={"dopamine": dopamine})
    twin(stimulus(0))
    twin.learn(dopamine=dopamine)
    assert net.waits_for() == []
    close(plastic(net).synapse.weight, plastic(twin).synapse.weight)


def test_what_waits_is_not_lost_silently():
    net = net_with(cx.RSTDP())
    net(stimulus(0))
    net.eval()(stimulus(1))  # looking on costs nothing
    assert net.waits_for() == ["dopamine"]
    net.train()
    with pytest.raises(RuntimeError, match=r"net\.learn\(dopamine"):
        net(stimulus(0))
    net.discard()
    net(stimulus(0))
    net.learn(dopamine=1.0)


def test_a_graph_outlives_what_is_learned_after_it():
    net = net_with(P.STDP(a_plus=0.1))
    out, _ = net(stimulus(0))
    expected = torch.autograd.grad(
        out["b"].sum(), net.connections["retina_to_a"].only.synapse.weight, retain_graph=True
    )
    with torch.no_grad():
        net(stimulus(0))
    found = torch.autograd.grad(out["b"].sum(), net.connections["retina_to_a"].only.synapse.weight)
    close(found, expected)


def test_a_state_of_another_rule():
    _, state = net_with(cx.STDP(), when="step")(stimulus(0))
    with pytest.raises(ValueError, match="Leave it out"):
        net_with(cx.TripletSTDP(), when="step")(stimulus(0), state)


def test_a_frozen_synapse_does_not_learn():
    net = net_with(cx.STDP(a_plus=0.1))
    before = plastic(net).synapse.weight.clone()
    plastic(net).synapse.eval()
    net(stimulus(0))
    assert torch.equal(plastic(net).synapse.weight, before)


def test_names_of_modulators_are_checked_in_eval_too():
    with pytest.raises(ValueError, match="Did you mean"):
        net_with(cx.RSTDP()).eval()(stimulus(0), modulators={"dopamin": 1.0})
