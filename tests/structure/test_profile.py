"""The profile of a network: each part by its name, time where it was spent, and nothing left behind."""

import subprocess
import sys
import time

import pytest
import torch

import conex_nn as cx
from conex_nn.structure import Cost, Profile


class Slow(cx.Dense):
    """A synapse that takes its time, forwards and backwards."""

    def project(self, spikes, weight):
        time.sleep(0.05)
        current = super().project(spikes, weight)
        if current.requires_grad:
            current.register_hook(lambda grad: time.sleep(0.04))
        return current


def network(synapse=cx.Dense, **options):
    net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(6, cx.LIF()), out=cx.Population(3, cx.LI()))
    net.connect("retina", "v1", cx.Dense, **options)
    net.connect("v1", "out", synapse)
    return net


XS = torch.rand(20, 2, 4, generator=torch.Generator().manual_seed(0))


def by_name(profile):
    return {(cost.kind, cost.name): cost for cost in profile.costs}


def test_a_slow_connection_is_where_the_time_goes():
    net = network(Slow)
    out, _ = net(XS)  # once before, for what is compiled or allocated
    out["out"].sum().backward()
    with net.profile() as profile:
        out, _ = net(XS)
        out["out"].sum().backward()
    found = by_name(profile)
    first, second = net.all_connections()
    assert {name for kind, name in found if kind == "connection"} == {first, second}
    assert {name for kind, name in found if kind == "population"} == {"retina.sensory", "v1", "out"}
    slow = found["connection", second]
    assert slow.forward > 45
    assert slow.backward > 0
    assert found["connection", first].forward < slow.forward
    assert profile.costs == sorted(profile.costs, key=lambda cost: -cost.time)
    assert slow in profile.largest(0.95)


def test_rules_have_rows_of_their_own():
    net = network(rule=cx.STDP())
    with net.profile() as profile:
        net(XS)
    (path, *_) = net.all_connections()
    found = by_name(profile)
    assert found["rule", path].calls >= 1
    assert found["rule", path].forward > 0


def test_populations_that_run_by_events_are_one_row():
    net = cx.Neocortex(
        retina=cx.InputLayer(4), exc=cx.Population(6, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True)
    )
    for source, target in (("retina", "exc"), ("exc", "inh"), ("inh", "exc")):
        net.connect(source, target, cx.Dense)
    with torch.no_grad(), net.profile() as profile:
        net(XS)
    assert ("loop", "exc + inh") in by_name(profile)


def test_memory_that_a_part_leaves():
    net = cx.Neocortex(retina=cx.InputLayer(256), out=cx.Population(1024, cx.LI()))
    net.connect("retina", "out", cx.Dense, latency=0)
    with net.profile() as profile:
        out, _ = net(torch.rand(64, 8, 256))
    (path,) = net.all_connections()
    assert by_name(profile)["connection", path].memory == pytest.approx(64 * 8 * 1024 * 4 / 2**20, rel=0.2)
    assert out["out"].shape == (64, 8, 1024)


def test_results_stay_and_nothing_is_left_behind():
    net = network()
    expected, _ = net(XS)
    before = {module: set(module.__dict__) for module in net.modules()}
    with net.profile():
        found, _ = net(XS)
        with pytest.raises(RuntimeError, match="one profile of a network at a time"), net.profile():
            pass
    torch.testing.assert_close(found["out"], expected["out"], rtol=0, atol=0)
    assert {module: set(module.__dict__) for module in net.modules()} == before
    with pytest.raises(ZeroDivisionError), net.profile():
        raise ZeroDivisionError
    assert {module: set(module.__dict__) for module in net.modules()} == before


def test_a_table_names_what_the_share_is_of():
    profile = Profile()
    costs = [("population", "v1", 60.0), ("connection", "a", 30.0), ("outside", "the network", 10.0)]
    profile.costs = [Cost(kind, name, 2, time, 0.0, 0.0, 1.5) for kind, name, time in costs]
    assert profile.total == 100
    assert [cost.name for cost in profile.largest(0.9)] == ["v1", "a"]
    assert [cost.name for cost in profile.largest(0.91)] == ["v1", "a", "the network"]
    head, first, *_, last = str(profile).splitlines()
    assert head.split() == ["part", "name", "calls", "forward", "backward", "memory", "share", "so", "far"]
    assert first.split()[:3] == ["population", "v1", "2"]
    assert "60.0 %" in first
    assert last == "100.0 ms in all: population 60 %, connection 30 %, outside 10 %"
    profile.costs = [Cost("rule", "r", 1, 1.0, 1.0, 5.0, 0.0)]
    assert (profile.total, "device" in str(profile)) == (5, True)
    with pytest.raises(ValueError, match=r"`share` from 0 to 1 \[1\], got 95"):
        profile.largest(95)


@pytest.mark.long
def test_a_profile_prints_nothing():
    program = (
        "import torch, conex_nn as cx\n"
        "net = cx.Neocortex(v1=cx.Population(2, cx.LIF()))\n"
        "with torch.no_grad(), net.profile():\n    net(steps=2)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
