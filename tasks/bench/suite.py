"""What a benchmark is made of: sizes, contestants, and what each is measured against."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from tasks.bench import column, plasticity, rates, scale, train

__all__ = ["SUITES", "Suite"]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A benchmark."""

    name: str
    """What the command calls it."""
    title: str
    """What the table says above."""
    cases: Mapping[str, Any]
    """Sizes, by name."""
    contestants: Mapping[str, Callable[[Any], Callable[[], object]]]
    """Who takes part; each makes from a size what is timed."""
    peers: tuple[str, ...]
    """Contestants that are other libraries."""
    default: tuple[str, ...]
    """Sizes measured unless others are asked for."""
    quick: str
    """The smallest size."""
    unit: str = "ms"
    """Heading of the times."""
    calls: Callable[[Any], float] = lambda size: 1
    """By what a size's times are divided [1]."""
    floors: Mapping[str, str] = field(default_factory=dict)
    """Contestants whose floor is not the matrix products."""
    absent: Callable[[str, Any], bool] = lambda name, size: False
    """Whether a contestant has nothing to do at a size."""
    rounds: int = 5
    """Turns that each contestant takes unless told otherwise [1]."""
    steps: int = 5
    """Calls of a turn unless told otherwise [1]."""
    whole_memory: bool = False
    """Whether memory is that of the whole process, with the network in it, instead of what a call takes."""

    def floor(self, name: str) -> str | None:
        """Return the contestant that a contestant is measured against; None where there is no such."""
        floor = self.floors.get(name, "products")
        return floor if floor in self.contestants else None

    def takes_part(self, name: str, case: str) -> bool:
        """Whether a contestant has something to do at a size."""
        return not self.absent(name, self.cases[case])


SUITES = {
    "train": Suite(
        name="train",
        title="One training step, forward and backward; freed memory is kept, for all alike",
        cases=train.CASES,
        contestants=train.CONTESTANTS,
        peers=("snntorch", "spikingjelly"),
        default=("small", "large", "conv"),
        quick="small",
        floors=dict.fromkeys(("layer", "scan", "function", "copies"), "copies"),
        absent=lambda name, size: (
            (size.conv and name in ("layer", "scan", "function", "copies"))
            or (name == "scan" and torch.cuda.is_available())  # torch is ahead of a GPU
        ),
    ),
    "column": Suite(
        name="column",
        title="A cortical column, 784 -> 400 + 100 neurons, five dense connections; milliseconds per step",
        cases=column.CASES,
        contestants=column.CONTESTANTS,
        peers=("neurosush",),
        default=("single", "batch", "learn"),
        quick="single",
        unit="ms/step",
        calls=lambda size: size.time,
        absent=lambda name, size: size.learn and name == "neurosush",
    ),
    "plasticity": Suite(
        name="plasticity",
        title="Local learning; milliseconds per step of the whole batch",
        cases=plasticity.CASES,
        contestants=plasticity.CONTESTANTS,
        peers=("neurosush", "bindsnet"),
        default=tuple(plasticity.CASES),
        quick="single",
        unit="ms/step",
        calls=lambda size: size.time,
        absent=plasticity.absent,
    ),
    "rates": Suite(
        name="rates",
        title="A rate network with Dale's law and 20 % of the synapses, forward and backward",
        cases=rates.CASES,
        contestants=rates.CONTESTANTS,
        peers=("nn4n", "torch.nn.RNN"),
        default=("100", "256"),
        quick="100",
    ),
    "scale": Suite(
        name="scale",
        title="Networks at scale, steps of 0.1 ms, three calls of T steps; seconds for a second of the network's time",
        cases=scale.CASES,
        contestants=scale.CONTESTANTS,
        peers=("nest", "brian2"),
        default=("0.1", "0.5", "cuba"),
        quick="tiny",
        unit="s/s",
        calls=lambda size: size.milliseconds,
        absent=scale.absent,
        rounds=3,  # NEST takes many seconds for a call
        steps=1,
        whole_memory=True,
    ),
}
