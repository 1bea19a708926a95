"""Build the column, let it run, and say what its cells did."""

import dataclasses
import json
import platform
import resource
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from rich.console import Console
from rich.table import Table

import conex_nn as cx
from tasks.microcircuit import network
from tasks.microcircuit.circuit import PUBLISHED_RATES, Circuit, circuit
from tasks.microcircuit.device import check_device, gpu_figures
from tasks.microcircuit.measures import Measures, measure
from tasks.microcircuit.pictures import draw, short
from tasks.microcircuit.train import train

__all__ = ["Config", "main"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """How much of the column there is, what drives it, and for how long."""

    scale: float = 0.1
    """Part of the cells, and of the synapses of each; 1 for all [1]."""
    duration: float = 1000.0
    """How long it is watched [ms]."""
    transient: float = 500.0
    """How long it runs before that [ms]."""
    layers: tuple[str, ...] = ("l23", "l4", "l5", "l6")
    """Layers that there are; a constant current stands in for what the others would send."""
    drive: Literal["dc", "poisson"] = "poisson"
    """What stands for the rest of the brain: a constant current, or Poisson spikes at every cell."""
    background: float = 1.0
    """Factor of that [1]."""
    thalamus: float | None = None
    """When thalamic cells fire, 10 ms long, counted from when it is watched; they do not by default [ms]."""
    train: int = 0
    """Steps for which a column of `scale` is trained to the published rates, before it is watched [1]."""
    half: bool = False
    """Keep weights in bfloat16: half their memory."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where it runs after it is built, and trained; a GPU's figures are in the report."""
    dt: float = 0.1
    """Length of a step [ms]."""
    seed: int = 0
    """Seed of the wiring and everything random [1]."""
    out: Path = Path("runs/microcircuit")
    """Folder for report.json and the pictures."""

    def __post_init__(self) -> None:
        check_device(self.device)
        for name in ("duration", "dt"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Expected `{name}` to be positive [ms], got {getattr(self, name)}.")
        for name, unit in (("transient", "ms"), ("train", "1")):
            if getattr(self, name) < 0:
                raise ValueError(f"Expected `{name}` to be at least 0 [{unit}], got {getattr(self, name)}.")
        if self.thalamus is not None and not 0 <= self.thalamus < self.duration:
            raise ValueError(
                f"Expected `thalamus` from 0 to below the {self.duration:g} ms that are watched [ms], got "
                f"{self.thalamus:g}."
            )


def main(config: Config) -> dict[str, Any]:
    """Build, run, measure, draw, and report."""
    torch.manual_seed(config.seed)
    numbers = circuit(config.scale, drive=config.drive, background=config.background).only(*config.layers)
    trained: dict[str, Any] = {}
    begin = time.perf_counter()
    if config.train:
        numbers = dataclasses.replace(numbers, delay_spread=0.0)  # one delay a connection: steps of a block together
    volley = None if config.thalamus is None else config.transient + config.thalamus
    dtype = torch.bfloat16 if config.half else None
    net = network.build(numbers, dt=config.dt, dtype=dtype, volley=volley)
    built = time.perf_counter() - begin
    if config.train:
        trained = {"training": train(net, numbers, steps=config.train)}
    net.eval().to(config.device)
    state = network.start(net, numbers)
    if config.transient:
        state = net.simulate(f"{config.transient:g} ms", state=state, record=[]).state
    names = [f"column.{name}" for name in numbers.names]
    found = net.simulate(f"{config.duration:g} ms", state=state, record=names)
    gpu = {"gpu": gpu_figures()} if config.device == "cuda" else {}
    measures = {name: measure(found.events[name]) for name in names}
    config.out.mkdir(parents=True, exist_ok=True)
    draw(config.out, found, measures)
    report = {
        "populations": {name.removeprefix("column."): asdict(each) for name, each in measures.items()},
        "published": PUBLISHED_RATES,
        **trained,
        **_costs(numbers, built=built, found=found),
        **gpu,
        "config": {name: str(value) for name, value in asdict(config).items()},
        "seed": config.seed,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "conex_nn": cx.__version__},
    }
    (config.out / "report.json").write_text(json.dumps(report, indent=2))
    show(report, measures)
    return report


def _costs(numbers: Circuit, *, built: float, found: cx.structure.Simulation) -> dict[str, Any]:
    return {
        "neurons": sum(numbers.neurons),
        "synapses": int(numbers.synapses.sum()),
        "build_seconds": built,
        "real_time_factor": found.real_time_factor,
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "threads": torch.get_num_threads(),
    }


def show(report: dict[str, Any], measures: dict[str, Measures]) -> None:
    """Print what was found.

    Args:
        report: What is written.
        measures: Figures of each population.
    """
    table = Table(title=f"{report['neurons']:,} cells, {report['synapses'] / 1e6:,.1f} million synapses")
    for heading in ("", "rate [Hz]", "published [Hz]", "CV", "synchrony", "correlation"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, each in measures.items():
        published = ", ".join(f"{rates[name.removeprefix('column.')]:.2f}" for rates in PUBLISHED_RATES.values())
        figures = (f"{each.cv:.2f}", f"{each.synchrony:.3f}", f"{each.correlation:.4f}")
        table.add_row(short(name), f"{each.rate:.2f}", published, *figures)
    console = Console()
    console.print(table)
    gpu = report.get("gpu")
    where = f"{report['threads']} threads" if gpu is None else ", ".join(gpu.values())
    console.print(
        f"built in {report['build_seconds']:.1f} s, real-time factor {report['real_time_factor']:.2f} on {where}, at "
        f"most {report['peak_gigabytes']:.1f} GB"
    )
