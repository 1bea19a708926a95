"""How much work spikes cause at synapses."""

from functools import singledispatch

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import Metric
from typing_extensions import override

from conex_nn.synapses import Sparse, Synapse

__all__ = ["SynapticOperations", "counts_operations", "synaptic_operations"]


class SynapticOperations(Metric):
    """Mean number of synaptic operations per sample: one for every spike and synapse that it passes.

    Which those are is said by :func:`synaptic_operations`.

    Example:
        >>> metric = SynapticOperations()
        >>> spikes = torch.tensor([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
        >>> metric.update(synaptic_operations(nn.Linear(4, 10), spikes), samples=2)
        >>> metric.compute()
        tensor(20.)
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    operations: Tensor
    samples: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("operations", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("samples", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    @override
    def update(self, operations: Tensor, *, samples: int) -> None:
        """Add a batch.

        Args:
            operations: Operations of all synapses for all samples [1].
            samples: Samples in the batch [1].
        """
        self.operations += operations
        self.samples += samples

    @override
    def compute(self) -> Tensor:
        """Return the operations per sample [1]."""
        return self.operations / self.samples


@singledispatch
def synaptic_operations(synapse: nn.Module, x: Tensor) -> Tensor:
    """Count the operations of a synapse: for each input that is not 0, the weights it is multiplied with.

    The count is exact: ``out_features`` for each such input of a Linear; for one of a convolution, the output positions
    whose kernel covers it times the output channels of its group, so inputs near an edge or between strides count
    less. For a ``Synapse`` it is the weights through which the input reaches a target: for a Dense one those that the
    mask leaves, for a Sparse one the edges. Inputs need not be 0 or 1: an analogue input counts as one operation per
    weight too. An input that is computed once for all steps (see ``Sequential``) counts once. For any other module of
    your own, ``@synaptic_operations.register``.

    Args:
        synapse: A Linear, a convolution (1d, 2d, 3d), or a ``Synapse``.
        x: Its input, with any number of leading axes.

    Returns:
        The number of operations, an integer tensor [1].

    Raises:
        TypeError: A module whose operations are not known how to count.

    Example:
        >>> synaptic_operations(nn.Linear(2, 10), torch.tensor([[0.0, 1.0], [1.0, 1.0]]))
        tensor(30)
        >>> synaptic_operations(nn.Conv2d(1, 4, kernel_size=3), torch.ones(1, 1, 3, 3))
        tensor(36)
    """
    raise TypeError(
        f"Expected `synapse` to be a Linear or a convolution, got {type(synapse).__name__}. "
        "Say how to count its operations with `@synaptic_operations.register`."
    )


def counts_operations(module: nn.Module) -> bool:
    """Return whether :func:`synaptic_operations` knows a module.

    Args:
        module: Any module.

    Example:
        >>> counts_operations(nn.Conv2d(1, 2, 3)), counts_operations(nn.ReLU())
        (True, False)
    """
    return synaptic_operations.dispatch(type(module)) is not synaptic_operations.dispatch(object)


@synaptic_operations.register
def _(synapse: nn.Linear, x: Tensor) -> Tensor:
    return x.count_nonzero() * synapse.out_features


@synaptic_operations.register(nn.Conv1d)
@synaptic_operations.register(nn.Conv2d)
@synaptic_operations.register(nn.Conv3d)
def _(synapse: nn.Conv1d | nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    axes = len(synapse.kernel_size)
    covers = torch.ones((), dtype=torch.long, device=x.device)
    for axis in range(axes):
        covers = covers.unsqueeze(-1) * _covers(synapse, axis, size=x.shape[axis - axes], device=x.device)
    inputs = (x != 0).flatten(end_dim=-axes - 1).sum(0)  # how often each position is not 0
    return (inputs * covers).sum() * (synapse.out_channels // synapse.groups)


def _covers(synapse: nn.Conv1d | nn.Conv2d | nn.Conv3d, axis: int, *, size: int, device: torch.device) -> Tensor:
    """How many kernel positions cover each input position along one axis."""
    last_first = 2 * (len(synapse.kernel_size) - 1 - axis)
    padding = synapse._reversed_padding_repeated_twice[last_first : last_first + 2]
    source = torch.arange(1, size + 1, device=device, dtype=torch.float32).view(1, 1, -1)  # 0 is left for zeros
    mode = "constant" if synapse.padding_mode == "zeros" else synapse.padding_mode
    source = F.pad(source, padding, mode=mode).flatten().long()
    kernel, stride, dilation = synapse.kernel_size[axis], synapse.stride[axis], synapse.dilation[axis]
    taken = source.unfold(0, dilation * (kernel - 1) + 1, stride)[:, ::dilation]
    return torch.zeros(size + 1, dtype=torch.long, device=device).index_add_(
        0, taken.flatten(), torch.ones_like(taken.flatten())
    )[1:]


@synaptic_operations.register
def _(synapse: Synapse, x: Tensor) -> Tensor:
    weight = getattr(synapse, "weight", None)
    if weight is None:
        return torch.zeros((), dtype=torch.long, device=x.device)
    if isinstance(synapse, Sparse):
        fan_out = synapse.indptr.diff()
    else:  # through weights of 1, a 1 at each target comes back to a source once for every weight between them
        ones = torch.ones_like(weight) if synapse.mask is None else synapse.mask.to(weight.dtype)
        fan_out = synapse.backproject(ones.new_ones(synapse.target_shape), ones).round().long()
    inputs = (x != 0).reshape(-1, synapse.source_shape.numel()).sum(0)  # how often each source is not 0
    return (inputs * fan_out.flatten()).sum()
