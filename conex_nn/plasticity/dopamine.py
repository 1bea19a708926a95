"""Dopamine: what a payoff leaves behind, and what of a payoff was not expected."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from conex_nn.plasticity.constants import require_positive
from conex_nn.plasticity.processes import mean_over_processes
from conex_nn.plasticity.trace import trace

__all__ = ["Dopamine", "Payoff", "RewardPredictionError", "at_step"]

Payoff = Callable[[Tensor, Tensor], Tensor]
"""Says by outputs and targets what each sample earns: ``(batch,)``, or ``(time, batch)`` at each step [1]."""


def at_step(payoff: Tensor, *, steps: int, step: int = -1) -> Tensor:
    """Spread a payoff of whole samples over time: all of it comes at one step.

    Args:
        payoff: ``(batch,)`` [1]; ``(time, batch)`` is returned as it is.
        steps: Length of the sequence.
        step: When it comes; default at the end.

    Raises:
        ValueError: It is neither.

    Example:
        >>> at_step(torch.tensor([1.0, -1.0]), steps=2)
        tensor([[ 0.,  0.],
                [ 1., -1.]])
    """
    if payoff.dim() == 2 and len(payoff) == steps:
        return payoff
    if payoff.dim() != 1:
        raise ValueError(f"Expected `payoff` of shape (batch,) or ({steps}, batch) [1], got {tuple(payoff.shape)}.")
    spread = payoff.new_zeros(steps, len(payoff))
    spread[step] = payoff
    return spread


class Dopamine(nn.Module):
    r"""The concentration of dopamine that payoffs cause: :math:`d \leftarrow d\, e^{-dt/\tau_d} + p`, for each sample.

    Its state is the concentration, a value that goes in and comes out.

    Args:
        tau: Time constant of its removal [ms].
        baseline: Concentration before the first payoff [1].

    Raises:
        ValueError: A time constant that is not positive.

    Example:
        >>> d, state = Dopamine(tau=200.0)(torch.tensor([[1.0], [0.0]]))
        >>> d.flatten()
        tensor([1.0000, 0.9950])

    References:
        Izhikevich, Cerebral Cortex 17 (2007), equation 3.
    """

    def __init__(self, *, tau: float = 200.0, baseline: float = 0.0) -> None:
        super().__init__()
        self.tau = require_positive("tau", tau, unit="ms")
        self.baseline = float(baseline)

    def initial_state(self, x: Tensor) -> Tensor:
        """Return the concentration before the first step.

        Args:
            x: Payoff of one step, ``(batch,)``.
        """
        return torch.full_like(x, self.baseline)

    def step(self, x: Tensor, state: Tensor, *, dt: float = 1.0) -> tuple[Tensor, Tensor]:
        """Advance by one step.

        Args:
            x: Payoff, ``(batch,)`` [1].
            state: Concentration before the step [1].
            dt: Length of the step [ms].
        """
        d, state = trace(x[None], state, tau=self.tau, dt=dt)
        return d[0], state

    def forward(self, xs: Tensor, state: Tensor | None = None, *, dt: float = 1.0) -> tuple[Tensor, Tensor]:
        """Advance over a sequence.

        Args:
            xs: Payoffs, ``(time, batch)`` [1].
            state: Concentration before the first step [1]; None to begin.
            dt: Length of a step [ms].

        Returns:
            The concentration after every step [1], and after the last.

        Raises:
            ValueError: Payoffs without a time axis: :func:`at_step` gives them one.
        """
        if xs.dim() < 2:
            raise ValueError(
                f"Expected payoffs of shape (time, batch) [1], got {tuple(xs.shape)}. One payoff per sample is spread "
                "over time by `at_step(payoff, steps=...)`."
            )
        return trace(xs, self.initial_state(xs[0]) if state is None else state, tau=self.tau, dt=dt)

    def extra_repr(self) -> str:
        """Return the constants."""
        return f"tau={self.tau:g}, baseline={self.baseline:g}"


class RewardPredictionError(nn.Module):
    r"""What of a payoff was not expected: :math:`\delta = p - \bar p`, with a running mean :math:`\bar p` of payoffs.

    The mean is slow state: it is in the ``state_dict``, and moves in ``train()`` only, by the mean over the batch.

    Args:
        rate: How fast it follows, per call [1].

    Raises:
        ValueError: A rate that is not above 0 and at most 1.

    Example:
        >>> surprise = RewardPredictionError(rate=0.5)
        >>> [surprise(torch.ones(4))[0].item() for _ in range(3)]
        [1.0, 0.5, 0.25]

    References:
        Fremaux, Sprekeler and Gerstner, Journal of Neuroscience 30 (2010), equation 7.
    """

    expected: Tensor
    """Running mean of payoffs [1]."""

    def __init__(self, *, rate: float = 0.05) -> None:
        super().__init__()
        if not 0 < rate <= 1:
            raise ValueError(f"Expected `rate` to be above 0 and at most 1 [1], got {rate}.")
        self.rate = rate
        self.register_buffer("expected", torch.zeros(()))

    @torch.no_grad()
    def forward(self, payoff: Tensor) -> Tensor:
        """Return what was not expected of payoffs ``(batch,)`` [1], and learn from them."""
        error = payoff - self.expected
        if self.training:
            mean = mean_over_processes(payoff.mean(), payoff.numel())
            self.expected += self.rate * (mean - self.expected)
        return error

    def extra_repr(self) -> str:
        """Return the rate."""
        return f"rate={self.rate:g}"
