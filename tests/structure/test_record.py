"""Recording shows any variable of a network, keeps what was asked for, and changes nothing."""

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.structure import engine
from conex_nn.structure.by_events import EventLoop

from .small_cortex import DOWN, UP, XS, cortex, hooks


def test_every_variable_is_what_the_step_makes():
    net, twin = cortex(loops=False), cortex(loops=False)
    names = (
        "spikes", "output", "v", "refractory", "current", "proximal", "distal", "synaptic.proximal", "v_threshold",
        "activity_homeostasis.activity", "activity_homeostasis.updating_rate", "behaviors.count.steps",
        "behaviors.count.total", {"excess": lambda step: step["v"] - step["v_threshold"]},
    )  # fmt: skip
    with torch.no_grad(), net.record("v1.exc", *names) as rec:
        out, state = net(XS)
    population, expected = twin["v1.exc"], {name: [] for name in [*names[:-1], "excess"]}
    weight = twin["connections.eye_to_v1_input"].only.weight.detach()
    here = population.initial_state(torch.zeros(3, 2, 2, 2))
    for t in range(len(XS)):
        before = XS[t - 1] if t else torch.zeros(3, 6)
        arrivals = {"proximal": (before @ weight.T).reshape(3, 2, 2, 2)}
        seen = []
        spikes, here = population.step(arrivals, here, observe=seen.append)
        homeostasis, threshold = population.activity_homeostasis, population.neuron.v_threshold
        step = {
            "spikes": spikes, "output": spikes, "v": here.neuron.v, "refractory": here.neuron.refractory,
            "current": seen[0]["current"], "distal": torch.zeros_like(spikes), "v_threshold": threshold,
            "synaptic.proximal": here.dendrite["proximal"], "activity_homeostasis.activity": homeostasis.activity,
            "activity_homeostasis.updating_rate": homeostasis.updating_rate, "excess": here.neuron.v - threshold,
            "behaviors.count.total": population.behaviors["count"].total, **arrivals,
            "behaviors.count.steps": torch.full_like(spikes, t + 1.0),
        }  # fmt: skip
        for name, value in step.items():
            expected[name].append(value)
    assert set(rec) == {f"v1.exc.{name}" for name in expected}
    assert rec["spikes"].sum() > 20
    for name, values in expected.items():
        torch.testing.assert_close(rec[f"v1.exc.{name}"], torch.stack(values), msg=lambda text, n=name: f"{n}: {text}")
        torch.testing.assert_close(rec[name], rec[f"v1.exc.{name}"], rtol=0, atol=0)
    torch.testing.assert_close(rec["v"][-1], state.populations["v1.exc"].neuron.v, rtol=0, atol=0)
    torch.testing.assert_close(rec["spikes"], out["v1.exc"], rtol=0, atol=0)


def test_other_neurons_and_their_states():
    net = cx.Neocortex(eye=cx.InputLayer(6), plain=cx.Population(2, Numbered()), adaptive=cx.Population(3, cx.AELIF()))
    for name in ("plain", "adaptive"):
        net.connect("eye", name, cx.Dense)
    with net.record("plain", "0", "1") as plain, net.record("adaptive", "w") as adaptive:
        _, state = net(XS)
    torch.testing.assert_close(plain["1"][-1], state.populations["plain"].neuron[1].detach())
    assert adaptive["w"].shape == (23, 1, 3, 3)


class Numbered(nn.Module):
    """A neuron of one's own with nothing but what it needs, and a plain tuple for its state."""

    def initial_state(self, x):
        return torch.zeros_like(x), torch.zeros_like(x)

    def step(self, current, state, *, dt=1.0):
        return (current > 1).to(current.dtype), (state[0] + current, state[1] + 1)


EVERYTHING = ("spikes", "v", "current", "proximal", "v_threshold")


@pytest.mark.parametrize("rows", [4096, 12])
@pytest.mark.parametrize("latency", [1, 3])
@pytest.mark.parametrize("loops", [False, True])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_results_are_the_same_to_the_bit(monkeypatch, rows, latency, loops, plain, grad):
    monkeypatch.setattr(engine, "_ROWS", rows)
    runs = []
    for watched in (False, True):
        net = cortex(loops=loops, latency=latency, plain=plain)
        net.by_events = False
        with torch.set_grad_enabled(grad):
            if watched:
                with net.record("v1.*", *EVERYTHING, every=2, last=3), net.record("connections.*", "current", "weight"):
                    out, state = net(XS[:13])
                    more, state = net(XS[13:], state)
            else:
                out, state = net(XS[:13])
                more, state = net(XS[13:], state)
            if grad:
                more["v1.inh"].sum().backward()
        gradients = [parameter.grad for parameter in net.parameters() if grad]
        states = [cells.neuron for cells in state.populations.values()]
        runs.append(([*out.values(), *more.values(), *states, *net.buffers()], gradients))
    (expected, gradients), (results, others) = runs
    assert sum(int(y.count_nonzero()) for y in expected[:4]) > 30
    torch.testing.assert_close(results, expected, rtol=0, atol=0)
    torch.testing.assert_close(others, gradients)  # a fused backward pass rounds otherwise than one of single steps


@torch.no_grad()
def test_loops_run_by_events_where_only_spikes_are_asked_for():
    net = cortex(plain=True)
    net.by_events = True
    expected, _ = net(XS)
    with net.record("v1", "spikes") as rec:
        out, _ = net(XS)
    with net.record("v1", "spikes", "v") as by_steps:
        net(XS)
    for path in out:
        assert torch.equal(out[path], expected[path])
        assert torch.equal(rec[f"{path}.spikes"], expected[path])
        torch.testing.assert_close(by_steps[f"{path}.spikes"], expected[path])


def test_spikes_do_not_force_steps(monkeypatch):
    net = cortex(loops=False, plain=True)
    expected, _ = net(XS)
    monkeypatch.setattr(cx.Population, "_step", None)
    with net.record("*", "spikes") as rec:
        xs = XS.clone()
        net(xs)
        xs.zero_()  # as one does who fills one tensor with batch after batch
    torch.testing.assert_close(rec["v1.inh.spikes"], expected["v1.inh"].detach(), rtol=0, atol=0)
    torch.testing.assert_close(rec["eye.sensory.spikes"], XS, rtol=0, atol=0)
    with pytest.raises(TypeError, match="not callable"), net.record("v1.exc", "v"):
        net(XS)


WHERE = {
    "indices": ([1, 6], [1, 6]),
    "tensor": (torch.tensor([7, -8]), [7, 0]),
    "slice": (slice(2, None, 3), [2, 5]),
    "flat mask": (torch.arange(8) > 5, [6, 7]),
    "mask": (torch.arange(8).reshape(2, 2, 2) % 4 == 0, [0, 4]),
}


@pytest.mark.parametrize("rows", [4096, 12])
@pytest.mark.parametrize(("where", "neurons"), WHERE.values(), ids=WHERE)
@pytest.mark.parametrize(("every", "last"), [(1, None), (3, None), (1, 5), (3, 4), (30, 2), (1, 100)])
@torch.no_grad()
def test_thinned_cut_and_chosen_over_calls(monkeypatch, rows, where, neurons, every, last):
    monkeypatch.setattr(engine, "_ROWS", rows)
    names = ("spikes", "v", "v_threshold", "activity_homeostasis.updating_rate", {"twice": lambda step: 2 * step["v"]})
    with cortex().record("v1.exc", *names) as full:
        pass
    net = cortex()
    with (
        net.record("v1.exc", *names) as full,
        net.record("v1.exc", *names, every=every, last=last, where=where) as rec,
        net.record(DOWN, "current") as full_current,
        net.record(DOWN, "current", every=every, last=last, where=where) as current,
    ):
        _, state = net(XS[:1])
        _, state = net(XS[1:15], state)
        net(XS[15:], state)
    for whole, part in ((full, rec), (full_current, current)):
        for name in whole:
            expected = whole[name][::every][-last if last else 0 :]
            if "rate" not in name:
                expected = expected.flatten(-3)[..., neurons]
            torch.testing.assert_close(part[name], expected, rtol=0, atol=0)
            assert part.steps(name).tolist() == list(range(0, 23, every))[-last if last else 0 :]


def test_currents_and_weights_of_a_connection():
    net = cortex()
    optimizer = torch.optim.SGD(net.parameters(), lr=10.0)
    weights, others, state = [], [], None
    f = {"peak": lambda step: step["current"].amax(-1) + 0 * step["weight"].sum()}
    with net.record(DOWN, "current", "weight", f) as rec, net.record(UP, "current", "weight", every=2) as up:
        for _ in range(2):
            others.append(net[UP].weight.detach().clone())
            weights.append(net[DOWN].weight.detach().clone())
            out, _ = net(XS, state)
            optimizer.zero_grad()
            out["v1.exc"].sum().backward()
            optimizer.step()
    assert not torch.equal(*weights)
    torch.testing.assert_close(rec["weight"], torch.stack(weights).repeat_interleave(23, 0))
    spikes = out["v1.inh"].detach()
    late = torch.cat([torch.zeros_like(spikes[:1]), spikes[:-1]])
    torch.testing.assert_close(rec["current"][23:], -(late @ weights[1].T).reshape(23, 3, 2, 2, 2))
    torch.testing.assert_close(rec["peak"], rec["current"].amax(-1))
    assert (rec["current"] < 0).any()
    assert up["current"].shape == (23, 3, 3)
    torch.testing.assert_close(up["weight"], torch.stack([others[0]] * 12 + [others[1]] * 11))


@torch.no_grad()
def test_a_connection_that_is_off_delivers_nothing():
    net = cortex(loops=False)
    with net.record(UP, "current") as rec:
        _, state = net(XS)
        net.switch(UP, on=False)
        net(XS, state)
    assert rec["current"].shape == (46, 3, 3)
    assert rec["current"][:23].any()
    assert not rec["current"][23:].any()


@torch.no_grad()
def test_what_does_not_change_is_kept_once():
    net = cortex()
    with net.record(DOWN, "weight") as rec, net.record("v1.exc", "v") as v:
        _, state = net(XS)
        net(XS, state)
    pieces = rec._tracks[f"{DOWN}.weight"].pieces
    assert len({piece.untyped_storage().data_ptr() for piece in pieces}) == 1
    assert v["v"] is v["v"]  # joined once
    with net.record("v1.exc", "v", "spikes", last=4) as ring:
        for x in XS:
            _, state = net(x[None], state)
        for x in XS:
            _, state = net(x.expand(30, 3, 6), state)
    for name in ("v", "spikes"):
        pieces = ring._tracks[f"v1.exc.{name}"].pieces
        assert sum(piece.untyped_storage().nbytes() for piece in pieces) <= 2 * 4 * 24 * 4
        assert ring[name].shape == (4, 3, 2, 2, 2)


def test_addresses():
    net = cortex()
    found = {
        "v1": ["v1.exc.v", "v1.inh.v"],
        "v1.input": ["v1.exc.v"],
        "*.e*": ["v1.exc.v"],
        "shy": ["v1.inh.v"],
        "*": ["v1.exc.v", "v1.inh.v"],
    }
    for address, names in found.items():
        with net.record(address, "v") as rec:
            pass
        assert list(rec) == names
    with net.record("connections.up", "weight") as rec, net.record("v1.exc.activity_homeostasis", "activity") as slow:
        net(XS)
    assert list(rec) == [f"{UP}.weight"]
    assert slow["v1.exc.activity_homeostasis.activity"].shape == (23, 2, 2, 2)
    with net.record(net["v1"].inh, "v") as rec:
        net(XS)
    assert rec["v1.inh.v"].shape == (23, 3, 3)
    with net.record("*", "current") as rec:
        pass
    assert len(rec) == 5


def test_gradients_pass_where_asked_for():
    net = cortex()
    with net.record("v1.exc", "v", "spikes", detach=False) as rec, net.record(UP, "weight", detach=False) as weight:
        net(XS)
    (rec["v"].sum() + weight["weight"].sum()).backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
    with net.record("v1.*", "v", "spikes") as rec:
        net(XS)
    assert not any(values.requires_grad for values in rec.values())


@pytest.mark.parametrize("options", [{"checkpoint_every": 5}, {"detach_every": 5}])
def test_blocks_of_time_are_recorded_once(options):
    net = cortex()
    net["v1.exc"].activity_homeostasis = None  # it refuses to be computed again
    with net.record("v1.exc", "spikes", "v") as rec, net.record(DOWN, "current", "weight") as currents:
        out, _ = net(XS, **options)
        out["v1.exc"].sum().backward()
    assert {len(values) for values in [*rec.values(), *currents.values()]} == {23}


def test_nothing_is_left_even_after_an_error():
    net, seen = cortex(), []

    def stop(*_):
        seen.append(hooks(net) - 1)
        raise RuntimeError("stop")

    net["v1.inh"].axon.register_forward_hook(stop)
    with pytest.raises(RuntimeError, match="stop"), net.record("v1", "spikes", "v"), net.record("*", "current"):
        net(XS)
    assert seen[0] > 5
    assert hooks(net) == 1


def test_a_run_that_failed_is_forgotten():
    net = cortex(loops=False)
    seen = []

    def fail(_):
        seen.append(0)
        if len(seen) == 9:
            raise RuntimeError("stop")

    with net.record("v1.inh", "v", "refractory", "spikes") as rec:
        net._observers["v1.inh"].append(fail)
        with pytest.raises(RuntimeError, match="stop"):
            net(XS)
        net(XS)
    assert rec["v"].shape == rec["spikes"].shape == (23, 3, 3)


def test_one_recording_inside_another():
    net = cortex()
    with net.record("v1.exc", "v") as outer:
        net(XS[:4])
        with net.record("v1.exc", "v", every=2) as inner:
            net(XS[:4])
        net(XS[:4])
    assert len(outer["v"]) == 12
    torch.testing.assert_close(inner["v"], outer["v"][4:8:2], rtol=0, atol=0)


@pytest.mark.parametrize(
    ("address", "names", "options", "message"),
    [
        ("v1.exk", ["v"], {}, "of a population, a connection or a behavior, .* got 'v1.exk'. Did you mean 'v1.exc'"),
        ("v1.inputs", ["v"], {}, "Did you mean 'v1.input'"),
        ("v1.exc", ["vv"], {}, "a variable of 'v1.exc', got 'vv'. Did you mean 'v'"),
        ("v1.inh", ["synaptic.proximal"], {}, "got 'synaptic.proximal'. Did you mean 'proximal'"),
        ("v1", ["x"], {}, r"a variable of 'v1' \(v1.exc, v1.inh\), got 'x'"),
        ("eye.sensory", ["v"], {}, "a variable of 'eye.sensory', got 'v'. There is 'spikes', 'output'."),
        (UP, ["spikes"], {}, "There is 'current', 'weight'"),
        ("v1.exc.activity_homeostasis", ["activit"], {}, "Did you mean 'activity_homeostasis.activity'"),
        ("v1", [], {}, "at least one variable"),
        ("v1.exc", ["v"], {"every": 0}, "`every` to be a whole number of steps of at least 1"),
        ("v1.exc", ["v"], {"last": -1}, "`last` to be a whole number of steps of at least 1"),
        ("v1.exc", ["v"], {"where": [8]}, "indices below 8, the neurons of 'v1.exc'"),
        ("v1.exc", ["v"], {"where": torch.ones(7, dtype=torch.bool)}, r"a mask `where` of shape \(2, 2, 2\)"),
        ("v1.exc", ["v", {"v": abs}], {}, "a function by a name that no variable asked for has, got 'v'"),
        (UP, ["weight"], {"where": [0]}, "`where` for values of neurons"),
        ("eye.sensory", [{"f": abs}], {}, "functions of the variables of populations, got input at 'eye.sensory'"),
    ],
)  # fmt: skip
def test_unknown_names(address, names, options, message):
    net = cortex()
    with pytest.raises(ValueError, match=message), net.record(address, *names, **options):
        pass
    assert hooks(net) == 0


def test_what_is_no_name():
    with (
        pytest.raises(TypeError, match="names of variables, or functions of them by name, got 3"),
        cortex().record("v1.exc", 3),
    ):
        pass


def test_reading_what_was_never_run():
    net = cortex()
    with net.record("v1", "v", "spikes") as rec:
        pass
    with pytest.raises(RuntimeError, match=r"'v1.exc.v' to have been recorded, got nothing"):
        rec["v1.exc.v"]
    with pytest.raises(KeyError, match=r"with its address, got 'v', which is 'v1.exc.v', 'v1.inh.v'"):
        rec["v"]
    with pytest.raises(KeyError, match=r"got 'v1.exc.w'. Did you mean"):
        rec["v1.exc.w"]
    assert "v1.exc.v" in rec


@pytest.mark.parametrize("every", [1, 4])
def test_a_weight_is_recorded_of_a_run_by_events(monkeypatch, every):
    kept, stretches = [], []
    run = EventLoop.run
    monkeypatch.setattr(EventLoop, "run", lambda *args, **kw: stretches.append(kw["steps"]) or run(*args, **kw))
    for by_events in (None, False):
        torch.manual_seed(0)
        net = cx.Neocortex(retina=cx.InputLayer(8), v1=cx.Population(5, cx.LIF(), winners=cx.KWinners(2)))
        net.by_events = by_events
        net.connect("retina", "v1", cx.Dense, init=nn.init.uniform_, rule=cx.STDP(), when="step")
        (path,) = net.all_connections()
        xs = (torch.rand(18, 1, 8) < 0.3).float()
        with torch.no_grad(), net.record(path, "weight", every=every) as rec:
            _, state = net(xs[:10])
            net(xs[10:], state)
        kept.append(rec["weight"])
        assert torch.equal(rec.steps("weight"), torch.arange(0, 18, every))
    torch.testing.assert_close(*kept)
    assert not torch.equal(kept[0][0], kept[0][-1])
    assert stretches == ([1] * 18 if every == 1 else [4, 4, 2, 2, 4, 2])
