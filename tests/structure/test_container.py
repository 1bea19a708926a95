"""Parts by name, addresses, ports, connections among them: what is made, and what is refused."""

import copy
import pickle

import pytest
import torch
from torch.testing import assert_close

import conex_nn as cx
from conex_nn.structure import Connection, Container


def pop(n=3, **options):
    return cx.Population(n, cx.LIF(), **options)


def layer(**options):
    return cx.CorticalLayer(exc=pop(4), inh=pop(2, inhibitory=True), **options)


@pytest.fixture
def net():
    made = cx.Neocortex(
        retina=cx.InputLayer(6, location=2), v1=cx.CorticalColumn(l4=layer(), l23=layer()), extra=pop(5)
    )
    made.v1.l4.port("input", "exc", "inh")
    made.v1.port("into", "l4.input", "l23.exc")
    return made


def ends(synapsis):
    return [(c.source, c.target) for c in synapsis]


def test_a_connection_to_populations(net):
    made = net.connect("retina", "v1.l4.exc", cx.Dense)
    assert ends(made) == [("retina.sensory", "v1.l4.exc")]
    assert made.only.synapse.weight.shape == (4, 6)
    assert net.connections["retina_to_v1_l4_exc"] is made


def test_a_port_expands_to_every_population_behind_it(net):
    targets = ["v1.l4.exc", "v1.l4.inh", "v1.l23.exc"]
    assert ends(net.connect("extra", "v1.into", cx.Dense)) == [("extra", t) for t in targets]
    assert ends(net.connect("v1.l4.input", "extra", cx.Dense)) == [("v1.l4.exc", "extra"), ("v1.l4.inh", "extra")]
    net.v1.l4.port("all", "input", "exc")  # the same population by two ways is one
    assert ends(net.v1.l4.connect("all", "inh", cx.Dense)) == [("exc", "inh"), ("inh", "inh")]


def test_a_whole_container(net):
    four = ["v1.l4.exc", "v1.l4.inh", "v1.l23.exc", "v1.l23.inh"]
    made = net.connect(net.v1, "extra", cx.Dense)
    assert ends(made) == [(s, "extra") for s in four]
    assert [c.inhibitory for c in made] == [False, True, False, True]
    assert len(net.v1.connect("l4", "l23", cx.Dense)) == 4
    assert ends(net.v1.l4.connect("", "exc", cx.Dense)) == [("exc", "exc"), ("inh", "exc")]
    assert ends(net.v1.l4.connect(net.v1.l4, net.v1.l4.exc, cx.Dense)) == [("exc", "exc"), ("inh", "exc")]
    assert ends(net.connect("retina.location", "extra", cx.Dense)) == [("retina.location", "extra")]


def test_connections_of_one_name_are_numbered(net):
    for expected in ("extra_to_extra", "extra_to_extra_2", "extra_to_extra_3"):
        net.connect("extra", "extra", cx.Dense)
        assert list(net.connections)[-1] == expected
    assert net.connect("extra", "extra", cx.Dense, name="mine") is net.connections["mine"]


def test_addresses_that_read_alike_are_kept_apart():
    """ "a.b" and "a_b" make the same name: no connection may be lost for that."""
    column = cx.CorticalColumn(a_b=pop(3), a=cx.CorticalLayer(b=pop(3)))
    made = Container({"e": column, "c": pop(2)}).connect("e", "c", cx.Dense)
    assert ends(made) == [("e.a_b", "c"), ("e.a.b", "c")]


def test_a_part_in_place_of_its_address(net):
    made = net.connect(net.v1.l4.exc, net.extra, cx.Dense)
    assert ends(made) == [("v1.l4.exc", "extra")]
    for one, other in ((cx.Neocortex(a=pop()).a, net.extra), (net.extra, pop())):
        with pytest.raises(
            ValueError, match=r"part of this Neocortex, got a Population that is not in it.*both in one"
        ):
            net.connect(one, other, cx.Dense)


@pytest.mark.parametrize(
    ("source", "target", "match"),
    [
        ("retna", "extra", r"address.*got 'retna': there is no 'retna' here among retina, .*Did you mean retina"),
        ("extra", "v1.l5.exc", r"no 'l5' in 'v1' among l4, l23, into\. Did you mean l4"),
        ("extra", "v1.l4.ecx", r"no 'ecx' in 'v1\.l4'.*Did you mean exc"),
        ("extra", "v1.l4.inputs", r"no 'inputs'.*Did you mean input\?"),
        ("extra", "v1.l4.exc.neuron", r"no 'neuron' in 'v1\.l4\.exc'"),
        ("extra", "retina", r"target that takes currents, got 'retina\.sensory', through which input enters"),
        ("connections", "extra", r"there is no 'connections' here"),
    ],
)
def test_an_address_without_a_population(net, source, target, match):
    with pytest.raises(ValueError, match=match):
        net.connect(source, target, cx.Dense)
    assert not net.all_connections()


def test_an_empty_container_has_no_population():
    net = cx.Neocortex(a=pop(), empty=cx.CorticalLayer())
    with pytest.raises(ValueError, match="Expected a population behind 'empty', got none"):
        net.connect("a", "empty", cx.Dense)


def test_an_unknown_compartment(net):
    with pytest.raises(
        ValueError, match=r"`compartment` .* proximal, distal, apical of 'extra', got 'apicl'. Did you mean apical"
    ):
        net.connect("extra", "extra", cx.Dense, compartment="apicl")
    net.add("own", pop(dendrite=cx.Dendrite({"soma": cx.Drive()})))
    with pytest.raises(ValueError, match="`compartment` to be one of soma of 'own', got 'proximal'"):
        net.connect("extra", "own", cx.Dense)


def test_shapes_that_do_not_fit(net):
    with pytest.raises(ValueError, match=r"Cannot connect 'extra' \(5,\) to 'v1\.l4\.exc' \(4,\): .*as many neurons"):
        net.connect("extra", "v1.l4.exc", cx.OneToOne)
    with pytest.raises(ValueError, match=r"`source_shape` is that of 'extra', \(5,\), got \(4,\) of Dense"):
        net.connect("extra", "v1.l4.exc", cx.Dense(4, 4))
    with pytest.raises(ValueError, match=r"`target_shape` is that of 'v1\.l4\.exc', \(4,\), got \(3,\) of Dense"):
        net.connect("extra", "v1.l4.exc", cx.Dense(5, 3))
    with pytest.raises(ValueError, match=r"`source_shape` is that of 'extra', \(5,\), got None of Linear"):
        net.connect("extra", "v1.l4.exc", torch.nn.Linear(5, 4))
    net.add("grid", pop((1, 4, 4)))
    with pytest.raises(ValueError, match=r"Cannot connect 'grid' .*to 'grid'.*`kernel_size` to be an odd .*got 2"):
        net.connect("grid", "grid", cx.Lateral, kernel_size=2)
    assert not net.all_connections()


def test_options(net):
    with pytest.raises(
        TypeError, match=r"options of `connect` or of Sparse \(density, .*got 'densty'. Did you mean density"
    ):
        net.connect("extra", "extra", cx.Sparse, densty=0.1)
    with pytest.raises(TypeError, match=r"or of AvgPool2d \(which takes none\), got 'kernel_size'"):
        net.connect("extra", "extra", cx.AvgPool2d, kernel_size=2)
    with pytest.raises(TypeError, match=r"'latancy'. Did you mean latency"):
        net.connect("extra", "extra", cx.Dense, latancy=2)
    with pytest.raises(ValueError, match=r"synapse's class, to make one for each of 2 pairs.*Dense already made"):
        net.connect("extra", "v1.l4", cx.Dense(5, 4))
    with pytest.raises(ValueError, match=r"Expected `axon_delay` to be whole numbers of steps, 0 or more.*got -1"):
        net.connect("extra", "extra", cx.Dense, axon_delay=-1)
    with pytest.raises(ValueError, match=r"Expected `latency` to be whole numbers of steps.*got 0.5.*not in ms"):
        net.connect("extra", "extra", cx.Dense, latency=0.5)


def test_inhibitory_weights_are_magnitudes(net):
    weight = torch.tensor([[1.0, -0.5]] * 4)
    match = r"`weight` from the inhibitory population 'v1\.l4\.inh' to be magnitudes, 0 or more.*down to -0\.5"
    with pytest.raises(ValueError, match=match):
        net.connect("v1.l4.inh", "v1.l4.exc", cx.Dense, weight=weight)
    with pytest.raises(ValueError, match=match):
        net.connect("v1.l4.inh", "v1.l4.exc", cx.Dense(2, 4, weight=weight))
    net.connect("v1.l4.inh", "v1.l4.exc", cx.Dense, weight=weight, inhibitory=False)
    assert (net.connect("v1.l4.inh", "v1.l4.exc", cx.Dense).only.synapse.weight >= 0).all()


@pytest.mark.parametrize(
    "name",
    ["a.b", "", "2nd", "train", "connections", "ports", "forward", "dt", "block", "by_events", "_late", "_network"],
)
def test_names_of_parts(name):
    match = "free in this|identifier that Neocortex does not use, got"
    if name not in ("dt", "", "a.b", "2nd"):
        with pytest.raises(ValueError, match=match):
            cx.Neocortex(**{name: pop()})
    with pytest.raises(ValueError, match=match):
        cx.Neocortex().add(name, pop())


@pytest.mark.parametrize("name", ["a.b", "", "connections", "keys", "values", "training"])
def test_names_of_connections(net, name):
    with pytest.raises(ValueError, match="Expected `name` to be an identifier that no connection here has, got"):
        net.connect("extra", "extra", cx.Dense, name=name)


def test_names_are_there_once(net):
    with pytest.raises(ValueError, match="name that is free in this Neocortex, got 'extra' twice"):
        net.add("extra", pop())
    with pytest.raises(ValueError, match="name that is free in this CorticalLayer, got 'input' twice"):
        net.v1.l4.add("input", pop())
    for name in ("exc", "input", "a.b"):
        with pytest.raises(ValueError, match="Expected a port's name to be a free identifier, got"):
            net.v1.l4.port(name, "exc")
    net.connect("extra", "extra", cx.Dense, name="mine")
    with pytest.raises(ValueError, match="that no connection here has, got 'mine'"):
        net.connect("extra", "extra", cx.Dense, name="mine")


def test_ports_lead_somewhere(net):
    with pytest.raises(ValueError, match="Expected port 'out' to lead to one population at least, got none"):
        net.v1.port("out")
    with pytest.raises(ValueError, match=r"got 'l6'.*no 'l6' here among l4, l23"):
        net.v1.port("out", "l6")


def test_a_part_is_in_a_network_once(net):
    with pytest.raises(ValueError, match=r"once, got 'v1\.l4\.exc' again as 'again'. Use `replicate\(\)`"):
        net.add("again", net.v1.l4.exc)
    with pytest.raises(ValueError, match=r"got 'extra' again as 'more\.x'"):
        net.add("more", cx.CorticalLayer(x=net.extra))


def test_find_is_never_stale(net):
    assert list(net.find("*.inh")) == ["v1.l4.inh", "v1.l23.inh"]
    net.v1.add("l5", cx.CorticalLayer(inh=pop(tags=["deep"]), tags="bottom"))
    assert list(net.find("*.inh")) == ["v1.l4.inh", "v1.l23.inh", "v1.l5.inh"]
    assert list(net.find("deep")) == ["v1.l5.inh"]
    assert list(net.find("bottom")) == ["v1.l5"]
    del net.v1.l5
    assert not net.find("deep")
    net.connect("extra", "extra", cx.Sparse, density=0.5, tags=["loop"])
    assert list(net.find("loop")) == ["connections.extra_to_extra.extra_to_extra"]
    assert list(net.find(Connection)) == list(net.all_connections())
    assert list(net.find(cx.Sparse)) == ["connections.extra_to_extra.extra_to_extra.synapse"]
    assert net.find("v1.l4") == {"v1.l4": net.v1.l4}
    assert net["v1.l4.exc"] is net.v1.l4.exc


def test_a_port_can_be_found(net):
    assert set(net.find("v1.into")) == {"v1.l4.exc", "v1.l4.inh", "v1.l23.exc"}


def test_nothing_at_an_address(net):
    with pytest.raises(KeyError, match=r"nothing at 'v1.l4.ex'. Did you mean v1.l4.exc"):
        net["v1.l4.ex"]


def test_switch():
    winners = cx.KWinners(1)
    net = cx.Neocortex(eye=cx.InputLayer(3), ear=cx.InputLayer(3), a=pop(winners=winners))
    for source in ("eye", "ear"):
        net.connect(source, "a", cx.OneToOne, init=torch.nn.init.ones_, gain=30.0, latency=0, tags=["feed"])
    xs = {"eye": torch.eye(3)[None].expand(4, 3, 3), "ear": torch.eye(3).flip(0)[None].expand(4, 3, 3)}

    def rates():
        return net(xs)[0]["a"].mean(0)

    assert (rates().sum(1) == 1).all()
    assert net.switch(cx.KWinners, on=False) == ["a.winners"]
    both = (xs["eye"] + xs["ear"])[0].clamp(max=1)
    assert_close(rates(), both)
    assert net.switch("ear.sensory", on=False) == ["ear.sensory"]
    assert_close(rates(), torch.eye(3))
    net.switch("sensory", on=True)
    net.switch("connections.eye_to_a", on=False)
    assert_close(rates(), torch.eye(3).flip(0))
    assert len(net.switch("feed", on=True)) == 2
    assert_close(rates(), both)
    with pytest.raises(ValueError, match=r"can be switched .*got 'a.winer'. Did you mean a.winners"):
        net.switch("a.winer", on=True)


def test_late_binding(net):
    assert net.connect("extra", "v2.exc", cx.Dense, late=True) is None
    assert net.connect("v2.way", "extra", cx.Dense, late=True, name="back") is None
    assert net.connect("extra", "extra", cx.Dense, late=True).only.source == "extra"  # nothing to wait for
    with pytest.raises(ValueError, match="both ends of every connection, got 2 in 'the network' made with `late=True`"):
        net({"retina": torch.rand(2, 1, 6), "retina.location": torch.rand(2, 1, 2)})
    v2 = cx.CorticalLayer()
    net.add("v2", v2)
    v2.add("exc", pop(7))  # deeper than where the connection was made
    v2.port("way", "exc")
    out, _ = net({"retina": torch.rand(2, 1, 6), "retina.location": torch.rand(2, 1, 2)})
    assert out["v2.exc"].shape == (2, 1, 7)
    assert ends(net.connections["extra_to_v2_exc"]) == [("extra", "v2.exc")]
    assert ends(net.connections["back"]) == [("v2.exc", "extra")]


def test_what_waits_goes_along_with_a_copy(net):
    net.connect("extra", "v2", cx.Dense, late=True)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        other.add("v2", pop(2))
        assert len(other.all_connections()) == 1
        assert not net.all_connections()
    net.add("v2", pop(3))
    assert net.connections["extra_to_v2"].only.synapse.weight.shape == (3, 5)


def test_a_late_connection_that_does_not_fit_says_so(net):
    net.connect("extra", "v2", cx.OneToOne, late=True)
    with pytest.raises(ValueError, match=r"Cannot connect 'extra' \(5,\) to 'v2' \(2,\)"):
        net.add("v2", pop(2))


def test_connections_are_parts_like_others(net):
    made = net.connect("extra", "v1.l4", cx.Dense)
    names = {name for name, _ in net.named_parameters()}
    assert names == {f"connections.extra_to_v1_l4.extra_to_v1_l4_{p}.synapse.weight" for p in ("exc", "inh")}
    assert net["connections.extra_to_v1_l4"] is made


def test_what_connect_returns_is_a_switch():
    net = cx.Neocortex(retina=cx.InputLayer(2), v1=cx.Population(3, cx.IF()))
    synapsis = net.connect("retina", "v1", cx.Dense, init=torch.nn.init.ones_, gain=5.0)
    (path,) = net.all_connections()
    assert synapsis.enabled
    synapsis.enabled = False
    assert not net.all_connections()[path].enabled
    assert not net(torch.ones(4, 1, 2))[0]["v1"].any()
    assert net.switch(path.rpartition(".")[0], on=True) == [path]
    assert synapsis.enabled
    assert net(torch.ones(4, 1, 2))[0]["v1"].any()


def test_a_population_is_no_switch():
    with pytest.raises(ValueError, match=r"got 'v1'\. Populations are silenced by their connections\."):
        cx.Neocortex(v1=cx.Population(3, cx.IF())).switch("v1", on=False)
