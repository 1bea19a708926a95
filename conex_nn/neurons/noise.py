"""Membrane noise of any distribution."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.neurons.behavior import Behavior
from conex_nn.parameters import register

__all__ = ["Noise"]


class Noise(Behavior):
    r"""Noise on the membrane: :math:`v \leftarrow v + \mathrm{scale} \sqrt{dt}\, \xi + \mathrm{offset}\, dt`.

    A draw of mean 0 and variance 1 adds up over time to the same spread whatever ``dt``. It is there in ``eval()`` too:
    it belongs to the neurons, not to their training. A refractory neuron feels none.

    Args:
        scale: Standard deviation of the noise of 1 ms, for a draw of variance 1 [mV/sqrt(ms)].
        offset: Drift [mV/ms].
        draw: Makes random numbers in the shape, dtype and on the device of a tensor, such as ``torch.rand_like``; one
            with a generator of its own makes them reproducible.

    Example:
        >>> noise = Noise(0.5, draw=lambda x: torch.randn_like(x).sign())
        >>> v, _ = noise.membrane(torch.zeros(3), (), torch.nn.Identity(), dt=4.0)
        >>> v.abs()
        tensor([1., 1., 1.])
    """

    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        scale: float | Tensor,
        offset: float | Tensor = 0.0,
        *,
        draw: Callable[[Tensor], Tensor] = torch.randn_like,
    ) -> None:
        super().__init__()
        register(self, "scale", scale, unit="mV/sqrt(ms)", not_negative=True)
        register(self, "offset", offset, unit="mV/ms")
        if not callable(draw):
            raise TypeError(f"Expected `draw` to be a callable such as torch.randn_like, got {draw!r}.")
        self.draw = draw

    @override
    def membrane(self, v: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        noise = self.scale * dt**0.5 * self.draw(v.detach()) + self.offset * dt
        return v + noise.to(v.dtype), state
