"""Time-to-first-spike coding."""

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import (
    check_intensity,
    check_positive,
    check_range,
    check_spike_dtype,
    check_spikes,
    check_time,
)
from conex_nn.encoders.samples import check_feature_ndim, flat_samples


class Latency(nn.Module):
    r"""Encode intensities as the time of a single spike, the earlier the stronger.

    Without `tau` the spike times fill the window linearly: intensity :math:`h` = 1 fires in the first step, the
    threshold :math:`l = \theta` in the last,

    .. math:: k = \operatorname{round}\left[(T - 1) \frac{h - x}{h - l}\right].

    With `tau` a feature fires when a leaky integrator charged by the current :math:`x` reaches :math:`\theta`,

    .. math:: k = \left\lceil \frac{\tau}{\Delta t} \ln\frac{x}{x - \theta} \right\rceil - 1,

    and a spike that would fall behind the window is not emitted. A feature below the threshold never fires.

    With `sparsity` only the strongest features of a sample fire. `trim_first` lets the strongest feature of each sample
    fire in the first step, and `trim_last` the weakest that fires in the last: :math:`h` and :math:`l` are then those
    of the sample, whose spikes fill the whole window whatever its brightness.

    It does not use ``snntorch.spikegen.latency``, which stretches times by the largest in the batch: a sample's code
    then depends on its neighbours, and an image of ones fires in the last step instead of the first.

    Args:
        time: Number of steps [1].
        threshold: Lowest intensity that fires, between 0 and 1 [1].
        tau: Time constant of the integrator [ms]; None for linear times.
        dt: Length of a step [ms]; it matters with `tau` only.
        sparsity: Part of a sample's features that may fire, the strongest; features as strong as the weakest of them
            fire too [1]. None for all.
        trim_first: Whether each sample begins to fire in the first step.
        trim_last: Whether the last spike of each sample is in the last step.
        feature_ndim: Trailing dimensions that make a sample, 3 for images, 1 for vectors [1]; for `sparsity`,
            `trim_first` and `trim_last`, which compare the features of a sample.
        dtype: Type of the spikes; by default that of the input. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If an argument is out of range, or arguments do not go together.
        TypeError: If `time` is not an integer or `dtype` cannot hold spikes.

    Example:
        >>> encoder = Latency(time=3, threshold=0.1)
        >>> encoder(torch.tensor([1.0, 0.5, 0.1, 0.0]))
        tensor([[1., 0., 0., 0.],
                [0., 1., 0., 0.],
                [0., 0., 1., 0.]])
        >>> dark = torch.tensor([0.3, 0.25, 0.2, 0.15])
        >>> Latency(time=3, sparsity=0.75, trim_first=True, trim_last=True, feature_ndim=1)(dark)
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
        sparsity: float | None = None,
        trim_first: bool = False,
        trim_last: bool = False,
        feature_ndim: int | None = None,
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
        if sparsity is not None:
            check_range("sparsity", sparsity, low=0.0, high=1.0)
        if (trim_first or trim_last) and tau is not None:
            raise ValueError(
                "Expected `tau` to be None with `trim_first` or `trim_last`: charging times stay as they are."
            )
        if feature_ndim is not None:
            check_feature_ndim(feature_ndim)
        elif sparsity is not None or trim_first or trim_last:
            raise ValueError(
                "Expected `feature_ndim` to say how many trailing dimensions make a sample, 3 for an image (channels, "
                "height, width), 1 for a vector, when `sparsity`, `trim_first` or `trim_last` is given; got None."
            )
        self.time = time
        self.threshold = threshold
        self.tau = tau
        self.dt = dt
        self.sparsity = sparsity
        self.trim_first = trim_first
        self.trim_last = trim_last
        self.feature_ndim = feature_ndim
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, "*features"]) -> Shaped[Tensor, " {self.time} *features"]:
        check_intensity(x)
        intensity = x.detach().to(torch.promote_types(x.dtype, torch.float32))
        # compared in the type of x, where an intensity and a threshold written alike are equal
        fires = x.detach() >= self.threshold
        if self.sparsity is not None:
            fires = fires & self._among_the_strongest(intensity)
        step = self._linear(intensity, fires) if self.tau is None else self._charging(intensity, self.tau)
        fires = fires & (step < self.time)
        step = step.clamp(0, self.time - 1).to(torch.int64)
        dtype = self.dtype or x.dtype
        spikes = torch.zeros((self.time, *x.shape), dtype=dtype, device=x.device)
        return spikes.scatter_(0, step.unsqueeze(0), fires.to(dtype).unsqueeze(0))

    def decode(self, spikes: Shaped[Tensor, " time *features"]) -> Float[Tensor, "*features"]:
        """Read intensities off the times of the first spikes; those of trimmed samples are relative.

        Args:
            spikes: What the encoder made, ``(time, *features)`` [1].

        Returns:
            The middle of the intensities that fire in that step, 0 where nothing fired [1].

        Raises:
            ValueError: If there are more or fewer steps than the encoder makes.

        Example:
            >>> encoder = Latency(time=91, threshold=0.1)
            >>> encoder.decode(encoder(torch.tensor([1.0, 0.44, 0.1, 0.0])))
            tensor([1.0000, 0.4400, 0.1000, 0.0000])
        """
        fired = check_spikes(spikes, time=self.time) > 0
        steps = torch.arange(self.time, dtype=torch.float32, device=spikes.device)
        if self.tau is None:
            at = (1.0 - steps * ((1.0 - self.threshold) / max(self.time - 1, 1))).clamp(min=self.threshold)
        else:
            least, most = (self.threshold / -torch.expm1(-k * (self.dt / self.tau)) for k in (steps + 1, steps))
            at = (least.clamp(max=1.0) + most.clamp(max=1.0)) / 2
        return at[fired.int().argmax(0)] * fired.any(0)

    def _among_the_strongest(self, intensity: Tensor) -> Tensor:
        flat = flat_samples(intensity, self.feature_ndim or 0)
        if flat.numel() == 0:
            return torch.ones_like(intensity, dtype=torch.bool)
        count = max(round((self.sparsity or 1.0) * flat.shape[-1]), 1)
        weakest = flat.topk(count, dim=-1, sorted=True).values[..., -1:]
        return (flat >= weakest).view_as(intensity)

    def _linear(self, intensity: Tensor, fires: Tensor) -> Tensor:
        high, low = torch.ones_like(intensity), torch.full_like(intensity, self.threshold)
        if (self.trim_first or self.trim_last) and intensity.numel():
            flat, firing = (flat_samples(each, self.feature_ndim or 0) for each in (intensity, fires))
            if self.trim_first:
                high = flat.where(firing, -math.inf).amax(-1, keepdim=True).expand_as(flat).reshape(intensity.shape)
            if self.trim_last:
                low = flat.where(firing, math.inf).amin(-1, keepdim=True).expand_as(flat).reshape(intensity.shape)
        span = high - low
        late = ((high - intensity) / span).where(span > 0, 0.0)  # a sample of one brightness fires at once
        return (late * (self.time - 1)).round().where(fires, 0.0)

    def _charging(self, intensity: Tensor, tau: float) -> Tensor:
        charged = -torch.log1p(-self.threshold / intensity.clamp(min=self.threshold))
        return (charged * (tau / self.dt)).ceil() - 1

    @override
    def extra_repr(self) -> str:
        parts = [f"time={self.time}", f"threshold={self.threshold:g}"]
        parts += ["linear" if self.tau is None else f"tau={self.tau:g} ms, dt={self.dt:g} ms"]
        parts += [] if self.sparsity is None else [f"sparsity={self.sparsity:g}"]
        parts += [f"{name}=True" for name in ("trim_first", "trim_last") if getattr(self, name)]
        return ", ".join(parts)
