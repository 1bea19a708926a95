"""snnTorch's neurons in place of ours."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.neurons.neuron import Neuron

__all__ = ["FromSnnTorch"]


class FromSnnTorch(Neuron):
    """A snnTorch neuron (``Leaky``, ``Synaptic``, ``Alpha``, ``Lapicque`` ...) as a neuron of ours.

    Its state becomes a value like any other: it is passed in and returned, and nothing stays on snnTorch's module.
    snnTorch's equations know no ``dt``; their step is one step whatever its length.

    Args:
        neuron: Made with ``init_hidden=False``, its default.

    Raises:
        TypeError: It is no snnTorch neuron.
        ValueError: It keeps its state to itself (``init_hidden=True``).

    Example:
        >>> import snntorch
        >>> spikes, state = FromSnnTorch(snntorch.Leaky(beta=0.9))(torch.full((4, 1), 0.4))
        >>> spikes.flatten()
        tensor([0., 0., 1., 0.])
    """

    def __init__(self, neuron: torch.nn.Module) -> None:
        super().__init__()
        reset = getattr(neuron, "reset_mem", None)
        if reset is None or not hasattr(neuron, "init_hidden"):
            raise TypeError(f"Expected `neuron` to be a spiking neuron of snnTorch, got {type(neuron).__name__}.")
        if neuron.init_hidden:
            raise ValueError("Expected `neuron` with init_hidden=False: its state has to go in and come out.")
        self.neuron = neuron
        self._attributes = frozenset(vars(neuron))
        self._clear()

    def _clear(self) -> tuple[Tensor, ...]:
        """Empty the state that snnTorch keeps on its module, and return it."""
        reset: Callable[[], Any] = self.neuron.reset_mem  # pyright: ignore[reportAssignmentType]
        kept = reset()
        kept = kept if isinstance(kept, tuple) else (kept,)
        for name in self.neuron._non_persistent_buffers_set:
            buffer = self.neuron._buffers[name]
            if buffer is not None and buffer.numel() != 0:
                self.neuron._buffers[name] = buffer.new_zeros(0)
        for name, value in list(vars(self.neuron).items()):  # such as `reset`, or the graph of the last spikes
            if isinstance(value, Tensor) and name not in self._attributes:
                delattr(self.neuron, name)
        return kept

    @override
    def initial_state(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.zeros_like(x) for _ in self._clear())

    @override
    def step(self, current: Tensor, state: tuple[Tensor, ...], *, dt: float = 1.0) -> tuple[Tensor, tuple[Tensor, ...]]:
        spikes, *after = self.neuron(current, *state)
        self._clear()
        spikes = spikes.to(current.dtype)
        return spikes, tuple(after) if len(after) == len(state) else (spikes, *after)  # recurrent: spikes are state
