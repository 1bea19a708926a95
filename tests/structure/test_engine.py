"""The engine against a simulator that takes one step at a time: values, gradients, states, in every way to run it."""

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves

import conex_nn as cx
from conex_nn.structure import by_events

from .reference import Model, random_inputs, random_model

STEPS = 10
BATCHES = [(), (3,), (2, 2)]
SEEDS = range(12)


def close(got: Tensor, expected: Tensor, what: str) -> None:
    """To 1e-10 of the largest value: gradients through ten steps of firing can be large."""
    scale = max(1.0, float(expected.detach().abs().max())) if expected.numel() else 1.0
    assert_close(got, expected, rtol=1e-10, atol=1e-10 * scale, msg=lambda text: f"{what}: {text}")


def draw(seed: int) -> tuple[Model, dict[str, Tensor], dict[str, Tensor]]:
    """A network, its input, and what weighs the outputs in the loss."""
    model = random_model(seed)
    inputs = random_inputs(model, STEPS, BATCHES[seed % 3])
    inputs = {path: xs.requires_grad_() for path, xs in inputs.items()}
    batch = BATCHES[seed % 3]
    weigh = {p: torch.randn(STEPS, *batch, *m.shape).double() for p, m in model.populations().items()}
    return model, inputs, weigh


def gradients(outputs, states, weigh, model, inputs) -> list[Tensor]:
    """Of a loss that sees all spikes and the last potentials, with respect to inputs and parameters."""
    loss = sum((weigh[p] * ys).sum() for p, ys in outputs.items())
    loss = loss + sum((weigh[p][0] * state.neuron.v).sum() for p, state in states.items())
    leaves = [*inputs.values(), *model.net.parameters()]
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if g is None else g for g, leaf in zip(found, leaves, strict=True)]


def compare(got, expected) -> None:
    (outputs, states, grads), (spikes, last, reference_grads) = got, expected
    for path in spikes:
        close(outputs[path], spikes[path], f"spikes of {path}")
        for mine, theirs in zip(tree_leaves(states[path]), tree_leaves(last[path]), strict=True):
            close(mine, theirs, f"state of {path}")
    for i, (mine, theirs) in enumerate(zip(grads, reference_grads, strict=True)):
        close(mine, theirs, f"gradient {i}")


def largest_block(net: cx.Neocortex) -> int:
    return max((part.block or 1 for part in net.network().parts), default=1)


@pytest.mark.parametrize("seed", SEEDS)
def test_equals_one_step_at_a_time(seed):
    model, inputs, weigh = draw(seed)
    spikes, last = model.simulate(inputs)
    expected = (spikes, last, gradients(spikes, last, weigh, model, inputs))
    assert any(s.any() for s in spikes.values())

    def run(**options):
        outputs, state = model.net(inputs, **options)
        return outputs, state.populations, gradients(outputs, state.populations, weigh, model, inputs)

    for block in [None, *range(1, largest_block(model.net))]:
        model.net.block = block
        compare(run(), expected)
    model.net.block = None
    if seed % 3 == 0:
        compare(run(checkpoint_every=3), expected)
    cut = 1 + seed % (STEPS - 1)
    first, middle = model.net({p: xs[:cut] for p, xs in inputs.items()})
    second, state = model.net({p: xs[cut:] for p, xs in inputs.items()}, middle)
    outputs = {p: torch.cat([first[p], second[p]]) for p in first}
    grads = gradients(outputs, state.populations, weigh, model, inputs)
    compare((outputs, state.populations, grads), expected)


@pytest.mark.parametrize("seed", SEEDS[:6])
def test_truncated_gradients_equal_those_of_a_simulator_that_detaches(seed):
    model, inputs, weigh = draw(seed)
    every = 2 + seed % 3
    spikes, last = model.simulate(inputs, detach_every=every)
    expected = (spikes, last, gradients(spikes, last, weigh, model, inputs))
    whole = gradients(*model.simulate(inputs), weigh, model, inputs)
    assert not all(torch.equal(a, b) for a, b in zip(whole, expected[2], strict=True))
    for options in ({}, {"checkpoint_every": 2}):
        outputs, state = model.net(inputs, detach_every=every, **options)
        compare((outputs, state.populations, gradients(outputs, state.populations, weigh, model, inputs)), expected)


@pytest.mark.parametrize("seed", SEEDS)
@torch.no_grad()
def test_without_gradients(seed):
    model, inputs, _ = draw(seed)
    spikes, last = model.simulate(inputs)
    for events in (True, False, None):
        model.net.by_events = events
        outputs, state = model.net(inputs)
        compare((outputs, state.populations, []), (spikes, last, []))


def test_the_random_networks_have_everything():
    models = [random_model(seed) for seed in SEEDS]
    wires = [wire for model in models for wire in model.wires]
    kinds = {type(wire.synapse) for wire in wires}
    assert kinds == {cx.Dense, cx.OneToOne, cx.Sparse, cx.Conv2d, cx.Local2d, cx.Lateral, cx.AvgPool2d}
    assert {wire.compartment for wire in wires} == {"proximal", "distal", "apical"}
    assert {wire.latency for wire in wires} == {0, 1, 2, 3}
    assert any(wire.edge_delay is not None and wire.edge_delay.unique().numel() > 1 for wire in wires)
    assert any(wire.inhibitory for wire in wires)
    assert any(wire.source == wire.target for wire in wires)
    assert {largest_block(model.net) for model in models} >= {1, 2, 3, 4}
    assert max(len(part.populations) for model in models for part in model.net.network().parts) >= 3


@pytest.mark.parametrize("seed", range(10))
@torch.no_grad()
def test_loops_by_events(seed, monkeypatch):
    model = random_model(seed, plain=True)
    inputs = random_inputs(model, STEPS, BATCHES[seed % 3])
    spikes, last = model.simulate(inputs)
    calls = []
    loop = by_events.lif_loop
    monkeypatch.setattr(by_events, "lif_loop", lambda *a, **k: (calls.append(1), loop(*a, **k))[1])
    loops = any(part.block is not None for part in model.net.network().parts)
    for events in (False, True, None):
        model.net.by_events = events
        calls.clear()
        outputs, state = model.net(inputs)
        compare((outputs, state.populations, []), (spikes, last, []))
        assert bool(calls) == (events is not False and loops)
        first, middle = model.net({p: xs[:4] for p, xs in inputs.items()})
        model.net.by_events = not events
        second, state = model.net({p: xs[4:] for p, xs in inputs.items()}, middle)
        outputs = {p: torch.cat([first[p], second[p]]) for p in first}
        compare((outputs, state.populations, []), (spikes, last, []))


@torch.no_grad()
def test_events_give_way_to_steps_where_much_fires(monkeypatch):
    net = cx.Neocortex(retina=cx.InputLayer(6), pop=cx.Population(6, cx.LIF(tau_mem=2.0)))
    net.connect("retina", "pop", cx.OneToOne, init=torch.nn.init.ones_)
    net.connect("pop", "pop", cx.Dense, init=torch.nn.init.zeros_)
    calls = []
    loop = by_events.lif_loop
    monkeypatch.setattr(by_events, "lif_loop", lambda *a, **k: (calls.append(k["steps"]), loop(*a, **k))[1])
    busy, quiet = torch.full((100, 20, 6), 9.0), torch.zeros(100, 20, 6)
    busy_spikes, _state = net(busy)
    assert sum(calls) < 100
    calls.clear()
    net(quiet)
    assert sum(calls) == 100
    net.by_events = False
    assert_close(net(busy)[0]["pop"], busy_spikes["pop"])


@torch.no_grad()
def test_a_long_run_goes_through_the_network_in_chunks(monkeypatch):
    """Without gradients nothing but what is asked for is kept; the results are those of one pass."""
    from conex_nn.structure import engine

    model = random_model(3)
    inputs = random_inputs(model, 23, (2,))
    spikes, _ = model.simulate(inputs)
    monkeypatch.setattr(engine, "_ROWS", 8)
    wanted = list(spikes)[:1]
    outputs, _state = model.net(inputs, outputs=wanted)
    assert list(outputs) == wanted
    close(outputs[wanted[0]], spikes[wanted[0]], "spikes")
    with pytest.raises(KeyError, match=r"no output of .*Ask for it: `net\(x, outputs="):
        outputs[list(spikes)[1]]


def test_an_own_spike_function_is_not_replaced_by_the_kernel():
    """A loop whose neurons fire by a rule of their own: the event kernel knows only v >= v_threshold."""

    def late(x: Tensor) -> Tensor:
        return (x >= 0.5).to(x.dtype)

    net = cx.Neocortex(retina=cx.InputLayer(3), pop=cx.Population(3, cx.LIF(tau_mem=1.0, spike_fn=late)))
    net.connect("retina", "pop", cx.OneToOne, init=torch.nn.init.ones_)
    net.connect("pop", "pop", cx.Dense, init=torch.nn.init.zeros_)
    xs = torch.full((4, 1, 3), 2.0)  # brings v to 1.26, then beyond 1.5
    spikes = net(xs)[0]["pop"]
    assert spikes.sum() < xs.shape[0] * 3
    with torch.no_grad():
        for events in (False, True):
            net.by_events = events
            assert_close(net(xs)[0]["pop"], spikes.detach())


@torch.no_grad()
def test_mixed_dtypes_fail_as_they_do_step_by_step():
    net = cx.Neocortex(retina=cx.InputLayer(3), pop=cx.Population(3, cx.LIF()))
    net.connect("retina", "pop", cx.OneToOne)
    net.connect("pop", "pop", cx.Dense).only.double()
    for events in (False, True):
        net.by_events = events
        with pytest.raises(RuntimeError, match="dtype"):
            net(torch.ones(4, 1, 3))


@torch.no_grad()
def test_a_weight_changed_in_place_is_seen_by_the_next_run():
    model = random_model(1, plain=True)
    inputs = random_inputs(model, STEPS, (2,))
    for events in (True, False):
        model.net.by_events = events
        before = model.net(inputs)[0]
        for wire in model.wires:
            wire.synapse.weight.mul_(2.0)
        for population in model.populations().values():
            population.neuron.v_threshold.mul_(0.9)
        spikes, _ = model.simulate(inputs)
        after = model.net(inputs)[0]
        assert any(not torch.equal(before[p], after[p]) for p in spikes)
        for path in spikes:
            close(after[path], spikes[path], path)


def test_nothing_of_a_run_stays_in_the_network():
    model = random_model(2)
    inputs = random_inputs(model, STEPS, (2,))
    first, second = model.net(inputs), model.net(inputs)
    for mine, theirs in zip(tree_leaves(first), tree_leaves(second), strict=True):
        assert_close(mine, theirs, rtol=0, atol=0)


@torch.no_grad()
def test_states_do_not_hold_whole_sequences():
    """What a state keeps of the past is as long as its delays, in memory too."""
    model = random_model(5)
    net = model.net
    for events in (True, False):
        net.by_events = events
        _, state = net(random_inputs(model, 200, (2,)), outputs=[])
        for path, connection in state.connections.items():
            for tensor in connection[:2]:
                kept, used = tensor.untyped_storage().nbytes(), tensor.numel() * tensor.element_size()
                assert kept <= max(used, 1) * 4, path
