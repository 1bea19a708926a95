"""Inputs that are read while neurons compete, so that no sequence of their currents is made."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from conex_nn.kernels import mostly_zeros
from conex_nn.structure.by_events import EventLoop
from conex_nn.structure.event_cells import competes
from conex_nn.structure.graph import Part
from conex_nn.structure.learning import Learning
from conex_nn.structure.network import Network

__all__ = ["read_on_the_way"]


def read_on_the_way(part: Part, network: Network, inputs: Mapping[str, Tensor], learning: Learning | None) -> Part:
    """Return a part whose sparse inputs are read while its neurons compete, so that no sequence of currents is made."""
    edges, path = (*part.streamed, *part.outer), part.populations[0]
    if not part.outer or part.inner or network.by_events is False or network.block is not None:
        return part
    if path in network.observers or path in network.samplers or (learning is not None and path in learning.reads_v):
        return part
    for edge in edges:
        connection: Any = network.connections[edge.name]
        late = connection.axon.minimum < connection.axon.maximum or connection.dendrite.maximum > 0
        if edge.source not in inputs or edge.name in network.listeners or late:
            return part
        if not mostly_zeros(inputs[edge.source].reshape(-1, connection.synapse.source_shape.numel())):
            return part
    changed = replace(part, outer=(), streamed=edges)
    learners = {} if learning is None else {e.name: learning.steps[e.name] for e in edges if e.name in learning.steps}
    like = inputs[edges[0].source]
    loop = EventLoop.of(changed, network.populations, network.connections, like=like, learners=learners)
    return part if loop is None or not competes(network.populations[path]) else changed
