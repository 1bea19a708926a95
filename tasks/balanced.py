"""Networks in which excitation and inhibition balance each other: Brunel's four regimes, and the CUBA benchmark.

Brunel's cells are joined by delta synapses: a spike lifts or lowers the potential at once. How strong inhibition is,
and how much comes from outside, decides whether they fire together or each by itself, regularly or not. ``python -m
tasks.balanced`` shows the regimes beside what NEST makes of the same numbers.
"""

import dataclasses
import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import conex_nn as cx
from tasks.command_line import parse

__all__ = ["REFERENCE", "REGIMES", "Config", "Cuba", "Regime", "brunel", "cuba", "main"]


@dataclass(frozen=True, kw_only=True)
class Regime:
    """Brunel's network of cells with delta synapses, in one of its regimes."""

    name: str
    """What the regime is called."""
    g: float
    """How much stronger an inhibitory synapse is [1]."""
    eta: float
    """Rate of the spikes from outside, by that which brings a cell to its threshold on its own [1]."""
    excitatory: int = 10000
    """Excitatory cells [1]."""
    inhibitory: int = 2500
    """Inhibitory cells [1]."""
    connected: float = 0.1
    """Part of the cells of each kind from which a cell gets synapses [1]."""
    jump: float = 0.1
    """By how much a spike lifts the potential of an excitatory synapse's target [mV]."""
    delay: float = 1.5
    """Of all synapses [ms]."""
    tau_mem: float = 20.0
    """Time constant of the membrane [ms]."""
    v_threshold: float = 20.0
    """Potential at which a cell fires; it rests at 0 [mV]."""
    v_reset: float = 10.0
    """Potential after a spike [mV]."""
    refractory: float = 2.0
    """For how long a cell stays there [ms]."""

    @property
    def in_degrees(self) -> tuple[int, int]:
        """Synapses that each cell gets from excitatory and from inhibitory cells [1]."""
        return round(self.connected * self.excitatory), round(self.connected * self.inhibitory)

    @property
    def background_rate(self) -> float:
        """Rate of all spikes that a cell gets from outside [Hz]."""
        return 1000 * self.eta * self.v_threshold / (self.jump * self.tau_mem)

    def scaled(self, scale: float) -> "Regime":
        """Return the network with fewer cells and fewer, stronger synapses: the mean of what arrives stays.

        Args:
            scale: Part of the cells, and of the synapses of each [1].
        """
        cells = {name: max(round(scale * getattr(self, name)), 1) for name in ("excitatory", "inhibitory")}
        return dataclasses.replace(self, jump=self.jump / scale, **cells)


REGIMES = {
    "SR": Regime(name="synchronous, regular", g=3.0, eta=2.0),
    "SI-fast": Regime(name="synchronous, irregular, fast", g=6.0, eta=4.0),
    "AI": Regime(name="asynchronous, irregular", g=5.0, eta=2.0),
    "SI-slow": Regime(name="synchronous, irregular, slow", g=4.5, eta=0.9),
}
"""The four regimes of Brunel, J Comput Neurosci 8 (2000), figure 8: its panels A to D."""


@dataclass(frozen=True, kw_only=True)
class Cuba:
    """The CUBA benchmark: cells with currents as synapses that decay, and a rest above the threshold.

    References:
        Brette et al., J Comput Neurosci 23 (2007), benchmark 2, as Brian2's documentation has it.
    """

    excitatory: int = 3200
    """Excitatory cells [1]."""
    inhibitory: int = 800
    """Inhibitory cells [1]."""
    connected: float = 0.02
    """Probability that a pair is connected [1]."""
    weights: tuple[float, float] = (1.62, 9.0)
    """Of excitatory and of inhibitory synapses, as what they add to the potential that is aimed at [mV]."""
    tau_syn: tuple[float, float] = (5.0, 10.0)
    """Time constants of their currents [ms]."""
    tau_mem: float = 20.0
    """Time constant of the membrane [ms]."""
    v_rest: float = -49.0
    """Potential at rest [mV]."""
    v_threshold: float = -50.0
    """Potential at which a cell fires [mV]."""
    v_reset: float = -60.0
    """Potential after a spike [mV]."""
    refractory: float = 5.0
    """For how long a cell stays there [ms]."""


class Reference(NamedTuple):
    """What NEST makes of a regime: a figure of the excitatory cells in steps of 0.1 ms, after 100 ms."""

    rate: float
    """Mean rate [Hz]."""
    cv: float
    """Mean coefficient of variation of the intervals of cells with two at least [1]."""


REFERENCE = {
    "SR": Reference(330.986, 0.0469),
    "SI-fast": Reference(65.970, 1.6503),
    "AI": Reference(47.010, 1.2734),
    "SI-slow": Reference(19.390, 0.8943),
}
"""At scale 0.2, 1 s long, NEST 3.10, the mean of seeds 1 to 3; of SR, 500 ms of seeds 1 and 2; of SI-slow, 1 to 15.

Made by ``uv run --group bench python -m tasks.bench.regimes --scale 0.2 --seeds 3``."""
REFERENCE_SCALE = 0.2


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which networks, and for how long."""

    networks: tuple[str, ...] = (*REGIMES, "CUBA")
    """Regimes among SR, SI-fast, AI and SI-slow, and CUBA."""
    scale: float = REFERENCE_SCALE
    """Part of the cells of the regimes, and of the synapses of each [1]."""
    duration: float = 1000.0
    """How long each is watched [ms]."""
    transient: float = 100.0
    """How long it runs before that [ms]."""
    dt: float = 0.1
    """Length of a step [ms]."""
    seed: int = 0
    """Seed of the wiring and everything random [1]."""
    out: Path = Path("runs/balanced")
    """Folder for report.json and the pictures."""

    def __post_init__(self) -> None:
        known = (*REGIMES, "CUBA")
        if unknown := [name for name in self.networks if name not in known]:
            raise ValueError(f"Expected `networks` to be among {', '.join(known)}, got {', '.join(unknown)}.")
        if not 0 < self.scale <= 1:
            raise ValueError(f"Expected `scale` to be above 0 and up to 1 [1], got {self.scale}.")
        for name in ("duration", "transient", "dt"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Expected `{name}` to be positive [ms], got {getattr(self, name)}.")


def brunel(regime: Regime, *, dt: float = 0.1, plastic: bool = False) -> cx.Neocortex:
    """Build Brunel's network; what is drawn is drawn from torch's generator.

    Args:
        regime: Its numbers.
        dt: Length of a step [ms].
        plastic: Whether the synapses among excitatory cells learn, by pair STDP between 0 and twice where they begin.
    """
    pulse = regime.jump / -math.expm1(-dt / regime.tau_mem)  # [nA]: for one step, through 1 MOhm, it makes the jump
    rule = cx.plasticity.chain(
        cx.STDP(a_plus=0.001 * pulse, a_minus=0.00105 * pulse), cx.plasticity.Clip(0.0, 2 * pulse)
    )

    def cells(number: int, *, inhibitory: bool) -> cx.Population:
        membrane = cx.LIF(
            tau_mem=regime.tau_mem,
            v_threshold=regime.v_threshold,
            v_reset=regime.v_reset,
            refractory_time=regime.refractory,
        )
        return cx.Population(
            number,
            membrane,
            dendrite=cx.Dendrite({"proximal": cx.Drive()}),
            background=cx.PoissonDrive(rate=regime.background_rate, weight=pulse),
            inhibitory=inhibitory,
        )

    layer = cx.CorticalLayer(
        exc=cells(regime.excitatory, inhibitory=False), inh=cells(regime.inhibitory, inhibitory=True)
    )
    for source, degree, strength in zip(("exc", "inh"), regime.in_degrees, (1.0, regime.g), strict=True):
        options: dict[str, Any] = {"in_degree": degree, "multapses": True, "weight": strength * pulse}
        for target in ("exc", "inh"):
            learns = {"rule": rule, "when": "step"} if plastic and source == target == "exc" else {}
            layer.connect(source, target, cx.Sparse, latency=round(regime.delay / dt), **options, **learns)
    return cx.Neocortex(layer=layer, dt=dt)


def cuba(numbers: Cuba, *, dt: float = 0.1) -> tuple[cx.Neocortex, cx.structure.NetworkState]:
    """Build the CUBA benchmark; what is drawn is drawn from torch's generator.

    Args:
        numbers: Its numbers.
        dt: Length of a step [ms].

    Returns:
        The network, and a state to begin with: potentials between reset and threshold.
    """

    def cells(number: int, *, inhibitory: bool) -> cx.Population:
        membrane = cx.LIF(
            tau_mem=numbers.tau_mem,
            v_rest=numbers.v_rest,
            v_threshold=numbers.v_threshold,
            v_reset=numbers.v_reset,
            refractory_time=numbers.refractory,
        )
        both = {name: cx.Drive(tau_syn=tau) for name, tau in zip(("exc", "inh"), numbers.tau_syn, strict=True)}
        return cx.Population(number, membrane, dendrite=cx.Dendrite(both), inhibitory=inhibitory)

    layer = cx.CorticalLayer(
        exc=cells(numbers.excitatory, inhibitory=False), inh=cells(numbers.inhibitory, inhibitory=True)
    )
    for source, weight in zip(("exc", "inh"), numbers.weights, strict=True):
        for target in ("exc", "inh"):
            options: dict[str, Any] = {"probability": numbers.connected, "weight": weight, "compartment": source}
            layer.connect(source, target, cx.Sparse, **options)
    net = cx.Neocortex(layer=layer, dt=dt)
    state = net.initial_state()
    populations = dict(state.populations)
    for path, cells_state in populations.items():
        v = cells_state.neuron.v
        spread = torch.rand(v.shape) * (numbers.v_threshold - numbers.v_reset)
        neuron = cells_state.neuron._replace(v=(numbers.v_reset + spread).to(v))
        populations[path] = cells_state._replace(neuron=neuron)
    return net, state._replace(populations=populations)


def run(name: str, config: Config) -> tuple[dict[str, float], cx.structure.Simulation]:
    """Build a network, let it run, and return its figures and what was simulated.

    Args:
        name: Of the network.
        config: For how long.
    """
    torch.manual_seed(config.seed)
    begin = time.perf_counter()
    if name == "CUBA":
        net, state = cuba(Cuba(), dt=config.dt)
    else:
        net, state = brunel(REGIMES[name].scaled(config.scale), dt=config.dt), None
    built = time.perf_counter() - begin
    net.eval()
    state = net.simulate(f"{config.transient:g} ms", state=state, record=[]).state
    found = net.simulate(f"{config.duration:g} ms", state=state)
    spikes = found.events["layer.exc"]
    return {
        "rate": found.rates()["layer.exc"],
        "cv": float(cx.recording.cv(spikes).nanmean()) if len(spikes) else math.nan,
        "synchrony": float(cx.recording.synchrony(spikes, width=1.0)) if len(spikes) else math.nan,
        "build_seconds": built,
        "real_time_factor": found.real_time_factor,
    }, found


def main(config: Config) -> dict[str, Any]:
    """Run the networks one after the other, draw them, and report."""
    config.out.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(10, 2.4 * len(config.networks)), layout="constrained")
    rows = figure.subplots(len(config.networks), 2, squeeze=False)
    figures: dict[str, dict[str, float]] = {}
    for name, (left, right) in zip(config.networks, rows, strict=True):
        figures[name], found = run(name, config)
        draw(left, right, name, found)
    figure.savefig(config.out / "activity.png", dpi=150)
    beside = REFERENCE if config.scale == REFERENCE_SCALE else {}
    report = {
        "networks": figures,
        "nest": {name: beside[name]._asdict() for name in figures if name in beside},
        "config": {name: str(value) for name, value in asdict(config).items()},
        "seed": config.seed,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "conex_nn": cx.__version__},
    }
    (config.out / "report.json").write_text(json.dumps(report, indent=2))
    show(figures, beside=beside)
    return report


def draw(
    left: Any, right: Any, name: str, found: cx.structure.Simulation, *, last: float = 200, some: int = 50
) -> None:
    """Draw some cells' spikes at the end of a run, and how many fire at a time.

    Args:
        left: Axes of the spikes.
        right: Axes of the rate.
        name: Of the network.
        found: What was simulated.
        last: How much of the end is shown [ms].
        some: How many cells are shown [1].
    """
    begin = max(0, found.steps - round(last / found.dt))
    events = found.events["layer.exc"].between(begin)
    kept = events.neuron < some
    times = (events.time[kept].double() * found.dt).numpy()
    left.plot(times, events.neuron[kept].numpy(), "|", color="black", markersize=4)
    left.set(title=name, ylabel="cell", xlim=(begin * found.dt, found.duration))
    rate = found.population_rate("layer.exc", "0.5 ms")
    right.plot((torch.arange(len(rate)) * 0.5).numpy(), rate.numpy(), color="black", linewidth=0.7)
    right.set(ylabel="rate [Hz]", xlim=(begin * found.dt, found.duration), ylim=(0, None))
    for axes in (left, right):
        axes.set_xlabel("time [ms]")
        axes.spines[["top", "right"]].set_visible(False)


def show(figures: dict[str, dict[str, float]], *, beside: dict[str, Reference]) -> None:
    """Print what was found.

    Args:
        figures: Of each network.
        beside: What NEST found.
    """
    table = Table(title="Balanced networks, excitatory cells")
    for heading in ("", "rate [Hz]", "NEST", "CV", "NEST", "synchrony", "built [s]", "s/s"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, f in figures.items():
        rate, cv = (f"{beside[name].rate:.2f}", f"{beside[name].cv:.3f}") if name in beside else ("", "")
        costs = (f"{f['build_seconds']:.1f}", f"{f['real_time_factor']:.2f}")
        table.add_row(name, f"{f['rate']:.2f}", rate, f"{f['cv']:.3f}", cv, f"{f['synchrony']:.3f}", *costs)
    Console().print(table)


if __name__ == "__main__":
    main(parse(Config))
