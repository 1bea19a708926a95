"""Time-to-first-spike coding."""

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_intensity, check_positive, check_spike_dtype, check_time


class Latency(nn.Module):
    r"""Encode intensities as the time of a single spike, the earlier the stronger.

    Without `tau` the spike times fill the window linearly: intensity 1 fires in the first step, the threshold
    :math:`\theta` in the last,

    .. math:: k = \operatorname{round}\left[(T - 1) \frac{1 - x}{1 - \theta}\right].

    With `tau` a feature fires when a leaky integrator charged by the current :math:`x` reaches :math:`\theta`,

    .. math:: k = \left\lceil \frac{\tau}{\Delta t} \ln\frac{x}{x - \theta} \right\rceil - 1,

    and a spike that would fall behind the window is not emitted. A feature below the threshold never fires.

    It does not use ``snntorch.spikegen.latency``, which stretches times by the largest in the batch: a sample's code
    then depends on its neighbours, and an image of ones fires in the last step instead of the first.

    Args:
        time: Number of steps [1].
        threshold: Lowest intensity that fires, between 0 and 1 [1].
        tau: Time constant of the integrator [ms]; None for linear times.
        dt: Length of a step [ms]; it matters with `tau` only.
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If an argument is out of range.
        TypeError: If `time` is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> encoder = Latency(time=3, threshold=0.1)
        >>> encoder(torch.tensor([1.0, 0.5, 0.1, 0.0]))
        tensor([[1., 0., 0., 0.],
                [0., 1., 0., 0.],
                [0., 0., 1., 0.]])

    References:
        Thorpe, Delorme and Van Rullen, Spike-based strategies for rapid processing (2001), section 3.
        The charging time is Gerstner et al., Neuronal Dynamics (2014), section 1.3.
    """

    def __init__(
        self,
        time: int,
        *,
        threshold: float = 0.01,
        tau: float | None = None,
        dt: float = 1.0,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_time(time)
        check_positive("dt", dt, unit="ms")
        check_spike_dtype(dtype)
        if tau is not None:
            check_positive("tau", tau, unit="ms")
        if not 0.0 < threshold < 1.0:
            raise ValueError(f"Expected `threshold` to be between 0 and 1, both excluded [1], got {threshold}.")
        self.time = time
        self.threshold = threshold
        self.tau = tau
        self.dt = dt
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        intensity = x.detach().to(torch.promote_types(x.dtype, torch.float32))
        step = self._step(intensity)
        # compared in the type of x, where an intensity and a threshold written alike are equal
        fires = (x.detach() >= self.threshold) & (step < self.time)
        step = step.clamp(0, self.time - 1).to(torch.int64)
        dtype = self.dtype or x.dtype
        spikes = torch.zeros((self.time, *x.shape), dtype=dtype, device=x.device)
        return spikes.scatter_(0, step.unsqueeze(0), fires.to(dtype).unsqueeze(0))

    def _step(self, intensity: Tensor) -> Tensor:
        if self.tau is None:
            return ((1.0 - intensity) * ((self.time - 1) / (1.0 - self.threshold))).round()
        charged = -torch.log1p(-self.threshold / intensity.clamp(min=self.threshold))
        return (charged * (self.tau / self.dt)).ceil() - 1

    @override
    def extra_repr(self) -> str:
        charging = "linear" if self.tau is None else f"tau={self.tau:g} ms, dt={self.dt:g} ms"
        return f"time={self.time}, threshold={self.threshold:g}, {charging}"
