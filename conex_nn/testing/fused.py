"""Whether a fused path computes what the steps compute."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves, tree_map_only

from conex_nn.neurons import Neuron
from conex_nn.scan import detach, scan

__all__ = ["check_fused"]


def check_fused(
    make: Callable[[], Neuron],
    x: Tensor,
    *,
    state: Any = None,
    dt: float = 1.0,
    rtol: float = 1e-9,
    atol: float = 1e-10,
) -> None:
    """Raise unless a neuron's ``fused`` equals its ``step``, run one by one, in values and in every gradient.

    Compared in float64 are the outputs, the last state, and the gradients of the input, of the state at the start and
    of all parameters, for random gradients of all outputs.

    Args:
        make: Makes the neuron; the constants to be checked are ``nn.Parameter``s.
        x: Input current, ``(time, *batch, *neurons)`` [nA].
        state: State at the start, in float64; None for the one that a first run over ``x`` leaves behind.
        dt: Length of a step [ms].
        rtol: Relative tolerance [1].
        atol: Absolute tolerance, in the unit of what is compared [1].

    Raises:
        AssertionError: They differ, or there is no fused path for this neuron and input.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> check_fused(lambda: LIF(tau_mem=torch.nn.Parameter(torch.tensor(5.0))), 3 * torch.rand(8, 2, 5))
    """
    neuron = make().double()
    xs = x.detach().double()
    if state is None:
        with torch.no_grad():
            _, state = scan(lambda x, s: neuron.step(x, s, dt=dt), xs, neuron.initial_state(xs[0]))
    fused = _differentiate(neuron, xs, state, lambda xs, state: neuron.fused(xs, state, dt=dt))
    plain = _differentiate(neuron, xs, state, lambda xs, s: scan(lambda x, s: neuron.step(x, s, dt=dt), xs, s))
    if fused is None or plain is None:
        raise AssertionError(f"Expected {type(neuron).__name__} to have a fused path for this input, got None.")
    for name, value in fused.items():
        assert_close(
            value, plain[name], rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: fused against plain. {text}"
        )


def _differentiate(
    neuron: Neuron, xs: Tensor, state: Any, run: Callable[[Tensor, Any], tuple[Tensor, Any] | None]
) -> dict[str, Tensor] | None:
    """Return outputs, last state and all gradients of one way to run a neuron, by name."""
    xs = xs.clone().requires_grad_()
    state = tree_map_only(Tensor, lambda t: t.detach().clone().requires_grad_(), state)
    result = run(xs, state)
    if result is None:
        return None
    ys, last = result
    names = getattr(state, "_fields", None) or range(len(tree_leaves(state)))
    outputs = {"output": ys, **{f"last state {name}": y for name, y in zip(names, tree_leaves(last), strict=True)}}
    inputs = {"input": xs, **{f"state {name}": x for name, x in zip(names, tree_leaves(state), strict=True)}}
    inputs |= {name: p for name, p in neuron.named_parameters() if p.requires_grad}
    # A countdown such as the refractory time has no gradient in a kernel and a meaningless one in the plain path.
    smooth = [y for name, y in outputs.items() if y.requires_grad and "refractory" not in name]
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(y.shape, dtype=torch.float64, generator=generator).to(y) for y in smooth]
    grads = torch.autograd.grad(smooth, list(inputs.values()), weights, allow_unused=True)
    for (name, value), grad in zip(inputs.items(), grads, strict=True):
        outputs[f"gradient of {name}"] = torch.zeros_like(value) if grad is None else grad
    return detach(outputs)
