"""Saving and loading: the same spikes again, edits of the file, what cannot be saved."""

import os
import warnings

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.structure.structure_files import STRUCTURE, TENSORS

from .stored_networks import Shift, column, connection, edit, inputs, layer, network, small_network


def same_run(a, b, x, **state):
    """Whether two networks give the same spikes, and end in the same state."""
    (ya, sa), (yb, sb) = a(x), b(x)
    assert ya.keys() == yb.keys()
    for path in ya:
        torch.testing.assert_close(ya[path], yb[path], rtol=0, atol=0)
    torch.testing.assert_close(sa, sb, rtol=0, atol=0)
    return ya


def same_state(a, b):
    one, other = a.state_dict(), b.state_dict()
    assert one.keys() == other.keys()
    for key in one:
        assert one[key].dtype == other[key].dtype, key
        torch.testing.assert_close(one[key], other[key], rtol=0, atol=0, msg=key)


@pytest.fixture
def small(tmp_path):
    return small_network(tmp_path)


# The same network again


def test_a_loaded_network_gives_the_same_spikes(tmp_path):
    net, x = network(), inputs()
    net(x)  # thresholds, counters and exhaustion are under way
    net.save(tmp_path / "net")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = cx.load(tmp_path / "net")
    same_state(net, again)
    assert repr(again) == repr(net)
    for train in (False, True):  # the window of the homeostasis ends within the run
        y = same_run(net.train(train), again.train(train), x)
        same_state(net, again)
    assert sum(float(spikes.detach().sum() > 0) for spikes in y.values()) >= 12
    assert again["zoo.if_.behaviors.0"].tags == ("leash",)
    assert not again["zoo.homeostatic.noise"].enabled
    assert again["zoo.homeostatic.behaviors.slow"].low == float("-inf")
    assert again["v1"].ports == net["v1"].ports
    assert {k for k, p in again.named_parameters() if not p.requires_grad} == {
        "connections.filters.retina_sensory_to_v1_l4_exc.synapse.weight"
    }
    assert list(again.populations()) == list(net.populations())
    assert list(again.find("lateral")) == list(net.find("lateral"))


def test_gradients_of_a_loaded_network_are_the_same(tmp_path):
    net, x = network(), inputs(steps=10)
    net.eval().save(tmp_path / "net")
    again = cx.load(tmp_path / "net").eval()
    for each in (net, again):
        sum(y.square().sum() for y in each(x)[0].values()).backward()
    grads = dict(again.named_parameters())
    assert any(p.grad is not None and p.grad.any() for p in net.parameters())
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.grad, grads[name].grad, rtol=0, atol=0)


@pytest.mark.parametrize("make", [column, layer, lambda: layer()["exc"], lambda: cx.Source((1, 3)), lambda: Plain(2)])
def test_a_part_is_saved_alone(make, tmp_path):
    part = make()
    part.save(tmp_path / "part")
    again = cx.load(tmp_path / "part")
    assert type(again) is type(part)
    same_state(part, again)


@cx.register("tests.Plain")
class Plain(cx.CorticalColumn):
    """A container that makes its parts, connections and ports itself, and has a tensor of its own."""

    def __init__(self, n):
        super().__init__(a=cx.Population(n, cx.LIF()), b=cx.Population(n, cx.LIF()))
        self.n = n
        self.register_buffer("mine", torch.rand(n))
        self.connect("a", "b", cx.Dense)
        self.port("out", "b")


def test_rerun_after_load_is_streamed(tmp_path):
    net, x = network(), inputs(steps=8)
    _, state = net(x)
    net.save(tmp_path / "net")
    again = cx.load(tmp_path / "net")
    torch.testing.assert_close(net(x, state), again(x, state), rtol=0, atol=0)  # fast state is the caller's


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_dtype_is_kept_exactly(dtype, tmp_path):
    part = column().to(dtype)
    part.save(tmp_path / "part")
    again = cx.load(tmp_path / "part")
    same_state(part, again)
    assert torch.get_default_dtype() == torch.float32


def test_a_number_that_only_float64_holds(tmp_path):
    part = cx.Population(2, cx.LIF().double())
    part.neuron.v_threshold.fill_(1e300)
    assert save_and_load(part, tmp_path / "part").neuron.v_threshold.item() == 1e300


def test_parts_of_different_dtypes(tmp_path):
    part = column()
    part["l4.inh"].double()
    part.connections["l4_exc_to_l23_exc"].double()
    part.save(tmp_path / "part")
    same_state(part, cx.load(tmp_path / "part"))


def test_tied_and_shared_parts_stay_so(tmp_path):
    neuron = cx.LIF(tau_mem=nn.Parameter(torch.tensor(5.0)))
    part = cx.Container({name: cx.Population(3, neuron) for name in ("a", "b", "c")})
    part.connect("a", "b", cx.Dense)
    part.connect("b", "c", cx.Dense)
    part.connect("c", "a", part.connections["a_to_b"].only.synapse)
    part.connections["b_to_c"].only.synapse.weight = part.connections["a_to_b"].only.weight
    for again in (part.replicate(), part.replicate(weights=True), save_and_load(part, tmp_path / "part")):
        assert again["a"].neuron is again["b"].neuron
        assert again.connections["c_to_a"].only.synapse is again.connections["a_to_b"].only.synapse
        assert again.connections["b_to_c"].only.synapse.weight is again.connections["a_to_b"].only.synapse.weight


def save_and_load(part, path):
    part.save(path)
    return cx.load(path)


def test_loading_draws_nothing(tmp_path):
    network().save(tmp_path / "net")
    before = torch.get_rng_state()
    cx.load(tmp_path / "net")
    # a user's own synapse has no `init` that could be left out
    drawn = torch.get_rng_state()
    torch.set_rng_state(before)
    torch.rand(6)
    assert torch.equal(drawn, torch.get_rng_state())


def test_saving_again_replaces_and_leaves_other_files(small):
    (small / "notes.txt").write_text("mine")
    net = cx.load(small)
    nn.init.constant_(net.connections["retina_to_v1"].only.synapse.weight, 3.0)
    net.save(small)
    assert cx.load(small).connections["retina_to_v1"].only.weight.eq(3).all()
    assert sorted(os.listdir(small)) == ["notes.txt", STRUCTURE, TENSORS]


def test_the_file_reads_well(small):
    text = (small / STRUCTURE).read_text()
    assert '\n    "class": "conex_nn.Neocortex",\n    "dt": 1.0' in text
    assert '"shape": [3],' in text
    assert '"tau_mem": 10.0' in text
    assert '"init": {\n                "function": "torch.nn.init.ones_"' in text


@pytest.mark.parametrize("after", [0, 1])
def test_an_interrupted_save_leaves_a_whole_network(after, small, monkeypatch):
    net = cx.load(small)
    nn.init.constant_(net.connections["retina_to_v1"].only.synapse.weight, 3.0)
    net.dt = 0.5
    calls, replace = [], os.replace

    def stop(source, target):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(target)
        replace(source, target)

    monkeypatch.setattr(os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        net.save(small)
    monkeypatch.undo()
    again = cx.load(small)  # as before the save, or as after it, and nothing between
    assert (again.dt, again.connections["retina_to_v1"].only.weight.unique().item()) == [(1.0, 1.0), (0.5, 3.0)][after]
    net.save(small)
    assert cx.load(small).dt == 0.5


# Edited files


def test_a_changed_size_draws_anew_what_does_not_fit(tmp_path):
    net = network()
    net(inputs(8))
    net.save(tmp_path / "net")
    edit(tmp_path / "net", lambda c: c["part"]["parts"]["v1"]["parts"]["l4"]["parts"]["inh"].update(shape=[12]))
    with pytest.raises(ValueError, match=r"(?s)exc_to_inh\.synapse\.weight: of shape.*\(9, 32\).*strict=False"):
        cx.load(tmp_path / "net")
    with pytest.warns(cx.LoadWarning, match="v1.l4.inh.neuron.tau_mem") as caught:
        again = cx.load(tmp_path / "net", strict=False)
    drawn = caught[0].message.drawn
    begin = "v1.l4.connections."
    assert set(drawn) == {
        "v1.l4.inh.neuron.tau_mem",
        f"{begin}exc_to_inh.exc_to_inh.synapse.weight",
        f"{begin}inh_to_inh.inh_to_inh.synapse.weight",
        f"{begin}inh_to_exc.inh_to_exc.synapse.edges",
        f"{begin}inh_to_exc.inh_to_exc.synapse.weight",  # as many as before, but of other edges
    }
    assert caught[0].message.unused == ()
    before, after = net.state_dict(), again.state_dict()
    gone = {key for key in before if before[key].shape != after[key].shape and not key.endswith("indptr")}
    assert {key for key in gone if not key.endswith("mask")} == {key for key in drawn if "inh_to_exc" not in key}
    redrawn = {f"{begin}inh_to_exc.inh_to_exc.synapse.{name}" for name in ("indptr", "target_bytes", "weight")}
    for key in before.keys() - gone - redrawn:
        torch.testing.assert_close(before[key], after[key], rtol=0, atol=0, msg=key)
    weight = again["v1.l4"].connections["exc_to_inh"].only.synapse.weight
    assert 0 <= weight.min() < weight.max() <= 0.5  # by its own `init`
    assert again["v1.l4.inh"].neuron.tau_mem.item() == pytest.approx(3.0)  # the mean
    edges = again["v1.l4"].connections["inh_to_exc"].only.synapse
    assert edges.in_degree == 4
    assert edges.source.max() > 8
    again(inputs(4))


def test_a_changed_size_of_a_homeostatic_population(tmp_path):
    part = layer()
    part["exc"]({"proximal": torch.rand(20, 2, 2, 4, 4)})
    assert (part["exc"].neuron.v_threshold != 0.8).all()
    part.save(tmp_path / "part")
    edit(tmp_path / "part", lambda c: c["part"]["parts"]["exc"].update(shape=[3, 4, 4]))
    with pytest.warns(cx.LoadWarning) as caught:
        again = cx.load(tmp_path / "part", strict=False)
    torch.testing.assert_close(again["exc"].neuron.v_threshold, torch.full((3, 4, 4), 0.8))
    assert {k for k in caught[0].message.drawn if k.startswith("exc.")} == {
        "exc.neuron.v_threshold", "exc.activity_homeostasis.activity", "exc.voltage_homeostasis.exhaustion",
    }  # fmt: skip
    assert "connections.exc_to_inh.exc_to_inh.axon_delay" in caught[0].message.drawn
    assert again.connections["exc_to_inh"].only.axon_delay == 1  # the mean


def test_a_changed_number_is_taken(small):
    edit(small, lambda c: c["part"]["parts"]["v1"]["neuron"].update(tau_mem=20.0))
    edit(small, lambda c: connection(c).update(latency=3, gain=2.0))
    net = cx.load(small)
    assert net["v1"].neuron.tau_mem.item() == 20
    assert (net.connections["retina_to_v1"].only.delay, net.connections["retina_to_v1"].only.gain) == (3, 2.0)


def test_an_argument_left_out_takes_its_default(small):
    edit(small, lambda c: c["part"]["parts"]["v1"]["neuron"].pop("refractory_time"))
    assert cx.load(small)["v1"].neuron.refractory_time.item() == 0


def test_the_file_and_not_the_class_says_what_is_in_a_container(tmp_path):
    Plain(2).save(tmp_path / "part")
    edit(tmp_path / "part", lambda c: (c["part"]["connections"].clear(), c["part"]["ports"].clear()))
    with pytest.warns(cx.LoadWarning, match="a_to_b"):
        again = cx.load(tmp_path / "part", strict=False)
    assert not again.all_connections()
    assert not again.ports
    assert list(again.populations()) == ["a", "b"]


def test_a_connection_taken_out_leaves_its_tensors(small):
    edit(small, lambda c: c["part"]["connections"].clear())
    with pytest.raises(ValueError, match=r"(?s)retina_sensory_to_v1\.synapse\.weight: not used.*strict=False"):
        cx.load(small)
    with pytest.warns(cx.LoadWarning) as caught:
        net = cx.load(small, strict=False)
    assert caught[0].message.unused == ("connections.retina_to_v1.retina_sensory_to_v1.synapse.weight",)
    assert not net.all_connections()


def test_a_population_put_in_by_hand(small):
    def change(content):
        content["part"]["parts"]["v2"] = {
            "class": "conex_nn.Population",
            "shape": [2],
            "neuron": {"class": "conex_nn.IF"},
        }
        content["part"]["connections"]["v1_to_v2"] = {"class": "conex_nn.Synapsis", "connections": {"c": {
            "class": "conex_nn.Connection", "source": "v1", "target": "v2", "synapse": {"class": "conex_nn.Dense"},
        }}}  # fmt: skip

    edit(small, change)
    with pytest.warns(cx.LoadWarning, match=r"connections.v1_to_v2.c.synapse.weight: missing: made anew"):
        net = cx.load(small, strict=False)
    assert net.connections["v1_to_v2"].only.weight.shape == (2, 3)


def test_an_initialiser_without_a_name_is_said_so(tmp_path):
    part = cx.Container({"a": cx.Population(2, cx.LIF()), "b": cx.Population(3, cx.LIF())})
    part.connect("a", "b", cx.Dense, init=lambda weight: weight.fill_(7.0))
    part.save(tmp_path / "part")
    assert cx.load(tmp_path / "part").connections["a_to_b"].only.weight.eq(7).all()
    edit(tmp_path / "part", lambda c: c["part"]["parts"]["a"].update(shape=5))
    with pytest.warns(cx.LoadWarning, match=r"by the default, since what drew it, .*<lambda>, has no name"):
        again = cx.load(tmp_path / "part", strict=False)
    assert again.connections["a_to_b"].only.weight.abs().max() < 1
    assert part.replicate().connections["a_to_b"].only.weight.eq(7).all()


def test_trainable_constants(tmp_path):
    part = cx.Population(
        2, cx.LIF(tau_mem=nn.Parameter(torch.tensor([3.3, 7.7])), v_rest=nn.Parameter(torch.tensor(0.1)))
    )
    part.save(tmp_path / "part")
    again = cx.load(tmp_path / "part")
    same_state(part, again)
    assert again.neuron.v_rest.requires_grad
    edit(tmp_path / "part", lambda c: c["part"]["neuron"].update(v_rest={"trainable": 0.2}))
    with pytest.warns(cx.LoadWarning, match=r"neuron.v_rest: not used"):
        assert cx.load(tmp_path / "part", strict=False).neuron.v_rest.item() == pytest.approx(0.2)


# What cannot be saved


def test_what_cannot_be_saved(tmp_path, small):
    class Unknown(cx.LIF):
        pass

    with pytest.raises(ValueError, match=r"Unknown at 'neuron'. Register it: `@cx.register\(\"my_lab.Unknown\"\)`"):
        cx.Population(2, Unknown()).save(tmp_path / "a")
    with pytest.raises(ValueError, match=r"function that a file may name at 'noise.draw'.*lambda"):
        cx.Population(2, cx.LIF(), noise=cx.Noise(0.1, draw=lambda x: x)).save(tmp_path / "a")
    own = cx.Population(2, cx.LIF(spike_fn=cx.surrogate.custom(lambda x, grad, spikes: grad)))
    with pytest.raises(ValueError, match=r"'neuron.spike_fn'"):
        own.save(tmp_path / "a")
    waiting = cx.Container({"a": cx.Population(2, cx.LIF())})
    waiting.connect("a", "b", cx.Dense, late=True)
    with pytest.raises(ValueError, match=r"late=True.*still wait"):
        waiting.save(tmp_path / "a")
    with pytest.raises(TypeError, match=r"Expected a network, a container or a population to save, got LIF"):
        cx.save(cx.LIF(), tmp_path / "a")
    assert not (tmp_path / "a").exists()
    forgetful = cx.Population(2, cx.LIF(), behaviors=[Forgetful(2)])
    with pytest.raises(ValueError, match=r"none called power.*self.power = power.*arguments\(\)"):
        forgetful.save(tmp_path / "a")


@cx.register("tests.Forgetful")
class Forgetful(cx.Behavior):
    def __init__(self, power):
        super().__init__()


def test_a_class_says_itself_what_it_is_made_with(tmp_path):
    @cx.register("tests.Squared")
    class Squared(cx.Behavior):
        def __init__(self, power):
            super().__init__()
            self.double = 2 * power

        def arguments(self):
            return {"power": self.double // 2}

    population = cx.Population(2, cx.LIF(), behaviors=[Squared(3)])
    assert save_and_load(population, tmp_path / "a").behaviors["0"].double == 6


def test_other_folders_are_not_overwritten(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("mine")
    part = cx.Source(2)
    with pytest.raises(ValueError, match=r"which is a file"):
        part.save(tmp_path / "file")
    with pytest.raises(ValueError, match=r"holds something else and is not overwritten"):
        part.save(tmp_path / "folder")
    assert os.listdir(tmp_path / "folder") == ["thesis.tex"]


@pytest.mark.parametrize("name", ["conex_nn.Mine", "torch.Mine", "Mine", "mine.", ".Mine"])
def test_names_without_a_prefix_of_ones_own(name):
    with pytest.raises(ValueError, match="prefix of your own"):
        cx.register(name)


def test_wrong_uses_of_register():
    with pytest.raises(TypeError, match=r"Expected a name"):
        cx.register(Shift)
    with pytest.raises(TypeError, match=r"Expected a class or a function"):
        cx.register("tests.three")(3)
    with pytest.raises(ValueError, match=r"Expected a name that is free"):
        cx.register("tests.Shift")(Plain)
