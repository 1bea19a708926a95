"""The activity of a network's neurons while it runs: rates of rate networks, spikes of spiking layers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from conex_nn.rates import CTRNN
from conex_nn.recording import outlet, spiking_layers

__all__ = ["activity"]


@contextmanager
def activity(net: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Collect rates and spikes of all neurons while the block runs; gradients pass through them.

    Args:
        net: A network, or any module.

    Yields:
        Activity ``(time, batch, *neurons)`` by the address of each ``CTRNN`` and spiking layer within the network,
        ``""`` where it is the network itself; filled as the network runs. A layer that another module runs step by
        step, such as the spiking neurons of a :class:`conex_nn.bridge.RateLoop`, is not seen.

    Example:
        >>> from conex_nn.rates import CTRNN
        >>> net = CTRNN(2, 10, output_size=3)
        >>> with activity(net) as found:
        ...     outputs, state = net(torch.rand(5, 4, 2))
        >>> found[""].shape
        torch.Size([5, 4, 10])
    """
    found: dict[str, Tensor] = {}
    handles: list[Any] = []
    try:
        for address, layer in spiking_layers(net).items():
            handles.append(outlet(layer).register_forward_hook(_keep_output(found, address)))
        for address, module in net.named_modules():
            if isinstance(module, CTRNN) and module.readout is not None:
                handles.append(module.readout.register_forward_pre_hook(_keep_input(found, address)))
            elif isinstance(module, CTRNN):
                handles.append(module.register_forward_hook(_keep_output(found, address)))
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _keep_output(found: dict[str, Tensor], address: str) -> Any:
    def hook(_: nn.Module, __: Any, result: Any) -> None:
        found[address] = result[0] if isinstance(result, tuple) else result

    return hook


def _keep_input(found: dict[str, Tensor], address: str) -> Any:
    def hook(_: nn.Module, args: Any) -> None:
        found[address] = args[0]

    return hook
