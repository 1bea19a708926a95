"""Say that populations run step by step where events were asked for."""

import warnings

from torch import Tensor

from conex_nn.structure.by_ring import RingLoop
from conex_nn.structure.graph import Part
from conex_nn.structure.network import Network

__all__ = ["say_by_steps"]


def say_by_steps(part: Part, network: Network, *, like: Tensor) -> None:
    """Warn that a part is run step by step, and which of its connections or populations is to blame.

    Args:
        part: What advances together.
        network: Whose it is.
        like: Something of the input's dtype, device and batch, ``(time, *batch)``.

    Example:
        >>> import torch
        >>> from conex_nn.neurons import LIF
        >>> from conex_nn.structure.population import Population
        >>> part = Part(("v1",), (), (), 1)
        >>> network = Network({"v1": Population(2, LIF(noise=1.0))}, {}, [part])
        >>> with torch.no_grad(), warnings.catch_warnings(record=True) as said:
        ...     warnings.simplefilter("always")
        ...     say_by_steps(part, network, like=torch.zeros(1))
        >>> str(said[0].message)[:60]
        "'v1' runs step by step in spite of `by_events=True`: the neu"
    """
    why = RingLoop.read(part, network.populations, network.connections, like=like)
    if isinstance(why, RingLoop):
        why = "what is recorded of it, what arrives, or what is under way is for the step loop"
    names = ", ".join(map(repr, part.populations))
    warnings.warn(f"{names} runs step by step in spite of `by_events=True`: {why}.", stacklevel=2)
