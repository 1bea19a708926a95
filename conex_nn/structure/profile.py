"""Where a network spends its time and memory: by population, connection and rule."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch.profiler import ProfilerActivity, record_function
from torch.profiler import profile as torch_profile
from typing_extensions import override

from conex_nn.structure.population import Source

__all__ = ["Cost", "Profile", "loop_mark", "profiled"]

_MARK = "conex_nn|"
"""What the names of our marks in a trace begin with."""

_OUTSIDE, _ENGINE = ("outside", "the network"), ("engine", "between the parts")


class Cost(NamedTuple):
    """What a part of a network costs."""

    kind: str
    """``population``, ``connection``, ``rule``, ``loop`` (populations that run by events together), ``engine`` (what
    joins the parts) or ``outside`` (loss, optimizer, data)."""
    name: str
    """Address; that of a rule is its connection's."""
    calls: int
    """How often one of its methods was called, such as ``update`` and ``constrain_`` of a rule [1]."""
    forward: float
    """Time of its forward passes, learning of a rule included [ms]."""
    backward: float
    """Time of its part of backward passes [ms]."""
    device: float
    """Time of its kernels on an accelerator, both passes [ms]; 0 without one."""
    memory: float
    """What its forward passes left allocated, for their results and for the backward pass [MiB]; less than 0 where they
    freed what others had made."""

    @property
    def time(self) -> float:
        """Forward and backward [ms]; on an accelerator that of its kernels where it is longer."""
        return max(self.forward + self.backward, self.device)


class Profile:
    """What a network cost while a ``with`` block ran; a table when it is printed.

    Example:
        >>> profile = Profile()
        >>> profile.costs.append(Cost("population", "v1", 1, forward=9.0, backward=0.0, device=0.0, memory=0.5))
        >>> profile.costs.append(Cost("engine", "", 1, forward=1.0, backward=0.0, device=0.0, memory=0.0))
        >>> [cost.name for cost in profile.largest(0.9)]
        ['v1']
    """

    def __init__(self) -> None:
        self.costs: list[Cost] = []
        """Each part, the most expensive first."""

    @property
    def total(self) -> float:
        """Time of everything [ms]."""
        return sum(cost.time for cost in self.costs)

    def largest(self, share: float = 0.95) -> list[Cost]:
        """Return the fewest parts in which a share of the time goes.

        Args:
            share: Share of the time, from 0 to 1 [1].

        Raises:
            ValueError: Another share.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"Expected `share` from 0 to 1 [1], got {share}.")
        found, reached = [], 0.0
        for cost in sorted(self.costs, key=lambda cost: -cost.time):
            if reached >= share * self.total:
                break
            found.append(cost)
            reached += cost.time
        return found

    @override
    def __str__(self) -> str:
        device = any(cost.device for cost in self.costs)
        wide = max((len(cost.name) for cost in self.costs), default=4)
        head = f"{'part':10}  {'name':{wide}}  {'calls':>6}  {'forward':>9}  {'backward':>9}"
        lines = [head + (f"  {'device':>9}" if device else "") + f"  {'memory':>10}  {'share':>6}  {'so far':>6}"]
        so_far = 0.0
        for cost in self.costs:
            share = cost.time / (self.total or 1)
            so_far += share
            times = [cost.forward, cost.backward, *([cost.device] if device else [])]
            line = f"{cost.kind:10}  {cost.name:{wide}}  {cost.calls:6}"
            line += "".join(f"  {time:6.1f} ms" for time in times)
            lines.append(f"{line}  {cost.memory:6.1f} MiB  {100 * share:4.1f} %  {100 * so_far:4.0f} %")
        kinds = dict.fromkeys(cost.kind for cost in self.costs)
        shares = {kind: sum(cost.time for cost in self.costs if cost.kind == kind) for kind in kinds}
        spent = sorted(shares.items(), key=lambda each: -each[1])
        said = ", ".join(f"{kind} {100 * time / (self.total or 1):.0f} %" for kind, time in spent)
        return "\n".join([*lines, f"{self.total:.1f} ms in all" + (f": {said}" if said else "")])


@contextmanager
def profiled(net: Any) -> Iterator[Profile]:
    """Measure what every part of a network costs while the block runs: see ``Neocortex.profile``.

    Args:
        net: The network.

    Raises:
        RuntimeError: It is being profiled already.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(3, cx.LIF()))
        >>> _ = net.connect("retina", "v1", cx.Dense)
        >>> with profiled(net) as profile:
        ...     _ = net(torch.rand(10, 2, 4))
        >>> sorted({cost.kind for cost in profile.costs})
        ['connection', 'engine', 'outside', 'population']
    """
    if isinstance(net.__dict__.get("forward"), _Marked):
        raise RuntimeError("Expected one profile of a network at a time, got another one amid it.")
    found = Profile()
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # or it prints the beginning and the end of each profile to stderr
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    with ExitStack() as stack:
        for method in ("forward", "simulate"):
            _mark(net, method, _ENGINE, stack)
        for path, population in net.populations().items():
            _mark(population.axon, "forward", ("population", path), stack)
            if not isinstance(population, Source):
                _mark(population, "advance", ("population", path), stack)
        for path, connection in net.all_connections().items():
            for method in ("forward", "read", "push"):
                _mark(connection, method, ("connection", path), stack)
            _mark(connection, "projector", ("connection", path), stack)
            if connection.rule is not None:
                for method in ("update", "constrain_", "finish_"):
                    _mark(connection.rule, method, ("rule", path), stack)
        with torch_profile(activities=activities, profile_memory=True) as trace, record_function(_name(_OUTSIDE)):
            yield found
    found.costs = _costs(trace.events() or [])


def loop_mark(populations: Sequence[str]) -> record_function:
    """Return what marks a loop that runs by events, for a profile to see.

    Args:
        populations: Addresses of its populations.

    Example:
        >>> with loop_mark(["v1.exc", "v1.inh"]):
        ...     pass
    """
    return record_function(_name(("loop", " + ".join(populations))))


def _name(part: tuple[str, str]) -> str:
    return _MARK + "|".join(part)


def _mark(module: Any, method: str, part: tuple[str, str], stack: ExitStack) -> None:
    """Mark all calls of a method of one module until the stack unwinds."""
    original: Callable[..., Any] = getattr(module, method)
    if isinstance(original, _Marked):  # a rule of several connections, which counts for the first
        return
    own = module.__dict__.get(method)
    module.__dict__[method] = _Marked(original, _name(part))
    if own is None:
        stack.callback(module.__dict__.pop, method)
    else:
        stack.callback(module.__dict__.__setitem__, method, own)


class _Marked:
    """A method whose calls are marked."""

    def __init__(self, method: Callable[..., Any], name: str) -> None:
        self.method, self.name = method, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with record_function(self.name):
            return self.method(*args, **kwargs)


class _Sum:
    """What is added up of a part."""

    def __init__(self) -> None:
        self.calls, self.forward, self.backward, self.device, self.memory = 0, 0.0, 0.0, 0.0, 0.0


def _costs(events: Any) -> list[Cost]:
    """Give the time of every event to the innermost mark around it, and that of a backward pass to its forward pass."""
    sums: dict[tuple[str, str], _Sum] = {}
    owner_of: dict[int, tuple[str, str]] = {}
    roots = [event for event in events if event.cpu_parent is None]
    stack: list[tuple[Any, tuple[str, str]]] = [(root, _OUTSIDE) for root in reversed(roots)]
    late = []
    while stack:  # forward passes first, which say whose each backward pass is
        event, owner = stack.pop()
        if event.scope == 1:
            late.append((event, owner))
            continue
        if event.name.startswith(_MARK):
            kind, name = event.name.removeprefix(_MARK).split("|", 1)
            owner = (kind, name)
            sums.setdefault(owner, _Sum()).calls += 1
        if event.sequence_nr >= 0:
            owner_of.setdefault(event.sequence_nr, owner)
        _add(sums.setdefault(owner, _Sum()), event, backward=False)
        stack += [(child, owner) for child in reversed(event.cpu_children)]
    for event, owner in late:
        known = event.sequence_nr in owner_of
        whose = owner_of[event.sequence_nr] if known else owner
        within = [event]
        while within:
            each = within.pop()
            _add(sums.setdefault(whose, _Sum()), each, backward=True)
            within += each.cpu_children
    costs = [
        Cost(*part, each.calls, each.forward, each.backward, each.device, each.memory) for part, each in sums.items()
    ]
    return sorted(costs, key=lambda cost: -cost.time)


def _add(total: _Sum, event: Any, *, backward: bool) -> None:
    """Add an event's own time and memory, without what is inside of it."""
    time = event.self_cpu_time_total / 1000
    if backward:
        total.backward += time
    else:
        total.forward += time
        total.memory += (event.self_cpu_memory_usage + event.self_device_memory_usage) / 2**20
    total.device += event.self_device_time_total / 1000
