"""Networks at scale: the cortical microcircuit beside NEST, CUBA beside Brian2, Brunel's network that learns or not.

Each function takes a :class:`Scale` and returns a callable that goes on for so much time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tasks.balanced.brunel import REGIMES, brunel
from tasks.balanced.vogels_abbott import Cuba, cuba
from tasks.bench import in_brian, in_nest
from tasks.bench.elapsed import Elapsed
from tasks.microcircuit.circuit import Circuit, circuit

__all__ = ["CASES", "CONTESTANTS", "Scale", "absent"]

DT = 0.1
"""Length of a step [ms]."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A network, and how much of its time a call simulates."""

    name: str
    """How the table calls it."""
    scale: float | None = None
    """Of the microcircuit; None for another network [1]."""
    plastic: bool | None = None
    """Whether excitatory synapses of Brunel's asynchronous network learn; None for the CUBA benchmark."""
    background: float = 1.0
    """Factor of the current from outside [1]."""
    time: int = 1000
    """Steps of a call [1]."""
    batch: int = 1
    """Samples [1]."""

    @property
    def milliseconds(self) -> float:
        """How much time a call simulates [ms]."""
        return self.time * DT

    def circuit(self) -> Circuit:
        """Return the numbers of the microcircuit."""
        return circuit(self.scale or 1.0, drive="dc", background=self.background)


CASES = {
    "tiny": Scale(name="microcircuit at 2 %", scale=0.02, background=1.3),
    "0.1": Scale(name="microcircuit at 10 %", scale=0.1, background=1.1, time=5000),  # with less it would fall silent
    "0.5": Scale(name="microcircuit at 50 %", scale=0.5, time=5000),
    "1.0": Scale(name="microcircuit, whole", scale=1.0),
    "cuba": Scale(name="CUBA, 4000 neurons", time=10000),
    "static": Scale(name="Brunel, 12 500 neurons", plastic=False),
    "plastic": Scale(name="Brunel, E to E learns", plastic=True),
}


def conex_nn(case: Scale) -> Callable[[], object]:
    """Run our network."""
    from tasks.microcircuit import network

    if case.plastic is not None:
        net, state = brunel(REGIMES["AI"], dt=DT, plastic=case.plastic), None
    elif case.scale is None:
        net, state = cuba(Cuba(), dt=DT)
    else:
        numbers = case.circuit()
        net = network.build(numbers, dt=DT)
        state = network.start(net, numbers)
    net.train(bool(case.plastic))
    now = [state]

    def step() -> float:
        found = net.simulate(case.time, state=now[0], progress=False)
        now[0] = found.state
        return sum(found.rates().values())

    return step


def nest(case: Scale) -> Callable[[], object]:
    """Run NEST on as many threads; its recorders keep the spikes as ours are kept."""
    kernel, populations = in_nest.microcircuit(
        case.circuit(), threads=torch.get_num_threads(), dt=DT, seed=1 + torch.initial_seed() % 2**31
    )
    recorder = kernel.Create("spike_recorder")
    for cells in populations:
        kernel.Connect(cells, recorder)
    kernel.Prepare()

    def step() -> int:
        kernel.Run(case.milliseconds)
        return recorder.n_events

    return step


def brian2(case: Scale) -> Callable[[], object]:
    """Run Brian2's program; it is the time of the program's main loop that counts."""
    run = in_brian.cuba(Cuba(), duration=case.milliseconds, dt=DT, seed=torch.initial_seed() % 2**31)
    return lambda: Elapsed(run()[0])


def absent(name: str, case: Scale) -> bool:
    """Whether a contestant has no such network.

    Args:
        name: Of the contestant.
        case: The network.
    """
    if case.plastic is not None:
        return name != "conex_nn"
    return name == ("nest" if case.scale is None else "brian2")


CONTESTANTS: dict[str, Callable[[Scale], Callable[[], object]]] = {
    "conex_nn": conex_nn,
    "nest": nest,
    "brian2": brian2,
}
