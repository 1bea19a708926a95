"""Rate coding by Poisson spike trains."""

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


class Poisson(nn.Module):
    r"""Encode intensities as the rates of independent Poisson spike trains.

    In every step a feature of intensity :math:`x` fires with probability

    .. math:: p = x \, r_\text{max} \, \Delta t,

    the Bernoulli approximation of a Poisson process, with at most one spike per step: intervals between spikes are
    geometrically distributed. With `counts` a step holds as many spikes as the process fires in it, a Poisson number of
    mean :math:`p`: intervals are exponential, and the rate has no upper end.

    Args:
        time: Number of steps [1].
        max_rate: Firing rate at intensity 1 [Hz].
        dt: Length of a step [ms].
        counts: Whether a step may hold several spikes.
        generator: Source of randomness, on the device of the input; torch's global one by default.
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If `max_rate` at `dt` asks for more spikes than a step can hold, or an argument is out of range.
        TypeError: If `time` is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> encoder = Poisson(time=1000, max_rate=100.0, generator=torch.Generator().manual_seed(0))
        >>> spikes = encoder(torch.tensor([0.0, 0.5, 1.0]))
        >>> spikes.shape
        torch.Size([1000, 3])
        >>> spikes.sum(0)  # in one second, around 0, 50 and 100
        tensor([  0.,  52., 103.])

    References:
        Dayan and Abbott, Theoretical Neuroscience (2001), section 1.4, "The Poisson spike generator".
    """

    def __init__(
        self,
        time: int,
        *,
        max_rate: float = 1000.0,
        dt: float = 1.0,
        counts: bool = False,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_time(time)
        check_positive("max_rate", max_rate, unit="Hz")
        check_positive("dt", dt, unit="ms")
        check_spike_dtype(dtype)
        _check_load(max_rate, dt, counts=counts, dtype=dtype)
        self.time = time
        self.max_rate = max_rate
        self.dt = dt
        self.counts = counts
        self.generator = generator
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        check_generator(self.generator, x)
        expected = x.detach().float() * (self.max_rate * self.dt / 1000.0)
        shape, dtype = (self.time, *x.shape), self.dtype or x.dtype
        if self.counts:
            return torch.poisson(expected.expand(shape), generator=self.generator).to(dtype)
        uniform = torch.rand(shape, generator=self.generator, dtype=torch.float32, device=x.device)
        # float32 whatever the default: a bfloat16 draw has 256 values; in place: no second tensor of this size
        return uniform.lt_(expected).to(dtype)

    def decode(self, spikes: Shaped[Tensor, " time *features"]) -> Float[Tensor, "*features"]:
        """Estimate intensities from rates.

        Args:
            spikes: What the encoder made, ``(time, *features)`` [1].

        Returns:
            The unbiased estimate; its standard deviation is at most ``(1 / (time * max_rate * dt)) ** 0.5``, in seconds
            [1].

        Raises:
            ValueError: If there are more or fewer steps than the encoder makes.

        Example:
            >>> encoder = Poisson(time=4)
            >>> encoder.decode(torch.tensor([[1, 0], [1, 0], [0, 0], [1, 0]]))
            tensor([0.7500, 0.0000])
        """
        return check_spikes(spikes, time=self.time).mean(0) / (self.max_rate * self.dt / 1000.0)

    @override
    def extra_repr(self) -> str:
        return f"time={self.time}, max_rate={self.max_rate:g} Hz, dt={self.dt:g} ms"


def _check_load(max_rate: float, dt: float, *, counts: bool, dtype: torch.dtype | None) -> None:
    expected = max_rate * dt / 1000.0
    if not counts and expected > 1.0:
        raise ValueError(
            f"Expected `max_rate` to be at most {1000.0 / dt:g} [Hz], one spike per step of `dt` = {dt:g} [ms], "
            f"got {max_rate:g}. Lower `max_rate`, shorten `dt`, or ask for `counts`."
        )
    if counts and dtype == torch.bool:
        raise TypeError("Expected `dtype` to hold `counts`, got torch.bool. Take torch.uint8 or a floating type.")
    if counts and dtype == torch.uint8 and expected > _SAFE_IN_A_BYTE:
        raise ValueError(
            f"Expected `max_rate` to be at most {1000.0 * _SAFE_IN_A_BYTE / dt:g} [Hz] for counts in a byte, "
            f"got {max_rate:g}. Take a floating `dtype`."
        )


_SAFE_IN_A_BYTE = 100  # a Poisson number of this mean exceeds 255 with a probability below 1e-30
