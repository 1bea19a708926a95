"""Firing rates, sparsity and synaptic operations of a network while it is validated or tested."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from typing_extensions import override

from conex_nn.recording import spiking_layers
from conex_nn.training.firing_rate import FiringRate
from conex_nn.training.sparsity import Sparsity
from conex_nn.training.synaptic_operations import SynapticOperations, counts_operations, synaptic_operations

__all__ = ["Activity"]


class Activity(nn.Module):
    """Metrics of the spiking layers and synapses of a network, counted by hooks as it runs: no spikes are kept.

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
    def watch(self, net: nn.Module, *, samples: int) -> Iterator[None]:
        """Count what the network does while the block runs.

        Args:
            net: The network.
            samples: Samples in the batch that it will be given [1].
        """
        operations: list[Tensor] = []
        handles = []
        try:
            for address, layer in spiking_layers(net).items():
                handles.append(layer.register_forward_hook(self._counting_spikes(address)))
            for synapse in filter(counts_operations, net.modules()):
                handles.append(
                    synapse.register_forward_hook(lambda module, args, _: operations.append(_operations(module, args)))
                )
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

    def _counting_spikes(self, address: str) -> Any:
        rate = self.rates[_key(address)]

        def count(module: nn.Module, args: Any, result: Any) -> None:
            spikes = result[0] if isinstance(result, tuple) else result
            rate.update(spikes)  # pyright: ignore[reportCallIssue]
            self.sparsity.update(spikes)

        return count


def _key(address: str) -> str:
    return address.replace(".", "/") or "net"


def _operations(module: nn.Module, args: tuple[Tensor, ...]) -> Tensor:
    return synaptic_operations(module, args[0])
