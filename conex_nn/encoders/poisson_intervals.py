"""Spike trains whose intervals follow a Poisson distribution."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import (
    check_generator,
    check_intensity,
    check_positive,
    check_spike_dtype,
    check_spikes,
    check_time,
)


class PoissonIntervals(nn.Module):
    r"""Encode intensities as spike trains with Poisson-distributed intervals.

    The steps from a spike to the next are

    .. math:: n = 1 + \operatorname{Poisson}\left(\frac{1}{p} - 1\right), \qquad p = x \, r_\text{max} \, \Delta t,

    1/p in the mean: the rate is that of :class:`Poisson`, and full rate fires in every step. The trains are much more
    regular than a Poisson process, the coefficient of variation of an interval is :math:`\sqrt{p (1 - p)}`; a process
    in which intervals are exponential is ``Poisson(counts=True)``. The window opens at a random moment of an interval,
    so that the rate is the same in every step.

    CoNeX's ``Poisson``, after BindsNET, draws the whole interval from Poisson(1/p) and counts 0 as 1, which loses a
    quarter of the spikes at full rate, and lets all features of an intensity begin together.

    Args:
        time: Number of steps [1].
        max_rate: Firing rate at intensity 1 [Hz].
        dt: Length of a step [ms].
        generator: Source of randomness, on the device of the input; torch's global one by default.
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If `max_rate` at `dt` asks for more than one spike per step, or an argument is out of range.
        TypeError: If `time` is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> encoder = PoissonIntervals(time=1000, max_rate=100.0, generator=torch.Generator().manual_seed(0))
        >>> spikes = encoder(torch.tensor([0.0, 0.5, 1.0]))
        >>> (spikes.sum(0) - torch.tensor([0.0, 50.0, 100.0])).abs() < 6  # in one second
        tensor([True, True, True])

    References:
        Cox, Renewal Theory (1962), "equilibrium renewal process", for the interval in which the window opens.
    """

    def __init__(
        self,
        time: int,
        *,
        max_rate: float = 1000.0,
        dt: float = 1.0,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_time(time)
        check_positive("max_rate", max_rate, unit="Hz")
        check_positive("dt", dt, unit="ms")
        check_spike_dtype(dtype)
        if max_rate * dt / 1000.0 > 1.0:
            raise ValueError(
                f"Expected `max_rate` to be at most {1000.0 / dt:g} [Hz], one spike per step of `dt` = {dt:g} [ms], "
                f"got {max_rate:g}. Lower `max_rate` or shorten `dt`."
            )
        self.time = time
        self.max_rate = max_rate
        self.dt = dt
        self.generator = generator
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        check_generator(self.generator, x)
        p = x.detach().float() * (self.max_rate * self.dt / 1000.0)
        pause = (1.0 / p.clamp(min=_RARE) - 1.0).clamp(min=0.0)
        # Intervals of an ongoing train, of which the longer are the likelier to hold the opening: that has the interval
        # 2 + Poisson(pause) with probability 1 - p, 1 + Poisson(pause) with probability p.
        draws = torch.poisson(pause.expand(self.time, *x.shape), generator=self.generator)
        opening, place = torch.rand((2, *x.shape), generator=self.generator, dtype=torch.float32, device=x.device)
        first = ((1.0 + draws[0] + (opening >= p)) * place).floor()
        times = torch.cat([first.unsqueeze(0), 1.0 + draws[1:]]).cumsum_(0)
        times = times.clamp_(max=self.time).where(p > 0, self.time).long()
        spikes = torch.zeros((self.time + 1, *x.shape), dtype=self.dtype or x.dtype, device=x.device)
        return spikes.scatter_(0, times, 1)[: self.time]

    def decode(self, spikes: Shaped[Tensor, " time *features"]) -> Float[Tensor, "*features"]:
        """Estimate intensities from rates.

        Args:
            spikes: What the encoder made, ``(time, *features)`` [1].

        Returns:
            The unbiased estimate [1].

        Raises:
            ValueError: If there are more or fewer steps than the encoder makes.

        Example:
            >>> PoissonIntervals(time=4).decode(torch.tensor([[1, 0], [1, 0], [0, 0], [1, 0]]))
            tensor([0.7500, 0.0000])
        """
        return check_spikes(spikes, time=self.time).mean(0) / (self.max_rate * self.dt / 1000.0)

    @override
    def extra_repr(self) -> str:
        return f"time={self.time}, max_rate={self.max_rate:g} Hz, dt={self.dt:g} ms"


_RARE = 1e-9  # a spike in a billion steps: below it nothing fires
