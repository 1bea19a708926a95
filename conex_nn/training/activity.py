"""Firing rates, sparsity and synaptic operations of a network while it is validated or tested."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from typing_extensions import override

from conex_nn.recording import outlet, spiking_layers
from conex_nn.structure import Connection, Neocortex
from conex_nn.training.firing_rate import FiringRate
from conex_nn.training.padding import OwnSteps
from conex_nn.training.sparsity import Sparsity
from conex_nn.training.synaptic_operations import SynapticOperations, counts_operations, synaptic_operations

__all__ = ["Activity"]


class Activity(nn.Module):
    """Metrics of the spiking layers and synapses of a network, counted by hooks as it runs: no spikes are kept.

    In a ``Neocortex``, the operations of a spike are counted when it is fired, in all connections that it goes into.

    Args:
        net: Network to be watched.
        dt: Length of a step [ms].

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 8), cx.LIF(), nn.Linear(8, 2), cx.LI())
        >>> activity = Activity(net, dt=1.0)
        >>> with activity.watch(net, samples=3):
        ...     ys, state = net(torch.ones(10, 3, 4))
        >>> sorted(activity.metrics())
        ['rate/1', 'sparsity', 'synaptic_operations']
    """

    def __init__(self, net: nn.Module, *, dt: float = 1.0) -> None:
        super().__init__()
        # A ModuleDict takes no dots in its keys.
        self.rates = nn.ModuleDict({_key(address): FiringRate(dt=dt) for address in spiking_layers(net)})
        self.sparsity = Sparsity()
        self.operations = SynapticOperations()

    @contextmanager
    def watch(self, net: nn.Module, *, samples: int, lengths: Tensor | None = None) -> Iterator[None]:
        """Count what the network does while the block runs.

        Args:
            net: The network.
            samples: Samples in the batch that it will be given [1].
            lengths: Length of each of them, where they are padded at their end: what happens then is not counted
                [steps].
        """
        operations: list[Tensor] = []
        handles = []
        try:
            for address, layer in spiking_layers(net).items():
                handles.append(outlet(layer).register_forward_hook(self._counting_spikes(address, lengths)))
            for axon, synapses in _behind_axons(net):
                handles.append(axon.register_forward_hook(_counting_operations(synapses, operations, lengths)))
            for synapse in _outside_connections(net):
                handles.append(synapse.register_forward_hook(_counting_own_operations(operations, lengths)))
            yield
        finally:
            for handle in handles:
                handle.remove()
        if operations:
            self.operations.update(torch.stack(operations).sum(), samples=samples)

    def metrics(self) -> dict[str, Metric]:
        """Return the metrics that have counted something, by name: ``"rate/<address>"``, ``"sparsity"`` ..."""
        rates = {f"rate/{name.replace('/', '.')}": metric for name, metric in self.rates.items()}
        named = {**rates, "sparsity": self.sparsity, "synaptic_operations": self.operations}
        return {name: metric for name, metric in named.items() if isinstance(metric, Metric) and metric.update_called}

    @override
    def forward(self) -> dict[str, Any]:
        """Return the values of the metrics that have counted something."""
        return {name: metric.compute() for name, metric in self.metrics().items()}

    def _counting_spikes(self, address: str, lengths: Tensor | None) -> Any:
        rate = self.rates[_key(address)]
        own = None if lengths is None else OwnSteps(lengths)

        def count(module: nn.Module, args: Any, result: Any) -> None:
            spikes = result[0] if isinstance(result, tuple) else result
            mask = None if own is None else own(spikes)
            rate.update(spikes, mask)  # pyright: ignore[reportCallIssue]
            self.sparsity.update(spikes, mask)

        return count


def _key(address: str) -> str:
    return address.replace(".", "/") or "net"


def _behind_axons(net: nn.Module) -> Iterator[tuple[nn.Module, list[nn.Module]]]:
    """Yield every axon of a ``Neocortex`` with the synapses, of connections that are on, that its spikes pass."""
    for cortex in net.modules():
        if not isinstance(cortex, Neocortex):
            continue
        network = cortex.network()
        synapses: dict[str, list[nn.Module]] = {}
        for part in network.parts:
            for edge in (*part.inner, *part.outer):
                connection = network.connections[edge.name]
                if connection.enabled and counts_operations(connection.synapse):
                    synapses.setdefault(edge.source, []).append(connection.synapse)
        yield from ((network.populations[source].axon, found) for source, found in synapses.items())


def _outside_connections(net: nn.Module) -> Iterator[nn.Module]:
    """Yield what is called as a module of its own and has operations to count."""
    counted = [m.synapse for m in net.modules() if isinstance(m, Connection) and counts_operations(m.synapse)]
    inside = {id(part) for synapse in counted for part in synapse.modules()}
    yield from (module for module in net.modules() if counts_operations(module) and id(module) not in inside)


def _counting_operations(synapses: list[nn.Module], operations: list[Tensor], lengths: Tensor | None) -> Any:
    own = None if lengths is None else OwnSteps(lengths)

    def count(_: nn.Module, __: Any, spikes: Tensor) -> None:
        if own is not None:
            spikes = _blanked(spikes, own(spikes))
        operations.append(torch.stack([synaptic_operations(synapse, spikes) for synapse in synapses]).sum())

    return count


def _counting_own_operations(operations: list[Tensor], lengths: Tensor | None) -> Any:
    own = None if lengths is None else OwnSteps(lengths)

    def count(module: nn.Module, args: tuple[Tensor, ...], _: Any) -> None:
        x = args[0]
        if own is not None:
            x = _blanked(x, own(x, leading=_leading_axes(module, x)))
        operations.append(synaptic_operations(module, x))

    return count


def _blanked(x: Tensor, mask: Tensor) -> Tensor:
    """Return values with 0 where a mask of their leading axes is False."""
    return x * mask.view(*mask.shape, *[1] * (x.dim() - mask.dim()))


def _leading_axes(module: nn.Module, x: Tensor) -> int:
    """Return 2 for an input with an axis of time and one of samples, 1 where both are one axis."""
    shape = getattr(module, "source_shape", None)
    kernel = getattr(module, "kernel_size", None)
    features = len(shape) if shape is not None else len(kernel) + 1 if isinstance(kernel, tuple) else 1
    return 2 if x.dim() >= features + 2 else 1
