"""Call an operator's kernel without the dispatcher where nothing needs the dispatcher.

torch's dispatcher costs a tenth of a millisecond for an operator of a dozen arguments, which a small network feels.
Under ``torch.compile`` and ``torch.export``, fake tensors, ``torch.func`` transforms and other modes the registered
operator is called; the two are the same functions.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import Parameter

__all__ = ["call", "differentiable", "may_overwrite", "plain", "refuse_if_spent"]

Kernels = dict[str, Callable[..., Any]]
"""The functions behind an operator, by type of device."""

_is_transformed, _modes = torch._C._are_functorch_transforms_active, torch._C._len_torch_dispatch_stack
_task = torch._C._current_graph_task_id
_keeps_graph = getattr(getattr(torch._C, "_autograd", None), "_get_current_graph_task_keep_graph", None)


def plain(tensor: Tensor) -> bool:
    """Whether an eager call on this tensor needs nothing of the dispatcher.

    Args:
        tensor: An input of the call.

    Example:
        >>> plain(torch.ones(1)), plain(torch.ones(1, device="meta"))
        (True, True)
    """
    if torch.compiler.is_compiling():
        return False
    kind = type(tensor)
    return (kind is Tensor or kind is Parameter) and not _is_transformed() and _modes() == 0


def may_overwrite() -> bool:
    """Whether a backward pass is running that will not be asked again for what was saved for it.

    Example:
        >>> may_overwrite()
        False
    """
    return _keeps_graph is not None and _task() != -1 and not _keeps_graph()


def refuse_if_spent(ctx: Any) -> None:
    """Raise if a backward pass that was broken off has already overwritten what was saved; note that this one may.

    Args:
        ctx: The context of an autograd function.

    Example:
        >>> from types import SimpleNamespace
        >>> refuse_if_spent(SimpleNamespace())
    """
    if getattr(ctx, "spent", False):
        raise RuntimeError(
            "Expected to differentiate a graph once: an earlier backward pass through it was broken off."
        )
    ctx.spent = getattr(ctx, "private", False) and may_overwrite()


def _kernel(kernels: Kernels, tensor: Tensor) -> Callable[..., Any] | None:
    """Return the function for a tensor's device, or None where there is none."""
    return kernels.get("cpu" if tensor.is_cpu else tensor.device.type)  # to name a device takes microseconds


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
    kernel = _kernel(kernels, inputs[0]) if plain(inputs[0]) else None
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
    once = once_differentiable(derivative)  # says so where a second derivative is asked for

    class Direct(Function):
        @staticmethod
        def forward(ctx: Any, *inputs: Any) -> Any:
            ctx.private = True  # nobody else sees what is saved: the caller drops it
            kernel = cast("Callable[..., Any]", _kernel(kernels, inputs[0]))
            output = kernel(*inputs)
            setup_context(ctx, inputs, output)
            return output

        @staticmethod
        def backward(ctx: Any, *grads: Tensor | None) -> Any:
            return (once if torch.is_grad_enabled() else derivative)(ctx, *grads)

    def apply(*inputs: Any) -> Any:
        kernel = _kernel(kernels, inputs[0]) if plain(inputs[0]) else None
        if kernel is None:
            return operator(*inputs)
        if torch.is_grad_enabled():
            for x in inputs:
                if isinstance(x, Tensor) and x.requires_grad:
                    return Direct.apply(*inputs)
        if torch.autograd.forward_ad._current_level >= 0:
            return Direct.apply(*inputs)  # it says that there is no forward derivative
        return kernel(*inputs)

    return apply
