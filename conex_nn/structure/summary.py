"""A network in words: populations, connections, shapes and parameter counts."""

from typing import Any

from torch import nn

from conex_nn.structure.population import Population, Source

__all__ = ["describe", "sketch"]


def describe(container: nn.Module) -> str:
    """Return a tree of a container's populations and connections, with shapes and parameter counts.

    Args:
        container: A layer, a column, a whole network.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(2, cx.LIF()))
        >>> _ = net.connect("retina", "v1", cx.Dense)
        >>> print(describe(net))
        Neocortex  6 neurons, 8 trainable weights
          retina: InputLayer
            sensory: input 4
          v1: 2 x LIF
          retina.sensory -> v1  Dense 4 -> 2, proximal, latency 1, 8 weights
    """
    populations: Any = [m for m in container.modules() if isinstance(m, Population | Source)]
    neurons = sum(population.shape.numel() for population in populations)
    weights = sum(p.numel() for p in container.parameters() if p.requires_grad)
    return "\n".join(
        [f"{type(container).__name__}  {neurons:,} neurons, {weights:,} trainable weights", *_lines(container, 1)]
    )


def _lines(container: nn.Module, depth: int) -> list[str]:
    indent, lines = "  " * depth, []
    for name, part in container.named_children():
        if name == "connections":
            continue
        if isinstance(part, Population | Source):
            lines.append(f"{indent}{name}: {_population(part)}")
        else:
            lines += [f"{indent}{name}: {type(part).__name__}", *_lines(part, depth + 1)]
    for name, paths in getattr(container, "ports", {}).items():
        lines.append(f"{indent}port {name} = {', '.join(paths)}")
    for synapsis in container.connections.children():  # pyright: ignore[reportAttributeAccessIssue]
        lines += [f"{indent}{_connection(connection)}" for connection in synapsis.children()]
    return lines


def _shape(shape: Any) -> str:
    return "x".join(map(str, shape))


def _population(part: Any) -> str:
    if isinstance(part, Source):
        return f"{'input' if part.takes_input else type(part).__name__} {_shape(part.shape)}"
    extras = [
        name
        for name in ("noise", "winners", "voltage_homeostasis", "activity_homeostasis")
        if getattr(part, name) is not None
    ]
    extras += [type(each).__name__ for each in (*part.behaviors.values(), *part.background.values())]
    kind = f"{_shape(part.shape)} x {type(part.neuron).__name__}"
    return ", ".join([kind, *(["inhibitory"] if part.inhibitory else []), *extras])


def _connection(connection: Any) -> str:
    synapse: Any = connection.synapse
    weights = sum(p.numel() for p in synapse.parameters())
    words = [
        f"{type(synapse).__name__} {_shape(synapse.source_shape)} -> {_shape(synapse.target_shape)}",
        connection.compartment, f"latency {connection.latency}", f"{weights:,} weights",
    ]  # fmt: skip
    for name in ("axon_delay", "dendrite_delay"):
        steps = getattr(connection, name)
        if isinstance(steps, int):
            words += [f"{name} {steps}"] if steps else []
        elif steps.is_meta:
            words.append(f"{name} unknown")
        else:
            words.append(f"{name} {int(steps.min())} to {int(steps.max())}")
    words += ["inhibitory"] if connection.inhibitory else []
    words += [f"gain {connection.gain:g}"] if connection.gain != 1 else []
    if (rule := connection.rule) is not None:
        name = " -> ".join(_links(rule))
        where = "each step" if connection.when == "step" else "each sequence"
        also = " and by gradient" if weights and synapse.weight.requires_grad else ""
        words.append(f"learns by {name} {where}{also}" + ("" if rule.enabled else " (off)"))
    words += [] if connection.enabled else ["off"]
    return f"{connection.source} -> {connection.target}  {', '.join(words)}"


def _links(rule: Any) -> list[str]:
    """Return the names of the links of a chain, those of chains within it among them."""
    links = getattr(rule, "links", None)
    return [type(rule).__name__] if links is None else [name for link in links for name in _links(link)]


def sketch(container: nn.Module) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what a picture of a container needs, for ``conex_nn.plots.network``: plain data, no modules.

    Args:
        container: A layer, a column, a whole network.

    Returns:
        Populations, with address, neurons and kind; connections, with source, target, compartment and sign.

    Example:
        >>> import conex_nn as cx
        >>> layer = cx.CorticalLayer(exc=cx.Population(4, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
        >>> _ = layer.connect("exc", "inh", cx.Dense)
        >>> sketch(layer)[0][1]
        {'address': 'inh', 'neurons': 2, 'kind': 'inhibitory'}
    """
    populations = [
        {
            "address": path,
            "neurons": module.shape.numel(),
            "kind": "input" if isinstance(module, Source) else "inhibitory" if module.inhibitory else "excitatory",
        }
        for path, module in container.populations().items()  # pyright: ignore[reportCallIssue]
    ]
    connections = []
    for path, connection in container.all_connections().items():  # pyright: ignore[reportCallIssue]
        prefix = path[: path.rindex("connections.")]
        connections.append(
            {
                "source": prefix + connection.source,
                "target": prefix + connection.target,
                "compartment": connection.compartment,
                "inhibitory": connection.inhibitory,
            }
        )
    return populations, connections
