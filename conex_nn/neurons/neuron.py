"""What every neuron model is: a step, and what follows from it."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.scan import Observer, check_sequence, check_state, in_blocks, scan

__all__ = ["Neuron"]

_WIDEST = 30.0  # trainable positive constants stay within e^-30 and e^30 and so finite, whatever the optimizer does


class Neuron(nn.Module):
    """Base of all neuron models.

    A model of your own defines ``State``, a NamedTuple of tensors, and ``step``; it then runs over sequences and
    batches, carries state from call to call when asked to, is recorded, checkpointed and tested like ours. State is
    a value: it goes in and comes out, and nothing has to be reset.

    In place of ``step`` a model may define its two halves, ``charge(current, state, *, dt) -> v``, the potential before
    firing, and ``fire(v, state, *, dt) -> (spikes, state)``. It can then be used with what comes between them in a
    population: noise, k winners, voltage homeostasis, a :class:`Behavior` of your own at ``membrane``; those that need
    to know where it fires look for buffers ``v_threshold`` and ``v_reset``.

    Example:
        >>> from typing import NamedTuple
        >>> class Counter(Neuron):
        ...     class State(NamedTuple):
        ...         count: Tensor
        ...     def step(self, current, state, *, dt=1.0):
        ...         count = state.count + current * dt
        ...         spikes = (count >= 3).to(count.dtype)
        ...         return spikes, self.State(count - 3 * spikes)
        >>> spikes, state = Counter()(torch.ones(4, 1))
        >>> spikes.flatten(), state
        (tensor([0., 0., 1., 0.]), State(count=tensor([1.])))
    """

    State: type[Any]

    def initial_state(self, x: Tensor) -> Any:
        """Return the state before the first step: zeros, unless a model says otherwise.

        Args:
            x: Input of one step, ``(*batch, *neurons)``, for its shape and device.
        """
        return self.State(*(torch.zeros_like(x) for _ in self.State._fields))

    def step(self, current: Tensor, state: Any, *, dt: float = 1.0) -> tuple[Tensor, Any]:
        """Advance by one step.

        Args:
            current: Input current, ``(*batch, *neurons)`` [nA].
            state: State before the step.
            dt: Length of the step [ms].

        Returns:
            Output (spikes, for most models), and the state after the step.
        """
        charge, fire = (getattr(self, name, None) for name in ("charge", "fire"))
        if charge is None or fire is None:
            raise TypeError(
                f"Expected {type(self).__name__} to define `step(self, current, state, *, dt)`, or `charge` and `fire`."
            )
        return fire(charge(current, state, dt=dt), state, dt=dt)

    def fused(self, current: Tensor, state: Any, *, dt: float) -> tuple[Tensor, Any] | None:
        """Advance over a sequence in one pass, or return None where there is no kernel for it."""
        return None

    @override
    def forward(
        self,
        current: Tensor,
        state: Any = None,
        *,
        dt: float = 1.0,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
        observe: Observer | None = None,
    ) -> tuple[Tensor, Any]:
        """Advance over a sequence.

        Args:
            current: Input current, ``(time, *batch, *neurons)`` [nA].
            state: State before the first step; None for :meth:`initial_state`.
            dt: Length of a step [ms].
            detach_every: Steps after which gradients stop (truncated back-propagation through time).
            checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept.
            observe: Called after each step with its output and state; the steps are then run one by one.

        Returns:
            Outputs of all steps ``(time, *batch, *neurons)``, and the state after the last.

        Raises:
            TypeError: A dtype that does not fit the neuron's parameters.
            ValueError: A shape that does not fit, an empty sequence, a step length that is not positive.
        """
        check_sequence(current, name="current")
        if not dt > 0:
            raise ValueError(f"Expected `dt` to be positive [ms], got {dt}.")
        initial = self.initial_state(current[0])
        if state is None:
            state = initial
        else:
            check_state(state, initial, current)

        returned = False  # what a backward pass computes again is not observed again

        def run(xs: Tensor, state: Any) -> tuple[Tensor, Any]:
            result = None if observe is not None else self.fused(xs, state, dt=dt)
            if result is not None:
                return result
            watch = None if returned else observe
            return scan(lambda x, s: self.step(x, s, dt=dt), xs, state, observe=watch)

        result = in_blocks(run, current, state, detach_every=detach_every, checkpoint_every=checkpoint_every)
        returned = True
        return result

    def __getattr__(self, name: str) -> Any:
        """Find a constant; a trainable positive one is kept as its logarithm."""
        buffers = self.__dict__.get("_buffers")
        if buffers is not None and name in buffers:
            return buffers[name]
        logarithm = self.__dict__.get("_parameters", {}).get(f"log_{name}")
        return super().__getattr__(name) if logarithm is None else logarithm.clamp(-_WIDEST, _WIDEST).exp()

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse to hide a trainable constant behind a plain number."""
        if f"log_{name}" in self.__dict__.get("_parameters", {}):
            raise AttributeError(
                f"Expected `{name}` to be changed through its parameter, `log_{name}`: it is trainable and kept as its "
                f"logarithm. Use `neuron.log_{name}.data.copy_(...)`."
            )
        super().__setattr__(name, value)
