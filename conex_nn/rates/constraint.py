"""What a weight has to be: signs, masks, no self-connections. Each maps any weight to one that obeys."""

import torch
from torch import Tensor, nn
from typing_extensions import override

__all__ = ["Constraint", "Dale", "NoSelf", "NonNegative", "Plasticity", "Sparsity", "ei_signs"]


class Constraint(nn.Module):
    """Base of what a weight ``(post, pre)`` has to obey: a differentiable map to weights that do.

    One of your own defines ``forward``. It leaves a weight that obeys exactly as it is, and may leave a gradient to
    where the weight would break the rule. Masks and signs belong in buffers, so that they are saved and moved.

    Example:
        >>> class AtMost(Constraint):
        ...     def forward(self, weight):
        ...         return weight.clamp(max=1.0)
        >>> AtMost()(torch.tensor([[0.5, 2.0]]))
        tensor([[0.5000, 1.0000]])
    """

    def check(self, shape: torch.Size) -> None:
        """Raise a ValueError if this cannot be asked of a weight of some shape.

        Args:
            shape: The weight's shape, ``(post, pre)``.
        """

    @override
    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight that obeys.

        Args:
            weight: Any weight, ``(post, pre)``.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `forward(self, weight)`.")

    def project(self, weight: Tensor) -> Tensor:
        """Return the nearest weight that obeys; what :meth:`forward` returns, unless a constraint says otherwise.

        Args:
            weight: Any weight, ``(post, pre)``.
        """
        return self(weight)


class Dale(Constraint):
    """Dale's law: all synapses of a neuron have its sign.

    A weight that came out with the other sign is reflected at 0, so that its gradient stays alive.

    Args:
        signs: +1 for an excitatory neuron, -1 for an inhibitory one, ``(pre,)`` [1].

    Raises:
        ValueError: Values other than +1 and -1, or not one axis.

    Example:
        >>> Dale(torch.tensor([1, -1]))(torch.tensor([[0.5, 0.5], [-0.5, -0.5]]))
        tensor([[ 0.5000, -0.5000],
                [ 0.5000, -0.5000]])

    References:
        Song, Yang and Wang, PLoS Computational Biology 12 (2016), section "Excitatory-inhibitory networks".
    """

    signs: Tensor

    def __init__(self, signs: Tensor) -> None:
        super().__init__()
        signs = _tensor("signs", signs)
        if signs.dim() != 1:
            raise ValueError(f"Expected `signs` of shape (pre,), got {tuple(signs.shape)}.")
        if signs.dtype == torch.bool:
            raise ValueError("Expected `signs` with values +1 and -1 [1], got bool. `torch.where(excitatory, 1, -1)`.")
        if not signs.is_meta and (odd := signs[signs.abs() != 1]).numel():
            raise ValueError(
                f"Expected `signs` with values +1 and -1 [1], got {odd[0].item():g} among them. A neuron has one sign."
            )
        self.register_buffer("signs", signs.detach().to(torch.int8, copy=True))

    @override
    def check(self, shape: torch.Size) -> None:
        if len(shape) != 2 or shape[1] != len(self.signs):
            raise ValueError(
                f"Expected `signs` with one value for each of the {shape[-1]} source neurons of a weight of shape "
                f"{tuple(shape)} (post, pre), got {len(self.signs)}."
            )

    @override
    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            turned = torch.where(weight * self.signs < 0, -1.0, 1.0).to(weight.dtype)
        return weight * turned

    @override
    def project(self, weight: Tensor) -> Tensor:
        return torch.where(weight * self.signs < 0, 0.0, weight)

    @override
    def extra_repr(self) -> str:
        if self.signs.is_meta:
            return f"{len(self.signs)} neurons"
        return f"{int((self.signs > 0).sum())} excitatory, {int((self.signs < 0).sum())} inhibitory"


class Sparsity(Constraint):
    """A mask of the synapses that exist; all others are 0 and stay so.

    Args:
        mask: True or 1 where there is a synapse, ``(post, pre)``. A copy is kept.
        growth: Probability with which :meth:`grow` makes each missing synapse: one number, or one per pair [1].

    Raises:
        ValueError: A mask with values other than 0 and 1 or not of two axes, a probability outside 0 to 1.

    Example:
        >>> Sparsity(torch.tensor([[1, 0], [0, 1]]))(torch.ones(2, 2))
        tensor([[1., 0.],
                [0., 1.]])
    """

    mask: Tensor
    growth: Tensor

    def __init__(self, mask: Tensor, *, growth: float | Tensor = 0.0) -> None:
        super().__init__()
        mask, growth = _tensor("mask", mask), torch.as_tensor(growth, dtype=torch.get_default_dtype())
        if mask.dim() != 2 or (not mask.is_meta and not ((mask == 0) | (mask == 1)).all()):
            raise ValueError(f"Expected `mask` of shape (post, pre) with values 0 and 1 [1], got {_show(mask)}.")
        if growth.dim() and growth.shape != mask.shape:
            raise ValueError(
                f"Expected `growth` as one number or of the mask's shape {tuple(mask.shape)} [1], "
                f"got shape {tuple(growth.shape)}."
            )
        if not growth.is_meta and not ((growth >= 0) & (growth <= 1)).all():
            raise ValueError(f"Expected `growth` to be probabilities from 0 to 1 [1], got {_show(growth)}.")
        self.register_buffer("mask", mask.detach().to(torch.bool, copy=True))
        self.register_buffer("growth", growth.detach().clone())

    @override
    def check(self, shape: torch.Size) -> None:
        if self.mask.shape != shape:
            turned = " It is transposed: (post, pre), as the weight." if self.mask.t().shape == shape else ""
            raise ValueError(
                f"Expected `mask` of the weight's shape {tuple(shape)} (post, pre), "
                f"got {tuple(self.mask.shape)}.{turned}"
            )

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return torch.where(self.mask, weight, 0.0)

    @torch.no_grad()
    def grow(self, *, generator: torch.Generator | None = None) -> Tensor:
        """Make missing synapses, each with its probability; they begin at the weight stored for them, 0 at first.

        Args:
            generator: Source of randomness.

        Returns:
            Where new synapses are, a bool tensor ``(post, pre)``.

        Example:
            >>> Sparsity(torch.eye(2), growth=1.0).grow()
            tensor([[False,  True],
                    [ True, False]])
        """
        chance = torch.rand(self.mask.shape, generator=generator, device=self.mask.device)
        new = (chance < self.growth) & ~self.mask
        self.mask |= new
        return new

    @override
    def extra_repr(self) -> str:
        shape = "x".join(map(str, self.mask.shape))
        return shape if self.mask.is_meta else f"{shape}, {int(self.mask.sum())} synapses"


class NoSelf(Constraint):
    """No neuron projects to itself.

    Example:
        >>> NoSelf()(torch.ones(2, 2))
        tensor([[0., 1.],
                [1., 0.]])
    """

    @override
    def check(self, shape: torch.Size) -> None:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"Expected NoSelf() on a square weight (post, pre), got shape {tuple(shape)}.")

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return torch.where(torch.eye(len(weight), dtype=torch.bool, device=weight.device), 0.0, weight)


class NonNegative(Constraint):
    """No weight is below 0; one that came out negative is reflected at 0.

    Example:
        >>> NonNegative()(torch.tensor([[-1.0, 2.0]]))
        tensor([[1., 2.]])
    """

    @override
    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            turned = torch.where(weight < 0, -1.0, 1.0).to(weight.dtype)
        return weight * turned

    @override
    def project(self, weight: Tensor) -> Tensor:
        return weight.clamp(min=0)


class _Scaled(torch.autograd.Function):
    """The identity, whose gradient is scaled."""

    @staticmethod
    def forward(ctx, weight: Tensor, scale: Tensor) -> Tensor:  # noqa: ANN001
        ctx.save_for_backward(scale)
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # noqa: ANN001
        return grad * ctx.saved_tensors[0], None


class Plasticity(Constraint):
    """How fast each synapse learns: a factor on its gradient. The weight itself is left as it is.

    The factors are used as they are: 0 freezes a synapse, 0.5 halves its gradient, whatever the others have. An
    optimizer that divides by the size of the gradient, such as Adam, undoes every factor but 0; and weight decay
    moves frozen synapses, too.

    Args:
        scale: Factor of each synapse's gradient, ``(post, pre)`` or what broadcasts to it [1]. A copy is kept.

    Raises:
        ValueError: Factors that are not finite.

    Example:
        >>> weight = torch.ones(1, 2, requires_grad=True)
        >>> Plasticity(torch.tensor([[0.5, 0.0]]))(weight).sum().backward()
        >>> weight.grad
        tensor([[0.5000, 0.0000]])
    """

    scale: Tensor

    def __init__(self, scale: Tensor) -> None:
        super().__init__()
        scale = _tensor("scale", scale)
        scale = scale if scale.is_floating_point() else scale.to(torch.get_default_dtype())
        if not scale.is_meta and not torch.isfinite(scale).all():
            raise ValueError("Expected `scale` to be finite [1], got values that are not.")
        self.register_buffer("scale", scale.detach().clone())

    @override
    def check(self, shape: torch.Size) -> None:
        try:
            fits = torch.broadcast_shapes(self.scale.shape, shape) == shape
        except RuntimeError:
            fits = False
        if not fits:
            raise ValueError(
                f"Expected `scale` to broadcast to the weight's shape {tuple(shape)} (post, pre), "
                f"got {tuple(self.scale.shape)}."
            )

    @override
    def forward(self, weight: Tensor) -> Tensor:
        return _Scaled.apply(weight, self.scale)  # pyright: ignore[reportReturnType]


def ei_signs(neurons: int, *, excitatory: float = 0.8) -> Tensor:
    """Return the signs of neurons of which the first are excitatory and the others inhibitory.

    Args:
        neurons: Their number.
        excitatory: Fraction that is excitatory [1].

    Returns:
        +1 and -1, ``(neurons,)`` [1].

    Raises:
        ValueError: A fraction outside 0 to 1.

    Example:
        >>> ei_signs(5)
        tensor([ 1,  1,  1,  1, -1])
    """
    if not 0 <= excitatory <= 1:
        raise ValueError(f"Expected `excitatory` from 0 to 1 [1], got {excitatory}.")
    signs = -torch.ones(neurons, dtype=torch.long)
    signs[: round(neurons * excitatory)] = 1
    return signs


def _tensor(name: str, value: Tensor) -> Tensor:
    """Return an argument that is a real tensor."""
    if not isinstance(value, Tensor) or value.is_complex():
        raise TypeError(f"Expected `{name}` to be a real tensor [1], got {type(value).__name__}.")
    return value


def _show(tensor: Tensor) -> str:
    shape = f"shape {tuple(tensor.shape)}"
    if tensor.is_meta or not tensor.numel():
        return shape
    odd = tensor[(tensor != 0) & (tensor != 1) & (tensor != -1)] if tensor.dim() else tensor[None]
    shown = odd if odd.numel() else tensor.unique()
    return f"{shape} with values such as {shown.flatten()[0].item():g}"
