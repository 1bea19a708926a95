"""The same start in all processes."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["same_start"]


@torch.no_grad()
def same_start(module: nn.Module) -> None:
    """Give every process the parameters and buffers of the first.

    ``DistributedDataParallel`` does so by itself; a network without anything to differentiate is not wrapped in it.

    Args:
        module: The module of this process.

    Example:
        >>> same_start(nn.Linear(2, 2))  # one process: nothing to do
    """
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return
    for tensor in (*module.parameters(), *module.buffers()):
        if isinstance(tensor, Tensor) and tensor.is_contiguous():
            dist.broadcast(tensor, 0)
        else:
            values = tensor.contiguous()
            dist.broadcast(values, 0)
            tensor.copy_(values)
