"""Recurrent rate neurons over a whole sequence: a lean loop forward, a lean loop backward.

No step is recorded by autograd. The backward pass carries one gradient from step to step, and the gradient of the
recurrent weights is one matrix product over all steps at its end.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from conex_nn.kernels.direct import plain

__all__ = ["acts_alone", "ctrnn_sequence", "input_product", "runs_fused"]

Activation = Callable[[Tensor], Tensor]

_INTO: dict[Any, Callable[..., Tensor]] = {
    torch.relu: lambda v, out: torch.clamp_min(v, 0, out=out),
    torch.tanh: torch.tanh,
    torch.sigmoid: torch.sigmoid,
}
"""Activations that write where they are told to."""
_BACK: dict[Any, Callable[..., Tensor]] = {
    torch.relu: lambda grad, rate, out: torch.ops.aten.threshold_backward.grad_input(grad, rate, 0, grad_input=out),
    torch.tanh: lambda grad, rate, out: torch.ops.aten.tanh_backward.grad_input(grad, rate, grad_input=out),
    torch.sigmoid: lambda grad, rate, out: torch.ops.aten.sigmoid_backward.grad_input(grad, rate, grad_input=out),
}
"""Gradients before these from those behind, by the rates."""
_SAME = {nn.functional.relu: torch.relu, nn.ReLU: torch.relu, nn.Tanh: torch.tanh, nn.Sigmoid: torch.sigmoid}


def _known(activation: Activation) -> Any:
    """Return the name under which the tables know an activation."""
    if isinstance(activation, nn.Module):
        return _SAME.get(type(activation), activation)
    try:
        return _SAME.get(activation, activation)
    except TypeError:  # not hashable
        return None


def _hooked(activation: Activation) -> bool:
    """Whether somebody watches an activation, who would see the fused loop's calls in place of the steps'."""
    return isinstance(activation, nn.Module) and any(
        part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks
        for part in activation.modules()
    )


def acts_alone(activation: Activation, neurons: int) -> bool:
    """Whether an activation takes each neuron by itself and always alike, as the fused loop supposes.

    Args:
        activation: The function.
        neurons: Number of neurons.

    Example:
        >>> acts_alone(torch.relu, 3), acts_alone(lambda v: v.softmax(-1), 3)
        (True, False)
    """
    if _known(activation) in _INTO:
        return True
    if not isinstance(activation, nn.Module):
        return _probed_alone(activation, neurons)
    try:
        probed = copy.deepcopy(activation)  # probing may change what it keeps, such as running means
    except RuntimeError:
        return False
    return all(_probed_alone(probed.train(mode), neurons) for mode in (True, False))


def _probed_alone(activation: Activation, neurons: int) -> bool:
    """Whether an activation is seen to take each neuron by itself."""
    generator = torch.Generator().manual_seed(0)
    v, c = (torch.randn(2, neurons, generator=generator, device="cpu") for _ in range(2))
    try:
        with torch.enable_grad():
            v.requires_grad_()
            y = activation(v)
            again = activation(v)
            if y.shape != v.shape or not torch.equal(y, again):
                return False
            (weighted,) = torch.autograd.grad(y, v, c, retain_graph=True)
            (slope,) = torch.autograd.grad(y, v, torch.ones_like(c))
    except RuntimeError:  # its own constants may be elsewhere, or it is not differentiable
        return False
    return torch.allclose(weighted, slope * c, rtol=1e-4, atol=1e-6)


def runs_fused(activation: Activation, drive: Tensor) -> bool:
    """Whether the fused loop can run here: eager, on a device with arithmetic, nothing in the activation to be trained.

    Args:
        activation: One that :func:`acts_alone`.
        drive: The input of the loop.

    Example:
        >>> runs_fused(torch.relu, torch.ones(2, 1, 3))
        True
    """
    device = drive.device.type
    if device not in ("cpu", "cuda") or not plain(drive) or torch.is_autocast_enabled(device):
        return False
    if torch.autograd.forward_ad._current_level >= 0 or _hooked(activation):
        return False
    if _known(activation) in _INTO:
        return True
    with torch.enable_grad():
        return not activation(drive.detach().reshape(-1, drive.shape[-1])[:1]).requires_grad


class _Product(Function):
    """A linear map of few inputs at many times; its weight's gradient is computed in the order that is quick then."""

    @staticmethod
    def forward(ctx: Any, xs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(xs, weight)
        return nn.functional.linear(xs, weight, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        xs, weight = ctx.saved_tensors
        of, rows = ctx.needs_input_grad, grad.reshape(-1, grad.shape[-1])
        return (
            grad @ weight if of[0] else None,
            (xs.reshape(-1, xs.shape[-1]).t() @ rows).t() if of[1] else None,
            rows.sum(0) if of[2] else None,
        )


def input_product(xs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``xs @ weight.T + bias`` over time and batch at once.

    Args:
        xs: Inputs, ``(time, *batch, inputs)`` [1].
        weight: Weights, ``(neurons, inputs)`` [1].
        bias: One for each neuron, or None [1].

    Example:
        >>> input_product(torch.ones(2, 1, 3), torch.ones(1, 3), torch.ones(1)).flatten()
        tensor([4., 4.])
    """
    return _Product.apply(xs, weight, bias)  # pyright: ignore[reportReturnType]


class _Sequence(Function):
    @staticmethod
    def forward(
        ctx: Any,
        drive: Tensor,
        v: Tensor,
        rate: Tensor,
        weight: Tensor,
        decay: Tensor,
        noise: Tensor | None,
        activation: Activation,
    ) -> tuple[Tensor, Tensor]:
        known = _known(activation)
        into = _INTO.get(known)
        ctx.activation = activation
        ctx.by_rate = noise is None and known in _BACK
        kept = ctx.needs_input_grad[4] or (any(ctx.needs_input_grad) and not ctx.by_rate)
        start = (v, rate)
        vs = torch.empty_like(drive if kept else v)  # one that stays in the processor's cache, if none is needed later
        rates = torch.empty_like(drive)
        transposed = weight.t()
        places = vs.unbind(0) if kept else [vs] * len(drive)
        shakes = [None] * len(drive) if noise is None else noise.unbind(0)
        for x, place, out, shake in zip(drive.unbind(0), places, rates.unbind(0), shakes, strict=True):
            torch.addcmul(x, v, decay, out=place)
            v = torch.addmm(place, rate, transposed, out=place)
            rate = out.copy_(activation(v)) if into is None else into(v, out=out)
            if shake is not None:
                rate.add_(shake)
        ctx.save_for_backward(vs if kept else None, rates, *start, weight, decay)
        return rates, v.clone() if kept else v

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_v: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "Expected to be differentiated once: the fused loop of a rate network has no second derivative. "
                "Run it step by step, `net(xs, observe=lambda output, state: None)`."
            )
        vs, rates, v, rate, weight, decay = ctx.saved_tensors
        if ctx.by_rate:
            slopes, back = rates, _BACK[_known(ctx.activation)]
        else:
            slopes, back = _slopes(ctx.activation, vs), torch.mul
        carried, arrived = torch.empty_like(rates), torch.empty_like(rate)
        outs, grads, slopes = carried.unbind(0), grad.unbind(0), slopes.unbind(0)
        last = back(grads[-1], slopes[-1], out=outs[-1]).add_(grad_v)
        for t in range(len(outs) - 2, -1, -1):
            torch.addmm(grads[t], last, weight, out=arrived)
            last = back(arrived, slopes[t], out=outs[t]).addcmul_(last, decay)
        of = ctx.needs_input_grad
        return (
            carried,
            last * decay if of[1] else None,
            last @ weight if of[2] else None,
            _over_steps(carried, rates, rate) if of[3] else None,
            _of_decay(carried, vs, v, decay) if of[4] else None,
            torch.cat([grad[:-1] + carried[1:] @ weight, grad[-1:]]) if of[5] else None,
            None,
        )


def _slopes(activation: Activation, vs: Tensor) -> Tensor:
    """Return the derivative of an activation at each value."""
    with torch.enable_grad():
        v = vs.detach().requires_grad_()
        (slopes,) = torch.autograd.grad(activation(v), v, torch.ones_like(v))
    return slopes


def _over_steps(carried: Tensor, rates: Tensor, rate: Tensor) -> Tensor:
    """Return the gradient of the recurrent weights: one product over all steps but the first, which has its own."""
    first = carried[0].t() @ rate
    if len(carried) == 1:
        return first
    return torch.addmm(first, carried[1:].flatten(0, 1).t(), rates[:-1].flatten(0, 1))


def _of_decay(carried: Tensor, vs: Tensor, v: Tensor, decay: Tensor) -> Tensor:
    """Return the gradient of the decay, of one value or one per neuron."""
    sums = (carried[0] * v).sum(0) + (carried[1:] * vs[:-1]).sum((0, 1))
    return sums.sum_to_size(decay.shape)


def ctrnn_sequence(
    drive: Tensor,
    v: Tensor,
    rate: Tensor,
    *,
    weight: Tensor,
    decay: Tensor,
    activation: Activation,
    noise: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Run ``v <- decay v + weight r + drive``, ``r <- activation(v) + noise`` over a sequence.

    This is :func:`conex_nn.functional.ctrnn_step` with its rise already in ``weight`` and ``drive``.

    Args:
        drive: What arrives from outside at each step, ``(time, *batch, neurons)`` [1].
        v: Activation variable at the start [1].
        rate: Rates at the start [1].
        weight: Recurrent weights, ``(post, pre)`` [1].
        decay: What a step leaves of ``v``, one value or one per neuron [1].
        activation: From ``v`` to rates; one that :func:`acts_alone`.
        noise: Added to the rates of each step, ``(time, *batch, neurons)`` [1].

    Returns:
        The rates after each step, and the activation variable after the last [1].

    Example:
        >>> one = torch.ones(1, 1)
        >>> rates, v = ctrnn_sequence(
        ...     torch.ones(2, 1, 1), 0 * one, 0 * one, weight=one, decay=torch.zeros(1), activation=torch.relu)
        >>> rates.flatten(), v
        (tensor([1., 2.]), tensor([[2.]]))
    """
    steps, neurons = len(drive), drive.shape[-1]
    rates, last = _Sequence.apply(
        drive.reshape(steps, -1, neurons),
        v.reshape(-1, neurons),
        rate.reshape(-1, neurons),
        weight,
        decay,
        None if noise is None else noise.reshape(steps, -1, neurons),
        activation,
    )  # pyright: ignore[reportGeneralTypeIssues]
    return rates.reshape(drive.shape), last.reshape(v.shape)
