"""Build the networks, let them run, and say what their cells did beside what other simulators make of them."""

import json
import math
import platform
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import conex_nn as cx
from tasks.balanced.brunel import REGIMES, brunel
from tasks.balanced.reference import REFERENCE, REFERENCE_SCALE, Reference
from tasks.balanced.vogels_abbott import BENCHMARKS, Coba, Cuba, coba, cuba

__all__ = ["Config", "main", "run"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """Which networks, and for how long."""

    networks: tuple[str, ...] = (*REGIMES, *BENCHMARKS)
    """Regimes among SR, SI-fast, AI and SI-slow, and CUBA and COBA."""
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
        known = (*REGIMES, *BENCHMARKS)
        if unknown := [name for name in self.networks if name not in known]:
            raise ValueError(f"Expected `networks` to be among {', '.join(known)}, got {', '.join(unknown)}.")
        if not 0 < self.scale <= 1:
            raise ValueError(f"Expected `scale` to be above 0 and up to 1 [1], got {self.scale}.")
        for name in ("duration", "transient", "dt"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Expected `{name}` to be positive [ms], got {getattr(self, name)}.")


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
    elif name == "COBA":
        net, state = coba(Coba(), dt=config.dt)
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
    of_size = (*BENCHMARKS, *(REGIMES if config.scale == REFERENCE_SCALE else ()))
    beside = {name: found for name, found in REFERENCE.items() if name in of_size}
    report = {
        "networks": figures,
        "reference": {name: beside[name]._asdict() for name in figures if name in beside},
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
        beside: What other simulators found.
    """
    table = Table(title="Balanced networks, excitatory cells; reference: NEST, of COBA Brian2")
    for heading in ("", "rate [Hz]", "reference", "CV", "reference", "synchrony", "built [s]", "s/s"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, f in figures.items():
        rate, cv = (f"{beside[name].rate:.2f}", f"{beside[name].cv:.3f}") if name in beside else ("", "")
        costs = (f"{f['build_seconds']:.1f}", f"{f['real_time_factor']:.2f}")
        table.add_row(name, f"{f['rate']:.2f}", rate, f"{f['cv']:.3f}", cv, f"{f['synchrony']:.3f}", *costs)
    Console().print(table)
