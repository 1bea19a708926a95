"""Delta modulation: events where a signal has moved."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.encoders.checks import check_positive, check_spike_dtype


class Delta(nn.Module):
    r"""Encode a signal as events: on where it has risen by a threshold since the last event, off where it has fallen.

    The encoder knows what its events say, :math:`r`, which begins at the first value of the signal. In every step

    .. math:: e_t = \operatorname{trunc}\left(\frac{x_t - r_{t-1}}{\theta}\right), \qquad r_t = r_{t-1} + \theta e_t,

    with at most one event per step and feature, :math:`e_t \in \{-1, 0, 1\}`, unless `counts`. :math:`r` stays within
    :math:`\theta` of the signal as long as that moves by no more than :math:`\theta` per step, and always with
    `counts`; a faster signal is caught up with afterwards, and so is one of more events in a step than the type of the
    events counts exactly, 255 in ``torch.uint8`` and 256 in ``torch.bfloat16``.

    ``snntorch.spikegen.delta`` compares a value with the one before instead of with what has been said: a slow drift
    leaves no event, and errors add up. The two agree where every change is a multiple of :math:`\theta`, 1 at most.

    Args:
        threshold: Change that makes an event, in units of the signal [1].
        counts: Whether a step may hold several events of a feature.
        dim: Dimension along which off events follow on events, counted from the back: -1 doubles the features of a
            vector, -3 the channels of an image [1].
        dtype: Type of the events; by default that of the signal. ``torch.uint8`` and ``torch.bool`` save memory.

    Raises:
        ValueError: If `threshold` is not positive or `dim` is not negative.
        TypeError: If `dtype` cannot hold the events.

    Example:
        >>> encoder = Delta(0.5)
        >>> signal = torch.tensor([[0.0], [0.6], [1.0], [0.9], [-0.2], [-0.2]])
        >>> events = encoder(signal)  # (time, on and off)
        >>> events.T
        tensor([[0., 1., 1., 0., 0., 0.],
                [0., 0., 0., 0., 1., 1.]])
        >>> encoder.decode(events, start=signal[0]).T
        tensor([[0.0000, 0.5000, 1.0000, 1.0000, 0.5000, 0.0000]])

    References:
        Lichtsteiner, Posch and Delbruck, A 128 x 128 120 dB 15 us latency asynchronous temporal contrast vision sensor,
        IEEE Journal of Solid-State Circuits 43 (2008), section II, the principle; Petro, Kasabov and Kiss, Selection
        and optimization of temporal spike encoding methods for spiking neural networks, IEEE Transactions on Neural
        Networks and Learning Systems 31 (2020), "step-forward".
    """

    def __init__(
        self, threshold: float, *, counts: bool = False, dim: int = -1, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        check_positive("threshold", threshold, unit="1")
        check_spike_dtype(dtype)
        if counts and dtype == torch.bool:
            raise TypeError("Expected `dtype` to hold `counts`, got torch.bool. Take torch.uint8 or a floating type.")
        if dim >= 0:
            raise ValueError(
                f"Expected `dim` to be negative, counted from the back, the same for a sample and a batch, got {dim}."
            )
        self.threshold = threshold
        self.counts = counts
        self.dim = dim
        self.dtype = dtype

    @override
    def forward(self, x: Shaped[Tensor, " time *features"]) -> Shaped[Tensor, " time *events"]:
        self._check_signal(x)
        signal = x.detach().to(torch.promote_types(x.dtype, torch.float32)) / self.threshold
        dtype = self.dtype or x.dtype
        most = _exact(dtype) if self.counts else 1.0
        said, events = signal[0], [torch.zeros_like(signal[0])]
        for value in signal[1:]:
            # a change that rounding alone keeps below the threshold counts, or events would come late for ever
            moved = value - said
            event = (moved + _ROUNDING * (value.abs() + 1) * moved.sign()).trunc().clamp(-most, most)
            said = said + event
            events.append(event)
        signed = torch.stack(events)
        return torch.cat([signed.clamp(min=0).abs(), signed.clamp(max=0).abs()], self.dim).to(dtype)

    def decode(
        self, events: Shaped[Tensor, " time *events"], *, start: float | Tensor = 0.0
    ) -> Float[Tensor, " time *features"]:
        """Add up what events say.

        Args:
            events: What the encoder made [1].
            start: The first value of the signal, which no event tells, in units of the signal [1].

        Returns:
            The signal as far as it was encoded, ``(time, *features)`` [1].

        Raises:
            ValueError: If there are not as many off as on events' places.

        Example:
            >>> Delta(2.0).decode(torch.tensor([[0, 0], [1, 0], [0, 1], [1, 0]]), start=1.0).T
            tensor([[1., 3., 1., 3.]])
        """
        if events.ndim <= -self.dim or events.shape[self.dim] % 2:
            raise ValueError(
                f"Expected `events` to have on and off events in two halves of dimension {self.dim}, "
                f"got the shape {tuple(events.shape)}."
            )
        on, off = events.to(torch.promote_types(events.dtype, torch.float32)).chunk(2, self.dim)
        return (on - off).cumsum(0) * self.threshold + start

    def _check_signal(self, x: Tensor) -> None:
        if not isinstance(x, Tensor):
            raise TypeError(f"Expected `x` to be a tensor, got {type(x).__name__}.")
        if not x.dtype.is_floating_point:
            raise TypeError(
                f"Expected `x` to be a signal of a floating type, got {x.dtype}. Events are not encoded again."
            )
        if x.ndim <= -self.dim or len(x) == 0:
            raise ValueError(
                f"Expected `x` to have the shape (time, *features), at least one step, and a dimension {self.dim} "
                f"besides that of time, got {tuple(x.shape)}."
            )
        if torch.compiler.is_compiling() or x.is_meta:
            return
        if not bool(torch.isfinite(x).all()):
            raise ValueError("Expected `x` to be finite, got NaN or infinity.")

    @override
    def extra_repr(self) -> str:
        return f"threshold={self.threshold:g}, dim={self.dim}" + (", counts=True" if self.counts else "")


def _exact(dtype: torch.dtype) -> float:
    """Return the number up to which a type holds every whole number [1]."""
    return 2 / torch.finfo(dtype).eps if dtype.is_floating_point else torch.iinfo(dtype).max


_ROUNDING = 1e-6
