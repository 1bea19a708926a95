"""Call an operator's kernel without the dispatcher where nothing needs the dispatcher.

torch's dispatcher costs a tenth of a millisecond for an operator of a dozen arguments, which a small network feels.
Under ``torch.compile`` and ``torch.export``, fake tensors, ``torch.func`` transforms and other modes the registered
operator is called; the two are the same functions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

__all__ = ["call", "differentiable"]

Kernels = dict[str, Callable[..., Any]]
"""The functions behind an operator, by type of device."""


def _plain(tensor: Tensor) -> bool:
    """Whether an eager call on this tensor needs nothing of the dispatcher."""
    return not (
        torch.compiler.is_compiling()
        or type(tensor) not in (Tensor, torch.nn.Parameter)
        or torch._C._are_functorch_transforms_active()
        or torch._C._len_torch_dispatch_stack() > 0
    )


def call(operator: Callable[..., Any], kernels: Kernels, *inputs: Any) -> Any:
    """Call an operator that needs no gradient.

    Args:
        operator: The registered operator.
        kernels: Its functions by type of device.
        inputs: Its arguments, a tensor first.

    Example:
        >>> call(torch.ops.aten.neg, {"cpu": lambda x: -x}, torch.ones(1))
        tensor([-1.])
    """
    kernel = kernels.get(inputs[0].device.type) if _plain(inputs[0]) else None
    return operator(*inputs) if kernel is None else kernel(*inputs)


def differentiable(
    operator: Callable[..., Any],
    kernels: Kernels,
    *,
    setup_context: Callable[..., None],
    derivative: Callable[..., Any],
) -> Callable[..., Any]:
    """Return a function that calls an operator and is differentiated as the operator is.

    Args:
        operator: The registered operator.
        kernels: Its functions by type of device.
        setup_context: As registered for it.
        derivative: The backward registered for it.

    Example:
        >>> double = differentiable(
        ...     torch.ops.aten.neg, {"cpu": lambda x: 2 * x}, setup_context=lambda ctx, inputs, output: None,
        ...     derivative=lambda ctx, grad: 2 * grad)
        >>> x = torch.ones(1, requires_grad=True)
        >>> double(x).backward()
        >>> x.grad
        tensor([2.])
    """

    class Direct(Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            output = kernels[inputs[0].device.type](*inputs)
            setup_context(ctx, inputs, output)
            return output

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, *grads: Tensor | None) -> Any:
            return derivative(ctx, *grads)

    def apply(*inputs: Any) -> Any:
        if _plain(inputs[0]) and inputs[0].device.type in kernels:
            return Direct.apply(*inputs)
        return operator(*inputs)

    return apply
