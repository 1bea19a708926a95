"""Spike functions: a Heaviside step forward, a surrogate derivative backward.

The derivatives are snnTorch's own wherever it has them. What differs is the step: a neuron fires at
``v >= v_threshold`` (snnTorch: ``>``), and the spikes keep the dtype of the potential (snnTorch: float32).
The fused kernels know every surrogate here that has a ``code``; any other callable runs on the plain path.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from typing_extensions import override

__all__ = [
    "SpikeFunction",
    "Surrogate",
    "atan",
    "custom",
    "exponential",
    "fast_sigmoid",
    "from_snntorch",
    "heaviside",
    "leaky",
    "sigmoid",
    "sparse_fast_sigmoid",
    "spike_rate_escape",
    "stochastic",
    "straight_through",
    "superspike",
    "triangle",
    "triangular",
]


SpikeFunction = Callable[[Tensor], Tensor]


def _snntorch(name: str, x: Tensor, *params: object) -> Tensor:
    """Evaluate the derivative inside one of snnTorch's autograd functions."""
    from snntorch import surrogate as snn  # where it is needed: all of snnTorch comes along

    derivative, context = getattr(snn, name), SimpleNamespace()

    def save(*tensors: Tensor) -> None:
        context.saved_tensors = tensors

    context.save_for_backward = save
    derivative.forward(context, x, *params)
    grads = derivative.backward(context, torch.ones_like(x))
    return grads[0] if isinstance(grads, tuple) else grads


@dataclass(frozen=True)
class _Kind:
    """How one kind of surrogate is computed: its number in the kernels and its derivative."""

    code: int | None
    derivative: Callable[..., Tensor]


# The codes are those of `kernels/cpu/surrogates.py` and `kernels/gpu/surrogates.py`.
_KINDS: dict[str, _Kind] = {
    "straight_through": _Kind(0, lambda x: _snntorch("StraightThroughEstimator", x)),
    "fast_sigmoid": _Kind(1, lambda x, slope: _snntorch("FastSigmoid", x, slope)),
    "atan": _Kind(2, lambda x, alpha: _snntorch("ATan", x, alpha)),
    # The derivative is even; snnTorch's overflows to NaN far below threshold, so it is asked at |x|.
    "sigmoid": _Kind(3, lambda x, slope: _snntorch("Sigmoid", x.abs(), slope)),
    "triangle": _Kind(4, lambda x, width, height: height * (1 - x.abs() / width).clamp(min=0)),
    "triangular": _Kind(5, lambda x, threshold: _snntorch("Triangular", x, threshold)),
    "heaviside": _Kind(6, lambda x: _snntorch("Heaviside", x)),
    "exponential": _Kind(7, lambda x, slope, scale: scale * torch.exp(-slope * x.abs())),
    "spike_rate_escape": _Kind(8, lambda x, beta, slope: _snntorch("SpikeRateEscape", x, beta, slope)),
    "sparse_fast_sigmoid": _Kind(9, lambda x, slope, bound: _snntorch("SparseFastSigmoid", x, slope, bound)),
    # snnTorch's LSO calls the wrong function and would round the slope to float32.
    "leaky": _Kind(10, lambda x, slope: torch.where(x > 0, torch.ones_like(x), slope)),
    "stochastic": _Kind(None, lambda x, mean, variance: _snntorch("StochasticSpikeOperator", x, mean, variance)),
    "custom": _Kind(None, lambda x, derivative: _snntorch("CustomSurrogate", x, derivative)),
}


class _Spike(Function):
    """The step forward, `Surrogate.derivative` backward."""

    @staticmethod
    @override
    def forward(ctx: Any, x: Tensor, surrogate: "Surrogate") -> Tensor:
        ctx.save_for_backward(x)
        ctx.surrogate = surrogate
        return (x >= 0).to(x.dtype)

    @staticmethod
    @override
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * ctx.surrogate.derivative(x), None


@dataclass(frozen=True)
class Surrogate:
    r"""A spike function :math:`s = \Theta(x)` of :math:`x = v - v_\mathrm{threshold}` with a surrogate derivative.

    Make one with the functions of this module; a neuron takes it as ``spike_fn``.

    Args:
        kind: Which surrogate, the name of the function that makes it.
        params: Its parameters, in that function's order [1].

    Example:
        >>> x = torch.tensor([-0.5, 0.0, 0.5], requires_grad=True)
        >>> spikes = atan(alpha=2.0)(x)
        >>> spikes.sum().backward()
        >>> spikes.detach(), x.grad
        (tensor([0., 1., 1.]), tensor([0.2884, 1.0000, 0.2884]))
    """

    kind: str
    params: tuple = ()

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"Expected `kind` to be one of {', '.join(sorted(_KINDS))}, got {self.kind!r}.")

    @property
    def code(self) -> int | None:
        """Number of this surrogate in the fused kernels, or None where they do not know it."""
        return _KINDS[self.kind].code

    def derivative(self, x: Tensor) -> Tensor:
        """Return the surrogate of ds/dx at ``x`` [1]."""
        return _KINDS[self.kind].derivative(x, *self.params).to(x.dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return spikes: 1 where ``x >= 0``, else 0 [1]."""
        return _Spike.apply(x, self)  # pyright: ignore[reportReturnType]


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"Expected `{name}` to be positive [1], got {value}.")
    return float(value)


def straight_through() -> Surrogate:
    """Pass the gradient unchanged: ds/dx = 1 (snnTorch's straight-through estimator).

    Example:
        >>> straight_through().derivative(torch.tensor([-3.0, 3.0]))
        tensor([1., 1.])
    """
    return Surrogate("straight_through")


def fast_sigmoid(slope: float = 25.0) -> Surrogate:
    r"""Differentiate as a fast sigmoid: :math:`1 / (1 + k |x|)^2`.

    Args:
        slope: Steepness k [1].

    Example:
        >>> fast_sigmoid(slope=1.0).derivative(torch.tensor([0.0, 1.0]))
        tensor([1.0000, 0.2500])

    References:
        Zenke and Ganguli, Neural Computation 30 (2018), section 3.3.
    """
    return Surrogate("fast_sigmoid", (_positive("slope", slope),))


def superspike(slope: float = 100.0) -> Surrogate:
    """Differentiate as SuperSpike, a fast sigmoid whose usual slope is 100.

    Args:
        slope: Steepness [1].

    Example:
        >>> superspike() == fast_sigmoid(slope=100.0)
        True

    References:
        Zenke and Ganguli, Neural Computation 30 (2018), section 3.3.
    """
    return fast_sigmoid(slope)


def atan(alpha: float = 2.0) -> Surrogate:
    r"""Differentiate as an arc tangent: :math:`\frac{\alpha}{2} / (1 + (\frac{\pi}{2} \alpha x)^2)`.

    Args:
        alpha: Steepness [1].

    Example:
        >>> atan().derivative(torch.tensor([0.0]))
        tensor([1.])

    References:
        Fang et al., ICCV (2021), equation 11.
    """
    return Surrogate("atan", (_positive("alpha", alpha),))


def sigmoid(slope: float = 25.0) -> Surrogate:
    r"""Differentiate as a logistic function: :math:`k e^{-k|x|} / (1 + e^{-k|x|})^2`.

    Args:
        slope: Steepness k [1].

    Example:
        >>> sigmoid(slope=4.0).derivative(torch.tensor([0.0, -100.0]))
        tensor([1., 0.])
    """
    return Surrogate("sigmoid", (_positive("slope", slope),))


def triangle(width: float = 1.0, height: float = 1.0) -> Surrogate:
    r"""Differentiate as a triangle: :math:`h \max(0, 1 - |x| / w)`.

    Args:
        width: Half width w of the base [1].
        height: Derivative h at threshold [1].

    Example:
        >>> triangle(width=2.0).derivative(torch.tensor([-1.0, 0.0, 3.0]))
        tensor([0.5000, 1.0000, 0.0000])

    References:
        Esser et al., PNAS 113 (2016), equation 5; Bellec et al., NeurIPS (2018), equation 5 (height 0.3).
    """
    return Surrogate("triangle", (_positive("width", width), float(height)))


def triangular(threshold: float = 1.0) -> Surrogate:
    """Differentiate as snnTorch's ``triangular``: ``threshold`` below the threshold, ``-threshold`` above it.

    Its sign changes at the threshold; for the usual triangle take :func:`triangle`.

    Args:
        threshold: Size of the derivative [1].

    Example:
        >>> triangular().derivative(torch.tensor([-1.0, 1.0]))
        tensor([ 1., -1.])
    """
    return Surrogate("triangular", (float(threshold),))


def heaviside() -> Surrogate:
    """Let the gradient pass only where a spike was fired (snnTorch's ``heaviside``).

    Example:
        >>> heaviside().derivative(torch.tensor([-1.0, 1.0]))
        tensor([0., 1.])
    """
    return Surrogate("heaviside")


def exponential(slope: float = 5.0, scale: float = 1.0) -> Surrogate:
    r"""Differentiate as a two-sided exponential: :math:`c\, e^{-k |x|}`.

    Args:
        slope: Steepness k [1].
        scale: Derivative c at threshold [1].

    Example:
        >>> exponential(slope=1.0).derivative(torch.tensor([0.0, -1.0]))
        tensor([1.0000, 0.3679])

    References:
        Shrestha and Orchard, NeurIPS (2018), equation 9.
    """
    return Surrogate("exponential", (_positive("slope", slope), float(scale)))


def spike_rate_escape(beta: float = 1.0, slope: float = 25.0) -> Surrogate:
    r"""Differentiate as snnTorch's ``spike_rate_escape``: :math:`k\, e^{-\beta |x - 1|}`.

    Args:
        beta: Steepness [1].
        slope: Largest derivative k, reached one unit above the threshold [1].

    Example:
        >>> spike_rate_escape(slope=1.0).derivative(torch.tensor([1.0, 0.0]))
        tensor([1.0000, 0.3679])

    References:
        Gerstner and Kistler, Spiking Neuron Models (2002), section 5.3.
    """
    return Surrogate("spike_rate_escape", (_positive("beta", beta), float(slope)))


def sparse_fast_sigmoid(slope: float = 25.0, bound: float = 1.0) -> Surrogate:
    """Differentiate as a fast sigmoid where ``x > bound``, and not at all elsewhere (snnTorch's ``SFS``).

    Args:
        slope: Steepness [1].
        bound: Where the derivative begins [1].

    Example:
        >>> sparse_fast_sigmoid(slope=1.0, bound=0.5).derivative(torch.tensor([0.0, 1.0]))
        tensor([0.0000, 0.2500])

    References:
        Perez-Nieves and Goodman, NeurIPS (2021).
    """
    return Surrogate("sparse_fast_sigmoid", (_positive("slope", slope), float(bound)))


def leaky(slope: float = 0.1) -> Surrogate:
    """Differentiate as a leaky rectifier: 1 above threshold, ``slope`` below (what snnTorch's ``LSO`` documents).

    Args:
        slope: Derivative below the threshold [1].

    Example:
        >>> leaky().derivative(torch.tensor([-1.0, 1.0]))
        tensor([0.1000, 1.0000])
    """
    return Surrogate("leaky", (float(slope),))


def stochastic(mean: float = 0.0, variance: float = 0.2) -> Surrogate:
    """Differentiate as 1 where a spike was fired and as uniform noise elsewhere (snnTorch's ``SSO``); plain path only.

    Args:
        mean: Mean of the noise before scaling [1].
        variance: Width of the noise [1].

    Example:
        >>> stochastic().derivative(torch.tensor([1.0]))
        tensor([1.])
    """
    return Surrogate("stochastic", (float(mean), float(variance)))


def custom(derivative: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Surrogate:
    """Differentiate by a function of your own, in snnTorch's form; plain path only.

    Args:
        derivative: Maps ``(x, grad, spikes)`` to the gradient of ``x``.

    Example:
        >>> boxcar = custom(lambda x, grad, spikes: grad * (x.abs() < 0.5))
        >>> boxcar.derivative(torch.tensor([0.0, 1.0]))
        tensor([1., 0.])
    """
    return Surrogate("custom", (derivative,))


_FROM_SNNTORCH: dict[str, tuple[Callable[..., Surrogate], tuple[str, ...]]] = {
    "straight_through_estimator": (straight_through, ()),
    "triangular": (triangular, ("threshold",)),
    "fast_sigmoid": (fast_sigmoid, ("slope",)),
    "atan": (atan, ("alpha",)),
    "heaviside": (heaviside, ()),
    "sigmoid": (sigmoid, ("slope",)),
    "spike_rate_escape": (spike_rate_escape, ("beta", "slope")),
    "SFS": (sparse_fast_sigmoid, ("slope", "B")),
    "SSO": (stochastic, ("mean", "variance")),
    "LSO": (leaky, ("slope",)),
    "custom_surrogate": (custom, ("func",)),
}


def from_snntorch(spike_fn: SpikeFunction) -> SpikeFunction:
    """Return the equal :class:`Surrogate` of a function made by ``snntorch.surrogate``, and anything else as it is.

    Neurons call it on their ``spike_fn``, so snnTorch's own functions reach the fused kernels too.

    Args:
        spike_fn: Any spike function.

    Example:
        >>> import snntorch
        >>> from_snntorch(snntorch.surrogate.fast_sigmoid(slope=10)) == fast_sigmoid(slope=10)
        True
    """
    if not callable(spike_fn):
        raise TypeError(f"Expected `spike_fn` to be a callable such as surrogate.atan(), got {spike_fn!r}.")
    maker = getattr(spike_fn, "__qualname__", "").partition(".")[0]
    if getattr(spike_fn, "__module__", None) != "snntorch.surrogate" or maker not in _FROM_SNNTORCH:
        return spike_fn
    make, names = _FROM_SNNTORCH[maker]
    values = inspect.getclosurevars(spike_fn).nonlocals
    return make(*(values[name] for name in names))
