"""Files that are damaged, or mean harm: each an error that says what and where, and nothing is run."""

import contextlib
import json
import os
import pickle
import warnings

import pytest
import torch
from torch import nn

import conex_nn as cx
from conex_nn.structure.structure_files import STRUCTURE, TENSORS

from .stored_networks import connection, edit, small_network


@pytest.fixture
def small(tmp_path):
    return small_network(tmp_path)


def test_a_missing_file(tmp_path, small):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        cx.load(tmp_path / "nowhere")
    (small / TENSORS).unlink()
    with pytest.raises(FileNotFoundError, match=TENSORS):
        cx.load(small)


@pytest.mark.parametrize("name", [STRUCTURE, TENSORS])
@pytest.mark.parametrize("kept", [0, 1, 9, 0.5, -1])
def test_a_truncated_file(name, kept, small):
    whole = (small / name).read_bytes()
    (small / name).write_bytes(whole[: int(kept * len(whole)) if isinstance(kept, float) else kept])
    if name == STRUCTURE and kept == -1:
        cx.load(small)  # the last character is a line's end
        return
    with pytest.raises(ValueError, match=rf"Expected .*{name} to"):
        cx.load(small)


def test_random_damage_is_an_error_or_harmless(small):
    for name in (STRUCTURE, TENSORS):
        whole = (small / name).read_bytes()
        for _ in range(60):
            broken = bytearray(whole)
            broken[int(torch.randint(len(whole), ()))] = int(torch.randint(256, ()))
            (small / name).write_bytes(broken)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with contextlib.suppress(ValueError):
                    cx.load(small, strict=False)
        (small / name).write_bytes(whole)
    cx.load(small)


def test_files_of_two_saves(small, tmp_path):
    net = cx.load(small)
    nn.init.zeros_(net.connections["retina_to_v1"].only.synapse.weight)
    net.save(tmp_path / "other")
    (small / TENSORS).write_bytes((tmp_path / "other" / TENSORS).read_bytes())
    with pytest.raises(ValueError, match=r"of one save, got two"):
        cx.load(small)


class Boom:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return os.system, ("touch /tmp/conex_nn_was_here",)


def test_a_pickle_in_place_of_tensors(small, tmp_path):
    for data in (pickle.dumps(Boom()), b"\x80\x02}q\x00."):
        (small / TENSORS).write_bytes(data)
        with pytest.raises(ValueError, match="whole safetensors file"):
            cx.load(small)
    torch.save({"a": torch.ones(2)}, small / TENSORS)
    with pytest.raises(ValueError, match="whole safetensors file"):
        cx.load(small)
    assert not os.path.exists("/tmp/conex_nn_was_here")


def top(content):
    return content["part"]


def v1(content):
    return content["part"]["parts"]["v1"]


def huge_weights():
    """A synapse with more weights than 64 bits count, between populations that would be held."""
    ends = {"b": {"class": "conex_nn.Population", "shape": [10**6], "neuron": {"class": "conex_nn.LIF"}}}
    ends["a"] = {"class": "conex_nn.Source", "shape": [10**18]}
    wire = {"class": "conex_nn.Connection", "source": "a", "target": "b", "synapse": {"class": "conex_nn.Dense"}}
    group = {"class": "conex_nn.Synapsis", "connections": {"x": wire}}
    return {"class": "conex_nn.Container", "parts": ends, "connections": {"x": group}}


HOSTILE = {
    "os.system": lambda c: v1(c).update({"class": "os.system"}),
    "builtins.eval": lambda c: connection(c)["synapse"].update({"class": "builtins.eval"}),
    "torch.nn.Module": lambda c: v1(c).update(neuron={"class": "torch.nn.Module"}),
    "conex_nn.structure.storage.save": lambda c: top(c).update({"class": "conex_nn.structure.storage.save"}),
    "eval": lambda c: connection(c)["synapse"].update(init={"function": "eval"}),
    "os.system as a function": lambda c: connection(c)["synapse"].update(init={"function": "os.system"}),
    "torch.load": lambda c: v1(c).update(noise={"class": "conex_nn.Noise", "draw": {"function": "torch.load"}}),
    "a class as a function": lambda c: connection(c)["synapse"].update(init={"function": "conex_nn.LIF"}),
    "a function as a class": lambda c: v1(c).update({"class": "torch.nn.init.ones_"}),
    "python_callable": lambda c: connection(c)["synapse"].update(init=["python_callable", "os", "system"]),
    "python_callable as a class": lambda c: v1(c).update({"class": ["python_callable", "os", "system"]}),
    "a path as a name": lambda c: top(c)["parts"].update({"../../etc": v1(c)}),
    "an absolute path": lambda c: top(c)["parts"].update({"/etc/passwd": v1(c)}),
    "a dunder": lambda c: top(c)["parts"].update({"__class__": v1(c)}),
    "a method's name": lambda c: top(c)["parts"].update(forward=v1(c)),
    "a tensor of nowhere": lambda c: v1(c)["neuron"].update(tau_mem={"tensor": [3]}),
    "a surrogate that is code": lambda c: v1(c)["neuron"].update(spike_fn={"surrogate": "custom", "d": "eval"}),
    "a surrogate's parameters": lambda c: v1(c)["neuron"].update(spike_fn={"surrogate": "atan", "alpha": "os"}),
    "huge": lambda c: v1(c).update(shape=[10**15]),
    "huger": lambda c: v1(c).update(shape=[10**30]),
    "huge input": lambda c: top(c)["parts"]["retina"]["parts"]["sensory"].update(shape=[10**13]),
    "huge weights": lambda c: c.update(part=huge_weights()),
    "huge in all": lambda c: v1(c).update(shape=[10**6] * 6),
    "negative": lambda c: v1(c).update(shape=[-3]),
    "no shape": lambda c: v1(c).update(shape="three"),
    "winners": lambda c: v1(c)["winners"].update(k=10**9),
    "unknown argument": lambda c: v1(c)["neuron"].update(tau_men=3.0),
    "unknown top": lambda c: c.update(extra=1),
    "unknown in a container": lambda c: top(c).update(forward=1),
    "unknown of an initialiser": lambda c: connection(c)["synapse"]["init"].update(x=1),
    "a list for an initialiser": lambda c: connection(c)["synapse"].update(init={"function": ["os", "system"]}),
    "a copy": lambda c: v1(c).update(neuron={"copy": "0"}),
    "a class of a class": lambda c: v1(c)["neuron"].update({"class": {"class": "conex_nn.LIF"}}),
    "generator of an initialiser": lambda c: connection(c)["synapse"].update(
        init={"function": "torch.nn.init.uniform_", "generator": {"class": "conex_nn.LIF"}}
    ),
    "weights in the JSON": lambda c: connection(c)["synapse"].update(weight=[1.0]),
    "a missing neuron": lambda c: v1(c).pop("neuron"),
    "a missing part": lambda c: c.pop("part"),
    "no class": lambda c: v1(c).pop("class"),
    "no synapse": lambda c: connection(c).pop("synapse"),
    "a neuron as a synapse": lambda c: connection(c).update(synapse={"class": "conex_nn.LIF"}),
    "a synapse as a neuron": lambda c: v1(c).update(neuron=connection(c)["synapse"]),
    "a synapse as a part": lambda c: top(c)["parts"].update(x=connection(c)["synapse"]),
    "a layer as a behavior": lambda c: v1(c)["behaviors"].update(x={"class": "conex_nn.Container"}),
    "a neuron at the top": lambda c: c.update(part={"class": "conex_nn.LIF"}),
    "a string at the top": lambda c: c.update(part="os.system"),
    "a list of parts": lambda c: top(c).update(parts=[v1(c)]),
    "a port to nowhere": lambda c: top(c)["ports"].update(x=["v9"]),
    "a port of a number": lambda c: top(c)["ports"].update(x=3),
    "a source of nowhere": lambda c: connection(c).update(source="retina.x"),
    "a source outside": lambda c: connection(c).update(source="..v1"),
    "a target that takes nothing": lambda c: connection(c).update(target="retina.sensory"),
    "a compartment of nowhere": lambda c: connection(c).update(compartment="proximl"),
    "a negative latency": lambda c: connection(c).update(latency=-1),
    "a delay in words": lambda c: connection(c).update(axon_delay="soon"),
    "enabled by a word": lambda c: v1(c)["winners"].update(enabled="yes"),
    "a block of none": lambda c: top(c).update(block=0),
    "itself": lambda c: v1(c).update(neuron={"same_as": "v1"}),
    "same as a list": lambda c: v1(c).update(neuron={"same_as": ["v1"]}),
    "a newer format": lambda c: c.update(format=2),
    "no format": lambda c: c.pop("format"),
    "a format in words": lambda c: c.update(format="1"),
    "a dtype that is none": lambda c: c.update(dtype="object"),
    "dtypes": lambda c: c.update(dtype=["float32"]),
    "frozen": lambda c: c.update(frozen=["v1.nothing"]),
    "frozen number": lambda c: c.update(frozen=3),
    "tied": lambda c: c.update(tied={"v1.a": "v1.b"}),
    "tied list": lambda c: c.update(tied=["v1.a"]),
    "not a number": lambda c: v1(c)["neuron"].update(tau_mem={"number": "nan"}),
    "a number in words": lambda c: v1(c)["neuron"].update(tau_mem={"number": "1e9"}),
    "trainable words": lambda c: v1(c)["neuron"].update(tau_mem={"trainable": "much"}),
    "learned words": lambda c: v1(c)["neuron"].update(v_threshold={"learned": [3], "start": "low"}),
    "a threshold below reset": lambda c: v1(c)["neuron"].update(v_threshold=-1.0),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
@pytest.mark.parametrize("strict", [True, False])
def test_a_hostile_file(what, strict, small, monkeypatch):
    monkeypatch.setattr(os, "system", lambda *a: pytest.fail("ran code"))
    edit(small, HOSTILE[what])
    with pytest.raises(ValueError, match=STRUCTURE) as caught:
        cx.load(small, strict=strict)
    assert len(str(caught.value)) < 1200


MESSAGES = {
    "os.system": r"Expected a name of the registry, got 'os.system'.*class of 'v1'",
    "unknown argument": r"of 'v1.neuron', got 'tau_men'. Did you mean tau_mem",
    "a compartment of nowhere": r"`compartment` of 'connections.*proximl'. Did you mean proximal",
    "a newer format": r"of format 1 or older, got 2.*Update conex_nn",
    "a missing neuron": r"Cannot make 'v1', a Population:.*neuron",
    "huge": r"memory of this machine",
    "a source of nowhere": r"address of a population, got 'retina.x'",
    "winners": r"Cannot make 'v1', a Population: Expected `k` to be at most 3",
}


@pytest.mark.parametrize("what", MESSAGES)
def test_what_is_said_of_a_file(what, small):
    edit(small, HOSTILE[what])
    with pytest.raises(ValueError, match=f"(?s){MESSAGES[what]}"):
        cx.load(small)


def test_a_huge_synapse_is_never_made(tmp_path, monkeypatch):
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(3, cx.LIF()))
    net.connect("retina", "v1", cx.Dense)
    net.save(tmp_path / "net")
    edit(tmp_path / "net", lambda c: c["part"]["parts"]["retina"]["parts"]["sensory"].update(shape=[10**9]))
    monkeypatch.setattr(cx.Dense, "__init__", lambda *a, **k: pytest.fail("made a synapse"))
    with pytest.raises(ValueError, match=r"\(3, 4\), now \(3, 1000000000\)"):
        cx.load(tmp_path / "net")


def test_json_that_is_none(small):
    file = small / STRUCTURE
    text = file.read_text()
    for bad, said in [
        (text.replace('"dt": 1.0', '"dt": NaN'), "NaN is no number of JSON"),
        (text.replace('"dt": 1.0', '"dt": 1.0, "dt": 2.0'), "'dt' is there twice"),
        ("[" * 100_000 + "]" * 100_000, STRUCTURE),
        ("[1, 2]", "no `format`"),
        ("null", "no `format`"),
        ("\x00\x01", STRUCTURE),
        (text[:-20], "complete"),
    ]:
        file.write_text(bad)
        with pytest.raises(ValueError, match=said):
            cx.load(small)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=STRUCTURE):
        cx.load(small)


def test_deep_nesting(small):
    content = json.loads((small / STRUCTURE).read_text())
    text = json.dumps(content["part"])
    deep = '{"class": "conex_nn.Container", "parts": {"x": ' * 3000 + text + "}}" * 3000
    content["part"] = "HERE"
    (small / STRUCTURE).write_text(json.dumps(content).replace('"HERE"', deep))
    with pytest.raises(ValueError, match="recursion"):
        cx.load(small)
