"""The microcircuit as a network of ours: a column of four layers, with the column's own wiring."""

from typing import Any

import torch

import conex_nn as cx
from tasks.microcircuit import circuit as pd14
from tasks.microcircuit.circuit import Circuit

__all__ = ["build", "column", "start"]


def column(circuit: Circuit, *, dt: float = 0.1, dtype: torch.dtype | None = None) -> cx.CorticalColumn:
    """Build the column; what is drawn is drawn from torch's generator.

    Connections within a layer are the layer's own, so that a layer can be taken out with them.

    Args:
        circuit: Its numbers.
        dt: Length of a step [ms].
        dtype: Of the weights; ``torch.bfloat16`` halves their memory.

    Example:
        >>> from tasks.microcircuit.circuit import circuit
        >>> made = column(circuit(0.01, drive="poisson"))
        >>> list(made.populations())
        ['l23.exc', 'l23.inh', 'l4.exc', 'l4.inh', 'l5.exc', 'l5.inh', 'l6.exc', 'l6.inh']
    """
    layers: dict[str, dict[str, Any]] = {}
    for i, address in enumerate(circuit.names):
        layer, name = address.split(".")
        layers.setdefault(layer, {})[name] = _population(circuit, i)
    parts: dict[str, Any] = {layer: cx.CorticalLayer(**cells) for layer, cells in layers.items()}
    made = cx.CorticalColumn(**parts)
    for i, j in circuit.synapses.nonzero().tolist():
        (to_layer, target), (from_layer, source) = circuit.names[i].split("."), circuit.names[j].split(".")
        within = to_layer == from_layer
        place = made.get_submodule(to_layer) if within else made
        place.connect(  # pyright: ignore[reportCallIssue]
            source if within else circuit.names[j],
            target if within else circuit.names[i],
            cx.Sparse,
            number=int(circuit.synapses[i, j]),
            **_synapses(circuit, float(circuit.weight[i, j]), circuit.delay[j], dt=dt, dtype=dtype),
        )
    return made


def build(
    circuit: Circuit, *, dt: float = 0.1, dtype: torch.dtype | None = None, volley: float | None = None
) -> cx.Neocortex:
    """Build the network: the column, and the thalamic cells if they are to fire.

    Args:
        circuit: Its numbers.
        dt: Length of a step [ms].
        dtype: Of the weights.
        volley: When the thalamic cells begin to fire; None for a network without them [ms].
    """
    parts: dict[str, Any] = {"column": column(circuit, dt=dt, dtype=dtype)}
    if volley is not None:
        begin, end = f"{volley:g} ms", f"{volley + circuit.thalamus.lasts:g} ms"
        parts["thalamus"] = cx.PoissonInput(circuit.thalamus.neurons, rate=circuit.thalamus.rate, start=begin, stop=end)
    net = cx.Neocortex(dt=dt, **parts)
    for name, number in zip(circuit.names, circuit.thalamus.synapses.tolist(), strict=True):
        if volley is not None and number:
            options = _synapses(circuit, circuit.background_weight, pd14.DELAYS[0], dt=dt, dtype=dtype)
            net.connect("thalamus", f"column.{name}", cx.Sparse, number=number, **options)
    return net


def start(net: cx.Neocortex, circuit: Circuit, *, samples: int | None = None) -> cx.structure.NetworkState:
    """Return a state to begin with, near that of the running network; drawn from torch's generator.

    Args:
        net: From :func:`build`.
        circuit: Its numbers.
        samples: How many of them run side by side; None for one, without a batch [1].
    """
    state = net.initial_state(batch=samples)
    populations = dict(state.populations)
    for name, mean, spread in zip(circuit.names, circuit.first_potential, circuit.first_spread, strict=True):
        cells = populations[f"column.{name}"]
        v = mean + spread * torch.randn(cells.neuron.v.shape)
        populations[f"column.{name}"] = cells._replace(neuron=cells.neuron._replace(v=v.to(cells.neuron.v)))
    return state._replace(populations=populations)


def _population(circuit: Circuit, i: int) -> cx.Population:
    background: list[cx.Background] = [cx.ConstantDrive(float(circuit.current[i]))]
    if circuit.background_rate[i] > 0:
        background.append(cx.PoissonDrive(rate=float(circuit.background_rate[i]), weight=circuit.background_weight))
    membrane = cx.LIF(
        tau_mem=pd14.TAU_MEM,
        resistance=1000 * pd14.TAU_MEM / pd14.CAPACITANCE,
        v_rest=pd14.V_REST,
        v_reset=pd14.V_RESET,
        v_threshold=pd14.V_THRESHOLD,
        refractory_time=pd14.REFRACTORY,
    )
    return cx.Population(
        circuit.neurons[i],
        membrane,
        dendrite=cx.Dendrite({"proximal": cx.Drive(tau_syn=pd14.TAU_SYN)}),
        background=background,
        inhibitory=circuit.inhibitory(circuit.names[i]),
    )


def _synapses(circuit: Circuit, weight: float, delay: float, *, dt: float, dtype: torch.dtype | None) -> dict[str, Any]:
    """Return how the synapses of a connection are drawn."""
    steps = delay / dt
    return {
        "multapses": True,
        "weight": cx.Normal(weight, circuit.weight_spread * weight, low=0.0),
        "delay": cx.Normal(steps, circuit.delay_spread * steps, low=1.0),
        "dtype": dtype,
        "latency": 1,  # a spike is known at the end of its step: delays are from there on
    }
