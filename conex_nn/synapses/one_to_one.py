"""Each source neuron onto the target neuron of the same index."""

from collections.abc import Sequence

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.synapse import Synapse, leading_axes

__all__ = ["OneToOne"]


class OneToOne(Synapse):
    r"""One synapse per neuron: :math:`I_i = w_i s_i`, with neurons counted in the order of ``flatten``.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives; as many neurons.
        init: Fills the weight ``(n,)``; default uniform between -1 and 1, that is within 1/sqrt(sources of a target).
        weight: Its values, in place of ``init``.

    Raises:
        ValueError: Unequal numbers of neurons, or a weight of another shape.

    Example:
        >>> OneToOne((1, 3), 3, weight=torch.tensor([1.0, 2.0, 3.0]))(torch.ones(2, 1, 3))
        tensor([[1., 2., 3.],
                [1., 2., 3.]], grad_fn=<...>)
    """

    def __init__(
        self,
        source_shape: int | Sequence[int],
        target_shape: int | Sequence[int],
        *,
        init: Initialiser | None = None,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(source_shape, target_shape)
        self.init = init
        n = self.source_shape.numel()
        if n != self.target_shape.numel():
            raise ValueError(
                "Expected `source_shape` and `target_shape` with as many neurons, got "
                f"{tuple(self.source_shape)} ({n}) and {tuple(self.target_shape)} ({self.target_shape.numel()})."
            )
        self.weight = initial_weight((n,), init=init, weight=weight, fan_in=1)

    @override
    def project(self, spikes: Tensor, weight: Tensor) -> Tensor:
        lead = spikes.shape[: spikes.dim() - len(self.source_shape)]
        return (spikes * weight.reshape(self.source_shape)).reshape(*lead, *self.target_shape)

    @override
    @torch.no_grad()
    def hebbian(self, pre: Tensor, post: Tensor) -> Tensor:
        self._check_pair(pre, post)
        n = self.source_shape.numel()
        return torch.einsum("ln,ln->n", pre.reshape(-1, n), post.reshape(-1, n))

    @override
    @torch.no_grad()
    def backproject(self, grad: Tensor, weight: Tensor) -> Tensor:
        lead = leading_axes(grad, self.target_shape, name="grad")
        return (grad * weight.reshape(self.target_shape)).reshape(*lead, *self.source_shape)
