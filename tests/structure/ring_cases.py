"""The GPU's kernels of ring buffers against the step loop: what `test_ring_gpu.py` and `interpreted_ring.py` share."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._pytree import tree_flatten

import conex_nn as cx
from conex_nn.kernels import Arrivals, Channel, Fired, Probe, Projection, RingCells
from conex_nn.kernels.ring import _run_cpu

N = 6
"""Neurons of each population."""


def neurons() -> dict[str, cx.structure.Population]:
    """One population of each kind of neuron, with and without what else the kernels know."""
    each = torch.linspace(8.0, 14.0, N)

    def dendrite(tau_syn: Any = None) -> cx.Dendrite:
        return cx.Dendrite({"proximal": cx.Drive(tau_syn=tau_syn), "fast": cx.Drive()})

    drive = cx.PoissonDrive(rate=torch.linspace(300.0, 900.0, N), weight=torch.linspace(3.0, 6.0, N), seed=2)
    slow = {"tau_w": [30.0, 80.0], "a": [0.01, 0.0], "b": [0.02, 0.05]}
    return {
        "lif": cx.Population(
            N, cx.LIF(tau_mem=10.0, refractory_time=1.0), dendrite=dendrite(2.0),
            background=[cx.PoissonDrive(rate=900.0, weight=2.0, seed=1), cx.ConstantDrive(0.2)],
        ),
        "each": cx.Population(
            N, cx.LIF(tau_mem=each, v_reset=-0.2), inhibitory=True, dendrite=dendrite(each), background=drive
        ),
        "soft": cx.Population(
            N, cx.IF(capacitance=9.0, soft_reset=True), dendrite=dendrite(),
            background=cx.ConstantDrive(each / 3, compartment=None),
        ),
        "elif": cx.Population(
            N, cx.ELIF(tau_mem=10.0, delta_t=0.1, v_rh=0.8, refractory_time=2.0), dendrite=dendrite(),
            background=cx.ConstantDrive(3.0),
        ),
        "aelif": cx.Population(N, cx.AELIF(tau_mem=each, delta_t=0.1, v_rh=0.8, **slow), dendrite=dendrite()),
        "izhikevich": cx.Population(
            N, cx.Izhikevich(), dendrite=dendrite(), background=cx.ConstantDrive(20.0, compartment="fast")
        ),
    }  # fmt: skip


def network() -> cx.Neocortex:
    """A loop through all kinds of neurons by all kinds of connections, and an eye that sees them."""
    torch.manual_seed(0)
    layer = cx.CorticalLayer(**neurons())

    def weights(most: float) -> dict[str, Any]:
        return {"init": partial(nn.init.uniform_, a=0.0, b=most)}

    late = torch.tensor([1, 3, 6])[torch.randint(3, (18,))]
    layer.connect("lif", "each", cx.Sparse, density=0.5, delay=late, latency=0, **weights(6.0))
    layer.connect("each", "soft", cx.Dense, axon_delay=torch.arange(N) % 4, **weights(1.0))
    layer.connect("soft", "elif", cx.OneToOne, compartment="fast", latency=3, **weights(9.0))
    layer.connect("elif", "aelif", cx.Sparse, density=0.5, delay=2, **weights(9.0))
    layer.connect("aelif", "izhikevich", cx.Sparse, density=0.5, weight=20.0)
    layer.connect("izhikevich", "lif", cx.Dense, **weights(2.0))
    layer.connect("izhikevich", "aelif", cx.Dense, **weights(9.0))
    net = cx.Neocortex(eye=cx.InputLayer(5), cortex=layer, dt=0.5)
    near = torch.tensor([0, 2])[torch.randint(2, (15,))]
    net.connect("eye", "cortex.lif", cx.Sparse, density=0.5, delay=near, latency=0, **weights(9.0))
    return net


def check_network(*, device: str = "cpu", steps: int = 8, cut: int = 5) -> None:
    """Raise unless both ways make the same events, potentials and state, in stretches shorter than the delays."""
    found = []
    xs = (torch.rand(steps, 2, 5, generator=torch.Generator().manual_seed(0)) < 0.2).double()
    for by_events in (False, True):
        there = device if by_events else "cpu"
        net = network().double().to(there)
        net.by_events = by_events
        paths = [f"cortex.{name}" for name in neurons()]
        record = dict.fromkeys(paths, "spikes") | {"cortex.each": ["spikes", "v"]}
        found.append(net.simulate(steps, xs.to(there), record=record, where=[3, 5], every=3, chunk=cut, progress=False))
    expected, got = found
    for path, events in expected.events.items():
        if not len(events):
            raise AssertionError(f"{path} is silent: it tests nothing")
        for name in ("time", "sample", "neuron"):
            assert_close(getattr(got.events[path], name), getattr(events, name), msg=lambda s, p=path: f"{p}: {s}")
    assert_close(got["cortex.each.v"].cpu(), expected["cortex.each.v"], rtol=1e-9, atol=1e-9)
    (leaves, tree), (wanted, other) = tree_flatten(got.state), tree_flatten(expected.state)
    if tree != other:
        raise AssertionError(f"Expected a state {other}, got {tree}")
    for leaf, value in zip(leaves, wanted, strict=True):
        assert_close(leaf.cpu(), value, rtol=1e-9, atol=1e-9)


def widths() -> tuple[list[RingCells], list[Channel], list[Projection], list[Probe]]:
    """Connections in each form in which they can be kept; their weights and what they add up to are exact."""
    rows = torch.tensor([[0.5], [1.0], [0.0], [1.0], [0.0], [0.0]])
    seen = Fired(
        *(torch.tensor(each) for each in ([0, 1, 1, 2, 4, 5, 7], [0, 1, 0, 0, 1, 0, 0], [2, 0, 1, 1, 2, 0, 2]))
    )
    seen = seen._replace(value=torch.tensor([1.0, 2.0, 0.5, 1.0, 1.0, -1.0, 1.0]))
    past = Fired(*(torch.tensor(each) for each in ([0, 1, 1], [1, 0, 1], [0, 2, 2])))
    cells = [
        RingCells(3, "given", before=seen),
        RingCells(4, "lif", rows, torch.zeros(2, 4), torch.zeros(2, 4), before=past),
        RingCells(3, "lif", rows, torch.zeros(2, 3), torch.zeros(2, 3), before=None),
    ]
    channels = [Channel(1, outside=torch.full((1, 2, 4), 0.25).expand(10, 2, 4)), Channel(2)]
    begins, short = torch.tensor([0, 2, 2, 5]), torch.tensor([0, 1, 3, 4, 6], dtype=torch.int32)
    targets, weight = torch.tensor([0, 3, 1, 1, 2]), torch.tensor([0.5, 1.0, 2.0, -0.25, 0.75])
    delays, more = torch.tensor([0, 1, 0, 2, 1]), torch.tensor([0, 2, 1, 0, 1, 2])
    narrow, uint8, long = torch.uint16, torch.uint8, torch.int16
    here, half = (begins.int(), targets.to(narrow)), weight.bfloat16()
    back = (short, torch.tensor([0, 2, 1, 1, 0, 2]).int(), more.to(long))
    links = [
        Projection(0, 0, weight, 0, None, *here, delays.to(uint8)),
        Projection(0, 0, half, 1, torch.tensor([0, 2, 1]), begins, targets.int(), delays.to(long), factor=0.5),
        Projection(0, 1, torch.tensor([0.5]), 0, None, begins, targets.clamp(max=2).to(narrow), delays.to(long)),
        Projection(1, 1, torch.tensor([1.25]), 1, None, *back, factor=0.5),
        Projection(1, 0, torch.eye(4) - 0.25, 2, torch.tensor([0, 1, 0, 2])),
        Projection(2, 1, torch.tensor([0.5, -1.0, 2.0]), 1),
        Projection(2, 1, torch.tensor([0.25]), 3),
    ]
    return cells, channels, links, [Probe(1, torch.tensor([0, 3]), 1, 2), Probe(2, torch.arange(3))]


def check_widths(run: Callable[..., tuple[list[Fired], list[Tensor]]]) -> None:
    """Raise unless a kernel does, bit for bit, what that for the CPU does."""
    found = []
    for each in (_run_cpu, run):
        cells, channels, links, probes = widths()
        options = {"steps": 10, "batch": 2, "dt": 1.0, "real": torch.float32, "before": 2, "probes": probes}
        fired, seen = each(cells, channels, links, **options)
        found.append((fired[1:], seen, [population.v for population in cells[1:]]))
    if not all(len(fired.step) for fired in found[0][0]):
        raise AssertionError("a population is silent: it tests nothing")
    assert_close(found[1], found[0], rtol=0, atol=0)


def check_refusals(run: Callable[..., Any]) -> None:
    """Raise unless a weight that is not finite is an error, and a connection that learns."""
    rows = torch.tensor([[0.5], [1.0], [0.0], [1.0], [0.0], [0.0]])
    cells, weight = RingCells(2, "lif", rows, torch.zeros(1, 2), torch.zeros(1, 2)), torch.tensor([1.0, float("nan")])
    learning: Any = object()
    for link, said in (
        (Projection(0, 0, weight, 1), "finite weights [nA] and spikes [1]"),
        (Projection(0, 0, torch.ones(2), 1, learning=learning), "do not learn, on a GPU"),
    ):
        try:
            run([cells], [Channel(0)], [link], steps=1, batch=1, dt=1.0, real=torch.float32)
        except ValueError as error:
            if said not in str(error):
                raise AssertionError(str(error)) from error
        else:
            raise AssertionError(f"taken, what was to be refused: {said}")


def check_draws(run: Callable[..., tuple[list[Fired], list[Tensor]]]) -> None:
    """Raise unless arrivals are the same numbers, of seeds, steps and samples beyond 32 bits too."""
    found = []
    for each in (_run_cpu, run):
        rows = torch.tensor([[0.5], [1.0], [0.0], [1e9], [0.0], [0.0]])
        cells = RingCells(5, "lif", rows, torch.zeros(2, 5), torch.zeros(2, 5))
        thresholds = torch.tensor([[2**30, 2**31, 2**32], [2**31, 3 * 2**30, 2**32 - 1]])
        draws = Arrivals(
            2**62 + 12345, 2**33 + 1, torch.tensor([3, 2**35]), thresholds, torch.ones(1), torch.tensor([0, 1, 1, 0, 1])
        )
        each(
            [cells], [Channel(0, draws=(draws,))], [], steps=6, batch=2, dt=1.0, real=torch.float32, before=0, probes=()
        )
        found.append(cells.v)
    if len(found[0].unique()) < 5:
        raise AssertionError("hardly anything arrived: it tests nothing")
    assert_close(found[1], found[0], rtol=0, atol=0)


def check_half(*, device: str = "cuda") -> None:
    """Raise unless weights in half precision, whose sums are exact here, are those of the step loop."""
    found = []
    for by_events, there in ((False, "cpu"), (True, device)):
        torch.manual_seed(0)
        net = cx.Neocortex(eye=cx.PoissonInput(20, rate=100.0, seed=0), exc=cx.Population(30, cx.IF(capacitance=1.0)))
        for source, most in (("eye", 64), ("exc", 16)):
            edges, weight = (torch.randint(20, (90,)), torch.randint(30, (90,))), torch.randint(1, most, (90,)) / 64
            net.connect(source, "exc", cx.Sparse, edges=edges, weight=weight.bfloat16(), multapses=True)
        net.by_events = by_events
        found.append(net.to(there).simulate(60, batch=2, progress=False).events["exc"])
    expected, got = found
    if len(expected) < 100:
        raise AssertionError(f"{len(expected)} spikes: it tests nothing")
    for name in ("time", "sample", "neuron"):
        assert_close(getattr(got, name), getattr(expected, name))


def check_repeats(*, device: str = "cuda", n: int = 20_000, steps: int = 500) -> None:
    """Raise unless a large network does the same each time, with a spike in hundreds of steps from many programs."""
    torch.manual_seed(0)
    layer = cx.CorticalLayer(
        exc=cx.Population(
            n, cx.LIF(tau_mem=10.0, refractory_time=2.0), dendrite=cx.Dendrite(tau_syn={"proximal": 2.0}),
            background=cx.PoissonDrive(rate=6000.0, weight=0.5, seed=3),
        )
    )  # fmt: skip
    delay = cx.Normal(8, 3, low=1, high=12)
    layer.connect("exc", "exc", cx.Sparse, number=100 * n, multapses=True, weight=cx.Normal(0.02, 0.004), delay=delay)
    net = cx.Neocortex(v1=layer, dt=0.1).to(device)
    found = [net.simulate(steps, progress=False) for _ in range(2)]
    one, other = (each.events["v1.exc"] for each in found)
    if len(one) < n // 10:
        raise AssertionError(f"{len(one)} spikes: it tests nothing")
    assert_close((one.time, one.neuron), (other.time, other.neuron), rtol=0, atol=0)
    v, again = (each.state.populations["v1.exc"].neuron.v for each in found)
    assert_close(v, again, rtol=0, atol=0)
