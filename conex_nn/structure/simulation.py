"""What a simulation leaves: events, sampled variables, rates, the state, and how long it took."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.durations import in_steps
from conex_nn.structure.engine import NetworkState
from conex_nn.structure.events import Events
from conex_nn.structure.recording import Recording, nearest

__all__ = ["Simulation"]


class _EventsByAddress(Mapping[str, Events]):
    """Events of populations by address."""

    def __init__(self, recording: Recording, counted: Mapping[str, int]) -> None:
        self._recording, self._counted = recording, counted
        self._addresses = [name.removesuffix(".spikes") for name in recording]

    @override
    def __getitem__(self, address: str) -> Events:
        if address not in self._addresses:
            hint = nearest(address, self._addresses) if self._addresses else ""
            if address in self._counted:
                hint = f" Ask for it: `net.simulate(..., record=[{address!r}])`."
            raise KeyError(f"Expected a population whose spikes were recorded, got {address!r}.{hint}")
        return self._recording.events(address)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    @override
    def __len__(self) -> int:
        return len(self._addresses)


class Simulation(Mapping[str, Tensor]):
    """What :meth:`Neocortex.simulate` returns. ``simulation["v1.exc.v"]`` is a variable that was recorded.

    Args:
        spikes: Spikes as events.
        variables: All else that was recorded.
        counts: Spikes of each population that spikes, of all its neurons and samples, by address [1].
        neurons: Neurons of each times samples, by address [1].
        state: State after the last step.
        steps: How many steps were run [1].
        dt: Length of a step [ms].
        seconds: How long that took [s].
        interrupted: Whether it was stopped before its end.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(retina=cx.InputLayer(4), v1=cx.Population(8, cx.LIF()), dt=0.5)
        >>> _ = net.connect("retina", "v1", cx.Dense, init=torch.nn.init.ones_)
        >>> found = net.simulate("50 ms", torch.ones(100, 4), record={"v1": ["spikes", "v"]}, every="5 ms", where=2)
        >>> found.events["v1"]
        Events(128 in 100 steps, shape=(8,), batch=())
        >>> found["v1.v"].shape, found.rates()
        (torch.Size([10, 2]), {'v1': 320.0})
    """

    def __init__(
        self,
        spikes: Recording,
        variables: Recording,
        *,
        counts: Mapping[str, int],
        neurons: Mapping[str, int],
        state: NetworkState,
        steps: int,
        dt: float,
        seconds: float,
        interrupted: bool = False,
    ) -> None:
        self.recording = variables
        """Variables other than spikes, as :meth:`Neocortex.record` gives them."""
        self.events: Mapping[str, Events] = _EventsByAddress(spikes, counts)
        """Spikes of each population that was recorded, by address."""
        self.state, self.steps, self.dt, self.seconds, self.interrupted = state, steps, dt, seconds, interrupted
        self._counts, self._neurons = dict(counts), dict(neurons)

    @property
    def duration(self) -> float:
        """How much time was simulated [ms]."""
        return self.steps * self.dt

    @property
    def real_time_factor(self) -> float:
        """How long it took, by how much was simulated [1]: below 1 it was faster than life."""
        return 1000 * self.seconds / self.duration

    def rates(self, begin: int | str = 0, end: int | str | None = None) -> dict[str, float]:
        """Return the mean rate of each population that spikes, over its neurons and samples.

        Args:
            begin: From which step on [1], or from which time, such as ``"200 ms"``: that leaves out how it began.
            end: Up to which step or time; None for the end.

        Returns:
            Rates by address [Hz]. Of a part of the time, those of the populations whose spikes were recorded.

        Raises:
            ValueError: A part that is empty or not inside of what was simulated.
        """
        counts, steps = self._counts, self.steps
        if begin != 0 or end is not None:
            parts = {address: events.between(begin, end) for address, events in self.events.items()}
            counts = {address: len(events) for address, events in parts.items() if address in self._counts}
            steps = next((events.steps for events in parts.values()), steps)
        return {path: 1000 * count / (self._neurons[path] * steps * self.dt) for path, count in counts.items()}

    def population_rate(self, address: str, width: int | str = 1) -> Tensor:
        """Return the mean rate of a population in bins of time.

        Args:
            address: Of a population whose spikes were recorded.
            width: Length of a bin in steps [1], or such as ``"3 ms"``.

        Returns:
            ``(bins, *batch)`` [Hz].

        Raises:
            KeyError: Its spikes were not recorded.
            ValueError: A width of no step, or longer than what was simulated.
        """
        events, steps = self.events[address], in_steps(width, dt=self.dt, name="width")
        if not 1 <= steps <= self.steps:
            raise ValueError(f"Expected `width` from 1 to {self.steps} steps [1], got {steps}.")
        return events.counts(steps) * (1000 / (events.shape.numel() * steps * self.dt))

    def spikes(
        self, address: str, begin: int | str = 0, end: int | str | None = None, *, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return spikes of a population as a tensor, one number for each step and neuron.

        Args:
            address: Of a population whose spikes were recorded.
            begin: First step [1], or such a time as ``"100 ms"``.
            end: The step after the last [1], or such a time; None for the end.
            dtype: Of the numbers.

        Returns:
            ``(time, *batch, *shape)``.

        Raises:
            KeyError: Its spikes were not recorded.
            ValueError: A part that is empty or not inside of what was simulated.
        """
        return self.events[address].between(begin, end).dense(dtype)

    @override
    def __getitem__(self, name: str) -> Tensor:
        return self.recording[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self.recording)

    @override
    def __len__(self) -> int:
        return len(self.recording)

    @override
    def __repr__(self) -> str:
        stopped = ", interrupted" if self.interrupted else ""
        rates = ", ".join(f"{address} {rate:.2f} Hz" for address, rate in self.rates().items())
        return f"Simulation({self.duration:g} ms in {self.seconds:.2f} s{stopped}: {rates or 'no population spikes'})"
