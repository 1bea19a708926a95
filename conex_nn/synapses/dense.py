"""Every source neuron onto every target neuron."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from typing_extensions import override

from conex_nn.functional.grid import coordinates
from conex_nn.kernels import correlate
from conex_nn.synapses.initial_weight import Initialiser, initial_weight
from conex_nn.synapses.synapse import Synapse, leading_axes

__all__ = ["Dense", "MaskRule"]

MaskRule = Callable[[Tensor, Tensor], Tensor]
"""Says by the coordinates of sources and targets, ``(n, 3)`` each, which are connected: ``(n_target, n_source)``."""


class Dense(Synapse):
    r"""All-to-all synapses: :math:`I_j = \sum_i w_{ji} s_i`, with neurons counted in the order of ``flatten``.

    Args:
        source_shape: Shape of the population that sends.
        target_shape: Shape of the population that receives.
        mask: Which pairs are connected, a bool tensor ``(n_target, n_source)``, or a callable that says so by the
            coordinates of both, such as those of :mod:`conex_nn.synapses.masks`; default all.
        self_connections: False leaves out the connections of a neuron to itself.
        init: Fills the weight ``(n_target, n_source)``; default uniform within 1/sqrt(sources of a target).
        weight: Its values, in place of ``init``.

    Raises:
        TypeError: A mask that is neither a bool tensor nor a callable.
        ValueError: A shape that does not fit.

    Example:
        >>> synapse = Dense((1, 2, 2), 3, init=torch.nn.init.ones_)
        >>> synapse
        Dense((1, 2, 2) -> 3, 12 weights)
        >>> synapse(torch.ones(5, 1, 2, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        source_shape: int | Sequence[int],
        target_shape: int | Sequence[int],
        *,
        mask: Tensor | MaskRule | None = None,
        self_connections: bool = True,
        init: Initialiser | None = None,
        weight: Tensor | None = None,
    ) -> None:
        super().__init__(source_shape, target_shape)
        self.init, self.self_connections = init, self_connections
        shape = (self.target_shape.numel(), self.source_shape.numel())
        allowed = None if mask is None else self._allowed(mask, shape)
        if not self_connections:
            if self.source_shape != self.target_shape:
                raise ValueError(
                    "Expected `self_connections=False` only between populations of one shape, got "
                    f"{tuple(self.source_shape)} and {tuple(self.target_shape)}."
                )
            others = ~torch.eye(shape[0], dtype=torch.bool, device=None if allowed is None else allowed.device)
            allowed = others if allowed is None else allowed & others
        fan_in = shape[1] if allowed is None or allowed.is_meta else allowed.sum().item() / shape[0]
        self.weight = initial_weight(shape, init=init, weight=weight, fan_in=fan_in, mask=allowed)
        # Kept by source: what one source neuron reaches lies in a row, which is what events add up.
        self.weight.data = self.weight.data.mT.contiguous().mT
        self.mask = None if allowed is None else allowed.to(self.weight.device)

    def _allowed(self, mask: Tensor | MaskRule, shape: tuple[int, int]) -> Tensor:
        if callable(mask):
            mask = mask(coordinates(self.source_shape, device="cpu"), coordinates(self.target_shape, device="cpu"))
        if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
            got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
            raise TypeError(f"Expected `mask` to be, or to return, a bool tensor (n_target, n_source), got {got}.")
        if mask.shape != shape:
            raise ValueError(f"Expected `mask` of shape {shape} (n_target, n_source), got {tuple(mask.shape)}.")
        return mask.clone()

    @override
    def project(self, spikes: Tensor, weight: Tensor) -> Tensor:
        lead = spikes.shape[: spikes.dim() - len(self.source_shape)]
        current = F.linear(spikes.reshape(*lead, self.source_shape.numel()), weight)
        return current.reshape(*lead, *self.target_shape)

    @override
    @torch.no_grad()
    def hebbian(self, pre: Tensor, post: Tensor) -> Tensor:
        self._check_pair(pre, post)
        sides = pre.reshape(-1, self.source_shape.numel()), post.reshape(-1, self.target_shape.numel())
        return self._masked(correlate(*sides).mT)  # laid out as the weight is

    @override
    @torch.no_grad()
    def backproject(self, grad: Tensor, weight: Tensor) -> Tensor:
        lead = leading_axes(grad, self.target_shape, name="grad")
        spikes = grad.reshape(*lead, self.target_shape.numel()) @ weight
        return spikes.reshape(*lead, *self.source_shape)
