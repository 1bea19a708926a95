"""What weights have to keep to after every change: their sums, their range, their signs."""

import math
from collections.abc import Iterable
from typing import Literal, cast

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.plasticity.chain import Link
from conex_nn.plasticity.constants import require_positive
from conex_nn.plasticity.hebbian import hebbian
from conex_nn.synapses import Conv2d, Dense, Lateral, Local2d, OneToOne, Sparse, Synapse

__all__ = ["Clip", "Dale", "Normalise"]

_SHARE = 1 << 18
"""Weights whose magnitudes are worked out at a time."""


class Clip(Link):
    """Keeps weights in a range: hard bounds.

    Args:
        w_min: Lower end; None for none [1].
        w_max: Upper end; None for none [1].

    Raises:
        ValueError: An empty range, or none at all.

    Example:
        >>> weight = torch.tensor([-0.5, 0.5, 1.5])
        >>> Clip(0, 1).constrain_(weight, torch.nn.Identity())
        >>> weight
        tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(self, w_min: float | None = 0.0, w_max: float | None = 1.0) -> None:
        super().__init__()
        if (w_min is None and w_max is None) or not (
            (-math.inf if w_min is None else w_min) < (math.inf if w_max is None else w_max)
        ):
            raise ValueError(f"Expected `w_min` to be below `w_max` [1], got {w_min} and {w_max}.")
        self.w_min, self.w_max = w_min, w_max

    @override
    def constrain_(self, weight: Tensor, synapse: nn.Module) -> None:
        weight.clamp_(self.w_min, self.w_max)

    @override
    def extra_repr(self) -> str:
        return f"{self.w_min}, {self.w_max}"


class Normalise(Link):
    r"""Scales weights so that their magnitudes add up to a given total, :math:`\sum |w| = n`.

    They are those onto one target neuron (afferent), or those from one source neuron (efferent). A convolution shares
    its weights between positions: the kernel of an output channel, or what it sends of an input channel, has the total.
    Weights that are all 0 stay so.

    Args:
        total: What the magnitudes add up to [1].
        per: ``"target"`` or ``"source"``.
        at: ``"change"``, after each change of the weight, or ``"sequence"``, once a sequence has been seen.

    Raises:
        TypeError: A module whose wiring is not known, where a chain meets it.
        ValueError: A total that is not positive.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = layer.weight.data.copy_(torch.tensor([[1.0, 3.0]]))
        >>> Normalise(1.0).constrain_(layer.weight.data, layer)
        >>> layer.weight.data
        tensor([[0.2500, 0.7500]])

    References:
        Diehl and Cook, Frontiers in Computational Neuroscience 9 (2015), section 2.4; CoNeX 0.1.5, WeightNormalization,
        which adds up signed weights.
    """

    def __init__(
        self,
        total: float = 1.0,
        *,
        per: Literal["target", "source"] = "target",
        at: Literal["change", "sequence"] = "change",
    ) -> None:
        super().__init__()
        self.total = require_positive("total", total, unit="1")
        if per not in ("target", "source"):
            raise ValueError(f'Expected `per` to be "target" or "source", got {per!r}.')
        if at not in ("change", "sequence"):
            raise ValueError(f'Expected `at` to be "change" or "sequence", got {at!r}.')
        self.per, self.at = per, at

    @property
    def late(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether it waits for the end of a sequence."""
        return self.at == "sequence"

    @override
    def check(self, synapse: nn.Module) -> None:
        if not isinstance(synapse, Synapse) and _axes(synapse, self.per) is None:
            raise TypeError(
                f"Expected a synapse, nn.Linear or a convolution without groups, got {type(synapse).__name__}: which "
                "of its weights have one target or source is not known."
            )

    @override
    @torch.no_grad()
    def constrain_(self, weight: Tensor, synapse: nn.Module) -> None:
        mask = synapse.mask if isinstance(synapse, Synapse) else None
        axes = _axes(synapse, self.per)
        if axes is not None:
            for some, here in _shares(weight, mask, axes):
                some.mul_(self._factor(_sums(some, here, axes)))
            return
        size = _sums(weight, mask, ())
        if isinstance(synapse, Sparse):
            index = (synapse.target if self.per == "target" else synapse.source).long()
            shape = synapse.target_shape if self.per == "target" else synapse.source_shape
            sums = size.new_zeros(shape.numel()).index_add_(0, index, size)
            weight.mul_(self._factor(sums)[index])
        else:
            self.check(synapse)
            weight.mul_(self._by_products(size, cast(Synapse, synapse)))

    def _factor(self, sums: Tensor) -> Tensor:
        return torch.where(sums > 0, self.total / sums, 1.0)

    def _by_products(self, size: Tensor, synapse: Synapse) -> Tensor:
        """Return the factor of each weight of any wiring: the mean of those of the neurons that it serves."""
        source, target = size.new_ones(synapse.source_shape), size.new_ones(synapse.target_shape)
        if self.per == "target":
            factor = hebbian(synapse, source, self._factor(synapse.project(source, size)))
        else:
            factor = hebbian(synapse, self._factor(synapse.backproject(target, size)), target)
        uses = hebbian(synapse, source, target)
        return torch.where(uses > 0, factor / uses, 1.0)

    @override
    def extra_repr(self) -> str:
        return f"{self.total:g}, per={self.per!r}" + (f", at={self.at!r}" if self.late else "")


def _sums(weight: Tensor, mask: Tensor | None, axes: tuple[int, ...]) -> Tensor:
    """Return the sums of magnitudes over some axes, or the magnitudes."""
    size = weight.abs() if mask is None else torch.where(mask, weight, 0.0).abs_()
    return size.sum(axes, keepdim=True) if axes else size


def _shares(weight: Tensor, mask: Tensor | None, axes: tuple[int, ...]) -> Iterable[tuple[Tensor, Tensor | None]]:
    """Cut a weight and its mask, not through a sum over some axes, so that little memory is needed at a time."""
    apart = [axis for axis in range(weight.dim()) if axis not in axes]
    if not apart or weight.numel() <= _SHARE:
        return [(weight, mask)]
    size = max(1, _SHARE * weight.shape[apart[0]] // weight.numel())
    pieces = weight.split(size, apart[0])
    return zip(pieces, [None] * len(pieces) if mask is None else mask.split(size, apart[0]), strict=True)


def _axes(synapse: nn.Module, per: str) -> tuple[int, ...] | None:
    """Return the axes of the weight over which one sum goes; None where that cannot be said by axes."""
    if isinstance(synapse, nn.modules.conv._ConvNd) and not synapse.transposed and synapse.groups == 1:
        last = tuple(range(2, synapse.weight.dim()))
        return (1, *last) if per == "target" else (0, *last)
    # A subclass of one of these may be wired otherwise.
    kind = type(synapse)
    if kind in (Dense, nn.Linear):
        return (1,) if per == "target" else (0,)
    if kind is Conv2d:
        return (1, 2, 3) if per == "target" else (0, 2, 3)
    if kind is Lateral:
        return (0, 1, 2)
    if kind is OneToOne:
        return ()
    return (2,) if kind is Local2d and per == "target" else None


class Dale(Link):
    """Keeps the sign of each source neuron's weights: what would cross 0 stays at 0.

    Args:
        sign: 1 or -1 for all sources, or a tensor of them, one for each source neuron, or for each input channel of a
            convolution of torch [1].

    Raises:
        ValueError: Other values; and, where the chain meets a synapse, another number of sources, or weights that
            sources of either sign share.

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = layer.weight.data.copy_(torch.tensor([[-0.5, -0.5]]))
        >>> Dale(torch.tensor([1, -1])).constrain_(layer.weight.data, layer)
        >>> layer.weight.data
        tensor([[ 0.0000, -0.5000]])

    References:
        Dale's principle, as in Song, Yang and Wang, PLoS Computational Biology 12 (2016), equation 14.
    """

    sign: float | Tensor

    def __init__(self, sign: float | Tensor = 1) -> None:
        super().__init__()
        values = torch.as_tensor(sign)
        if not ((values == 1) | (values == -1)).all():
            raise ValueError(f"Expected `sign` to be 1 or -1 [1], or a tensor of them, got {sign}.")
        if isinstance(sign, Tensor):
            self.register_buffer("sign", sign.clone())
        else:
            self.sign = sign

    def _signs(self, weight: Tensor, synapse: nn.Module) -> Tensor:
        """Return the sign of each weight, 0 where it serves sources of both."""
        sign = cast(Tensor, self.sign).to(weight.dtype)
        if isinstance(synapse, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            if sign.numel() != synapse.in_channels:
                raise ValueError(
                    f"Expected `sign` for each of {synapse.in_channels} input channels [1], got {sign.numel()}."
                )
            each = sign.reshape(synapse.groups, -1).repeat_interleave(synapse.out_channels // synapse.groups, 0)
            return each.reshape(*each.shape, *[1] * (weight.dim() - 2)).expand_as(weight)
        if isinstance(synapse, Synapse):
            n, source, target = synapse.source_shape.numel(), synapse.source_shape, synapse.target_shape
        elif isinstance(synapse, nn.Linear):
            n, source, target = synapse.in_features, (synapse.in_features,), (synapse.out_features,)
        else:
            raise TypeError(
                f"Expected a synapse, nn.Linear or nn.Conv1d to 3d with one sign per source, got "
                f"{type(synapse).__name__}. Make the signs those of all sources, `Dale(1)`, or split the layer."
            )
        if sign.numel() != n:
            raise ValueError(f"Expected `sign` for each of {n} source neurons [1], got {sign.numel()}.")
        ones = weight.new_ones(1, *target)
        total = hebbian(synapse, sign.reshape(1, *source), ones)
        uses = hebbian(synapse, weight.new_ones(1, *source), ones)
        return torch.where(total.abs() == uses, total.sign(), 0)

    @override
    def check(self, synapse: nn.Module) -> None:
        if isinstance(self.sign, Tensor):
            weight = cast(Tensor, synapse.weight).detach()
            uses_both = self._signs(weight, synapse) == 0
            if isinstance(synapse, Synapse) and synapse.mask is not None:
                uses_both &= synapse.mask
            if not isinstance(synapse, Local2d) and uses_both.any():
                raise ValueError(
                    f"Expected each weight of {type(synapse).__name__} to serve sources of one `sign` [1], got some "
                    "that serve both. Split the source into an excitatory and an inhibitory population."
                )

    @override
    @torch.no_grad()
    def constrain_(self, weight: Tensor, synapse: nn.Module) -> None:
        if not isinstance(self.sign, Tensor):
            weight.clamp_(min=0) if self.sign > 0 else weight.clamp_(max=0)
            return
        signs = self._signs(weight, synapse)
        weight.copy_(torch.where(weight * signs < 0, 0.0, weight))

    @override
    def extra_repr(self) -> str:
        return "one per source" if isinstance(self.sign, Tensor) else f"{self.sign}"
