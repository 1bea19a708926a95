"""From a rate network to spiking populations of the same connectivity, and back to its masks and weights."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.neurons import LI, LIF
from conex_nn.rates import CTRNN, Areas
from conex_nn.rates.layer import existing
from conex_nn.structure.container import Container
from conex_nn.structure.neocortex import Neocortex
from conex_nn.structure.population import Population, Source
from conex_nn.synapses import Dense

__all__ = ["to_areas", "to_connectivity", "to_spiking"]

NeuronOf = Callable[[Tensor, Tensor], nn.Module]
"""Makes neurons from the time constant and the bias of each rate neuron."""


def _lif(tau: Tensor, bias: Tensor) -> nn.Module:
    return LIF(tau_mem=tau, v_rest=bias)


@torch.no_grad()
def to_spiking(
    net: CTRNN, *, neuron: NeuronOf = _lif, gain: float = 1.0, readout_tau: float = 20.0, dt: float = 1.0
) -> Neocortex:
    """Build a network of spiking populations with the connectivity of a rate network, as it is in force.

    Each area becomes a population of its name, or, with signs, the populations ``exc`` and ``inh`` in a container of
    its name; a network without areas is ``"all"``. ``"input"`` is where input enters, at once; recurrent spikes arrive
    one step later; ``"readout"``, if there is one, are leaky integrators of the readout's weights. The weights are
    copies, and masks stay masks, also where a weight happens to be 0. A neuron's bias becomes its resting potential.
    With ``neuron`` making :class:`conex_nn.LI`, it is the rate network with the identity for its activation.

    Args:
        net: A rate network.
        neuron: Makes the neurons of a population from the time constant [ms] and bias [1] of each.
        gain: Factor of all recurrent and readout weights: what one spike counts for, as a rate [1].
        readout_tau: Time constant of the readout [ms].
        dt: Length of a step of the new network [ms].

    Returns:
        The network.

    Example:
        >>> from conex_nn.rates import MultiAreaEI
        >>> areas = MultiAreaEI({"v1": 10, "pfc": 5}, input_areas=["v1"])
        >>> net = to_spiking(CTRNN(2, 15, areas=areas))
        >>> [address for address in net.populations()]
        ['input', 'v1.exc', 'v1.inh', 'pfc.exc', 'pfc.inh']
        >>> spikes, state = net(torch.rand(20, 3, 2))
        >>> spikes["v1.exc"].shape
        torch.Size([20, 3, 8])
    """
    places = _populations(net)
    tau, bias = net.time_constants().expand(net.hidden_size), torch.zeros(net.hidden_size)
    if net.input.bias is not None:
        bias = (net.input.bias + net.recurrent.bias).detach().cpu()
    parts: dict[str, Any] = {"input": Source(net.input_size)}
    for address, place in places.items():
        area, _, kind = address.partition(".")
        neurons = neuron(tau[place].detach().cpu().clone(), bias[place].clone())
        population = Population(len(place), neurons, inhibitory=kind == "inh")  # pyright: ignore[reportArgumentType]
        if kind:
            whole = parts.setdefault(area, Container({}))
            whole.add(kind, population)
        else:
            parts[area] = population
    if net.readout is not None and net.output_size is not None:
        parts["readout"] = Population(net.output_size, LI(tau_mem=readout_tau))
    spiking = Neocortex(dt=dt, **parts)
    every = torch.arange(net.input_size)
    for post, rows in places.items():
        _connect(spiking, "input", post, net.input, (rows, every), latency=0, gain=1.0)
        for pre, columns in places.items():
            _connect(spiking, pre, post, net.recurrent, (rows, columns), latency=1, gain=gain)
    if net.readout is not None and net.output_size is not None:
        for pre, columns in places.items():
            _connect(
                spiking, pre, "readout", net.readout, (torch.arange(net.output_size), columns), latency=0, gain=gain
            )
    return spiking.to(net.recurrent.weight.dtype)


def _populations(net: CTRNN) -> dict[str, Tensor]:
    """Return the neurons of each population, by its address."""
    areas = net.areas
    if areas is None:
        return {"all": torch.arange(net.hidden_size)}
    areas.area_of()  # no neuron may be in two populations
    if taken := {"input", "readout"} & set(areas.names):
        raise ValueError(f"Expected areas of other names than 'input' and 'readout', got {sorted(taken)}.")
    if odd := [name for name in areas.names if "." in name]:
        raise ValueError(f"Expected areas without a dot in their names, got {odd}.")
    if areas.signs is None:
        return {name: areas.index(name) for name in areas.names}
    kinds = {"exc": "excitatory", "inh": "inhibitory"}
    places = {f"{name}.{kind}": areas.index(f"{name}.{long}") for name in areas.names for kind, long in kinds.items()}
    return {address: place for address, place in places.items() if len(place)}


def _connect(
    spiking: Neocortex,
    source: str,
    target: str,
    layer: nn.Linear,
    place: tuple[Tensor, Tensor],
    *,
    latency: int,
    gain: float,
) -> None:
    """Connect two populations where there is a synapse, by the rows and columns of a layer."""
    rows, columns = place
    weight = layer.weight.cpu()[rows][:, columns]
    mask = existing(layer).cpu()[rows][:, columns]
    if not mask.any():
        return
    inhibitory = source.endswith(".inh")
    values = (-weight if inhibitory else weight).detach().clone()
    options: dict[str, Any] = {} if mask.all() else {"mask": mask}
    spiking.connect(source, target, Dense, weight=values, latency=latency, gain=gain, **options)


@torch.no_grad()
def to_connectivity(net: Neocortex, populations: Sequence[str] | None = None) -> Tensor:
    """Return the weights among the populations of a network as one matrix, inhibition negative.

    Args:
        net: A network of populations.
        populations: Their addresses, in the order of rows and columns; None for all but where input enters.

    Returns:
        Weights ``(post, pre)``, with the gains of the connections; parallel connections add up [1].

    Raises:
        ValueError: An address of no population.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(a=cx.Population(2, cx.LIF()), b=cx.Population(1, cx.LIF(), inhibitory=True))
        >>> _ = net.connect("a", "b", cx.Dense, weight=torch.tensor([[1.0, 2.0]]))
        >>> _ = net.connect("b", "a", cx.Dense, weight=torch.tensor([[0.5], [0.5]]))
        >>> to_connectivity(net)
        tensor([[ 0.0000,  0.0000, -0.5000],
                [ 0.0000,  0.0000, -0.5000],
                [ 1.0000,  2.0000,  0.0000]])
    """
    places = _places(net, populations)
    size = sum(len(place) for place in places.values())
    matrix = torch.zeros(size, size)
    for connection in net.network().connections.values():
        if connection.source in places and connection.target in places and connection.enabled:
            rows, columns = places[connection.target], places[connection.source]
            synapse = connection.synapse
            like = next((p for p in synapse.parameters()), torch.zeros(1))
            eye = torch.eye(len(columns), device=like.device, dtype=like.dtype)
            shape = net.network().populations[connection.source].shape
            currents = synapse(eye.reshape(-1, *shape)).flatten(1).t()
            currents = -connection.gain * currents.abs() if connection.inhibitory else connection.gain * currents
            matrix[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += currents.to(matrix)
    return matrix


@torch.no_grad()
def to_areas(net: Neocortex, populations: Sequence[str] | None = None) -> Areas:
    """Return the populations of a network as areas of a rate network: which synapses exist, signs, who gets input.

    Args:
        net: A network of populations.
        populations: Their addresses, in the order of the neurons; None for all but where input enters.

    Returns:
        Areas, to be given to a :class:`conex_nn.CTRNN`; a synapse exists where the weight is not 0. There are signs if
        some population is inhibitory.

    Raises:
        ValueError: An address of no population.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(a=cx.Population(2, cx.LIF()), b=cx.Population(1, cx.LIF(), inhibitory=True))
        >>> _ = net.connect("a", "b", cx.Dense)
        >>> areas = to_areas(net)
        >>> areas, areas.recurrent[2], areas.index("inhibitory")
        (Areas(a: 2, b: 1), tensor([ True,  True, False]), tensor([2]))
    """
    places, network = _places(net, populations), net.network()
    signs = torch.ones(sum(len(place) for place in places.values()), dtype=torch.long)
    receives = torch.zeros(len(signs), dtype=torch.bool)
    for address, place in places.items():
        if network.populations[address].inhibitory:
            signs[list(place)] = -1
    for connection in network.connections.values():
        if isinstance(network.populations[connection.source], Source) and connection.target in places:
            receives[list(places[connection.target])] = True
    return Areas(
        places,
        recurrent=to_connectivity(net, list(places)) != 0,
        receives=receives if receives.any() else None,
        signs=signs if (signs < 0).any() else None,
    )


def _places(net: Neocortex, populations: Sequence[str] | None) -> dict[str, range]:
    """Return the rows of each population in one matrix."""
    known = net.network().populations
    chosen = [a for a, p in known.items() if not isinstance(p, Source)] if populations is None else list(populations)
    if unknown := [address for address in chosen if address not in known]:
        raise ValueError(f"Expected `populations` among {', '.join(known)}, got {', '.join(unknown)}.")
    places, begin = {}, 0
    for address in chosen:
        size = known[address].shape.numel()
        places[address] = range(begin, begin + size)
        begin += size
    return places
