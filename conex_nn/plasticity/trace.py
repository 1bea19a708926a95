"""Exponential traces of signals over whole sequences, forward and backward in time."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from conex_nn.kernels import li_sequence
from conex_nn.scan import scan

__all__ = ["anticausal", "smooth", "trace"]

_TINY = 1e-30  # as in the kernels: smaller magnitudes are on their way to denormals, which are slow


def trace(
    signal: Tensor, start: Tensor, *, tau: float, dt: float, nearest: bool = False, gain: float = 1.0
) -> tuple[Tensor, Tensor]:
    r"""Filter a signal by an exponential: :math:`x \leftarrow x\, e^{-dt/\tau} + s`. The current step is included.

    Args:
        signal: Spikes or any other signal, ``(time, ...)``.
        start: The trace before the first step, ``(...)``.
        tau: Time constant [ms].
        dt: Length of a step [ms].
        nearest: Only the last spike counts: :math:`x \leftarrow \max(x\, e^{-dt/\tau}, s)`.
        gain: Factor of the signal [1].

    Returns:
        The trace after every step, and after the last.

    Example:
        >>> spikes = torch.tensor([[1.0], [0.0], [1.0]])
        >>> trace(spikes, torch.zeros(1), tau=10.0, dt=1.0)[0].flatten()
        tensor([1.0000, 0.9048, 1.8187])
        >>> trace(spikes, torch.zeros(1), tau=10.0, dt=1.0, nearest=True)[0].flatten()
        tensor([1.0000, 0.9048, 1.0000])
    """
    decay = math.exp(-dt / tau)

    def step(s: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        s = s if gain == 1 else s * gain
        x = F.hardshrink(torch.maximum(x * decay, s) if nearest else torch.add(s, x, alpha=decay), _TINY)
        return x, x

    if len(signal) == 1:
        x, _ = step(signal[0], start)
        return x[None], x
    fused = start.device.type in ("cpu", "cuda") and start.dtype in (torch.float32, torch.float64)
    if nearest or not fused or start.numel() == 0:
        return scan(step, signal, start)
    xs = li_sequence(signal, start, start.new_tensor([[decay], [gain], [0.0]]))
    return xs, xs[-1].clone()  # a view would keep the whole sequence in memory


def smooth(signal: Tensor, start: Tensor, *, tau: float, dt: float) -> tuple[Tensor, Tensor]:
    r"""Average a signal over the recent past: :math:`\tau \dot x = s - x`, exactly for a signal constant over a step.

    Args:
        signal: Any signal, ``(time, ...)``.
        start: The average before the first step, ``(...)``.
        tau: Time constant [ms].
        dt: Length of a step [ms].

    Returns:
        The average after every step, and after the last.

    Example:
        >>> smooth(torch.ones(2, 1), torch.zeros(1), tau=10.0, dt=1.0)[0].flatten()
        tensor([0.0952, 0.1813])
    """
    return trace(signal, start, tau=tau, dt=dt, gain=-math.expm1(-dt / tau))


def anticausal(signal: Tensor, *, tau: float, dt: float) -> Tensor:
    r"""Filter a signal by an exponential of the future: :math:`D(s) = \sum_{t \ge s} e^{-(t-s)dt/\tau} d(t)`.

    Args:
        signal: Any signal, ``(time, ...)``.
        tau: Time constant [ms].
        dt: Length of a step [ms].

    Example:
        >>> anticausal(torch.tensor([[0.0], [0.0], [1.0]]), tau=10.0, dt=1.0).flatten()
        tensor([0.8187, 0.9048, 1.0000])
    """
    return trace(signal.flip(0), torch.zeros_like(signal[0]), tau=tau, dt=dt)[0].flip(0)
