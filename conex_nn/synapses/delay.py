"""Hand spikes on after a number of steps, one for all neurons or one for each."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.scan import check_sequence

__all__ = ["Delay"]


class Delay(nn.Module):
    r"""A delay line: :math:`y_i(t) = x_i(t - steps_i)`, and 0 before the first input.

    The state is what is on its way: the last ``maximum`` inputs, oldest first.

    Args:
        steps: Delay, a whole number, or a tensor of them that broadcasts to the neurons [steps].

    Raises:
        TypeError: It is no whole number and no tensor of them.
        ValueError: It is negative.

    Example:
        >>> ys, state = Delay(torch.tensor([0, 2]))(torch.tensor([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
        >>> ys
        tensor([[1., 0.],
                [2., 0.],
                [3., 1.]])
        >>> state[:, 1]
        tensor([2., 3.])
    """

    steps: Tensor

    def __init__(self, steps: int | Tensor) -> None:
        super().__init__()
        whole = isinstance(steps, int) and not isinstance(steps, bool)
        if isinstance(steps, Tensor):
            whole = not (steps.is_floating_point() or steps.is_complex() or steps.dtype == torch.bool)
        if not whole:
            got = steps.dtype if isinstance(steps, Tensor) else repr(steps)
            raise TypeError(f"Expected `steps` to be whole numbers of steps of at least 0, got {got}.")
        tensor = steps.detach().long().clone() if isinstance(steps, Tensor) else torch.tensor(steps)
        self._range = _range_of(torch.tensor(steps, device="cpu") if isinstance(steps, int) else tensor)
        self.register_buffer("steps", tensor.reshape(tensor.shape or (1,)))
        self.register_load_state_dict_post_hook(_read_range)

    @property
    def minimum(self) -> int:
        """The shortest delay [steps]."""
        return self._known()[0]

    @property
    def maximum(self) -> int:
        """The longest delay, and the length of the state [steps]."""
        return self._known()[1]

    def _known(self) -> tuple[int, int]:
        if self._range is None:
            raise RuntimeError(
                "Expected `steps` to hold values, got a delay that was made on the meta device: load a state_dict."
            )
        return self._range

    def initial_state(self, x: Tensor) -> Tensor:
        """Return an empty delay line.

        Args:
            x: Input of one step, ``(*batch, *neurons)``, for its shape and device.

        Returns:
            Zeros, ``(maximum, *batch, *neurons)``.
        """
        return x.new_zeros(self.maximum, *x.shape)

    def step(self, x: Tensor, state: Tensor, *, dt: float = 1.0) -> tuple[Tensor, Tensor]:
        """Advance by one step.

        Args:
            x: Input, ``(*batch, *neurons)``.
            state: State before the step.
            dt: Length of the step, which does not matter: delays are counted in steps [ms].

        Returns:
            Output, and the state after the step.
        """
        ys, state = self._run(x[None], state)
        return ys[0], state

    @override
    def forward(self, xs: Tensor, state: Tensor | None = None, *, dt: float = 1.0) -> tuple[Tensor, Tensor]:
        """Advance over a sequence.

        Args:
            xs: Input, ``(time, *batch, *neurons)``.
            state: State before the first step; None for :meth:`initial_state`.
            dt: Length of a step, which does not matter: delays are counted in steps [ms].

        Returns:
            Output of all steps, ``(time, *batch, *neurons)``, and the state after the last. Without any delay the
            output is the input itself.

        Raises:
            ValueError: An empty sequence, or a state of another shape.
        """
        check_sequence(xs, name="xs")
        return self._run(xs, self.initial_state(xs[0]) if state is None else state)

    def _run(self, xs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        steps, delay = len(xs), self.maximum
        after = self.push(xs, state)
        if delay == 0:
            return xs, after
        if self.minimum < delay:
            return self._gather(torch.cat([state, xs]), steps), after
        return (state[:steps] if steps <= delay else torch.cat([state, xs[: steps - delay]])), after

    def read(self, state: Tensor, steps: int) -> Tensor:
        """Return the next outputs, which the state alone decides.

        Args:
            state: State before them.
            steps: How many, at most ``minimum``.

        Returns:
            Outputs, ``(steps, *batch, *neurons)``.

        Raises:
            ValueError: More steps than the shortest delay.

        Example:
            >>> delay = Delay(2)
            >>> state = delay.push(torch.tensor([[1.0], [2.0]]), delay.initial_state(torch.zeros(1)))
            >>> delay.read(state, 2)
            tensor([[1.],
                    [2.]])
        """
        if not 0 <= steps <= self.minimum:
            raise ValueError(
                f"Expected `steps` from 0 to the shortest delay, {self.minimum}, got {steps}: later outputs depend on "
                "inputs to come."
            )
        self._check_state(state, state.shape[1:])
        if self.minimum < self.maximum:
            return self._gather(state, steps)
        return state if steps == self.maximum else state[:steps]  # a cut costs its gradient a copy

    def push(self, xs: Tensor, state: Tensor) -> Tensor:
        """Return the state after a sequence.

        Args:
            xs: Input, ``(time, *batch, *neurons)``.
            state: State before the first step.

        Returns:
            State after the last.

        Raises:
            ValueError: A state of another shape.
        """
        self._check_state(state, xs.shape[1:])
        steps, delay = len(xs), self.maximum
        if steps == delay:
            return xs.clone()  # the caller may fill it anew
        if steps < delay:
            return torch.cat([state[steps:], xs])
        return xs[steps - delay :].clone()  # a view would keep the whole sequence

    def _check_state(self, state: Tensor, shape: torch.Size) -> None:
        expected = (self.maximum, *shape)
        if state.shape != expected:
            raise ValueError(
                f"Expected `state` of shape {expected} (maximum delay, *batch, *neurons), got {tuple(state.shape)}."
            )

    def _gather(self, line: Tensor, steps: int) -> Tensor:
        """Return the outputs of the first steps from all inputs that they can have, the oldest first."""
        neurons = self.steps.shape
        if len(neurons) > line.dim() - 1 or any(
            size not in (1, there) for size, there in zip(reversed(neurons), reversed(line.shape[1:]), strict=False)
        ):
            raise ValueError(
                f"Expected inputs whose neurons `steps` of shape {tuple(neurons)} broadcasts to, got one step of shape "
                f"{tuple(line.shape[1:])}."
            )
        time = torch.arange(steps, device=line.device).reshape(steps, *[1] * (line.dim() - 1))
        index = time + (self.maximum - self.steps)
        return line.gather(0, index.expand(steps, *line.shape[1:]))

    @override
    def extra_repr(self) -> str:
        if self._range is None:
            return "steps unknown"
        return f"{self.minimum}" if self.minimum == self.maximum else f"{self.minimum} to {self.maximum}"


def _range_of(steps: Tensor) -> tuple[int, int] | None:
    """Return the shortest and the longest delay, or None where the values are unknown."""
    if steps.is_meta:
        return None
    if not steps.numel():
        raise ValueError("Expected `steps` of at least one neuron, got an empty tensor.")
    least, most = int(steps.min()), int(steps.max())
    if least < 0:
        raise ValueError(f"Expected `steps` to be whole numbers of steps of at least 0, got {least}.")
    return least, most


def _read_range(module: nn.Module, _: Any) -> None:
    """Learn the range of the delays that a state_dict brought."""
    if isinstance(module, Delay):
        module._range = _range_of(module.steps)
