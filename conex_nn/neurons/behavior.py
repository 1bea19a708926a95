"""What happens to a population at a named place of its step, besides integration and firing."""

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Behavior", "constant"]


class Behavior(nn.Module):
    """What happens at a named place of a population's step.

    Subclass it and define one or more of the places, :meth:`current`, :meth:`membrane` and :meth:`spikes`. What lasts
    from step to step is fast state: made by :meth:`initial_state`, passed in and returned. What is learned is slow
    state: buffers and parameters, moved in ``train()`` mode only, and replaced, never written to in place, since a
    backward pass may still need the old values.

    The neurons' constants (``neuron.v_rest``, ``neuron.v_threshold`` ...) can be read at each place. A population calls
    :meth:`bind` once; a behavior belongs to one population.

    Example:
        >>> class Leash(Behavior):
        ...     def __init__(self, v_min):
        ...         super().__init__()
        ...         self.v_min = v_min
        ...     def membrane(self, v, state, neuron, *, dt):
        ...         return v.clamp(min=self.v_min), state
        >>> leash = Leash(v_min=-1.0)
        >>> leash.places
        ('membrane',)
        >>> leash.membrane(torch.tensor([-2.0, 0.5]), (), None, dt=1.0)
        (tensor([-1.0000,  0.5000]), ())
    """

    enabled: bool = True
    """Whether it takes part in the step; a network switches it."""
    tags: tuple[str, ...] = ()
    """Names by which it can be found."""
    shape: torch.Size | None = None
    """Shape of the population that it belongs to."""
    moves: tuple[str, Tensor] | None = None
    """Name of the neurons' constant that it moves, and the value from which it does."""

    @property
    def places(self) -> tuple[str, ...]:
        """The places that this class defines, in the order of a step."""
        return tuple(
            place
            for place in ("current", "membrane", "spikes")
            if getattr(type(self), place) is not getattr(Behavior, place)
        )

    def bind(self, shape: torch.Size, neuron: nn.Module) -> None:
        """Learn of the population to which it belongs; called once, by the population.

        Args:
            shape: Shape of the population.
            neuron: Its neurons.

        Raises:
            ValueError: It belongs to a population of another shape already.
        """
        if self.shape is not None and self.shape != shape:
            raise ValueError(
                f"Expected {type(self).__name__} to belong to one population, got a second one of shape "
                f"{tuple(shape)} after one of {tuple(self.shape)}. Make one for each."
            )
        self.shape = torch.Size(shape)

    def initial_state(self, x: Tensor) -> Any:
        """Return the fast state before the first step: none, unless a subclass says otherwise.

        Args:
            x: Something in the shape of one step, ``(*batch, *neurons)``, for its dtype and device.
        """
        return ()

    def current(self, current: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        """Act after the dendrite, before the membrane.

        Args:
            current: Current into the membrane, ``(*batch, *neurons)`` [nA].
            state: Fast state before the step.
            neuron: The population's neurons.
            dt: Length of the step [ms].

        Returns:
            The current, possibly changed, and the fast state after the step.
        """
        return current, state

    def membrane(self, v: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        """Act after integration, before firing.

        Args:
            v: Membrane potential, ``(*batch, *neurons)`` [mV].
            state: Fast state before the step.
            neuron: The population's neurons.
            dt: Length of the step [ms].

        Returns:
            The potential, possibly changed, and the fast state after the step.
        """
        return v, state

    def spikes(self, spikes: Tensor, state: Any, neuron: nn.Module, *, dt: float) -> tuple[Tensor, Any]:
        """Act after firing and reset.

        Args:
            spikes: Spikes, ``(*batch, *neurons)`` [1].
            state: Fast state before the step, or as :meth:`membrane` left it.
            neuron: The population's neurons.
            dt: Length of the step [ms].

        Returns:
            The spikes, possibly changed, and the fast state after the step.
        """
        return spikes, state


def constant(neuron: nn.Module, name: str) -> Tensor:
    """Return a constant of a population's neurons.

    Args:
        neuron: The neurons.
        name: Name of the constant.

    Raises:
        TypeError: They have none of this name.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> constant(LIF(), "v_threshold")
        tensor([1.])
    """
    value = getattr(neuron, name, None)
    if not isinstance(value, Tensor):
        raise TypeError(
            f"Expected the neurons to have a constant `{name}`, got {type(neuron).__name__} without. In a class of "
            f"your own it is a buffer: `self.register_buffer({name!r}, torch.tensor([1.0]))`."
        )
    return value
