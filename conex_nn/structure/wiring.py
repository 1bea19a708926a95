"""The default wiring of cortex: which populations of a column reach which, and where on the dendrite."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from conex_nn.structure.addresses import population_paths
from conex_nn.structure.connection import Connection
from conex_nn.structure.container import Container
from conex_nn.synapses import Dense

__all__ = ["BETWEEN_COLUMNS", "WITHIN_COLUMN", "WITHIN_LAYER", "wire_column", "wire_columns", "wire_layer"]

Wiring = Mapping[tuple[str, str], Mapping[str, str]]
"""By source layer and target layer: kinds of connection, such as ``"ei"``, and the compartment that each reaches."""

WITHIN_LAYER: Mapping[str, str] = {"ee": "distal", "ei": "proximal", "ii": "proximal", "ie": "proximal"}
"""Kinds of connection inside a layer, from e or i to e or i, and the compartment that each reaches."""

WITHIN_COLUMN: Wiring = {
    ("l23", "l4"): {"ee": "apical", "ei": "proximal"},
    ("l23", "l5"): {"ee": "proximal", "ei": "proximal", "ie": "proximal"},
    ("l4", "l23"): {"ee": "proximal", "ii": "proximal", "ie": "proximal"},
    ("l4", "l5"): {"ee": "apical"},
    ("l5", "l23"): {"ei": "proximal"},
    ("l5", "l6"): {"ee": "apical"},
    ("l6", "l4"): {"ee": "distal", "ei": "proximal"},
    ("l6", "l5"): {"ee": "proximal"},
}
"""Connections from layer to layer of one column."""

BETWEEN_COLUMNS: Wiring = {
    ("l23", "l23"): {"ee": "apical"},
    ("l23", "l4"): {"ee": "distal"},
    ("l5", "l5"): {"ee": "apical"},
    ("l5", "l6"): {"ee": "distal"},
    ("l6", "l23"): {"ee": "apical"},
}
"""Connections from layers of one column to layers of another."""

_POPULATIONS = {"e": "exc", "i": "inh"}


def wire_layer(
    layer: Container,
    *,
    kinds: Mapping[str, str] = WITHIN_LAYER,
    synapse: Callable[..., nn.Module] = Dense,
    **options: Any,
) -> list[Connection]:
    """Connect the populations ``exc`` and ``inh`` of a layer as cortex does by default.

    Args:
        layer: With populations ``exc``, ``inh``, or one of them.
        kinds: Compartment by kind of connection.
        synapse: Class of the synapses.
        options: Of :meth:`Container.connect` and of the synapse.

    Returns:
        The connections made.

    Example:
        >>> import conex_nn as cx
        >>> layer = cx.CorticalLayer(exc=cx.Population(4, cx.LIF()), inh=cx.Population(2, cx.LIF(), inhibitory=True))
        >>> [f"{c.source} {c.target} {c.compartment}" for c in wire_layer(layer)]
        ['exc exc distal', 'exc inh proximal', 'inh inh proximal', 'inh exc proximal']
    """
    return _wire(layer, "", "", kinds, synapse, options)


def wire_column(
    column: Container,
    *,
    within_layers: Mapping[str, str] = WITHIN_LAYER,
    between_layers: Wiring = WITHIN_COLUMN,
    synapse: Callable[..., nn.Module] = Dense,
    **options: Any,
) -> list[Connection]:
    """Connect the layers of a column, and the populations inside each, as cortex does by default.

    Args:
        column: With layers ``l23``, ``l4``, ``l5``, ``l6``, or some of them.
        within_layers: Compartment by kind of connection, inside each layer.
        between_layers: The same from layer to layer.
        synapse: Class of the synapses.
        options: Of :meth:`Container.connect` and of the synapse.

    Returns:
        The connections made.

    Example:
        >>> import conex_nn as cx
        >>> layer = lambda: cx.CorticalLayer(exc=cx.Population(4, cx.LIF()))
        >>> [f"{c.source} {c.target} {c.compartment}" for c in wire_column(cx.CorticalColumn(l4=layer(), l23=layer()))]
        ['l4.exc l4.exc distal', 'l23.exc l23.exc distal', 'l23.exc l4.exc apical', 'l4.exc l23.exc proximal']
    """
    made = []
    for name in _layers(column, between_layers):
        made += _wire(column, name, name, within_layers, synapse, options)
    for (source, target), kinds in between_layers.items():
        made += _wire(column, source, target, kinds, synapse, options)
    return made


def wire_columns(
    network: Container,
    source: str,
    target: str,
    *,
    between_columns: Wiring = BETWEEN_COLUMNS,
    synapse: Callable[..., nn.Module] = Dense,
    **options: Any,
) -> list[Connection]:
    """Connect one column to another as cortex does by default.

    Args:
        network: Holds both columns.
        source: Address of the column that sends.
        target: Address of the column that receives.
        between_columns: Compartment by kind of connection, from layer to layer.
        synapse: Class of the synapses.
        options: Of :meth:`Container.connect` and of the synapse.

    Returns:
        The connections made.

    Example:
        >>> import conex_nn as cx
        >>> column = lambda: cx.CorticalColumn(l23=cx.CorticalLayer(exc=cx.Population(4, cx.LIF())))
        >>> net = cx.Neocortex(v1=column(), v2=column())
        >>> [f"{c.source} {c.target} {c.compartment}" for c in wire_columns(net, "v1", "v2")]
        ['v1.l23.exc v2.l23.exc apical']
    """
    made = []
    for column in (source, target):
        population_paths(network, column)  # raises where there is none
    for (s, t), kinds in between_columns.items():
        made += _wire(network, f"{source}.{s}", f"{target}.{t}", kinds, synapse, options)
    return made


def _layers(column: Container, wiring: Wiring) -> list[str]:
    known = {name for pair in wiring for name in pair}
    return [name for name in column._modules if name in known]


def _wire(
    root: Container,
    source: str,
    target: str,
    kinds: Mapping[str, str],
    synapse: Callable[..., nn.Module],
    options: dict[str, Any],
) -> list[Connection]:
    """Make the connections of all kinds whose two ends exist."""
    made: list[Connection] = []
    populations = root.populations()
    for kind, compartment in kinds.items():
        ends = [
            f"{layer}.{_POPULATIONS[letter]}".strip(".") for layer, letter in zip((source, target), kind, strict=True)
        ]
        if all(end in populations for end in ends):
            made += root.connect(ends[0], ends[1], synapse, compartment=compartment, **options) or ()
    return made
