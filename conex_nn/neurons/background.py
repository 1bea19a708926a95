"""What arrives at the neurons of a population by itself, besides what its connections bring."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.parameters import register, shown

__all__ = ["Background", "ConstantDrive"]


class Background(nn.Module):
    """A current that arrives at a population's neurons by itself: at a compartment, or injected into the membrane.

    One of your own defines :meth:`forward`, and :meth:`initial_state` where something lasts from step to step. A
    population calls :meth:`bind` once; a background belongs to one population.

    Args:
        compartment: Where it arrives; None for the membrane itself, past the dendrite.

    Example:
        >>> class Ramp(Background):
        ...     def initial_state(self, x):
        ...         return torch.zeros((), device=x.device)
        ...     def forward(self, state, steps, x, *, dt):
        ...         times = state + dt * torch.arange(steps, device=x.device)
        ...         current = 0.01 * times.reshape(-1, *[1] * x.dim())
        ...         return current.expand(steps, *x.shape), state + steps * dt
        >>> current, state = Ramp()(torch.zeros(()), 3, torch.zeros(2), dt=1.0)
        >>> current[:, 0], state
        (tensor([0.0000, 0.0100, 0.0200]), tensor(3.))
    """

    enabled: bool = True
    """Whether it arrives; a network switches it. While it is off its state stands still."""
    tags: tuple[str, ...] = ()
    """Names by which it can be found."""
    shape: torch.Size | None = None
    """Shape of the population that it belongs to."""

    def __init__(self, compartment: str | None = None) -> None:
        super().__init__()
        self.compartment = compartment

    def bind(self, shape: torch.Size) -> None:
        """Learn of the population to which it belongs; called once, by the population.

        Args:
            shape: Shape of the population.

        Raises:
            ValueError: It belongs to a population already, or a constant does not fit the shape.
        """
        if self.shape is not None and self.shape != shape:
            raise ValueError(
                f"Expected {type(self).__name__} to belong to one population, got a second one of shape "
                f"{tuple(shape)} after one of {tuple(self.shape)}. Make one for each."
            )
        for name, constant in (*self.named_buffers(), *self.named_parameters()):
            ends = zip(reversed(constant.shape), reversed(shape), strict=False)
            if constant.dim() > max(len(shape), 1) or not all(own in (1, axis) for own, axis in ends):
                raise ValueError(
                    f"Expected `{name}` of {type(self).__name__} to be a number or to fit the population's shape "
                    f"{tuple(shape)}, got shape {tuple(constant.shape)}."
                )
        self.shape = torch.Size(shape)

    def initial_state(self, x: Tensor) -> Any:
        """Return the fast state before the first step: none, unless a subclass says otherwise.

        Args:
            x: Something in the shape of one step, ``(*batch, *neurons)``, for its dtype and device.
        """
        return ()

    @override
    def forward(self, state: Any, steps: int, x: Tensor, *, dt: float) -> tuple[Tensor, Any]:
        """Return what arrives in the next steps, and the state after them.

        Args:
            state: Fast state before these steps.
            steps: Number of steps [1].
            x: Something in the shape of one step, ``(*batch, *neurons)``.
            dt: Length of a step [ms].

        Returns:
            Current, ``(steps, *batch, *neurons)`` [nA], and the fast state.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `forward(self, state, steps, x, *, dt)`.")


class ConstantDrive(Background):
    """A constant current, as from an electrode.

    Args:
        current: The current, or one per neuron; trainable if an ``nn.Parameter`` [nA].
        compartment: Where it arrives in each step, for example one that pulls; None for the membrane itself. With a
            ``tau_syn`` what arrives in one step adds to what is left of the steps before.

    Raises:
        TypeError: ``current`` is no number and no tensor.
        ValueError: It is not finite.

    Example:
        >>> import conex_nn as cx
        >>> population = cx.Population(2, cx.LIF(tau_mem=10.0), background=ConstantDrive(torch.tensor([0.9, 1.1])))
        >>> spikes, state = population({"proximal": torch.zeros(100, 2)})
        >>> spikes.sum(0)
        tensor([0., 4.])
    """

    current: Tensor

    def __init__(self, current: float | Tensor, compartment: str | None = None) -> None:
        super().__init__(compartment)
        register(self, "current", current, unit="nA")

    @override
    def forward(self, state: Any, steps: int, x: Tensor, *, dt: float) -> tuple[Tensor, Any]:
        return self.current.expand(steps, *x.shape), state

    @override
    def extra_repr(self) -> str:
        where = "" if self.compartment is None else f", compartment={self.compartment!r}"
        return f"current={shown(self.current)}{where}"
