"""Rate coding by Poisson spike trains."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_intensity, check_positive, check_spike_dtype, check_time


class Poisson(nn.Module):
    r"""Encode intensities as the rates of independent Poisson spike trains.

    In every step a feature of intensity :math:`x` fires with probability

    .. math:: p = x \, r_\text{max} \, \Delta t,

    the Bernoulli approximation of a Poisson process, with at most one spike per step.

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
        if self.generator is not None and not _same_device(self.generator.device, x.device):
            raise ValueError(
                f"Expected `x` to be on the device of `generator`, {self.generator.device}, got {x.device}. "
                "Make the generator with torch.Generator(device=...)."
            )
        probability = x.detach().float() * (self.max_rate * self.dt / 1000.0)
        uniform = torch.rand((self.time, *x.shape), generator=self.generator, dtype=torch.float32, device=x.device)
        # float32 whatever the default: a bfloat16 draw has 256 values; in place: no second tensor of this size
        return uniform.lt_(probability).to(self.dtype or x.dtype)

    @override
    def extra_repr(self) -> str:
        return f"time={self.time}, max_rate={self.max_rate:g} Hz, dt={self.dt:g} ms"


def _same_device(a: torch.device, b: torch.device) -> bool:
    return a.type == b.type and (a.index is None or b.index is None or a.index == b.index)
