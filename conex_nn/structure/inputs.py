"""What goes into a network, checked: inputs and states."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from conex_nn.structure.addresses import nearest, population_paths
from conex_nn.structure.container import Container
from conex_nn.structure.engine import Network, NetworkState
from conex_nn.structure.population import Population

__all__ = ["by_address", "check_inputs", "check_state", "clock_of"]


def by_address(net: Container, inputs: Tensor | Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """Return inputs by the addresses of their populations.

    Args:
        net: The network.
        inputs: A tensor where there is one input layer, else tensors by address; None for none.

    Raises:
        ValueError: One is missing, or there is no such input.

    Example:
        >>> import conex_nn as cx
        >>> list(by_address(cx.Neocortex(retina=cx.InputLayer(4)), torch.zeros(1, 4)))
        ['retina.sensory']
    """
    sources = [path for path, module in net.populations().items() if module.takes_input]
    inputs = {} if inputs is None else inputs
    if not sources and not (isinstance(inputs, Mapping) and not inputs):
        raise ValueError("Expected an InputLayer in the network, through which `inputs` enter, got none.")
    if isinstance(inputs, Tensor):
        if len(sources) > 1:
            raise ValueError(f"Expected `inputs` by address, one for each of {', '.join(sources)}, got one tensor.")
        return {sources[0]: inputs}
    found: dict[str, Tensor] = {}
    for address, xs in inputs.items():
        try:
            paths = [path for path in population_paths(net, address) if path in sources]
        except ValueError:
            paths = []
        if len(paths) != 1:
            raise ValueError(
                f"Expected `inputs` for {', '.join(sources)}, got one for {address!r}.{nearest(address, sources)}"
            )
        found[paths[0]] = xs
    if missing := [path for path in sources if path not in found]:
        raise ValueError(f"Expected `inputs` for {', '.join(sources)}, got none for {', '.join(missing)}.")
    return {path: found[path] for path in sources}


def clock_of(
    network: Network,
    inputs: Mapping[str, Tensor],
    *,
    steps: int | None = None,
    batch: int | Sequence[int] | None = None,
    state: NetworkState | None = None,
) -> Tensor:
    """Return a tensor without contents in the shape of a run, ``(time, *batch)``, of its dtype and on its device.

    Args:
        network: What is run.
        inputs: By the addresses of their populations, checked.
        steps: Length of the run; None for that of the inputs [1].
        batch: Number of samples, or their shape; None for what inputs or else the state say, or else no batch [1].
        state: Of the network before the run.

    Raises:
        ValueError: Nothing says how long the run is; or inputs say otherwise than ``steps`` or ``batch``.

    Example:
        >>> import conex_nn as cx
        >>> clock_of(cx.Neocortex(v1=cx.Population(2, cx.LIF())).network(), {}, steps=10, batch=3).shape
        torch.Size([10, 3])
    """
    asked = None if batch is None else torch.Size((batch,) if isinstance(batch, int) else batch)
    if inputs:
        path, xs = next(iter(inputs.items()))
        lead = xs.shape[: xs.dim() - len(network.populations[path].shape)]
        if steps not in (None, len(xs)):
            raise ValueError(f"Expected inputs of {steps} steps, as many as are run [1], got {len(xs)} for {path!r}.")
        if asked not in (None, lead[1:]):
            raise ValueError(f"Expected `batch` to be that of the inputs, {tuple(lead[1:])}, got {tuple(asked or ())}.")
        return xs.new_zeros(()).expand(lead)
    if not steps:
        raise ValueError("Expected `steps`, of which there is at least one, since no input says how long to run.")
    if asked is None and state is not None:
        asked = _batch(state, network)
    return _like(network).new_zeros(()).expand(steps, *(asked or ()))


def _batch(state: NetworkState, network: Network) -> torch.Size:
    """Return the shape of the batch that a state is of."""
    for path, population in state.populations.items():
        shape = network.populations[path].shape if path in network.populations else torch.Size(())
        for x in tree_leaves(getattr(population, "neuron", population)):
            if isinstance(x, Tensor) and shape and x.shape[x.dim() - len(shape) :] == shape:
                return x.shape[: x.dim() - len(shape)]
    return torch.Size(())


def _like(network: Network) -> Tensor:
    """Return something of the dtype and on the device of a network: those of its neurons; weights may be in half."""
    neurons = [each.neuron for each in network.populations.values() if isinstance(each, Population)]
    modules = (*neurons, *network.connections.values(), *network.populations.values())
    tensors = (x for module in modules for x in (*module.parameters(), *module.buffers()) if x.is_floating_point())
    return next(tensors, torch.zeros(()))


def check_state(state: NetworkState, network: Network, batch: torch.Size) -> None:
    """Raise unless a state is of this network, as it is now, and of as many samples as the input.

    Args:
        state: The state.
        network: The network.
        batch: Shape of the batch.

    Raises:
        ValueError: It is not.

    Example:
        >>> import conex_nn as cx
        >>> net, x = cx.Neocortex(retina=cx.InputLayer(4)), torch.zeros(3, 4)
        >>> check_state(net.initial_state(x), net.network(), x.shape[:1])
    """
    populations = {path for path, module in network.populations.items() if not module.takes_input}
    odd = (populations ^ set(state.populations)) | (set(network.connections) ^ set(state.connections))
    for path in populations & set(state.populations):
        own, found = (getattr(x, "background", ()) for x in (network.populations[path], state.populations[path]))
        if len(own) != len(found):
            odd.add(path)
    if odd:
        raise ValueError(
            f"Expected `state` of this network as it is now, got one that differs in {', '.join(sorted(odd))}. "
            "A state that was returned before the network changed cannot be gone on from."
        )
    for path, connection in state.connections.items():
        shape: torch.Size = network.connections[path].synapse.target_shape  # pyright: ignore[reportAssignmentType]
        found = connection.dendrite.shape[1 : connection.dendrite.dim() - len(shape)]
        if found != batch:
            raise ValueError(
                f"Expected `state` of as many samples as the inputs, (*batch) = {tuple(batch)}, got "
                f"{tuple(found)}. Leave it out to start anew."
            )


def check_inputs(inputs: dict[str, Tensor], network: Network) -> None:
    """Raise unless inputs fit a network and each other.

    Args:
        inputs: By the addresses of their populations.
        network: The network.

    Raises:
        ValueError: One of a wrong shape or length, or of another number of samples.
        TypeError: One of another dtype or device than the weights that it meets.

    Example:
        >>> import conex_nn as cx
        >>> check_inputs({"retina.sensory": torch.zeros(3, 4)}, cx.Neocortex(retina=cx.InputLayer(4)).network())
    """
    lead = None
    for path, xs in inputs.items():
        shape = network.populations[path].shape
        if not isinstance(xs, Tensor) or not xs.is_floating_point():
            got = xs.dtype if isinstance(xs, Tensor) else type(xs).__name__
            raise TypeError(
                f"Expected the input of {path!r} to be a floating tensor, got {got}. Convert it: `.float()`."
            )
        _check_kind(path, xs, network)
        axes = xs.dim() - len(shape)
        if axes < 1 or xs.shape[axes:] != shape or len(xs) == 0:
            raise ValueError(
                f"Expected the input of {path!r} of shape (time, *batch, {', '.join(map(str, shape))}) with at "
                f"least one step, got {tuple(xs.shape)}."
            )
        lead = xs.shape[:axes] if lead is None else lead
        if xs.shape[:axes] != lead:
            first = next(iter(inputs))
            raise ValueError(
                f"Expected inputs of equal length and batch, got (time, *batch) = {tuple(lead)} for {first!r} and "
                f"{tuple(xs.shape[:axes])} for {path!r}."
            )


def _check_kind(path: str, xs: Tensor, network: Network) -> None:
    """Raise unless an input is of the dtype and on the device of the weights that it meets."""
    weights = (connection.weight for connection in network.connections.values())
    like = next((weight for weight in weights if weight is not None), None)
    if like is None or (xs.dtype, xs.device) == (like.dtype, like.device):
        return
    if xs.device == like.device and torch.is_autocast_enabled(xs.device.type):
        return
    raise TypeError(
        f"Expected the input of {path!r} as {like.dtype} on {like.device}, where the network is, got {xs.dtype} on "
        f"{xs.device}. Convert one of them: `net.to({xs.dtype})`, or `x.to({like.dtype})`."
    )
