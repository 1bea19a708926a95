"""What of a network's output is decoded."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.recording import module_at, record
from conex_nn.structure import Neocortex, OutputLayer, Population
from conex_nn.structure.addresses import population_paths

__all__ = ["read_out", "readout_address", "step_length", "time_first"]


def readout_address(net: nn.Module, readout: str | None) -> str | None:
    """Return the address of the module or population whose output is decoded; None for the output of the net itself.

    Args:
        net: The network.
        readout: What was asked for: in a ``Neocortex`` the address of a population, or of a port or a container with
            one behind it; None there for the only population, or for that of the only ``OutputLayer``.

    Raises:
        ValueError: There is nothing at the address, or several populations that could be meant.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(eye=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()), it=cx.Population(2, cx.LIF()))
        >>> readout_address(net, "it")
        'it'
        >>> readout_address(net, None)
        Traceback (most recent call last):
        ValueError: Expected `readout` to name one population of the network, got None, and there are 'v1', 'it'.
    """
    if not isinstance(net, Neocortex):
        if readout is not None:
            module_at(net, readout)
        return readout
    populations = [path for path, module in net.populations().items() if isinstance(module, Population)]
    if readout is not None:
        found = [path for path in population_paths(net, readout) if path in populations]
    elif len(populations) > 1 and len(layers := net.find(OutputLayer)) == 1:
        found = population_paths(net, next(iter(layers)))
    else:
        found = populations
    if len(found) != 1:
        there = ", ".join(map(repr, found if len(found) > 1 else populations)) or "none"
        raise ValueError(
            f"Expected `readout` to name one population of the network, got {readout!r}, and there are {there}."
        )
    return found[0]


def time_first(x: Any, *, dtype: torch.dtype) -> Any:
    """Return samples as a network takes them: time first, in a floating type.

    Args:
        x: Samples, ``(batch, time, *features)``, or several of these by address.
        dtype: Type of what is not floating yet.

    Example:
        >>> time_first({"eye": torch.zeros(2, 5, 3, dtype=torch.bool)}, dtype=torch.float32)["eye"].shape
        torch.Size([5, 2, 3])
    """
    if isinstance(x, Mapping):
        return {address: time_first(each, dtype=dtype) for address, each in x.items()}
    return (x if x.is_floating_point() else x.to(dtype)).movedim(1, 0)


def read_out(
    net: nn.Module, xs: Tensor | Mapping[str, Tensor], readouts: Sequence[str | None], **options: Any
) -> list[Tensor]:
    """Run a network once and return the output sequences that are decoded, populations of any shape flattened.

    Args:
        net: The network.
        xs: Its input, ``(time, batch, *features)``, or several of these by address.
        readouts: Each from :func:`readout_address`.
        options: Passed on to the network.

    Returns:
        For each readout its outputs, ``(time, batch, classes)``, unless the net gives something else.

    Raises:
        ValueError: A net that returns several outputs, and no readout.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(eye=cx.InputLayer(4), v1=cx.Population((1, 2, 3), cx.LIF()))
        >>> _ = net.connect("eye", "v1", cx.Dense)
        >>> read_out(net, torch.ones(10, 5, 4), ["v1"])[0].shape
        torch.Size([10, 5, 6])
    """
    named = [readout for readout in readouts if readout is not None]
    if isinstance(net, Neocortex) and len(named) == len(readouts):
        ys, _ = net(xs, outputs=named, **options)
        return [ys[readout].flatten(2) for readout in named]
    if not named:
        return [_only(net(xs, **options)[0])] * len(readouts)
    with record(net, *named, variables=["output"], detach=False) as recording:
        whole, _ = net(xs, **options)
    found = []
    for readout in readouts:
        ys = _only(whole) if readout is None else recording[f"{readout}.output"]
        population = readout is not None and isinstance(module_at(net, readout), Population)
        found.append(ys.flatten(2) if population else ys)
    return found


def _only(ys: Any) -> Tensor:
    """Return the only output of a network."""
    if not isinstance(ys, Mapping):
        return ys
    outputs = [y for y in ys.values() if isinstance(y, Tensor)]
    if len(outputs) != 1:
        raise ValueError(
            f"Expected `readout` to name one output of the network, got None, and there are "
            f"{', '.join(map(repr, ys)) or 'none'}. It is the address of a module, as `named_modules` gives it."
        )
    return outputs[0].flatten(2)


def step_length(net: nn.Module, dt: float | None) -> float:
    """Return the length of a step: the one given, else the network's own, else 1 ms.

    Args:
        net: The network; it has a step length of its own where it has an attribute ``dt``.
        dt: The one given; None for none [ms].

    Raises:
        ValueError: Not positive, or another one than the network's.

    Example:
        >>> import conex_nn as cx
        >>> step_length(cx.Neocortex(dt=0.5), None), step_length(nn.Linear(2, 2), None)
        (0.5, 1.0)
    """
    own = getattr(net, "dt", None)
    own = float(own) if isinstance(own, int | float) else None
    if dt is not None and not dt > 0:
        raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
    if dt is not None and own is not None and own != dt:
        raise ValueError(
            f"Expected `dt` to be that of the network, {own} [ms], got {dt}. Leave it out here, or change `net.dt`."
        )
    return float(dt if dt is not None else own if own is not None else 1.0)
