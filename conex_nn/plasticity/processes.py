"""The mean over all processes that learn together."""

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["mean_over_processes", "not_shared"]


def not_shared() -> bool:
    """Whether this process learns by itself.

    Example:
        >>> not_shared()
        True
    """
    return not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1


def mean_over_processes(value: Tensor, samples: int) -> Tensor:
    """Return the mean of a tensor over the processes of the default group, each weighed by its samples.

    Without a process group that is the tensor itself. Every process has to call it as often.

    Args:
        value: A mean over the samples of this process.
        samples: How many they are.

    Example:
        >>> mean_over_processes(torch.ones(2), 4)
        tensor([1., 1.])
    """
    if not_shared():
        return value
    total = torch.cat([value.detach().reshape(-1) * samples, value.new_tensor([float(samples)])])
    dist.all_reduce(total)
    return (total[:-1] / total[-1]).reshape(value.shape)
