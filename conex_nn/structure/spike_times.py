"""Neurons that fire at given times."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from typing_extensions import override

from conex_nn.kept import kept
from conex_nn.structure.spike_generator import SpikeGenerator

__all__ = ["Clock", "SpikeTimes"]

_NEARLY = 1e-3
"""Part of a step by which a time may miss one: what rounding leaves."""


class Clock(NamedTuple):
    """Fast state of what only has to know the time."""

    step: Tensor
    """Number of the next step [1]."""
    like: Tensor
    """Nothing, in the shape of one step, ``(*batch, *shape)`` [1]."""


class SpikeTimes(SpikeGenerator):
    """Neurons that fire at given times, in every sample of a batch.

    Args:
        shape: Number of neurons, or ``(depth, height, width)`` [1].
        times: Times of spikes, whole steps of the run, in any order; 0 is the first step [ms].
        neurons: Which neuron fires at each of them, by its number in the order of ``flatten``; None for all of them at
            each [1].
        tags: Names by which it can be found.

    Raises:
        TypeError: Something that is no number.
        ValueError: Negative times, others than neurons, neurons that do not exist; in a run, a time that is no whole
            number of steps, or one neuron twice in a step.

    Example:
        >>> generator = SpikeTimes(3, times=[0.0, 2.0, 2.0], neurons=[0, 1, 2])
        >>> spikes, state = generator.spikes(generator.initial_state(torch.zeros(3)), 4, dt=1.0)
        >>> spikes
        tensor([[1., 0., 0.],
                [0., 0., 0.],
                [0., 1., 1.],
                [0., 0., 0.]])
    """

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        times: Sequence[float] | Tensor,
        neurons: Sequence[int] | Tensor | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        super().__init__(shape, tags=tags)
        # No buffers: a network in single precision would round times, which have to be whole steps.
        found, order = _numbers("times", times, torch.float64, unit="ms").sort(stable=True)
        if len(found) and not (found[0] >= 0 and found[-1].isfinite()):
            raise ValueError(
                f"Expected `times` to be finite and not negative [ms], got values from {found[0]:g} to {found[-1]:g}."
            )
        self.times = found
        self.neurons = None if neurons is None else self._check(_numbers("neurons", neurons, torch.long), order)

    def _check(self, neurons: Tensor, order: Tensor) -> Tensor:
        """Return neurons in the order of times, having checked them."""
        if len(neurons) != len(order):
            raise ValueError(f"Expected `neurons` to be one for each of {len(order)} `times` [1], got {len(neurons)}.")
        if len(neurons) and not (int(neurons.min()) >= 0 and int(neurons.max()) < self.shape.numel()):
            raise ValueError(
                f"Expected `neurons` of 0 to {self.shape.numel() - 1} [1], got values from {int(neurons.min())} to "
                f"{int(neurons.max())}."
            )
        return neurons[order]

    @override
    def initial_state(self, x: Tensor) -> Clock:
        return Clock(torch.zeros((), dtype=torch.long, device=x.device), x.new_zeros(()).expand(x.shape))

    def at(self, *, dt: float) -> Tensor:
        """Return the step of every spike, in ascending order [1].

        Args:
            dt: Length of a step [ms].

        Raises:
            ValueError: A time is no whole number of steps, or one neuron fires twice in a step.
        """

        def make() -> Tensor:
            exact = self.times / dt
            steps = exact.round()
            off = (exact - steps).abs() > _NEARLY
            if bool(off.any()):
                first = float(self.times[off][0])
                raise ValueError(
                    f"Expected `times` to be whole numbers of steps of {dt:g} ms [ms], got {first:.9g}. The nearest is "
                    f"{round(first / dt) * dt:.9g}; take shorter steps, or round them."
                )
            steps = steps.long()
            spikes = steps if self.neurons is None else steps * self.shape.numel() + self.neurons
            if len(spikes.unique()) < len(spikes):
                raise ValueError(
                    f"Expected `times` at which no neuron fires twice in a step of {dt:g} ms [ms], got "
                    f"{len(spikes) - len(spikes.unique())} that do. Take shorter steps, or leave these out."
                )
            return steps

        return kept(self, "at", dt, make, of=[self.times])

    @override
    def spikes(self, state: Clock, steps: int, *, dt: float) -> tuple[Tensor, Clock]:
        like, size = state.like, self.shape.numel()
        batch = like.shape[: like.dim() - len(self.shape)]
        out = like.new_zeros(steps, batch.numel(), size)
        if not out.is_meta:
            at, begin = self.at(dt=dt), int(state.step)
            low, high = torch.searchsorted(at, torch.tensor([begin, begin + steps])).tolist()
            rows = (at[low:high] - begin).to(like.device)
            if self.neurons is None:
                out[rows] = 1
            else:
                out[rows, :, self.neurons[low:high].to(like.device)] = 1
        return out.reshape(steps, *batch, *self.shape), state._replace(step=state.step + steps)

    @override
    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {len(self.times)} spikes"


def _numbers(name: str, values: Any, dtype: torch.dtype, *, unit: str = "1") -> Tensor:
    """Return numbers as one row."""
    try:
        found = torch.as_tensor(values)
        found = found.to(dtype) if isinstance(values, Tensor) else torch.as_tensor(values, dtype=dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"Expected `{name}` to be numbers [{unit}], got {values!r}.") from error
    if dtype == torch.long and torch.as_tensor(values).is_floating_point() and found.numel():
        raise TypeError(f"Expected `{name}` to be whole numbers [{unit}], got {torch.as_tensor(values).dtype}.")
    return found.detach().cpu().reshape(-1)
