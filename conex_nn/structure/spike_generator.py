"""Populations that make their own spikes."""

from typing import Any

from torch import Tensor

from conex_nn.structure.population import Source

__all__ = ["SpikeGenerator"]


class SpikeGenerator(Source):
    """Base of the populations that make their own spikes; a network takes no input for them.

    One of your own defines :meth:`initial_state` and :meth:`spikes`.

    Args:
        shape: Number of neurons, or ``(depth, height, width)`` [1].
        tags: Names by which it can be found.

    Example:
        >>> import conex_nn as cx
        >>> class Metronome(SpikeGenerator):
        ...     def initial_state(self, x):
        ...         return torch.zeros((), dtype=torch.long), x
        ...     def spikes(self, state, steps, *, dt):
        ...         begin, x = state
        ...         beat = (begin + torch.arange(steps)) % 10 == 0
        ...         return beat.reshape(-1, *[1] * x.dim()).expand(steps, *x.shape).to(x.dtype), (begin + steps, x)
        >>> net = cx.Neocortex(retina=cx.InputLayer(2), beat=Metronome(3), v1=cx.Population(3, cx.LIF()))
        >>> _ = net.connect("beat", "v1", cx.OneToOne, weight=torch.full((3,), 20.0))
        >>> out, state = net({"retina": torch.zeros(30, 2)})
        >>> out["v1"].detach().sum(0)
        tensor([3., 3., 3.])
    """

    takes_input = False

    def initial_state(self, x: Tensor) -> Any:
        """Return the fast state before the first step.

        Args:
            x: Something in the shape of one step, ``(*batch, *shape)``, for its batch, dtype and device.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `initial_state(self, x)`.")

    def spikes(self, state: Any, steps: int, *, dt: float) -> tuple[Tensor, Any]:
        """Return the spikes of the next steps, and the state after them.

        Args:
            state: Fast state before these steps.
            steps: Number of steps [1].
            dt: Length of a step [ms].

        Returns:
            Spikes, ``(steps, *batch, *shape)`` [1], and the fast state.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `spikes(self, state, steps, *, dt)`.")
