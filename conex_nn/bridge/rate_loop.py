"""An area of a rate network and a population of spiking neurons that drive each other, differentiably."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.neurons import LI, Neuron
from conex_nn.rates import CTRNN, CTRNNState, Sparsity, constrain
from conex_nn.scan import check_sequence, check_state, in_blocks, scan

__all__ = ["RateLoop", "RateLoopState"]


class RateLoopState(NamedTuple):
    """Fast state of a rate network in a loop with spiking neurons."""

    rates: CTRNNState
    """State of the rate network."""
    neuron: Any
    """State of the spiking neurons."""
    filtered: Any
    """Their spikes, low-pass filtered [1]."""


class RateLoop(nn.Module):
    """A rate network, one area of which drives a population of spiking neurons and is driven by its filtered spikes.

    Within a step, the rate network sees the input and the spikes filtered up to the step before; then the rates of the
    area drive the spiking neurons through ``loop.forth``; then their spikes are filtered. The way back is the last
    inputs of the rate network, which reach the area alone. Gradients pass both ways, through the spikes by the
    surrogate of the neurons.

    Args:
        net: The rate network. Of its inputs, the last ``size`` are for the filtered spikes; its input weights are
            constrained here so that these reach the area only.
        neuron: The spiking neurons.
        area: Name of the area in ``net.areas``.
        size: Number of spiking neurons.
        tau: Time constant of the filter [ms].

    Raises:
        ValueError: A network without areas, or with too few inputs.
        KeyError: No such area.

    Example:
        >>> import conex_nn as cx
        >>> from conex_nn.rates import MultiArea
        >>> net = CTRNN(2 + 10, 30, output_size=1, areas=MultiArea({"v1": 20, "pfc": 10}))
        >>> loop = RateLoop(net, cx.LIF(), area="pfc", size=10)
        >>> output, state = loop(torch.rand(25, 4, 2))
        >>> output.shape
        torch.Size([25, 4, 1])
    """

    place: Tensor

    def __init__(self, net: CTRNN, neuron: Neuron, *, area: str, size: int, tau: float = 20.0) -> None:
        super().__init__()
        if net.areas is None:
            raise ValueError("Expected `net` with areas, got a CTRNN without.")
        if net.input_size <= size:
            raise ValueError(
                f"Expected `net` with inputs beside the {size} for the filtered spikes, got {net.input_size} in all."
            )
        self.register_buffer("place", net.areas.index(area))
        allowed = torch.ones(net.hidden_size, net.input_size, dtype=torch.bool)
        allowed[:, net.input_size - size :] = False
        allowed[self.place, net.input_size - size :] = True
        constrain(net.input, Sparsity(allowed))
        self.net, self.neuron, self.size = net, neuron, size
        self.forth = nn.Linear(len(self.place), size)
        self.filter = LI(tau_mem=tau)

    def initial_state(self, x: Tensor) -> RateLoopState:
        """Return the state before the first step.

        Args:
            x: Input of one step, ``(*batch, inputs)``, without the filtered spikes.
        """
        expected = self.net.input_size - self.size
        if x.shape[-1] != expected:
            raise ValueError(f"Expected an input of {expected} features, got shape {tuple(x.shape)}.")
        spikes = x.new_zeros(*x.shape[:-1], self.size)
        rates = self.net.initial_state(torch.cat([x, spikes], -1))
        return RateLoopState(rates, self.neuron.initial_state(spikes), self.filter.initial_state(spikes))

    def step(self, x: Tensor, state: RateLoopState, *, dt: float = 1.0) -> tuple[Tensor, RateLoopState]:
        """Advance by one step.

        Args:
            x: Input, ``(*batch, inputs)`` [1].
            state: State before the step.
            dt: Length of the step [ms].

        Returns:
            Output of the rate network, and the state after the step.
        """
        self.net._check_step(dt)
        rate, state = self._step(x, state, dt)
        return self.net._read(rate), state

    def _step(self, x: Tensor, state: RateLoopState, dt: float) -> tuple[Tensor, RateLoopState]:
        """Advance by one step and return the rates, which are read out of all steps at once."""
        rate, rates = self.net._step(torch.cat([x, state.filtered.v], -1), state.rates, dt)
        spikes, neuron = self.neuron.step(self.forth(rate[..., self.place]), state.neuron, dt=dt)
        _, filtered = self.filter.step(spikes, state.filtered, dt=dt)
        return rate, RateLoopState(rates, neuron, filtered)

    @override
    def forward(
        self, xs: Tensor, state: RateLoopState | None = None, *, dt: float = 1.0, detach_every: int | None = None
    ) -> tuple[Tensor, RateLoopState]:
        """Advance over a sequence.

        Args:
            xs: Input, ``(time, *batch, inputs)`` [1].
            state: State before the first step; None for :meth:`initial_state`.
            dt: Length of a step [ms].
            detach_every: Steps after which gradients stop (truncated back-propagation through time).

        Returns:
            Outputs of all steps, and the state after the last.
        """
        check_sequence(xs)
        self.net._check_step(dt)
        if state is not None:
            for part, expected in zip(state, self.initial_state(xs[0]), strict=True):
                check_state(part, expected, xs)

        def run(block: Tensor, state: RateLoopState | None) -> tuple[Tensor, RateLoopState]:
            if state is None:  # made within the first block, which has its gradient
                state = self.initial_state(block[0])
            return scan(lambda x, s: self._step(x, s, dt), block, state)

        rates, last = in_blocks(run, xs, state, detach_every=detach_every)
        return self.net._read(rates), last
