"""Run a network for as long as one likes: stretch by stretch, keeping events and samples only."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor

from conex_nn.durations import in_steps
from conex_nn.structure.engine import Network, run
from conex_nn.structure.events import Events
from conex_nn.structure.feed import Feed, Inputs
from conex_nn.structure.inputs import check_inputs, clock_of
from conex_nn.structure.listeners import join
from conex_nn.structure.owned import owned
from conex_nn.structure.population import Population
from conex_nn.structure.progress import Progress, Stop
from conex_nn.structure.recorder import recording_of
from conex_nn.structure.recording import Recording
from conex_nn.structure.simulation import Simulation
from conex_nn.structure.spiking import emits_spikes
from conex_nn.structure.where import Where

__all__ = ["Record", "simulated"]

Record = str | Iterable[str] | Mapping[str, str | Iterable[str]]
"""Addresses whose spikes are recorded, or variables by address."""

_ROWS = 4096
"""Steps times samples of a stretch at most: enough to keep matrix products busy."""
_NUMBERS = 1 << 25
"""Steps times samples times neurons of a stretch at most: what it takes in memory for a while."""
_ROWS_OF_EVENTS, _NUMBERS_OF_EVENTS = 1 << 14, 1 << 28
"""The same where only events are made, which take little: how often the bar moves, and Ctrl-C is heeded."""


def simulated(
    net: Any,
    duration: int | str,
    inputs: Inputs | None,
    state: Any,
    *,
    batch: int | Sequence[int] | None,
    dt: float,
    record: Record | None,
    every: int | str,
    where: Where | int | None,
    modulators: Mapping[str, Tensor | float] | None,
    chunk: int | str | None,
    seed: int | None,
    progress: bool | None,
) -> Simulation:
    """Run a network stretch by stretch: see ``Neocortex.simulate``.

    Args:
        net: The network.
        duration: How long, in steps [1] or as a time.
        inputs: Of its input layers.
        state: State before the first step.
        batch: Number of samples, or their shape [1].
        dt: Length of a step [ms].
        record: What is recorded.
        every: Keep the first of so many steps of variables.
        where: Of which neurons variables are kept.
        modulators: Signals for rules.
        chunk: Length of a stretch.
        seed: Of what is drawn on the way.
        progress: Whether to show how far it is.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()))
        >>> _ = net.connect("retina", "v1", cx.Dense)
        >>> net.simulate(20, torch.ones(20, 4)).steps
        20
    """
    steps = _at_least_one(duration, dt, "duration")
    network = net._ready()
    given = Feed(net, inputs, steps=steps)
    with torch.no_grad(), ExitStack() as stack:
        if seed is not None:
            stack.enter_context(torch.random.fork_rng(_devices(network)))
            torch.manual_seed(seed)
        spikes, variables = _recordings(net, record, every=_at_least_one(every, dt, "every"), where=where, stack=stack)
        recorded = [path for path in _spiking(network.populations) if f"{path}.spikes" in spikes]
        counts = _counts(net, set(_spiking(network.populations)) - set(recorded), stack)
        first = given.first()
        check_inputs(first, network)
        lead = clock_of(network, first, steps=1, batch=batch, state=state)
        state = net._state(network, state, first, lead)
        learning = net._learning(network, modulators or {}, steps, dt)
        _check_modulators(net, learning)
        stop, shown = stack.enter_context(Stop()), stack.enter_context(Progress(steps, dt, shown=progress))
        size = _stretch(network, lead) if chunk is None else _at_least_one(chunk, dt, "chunk")
        done = 0
        while done == 0 or (done < steps and not stop.asked):
            end = min(done + size, steps)
            piece = given.take(done, end)
            check_inputs(piece, network)
            clock = clock_of(network, piece, steps=end - done, batch=lead.shape[1:])
            _, after = run(network, piece, state, clock=clock, dt=dt, wanted=set(), learning=learning)
            state = owned(after, piece.values())
            done = end
            shown.reach(done)
        if learning is not None:
            learning.finish()
        seconds = shown.seconds
    if done < steps:
        warnings.warn(
            f"The simulation was interrupted after {done * dt:g} of {steps * dt:g} ms; what was simulated until then "
            "is returned.",
            stacklevel=3,
        )
    counts |= {path: len(spikes.events(path)) for path in recorded}
    counts = {path: counts[path] for path in _spiking(network.populations)}  # in their order
    neurons = {path: lead.numel() * network.populations[path].shape.numel() for path in counts}
    return Simulation(
        spikes, variables, counts=counts, neurons=neurons, state=state, steps=done, dt=dt, seconds=seconds,
        interrupted=done < steps,
    )  # fmt: skip


def _at_least_one(given: int | str, dt: float, name: str) -> int:
    """Return how many steps are meant, one at least."""
    steps = in_steps(given, dt=dt, name=name)
    if not steps:
        raise ValueError(f"Expected `{name}` to be one step of {dt:g} ms at least, got {given!r}.")
    return steps


def _devices(network: Network) -> list[torch.device]:
    """Return the GPUs on which something is drawn."""
    modules = (*network.connections.values(), *network.populations.values())
    return list({x.device for module in modules for x in (*module.parameters(), *module.buffers()) if x.is_cuda})


def _stretch(network: Network, lead: Tensor) -> int:
    """Return how many steps are run at a time.

    It depends on nothing but sizes: a run that is repeated is cut in the same places, and rounds in the same way.
    """
    samples = max(1, lead.numel())
    numbers = samples * sum(population.shape.numel() for population in network.populations.values())
    rows, most = (_ROWS, _NUMBERS) if not network.keeps_events(lead) else (_ROWS_OF_EVENTS, _NUMBERS_OF_EVENTS)
    return max(1, min(-(-rows // samples), most // max(1, numbers)))


def _recordings(
    net: Any, record: Record | None, *, every: int, where: Where | int | None, stack: ExitStack
) -> tuple[Recording, Recording]:
    """Listen to what is asked for; return the spikes, as events, and all other variables."""
    if record is None:
        record = [
            path for path, part in net.populations().items() if isinstance(part, Population) and emits_spikes(part)
        ]
    if isinstance(record, str):
        record = [record]
    asked = record if isinstance(record, Mapping) else dict.fromkeys(record, ("spikes",))
    names = {address: (each,) if isinstance(each, str) else tuple(each) for address, each in asked.items()}
    spikes = {address: ("spikes",) for address, each in names.items() if "spikes" in each}
    others = {address: tuple(n for n in each if n != "spikes") for address, each in names.items()}
    others = {address: each for address, each in others.items() if each}
    options: dict[str, Any] = {"last": None, "detach": True}
    kept = recording_of(net, spikes, every=1, where=None, events=True, **options)
    sampled = recording_of(net, others, every=every, where=where, **options)
    return stack.enter_context(kept), stack.enter_context(sampled)


def _counts(net: Any, addresses: Iterable[str], stack: ExitStack) -> dict[str, int]:
    """Return what counts the spikes of populations, by address."""
    counts = dict.fromkeys(addresses, 0)

    def count(path: str, spikes: Tensor | Events, _: float) -> None:
        counts[path] += int(torch.count_nonzero(spikes)) if isinstance(spikes, Tensor) else len(spikes)

    for path in counts:
        join(net._spike_listeners, path, partial(count, path), stack)
    return counts


def _spiking(populations: Mapping[str, Any]) -> list[str]:
    """Return the addresses of the populations of neurons that spike."""
    return [path for path, each in populations.items() if isinstance(each, Population) and emits_spikes(each)]


def _check_modulators(net: Any, learning: Any) -> None:
    """Raise where a rule would wait, with all of the sequence, for what comes later."""
    missing = [] if learning is None else [name for each in learning.sequences.values() for name in each.missing]
    if missing:
        net.discard()
        raise ValueError(
            f"Expected `modulators` for the rules that learn in train(), got none called "
            f"{', '.join(map(repr, dict.fromkeys(missing)))}: a simulation keeps no sequence to learn from later. Give "
            f"them, `simulate(..., modulators={{{missing[0]!r}: 1.0}})`, or simulate in `eval()`."
        )
