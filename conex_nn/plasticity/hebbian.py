"""The Hebbian product of any module that is linear in its weight."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import grad as conv_grad

from conex_nn.kernels import correlate
from conex_nn.synapses import Dense, Synapse

__all__ = ["feature_axes", "hebbian", "hebbian_of", "weight_of"]

_CONV_GRADS: dict[type, Callable[..., Tensor]] = {
    nn.Conv1d: conv_grad.conv1d_weight,
    nn.Conv2d: conv_grad.conv2d_weight,
    nn.Conv3d: conv_grad.conv3d_weight,
}


def weight_of(module: nn.Module) -> Tensor:
    """Return the weight that a rule can change.

    Args:
        module: A synapse, or any module.

    Raises:
        TypeError: It has none, as a pool, or one that is computed from others.

    Example:
        >>> weight_of(nn.AvgPool2d(2))
        Traceback (most recent call last):
        TypeError: Expected a synapse with a weight to learn, got AvgPool2d, which has none.
    """
    weight = module._parameters.get("weight", module._buffers.get("weight"))
    if weight is not None:
        return weight
    name = type(module).__name__
    if isinstance(getattr(module, "weight", None), Tensor):
        raise TypeError(
            f"Expected a synapse that keeps its weight as a parameter, got {name}, whose weight is computed from "
            "others (a parametrization?). Remove that, or let gradients train it."
        )
    raise TypeError(f"Expected a synapse with a weight to learn, got {name}, which has none.")


def feature_axes(module: nn.Module) -> tuple[int, int] | None:
    """Return how many axes one sample has before and after a module; None where that is not known.

    Args:
        module: A synapse, or any module.

    Example:
        >>> feature_axes(nn.Linear(2, 3)), feature_axes(nn.Conv2d(1, 2, 3)), feature_axes(nn.ReLU())
        ((1, 1), (3, 3), None)
    """
    if isinstance(module, Synapse):
        return len(module.source_shape), len(module.target_shape)
    if isinstance(module, nn.Linear):
        return 1, 1
    if isinstance(module, nn.modules.conv._ConvNd):
        axes = len(module.kernel_size) + 1
        return axes, axes
    return None


def hebbian(module: nn.Module, pre: Tensor, post: Tensor) -> Tensor:
    r"""Return what every entry of a weight sees of its two sides, summed over all leading axes.

    It is :math:`\partial \langle post, f(w, pre) \rangle / \partial w`: for a dense layer the outer product of ``post``
    and ``pre``, for a convolution their correlation. A synapse's own ``hebbian`` is used where there is one; a module
    that is not known here is differentiated. Biases play no part.

    Args:
        module: A synapse, a layer of torch, or any module that is linear in its ``weight``.
        pre: Spikes or traces of the source, ``(time, batch, *source)``.
        post: Spikes or traces of the target, ``(time, batch, *target)``.

    Returns:
        A new tensor of the weight's shape, without gradient.

    Raises:
        TypeError: The module has no weight.
        ValueError: Shapes that do not fit.

    Example:
        >>> pre, post = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 1.0, 2.0]]])
        >>> hebbian(nn.Linear(2, 3), pre, post)
        tensor([[0., 0.],
                [1., 0.],
                [2., 0.]])
    """
    weight = weight_of(module)
    own = getattr(module, "hebbian", None)
    if callable(own):
        return cast(Tensor, own(pre, post))
    if isinstance(module, nn.Linear):
        _check_lead(module, pre, post, (module.in_features,), (module.out_features,))
        sides = post.detach().reshape(-1, module.out_features), pre.detach().reshape(-1, module.in_features)
        return correlate(*sides)
    axes = feature_axes(module)
    lead = 2 if axes is None else pre.dim() - axes[0]
    xs, ys = pre.detach().flatten(0, lead - 1), post.detach().flatten(0, lead - 1)
    find = _CONV_GRADS.get(type(module))
    if find is None or module.padding_mode != "zeros" or isinstance(module.padding, str):  # pyright: ignore[reportAttributeAccessIssue]
        return _differentiated(module, weight, xs, ys)
    conv = cast(Any, module)
    _check_conv(conv, xs, ys)
    options = {name: getattr(conv, name) for name in ("stride", "padding", "dilation", "groups")}
    return find(xs, weight.shape, ys, **options)


def hebbian_of(module: nn.Module, pre: Tensor, post: Tensor) -> Tensor:
    """Return :func:`hebbian` with the gradients that pass through both sides, for small networks.

    Args:
        module: A synapse, a layer of torch, or any module that is linear in its ``weight``.
        pre: Spikes or traces of the source, ``(time, batch, *source)``.
        post: Spikes or traces of the target, ``(time, batch, *target)``.

    Example:
        >>> pre, post = torch.ones(1, 1, 2, requires_grad=True), torch.tensor([[[3.0]]])
        >>> hebbian_of(nn.Linear(2, 1), pre, post).sum().backward()
        >>> pre.grad
        tensor([[[3., 3.]]])
    """
    weight = weight_of(module)
    if type(module) in (nn.Linear, Dense):
        rows, columns = weight.shape
        product = post.reshape(-1, rows).mT @ pre.reshape(-1, columns)
        mask = getattr(module, "mask", None)
        return product if mask is None else torch.where(mask, product, 0.0)
    axes = feature_axes(module)
    lead = 2 if axes is None else pre.dim() - axes[0]
    free = weight.detach().requires_grad_()
    current = functional_call(module, {"weight": free}, (pre.flatten(0, lead - 1),))
    (product,) = torch.autograd.grad(current, free, post.flatten(0, lead - 1), create_graph=True)
    return product


def _differentiated(module: nn.Module, weight: Tensor, xs: Tensor, ys: Tensor) -> Tensor:
    """Return the vector-Jacobian product of a module with respect to its weight."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        free = (weight.clone() if weight.is_inference() else weight.detach()).requires_grad_()
        current = functional_call(module, {"weight": free}, (xs.clone() if xs.is_inference() else xs,))
        _check_same(module, current, ys)
        (product,) = torch.autograd.grad(current, free, ys.clone() if ys.is_inference() else ys)
    return product


def _check_lead(module: nn.Module, pre: Tensor, post: Tensor, source: tuple[int, ...], target: tuple[int, ...]) -> None:
    n, m = len(source), len(target)
    if pre.shape[-n:] != source or post.shape[-m:] != target or pre.shape[:-n] != post.shape[:-m]:
        raise ValueError(
            f"Expected `pre` (..., {', '.join(map(str, source))}) and `post` (..., {', '.join(map(str, target))}) with "
            f"the same leading axes for {type(module).__name__}, got {tuple(pre.shape)} and {tuple(post.shape)}."
        )


def _check_conv(conv: Any, xs: Tensor, ys: Tensor) -> None:
    sizes = zip(xs.shape[2:], conv.kernel_size, conv.stride, conv.padding, conv.dilation, strict=True)
    space = tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in sizes)
    if xs.shape[1] != conv.in_channels or tuple(ys.shape) != (len(xs), conv.out_channels, *space):
        raise ValueError(
            f"Expected `post` to be what {type(conv).__name__} makes of `pre`, {(len(xs), conv.out_channels, *space)} "
            f"for {tuple(xs.shape)} with time and batch as one axis, got {tuple(ys.shape)}."
        )


def _check_same(module: nn.Module, current: Any, ys: Tensor) -> None:
    if not isinstance(current, Tensor) or current.shape != ys.shape:
        got = tuple(current.shape) if isinstance(current, Tensor) else type(current).__name__
        raise ValueError(
            f"Expected `post` of the shape of the output of {type(module).__name__}, {got}, with time and batch as one "
            f"axis, got {tuple(ys.shape)}."
        )
