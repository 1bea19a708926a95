"""The default wiring of cortex, against the table of seeds.md 1.10 as written here."""

import pytest
import torch

import conex_nn as cx

EXC, INH = "exc", "inh"


def layer(*names):
    make = {
        EXC: lambda: cx.Population(4, cx.LIF()),
        INH: lambda: cx.Population(2, cx.LIF(), inhibitory=True),
    }
    return cx.CorticalLayer(**{name: make[name]() for name in names or (EXC, INH)})


def column(*layers):
    return cx.CorticalColumn(**{name: layer() for name in layers or ("l23", "l4", "l5", "l6")})


def rows(connections):
    return [(c.source, c.target, c.compartment) for c in connections]


INSIDE = [(EXC, EXC, "distal"), (EXC, INH, "proximal"), (INH, INH, "proximal"), (INH, EXC, "proximal")]


def test_a_layer():
    made = layer()
    found = cx.wire_layer(made)
    assert sorted(rows(found)) == sorted(INSIDE)
    assert {c.source for c in found if c.inhibitory} == {INH}
    assert rows(cx.wire_layer(layer(EXC))) == [(EXC, EXC, "distal")]


def test_a_column():
    found = rows(cx.wire_column(column()))
    inside = [(f"{name}.{s}", f"{name}.{t}", c) for name in ("l23", "l4", "l5", "l6") for s, t, c in INSIDE]
    between = """
        l23 e l4 e apical    l23 e l4 i proximal   l23 e l5 e proximal  l23 e l5 i proximal  l23 i l5 e proximal
        l4 e l23 e proximal  l4 i l23 i proximal   l4 i l23 e proximal  l4 e l5 e apical
        l5 e l23 i proximal  l5 e l6 e apical      l6 e l4 e distal     l6 e l4 i proximal   l6 e l5 e proximal
    """
    full = {"e": EXC, "i": INH}
    for s, se, t, te, compartment in zip(*[iter(between.split())] * 5, strict=True):
        inside.append((f"{s}.{full[se]}", f"{t}.{full[te]}", compartment))
    assert sorted(found) == sorted(inside)


def test_what_is_not_there_is_left_out():
    found = rows(cx.wire_column(column("l4", "l5")))
    assert {row[:2] for row in found if row[0][:2] != row[1][:2]} == {("l4.exc", "l5.exc")}


def test_two_columns():
    net = cx.Neocortex(eye=cx.InputLayer(3), v1=column(), v2=column("l23", "l6"))
    found = rows(cx.wire_columns(net, "v1", "v2"))
    assert found == [
        ("v1.l23.exc", "v2.l23.exc", "apical"),
        ("v1.l5.exc", "v2.l6.exc", "distal"),
        ("v1.l6.exc", "v2.l23.exc", "apical"),
    ]


def test_options_reach_connections_and_synapses():
    made = layer()
    found = cx.wire_layer(made, synapse=cx.Sparse, density=0.5, latency=2, tags=["wired"], kinds={"ei": "distal"})
    assert rows(found) == [(EXC, INH, "distal")]
    assert isinstance(found[0].synapse, cx.Sparse)
    assert found[0].latency == 2
    assert list(made.find("wired"))


def test_it_runs():
    net = cx.Neocortex(eye=cx.InputLayer(3), v1=column(), v2=column())
    for name in ("v1", "v2"):
        cx.wire_column(net[name])
    cx.wire_columns(net, "v1", "v2")
    net.connect("eye", "v1.l4.exc", cx.Dense, init=torch.nn.init.ones_, gain=30.0)
    out, _ = net(torch.ones(30, 2, 3))
    assert out["v1.l4.exc"].any()


def test_a_network_without_the_columns():
    net = cx.Neocortex(v1=column())
    with pytest.raises(ValueError, match=r"got 'v3': there is no 'v3' here among v1. Did you mean v1"):
        cx.wire_columns(net, "v1", "v3")
