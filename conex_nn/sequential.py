"""A chain of modules over whole sequences: state is threaded through, stateless modules see all steps at once."""

import contextlib
from typing import Any, Protocol, TypeGuard, cast

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from typing_extensions import override

from conex_nn.kernels.direct import plain
from conex_nn.kernels.spare import Spare
from conex_nn.neurons import IF, LIF, FromSnnTorch
from conex_nn.scan import Observer, check_sequence, in_blocks, scan

__all__ = ["SequenceDropout", "Sequential", "is_stateful"]

# What these do to one step they do to every step alike, so an input that is the same at each step needs them once.
_SAME_AT_EACH_STEP = (
    nn.Linear, nn.Identity, nn.ReLU, nn.Sigmoid, nn.Tanh,
    nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,  # copies of a batch have its mean and variance
    nn.Conv1d, nn.Conv2d, nn.Conv3d,
    nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
)  # fmt: skip
_NORMS = (nn.modules.batchnorm._NormBase,)  # they see time and batch as one: their statistics are of all steps
_MAKERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
"""What these return is a tensor of its own, which their backward pass does without."""
_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_SAMPLES = 256
"""Samples that a convolution on a CPU takes at once: as fast as all of them, with buffers that stay small."""
_RECURRENT = (nn.RNNBase, nn.RNNCellBase, nn.Transformer)


class _Stateful(Protocol):
    """What takes part in time."""

    def initial_state(self, x: Tensor, /) -> Any: ...

    def step(self, x: Tensor, state: Any, /, *, dt: float = 1.0) -> tuple[Tensor, Any]: ...

    def __call__(self, xs: Tensor, state: Any = None, /, *, dt: float = 1.0) -> tuple[Tensor, Any]: ...


def is_stateful(module: object) -> TypeGuard[_Stateful]:
    """Return whether a module takes part in time: whether it has ``initial_state`` and ``step``.

    Args:
        module: Any module.

    Example:
        >>> import conex_nn as cx
        >>> is_stateful(cx.LIF()), is_stateful(nn.Linear(2, 3))
        (True, False)
    """
    return callable(getattr(module, "initial_state", None)) and callable(getattr(module, "step", None))


class SequenceDropout(nn.Module):
    """Dropout with one mask for the whole sequence; ``nn.Dropout`` draws one for each step.

    Args:
        p: Probability that a unit is silent throughout [1].

    Example:
        >>> dropout = SequenceDropout(p=0.5)
        >>> ys, mask = dropout(torch.ones(3, 1, 4))
        >>> bool((ys[0] == ys[2]).all()), torch.equal(ys[0], mask)
        (True, True)

    References:
        Gal and Ghahramani, NeurIPS (2016), section 4.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise ValueError(f"Expected `p` to be at least 0 and below 1 [1], got {p}.")
        self.p = p

    def initial_state(self, x: Tensor) -> Tensor:
        """Draw a mask for an input of one step, ``(*batch, *neurons)``; all ones in ``eval()``."""
        if not self.training or self.p == 0:
            return torch.ones_like(x)
        return torch.empty_like(x).bernoulli_(1 - self.p).div_(1 - self.p)

    def step(self, x: Tensor, state: Tensor, *, dt: float = 1.0) -> tuple[Tensor, Tensor]:
        """Apply the mask to one step."""
        if state.shape != x.shape:
            raise ValueError(
                f"Expected the mask, `state`, of shape {tuple(x.shape)} for this input, got {tuple(state.shape)}: "
                "a state belongs to one batch size."
            )
        return (x * state if self.training and self.p else x), state

    @override
    def forward(self, xs: Tensor, state: Tensor | None = None, *, dt: float = 1.0) -> tuple[Tensor, Tensor]:
        """Apply one mask to a sequence ``(time, *batch, *neurons)``; return it as the state."""
        state = self.initial_state(xs[0]) if state is None else state
        self.step(xs[0], state)  # for its check
        return (xs * state if self.training and self.p else xs), state

    @override
    def extra_repr(self) -> str:
        return f"p={self.p}"


class Sequential(nn.Sequential):
    """A chain of modules over sequences, time first.

    Neurons (and anything else with ``initial_state`` and ``step``, another ``Sequential`` included) get the whole
    sequence and keep their state; every other torch module (Linear, Conv2d, BatchNorm, pooling ...) is run once over
    time and batch together. ``nn.Flatten()`` flattens the features of each sample, with its axes counted on ``(batch,
    *features)``; with ``start_dim=2`` or more they are counted on ``(time, batch, *features)``. ``nn.Dropout`` draws a
    mask for each step, :class:`SequenceDropout` one for the sequence. A snnTorch neuron is taken as it is.

    On a CPU, a chain with convolutions goes through time in blocks of a few steps, with the same results: what they
    need beside their results then stays small. A chain with batch normalization, hooks or modules that are not
    torch's own takes all steps at once.

    An input that is the same at each step (an expanded view, as ``encoders.ConstantCurrent`` makes) is computed once
    up to the first neurons.

    Args:
        modules: The chain, or one ordered dictionary of it, as for ``nn.Sequential``.

    Raises:
        TypeError: A recurrent torch module, or a module that hides neurons inside.
        ValueError: An ``nn.Flatten`` that would join samples.

    Example:
        >>> import conex_nn as cx
        >>> net = Sequential(nn.Linear(4, 8), cx.LIF(), nn.Linear(8, 2), cx.LI())
        >>> v, state = net(torch.rand(10, 3, 4))  # (time, batch, features)
        >>> v.shape
        torch.Size([10, 3, 2])
        >>> v, state = net(torch.rand(5, 3, 4), state)  # goes on where it stopped
    """

    @override
    def add_module(self, name: str, module: nn.Module | None) -> None:
        super().add_module(name, _admitted(name, module))

    @override
    def __setitem__(self, idx: int, module: nn.Module) -> None:
        super().__setitem__(idx, cast("nn.Module", _admitted(str(idx), module)))

    @override
    def insert(self, index: int, module: nn.Module) -> "Sequential":
        super().insert(index, cast("nn.Module", _admitted(str(index), module)))
        return self

    def initial_state(self, x: Tensor) -> tuple[Any, ...]:
        """Return the state of every module before the first step (None for stateless ones).

        Args:
            x: Input of one step, ``(batch, *features)``.
        """
        states = []
        training = {module for module in self.modules() if module.training}
        self.eval()  # what only looks ahead moves no running statistics
        try:
            with torch.no_grad():
                for name, module in self._modules.items():
                    if not is_stateful(module):
                        states.append(None)
                        x = _over_time(name, module, x[None])[0]
                    else:
                        inside = cast("nn.Module", module)
                        for inner in inside.modules():
                            inner.training = inner in training
                        states.append(module.initial_state(x))
                        inside.eval()
                        x, _ = module.step(x, states[-1])
        finally:
            for module in training:
                module.training = True
        return tuple(states)

    def step(self, x: Tensor, state: tuple[Any, ...], *, dt: float = 1.0) -> tuple[Tensor, tuple[Any, ...]]:
        """Advance by one step.

        Args:
            x: Input, ``(batch, *features)``.
            state: State before the step.
            dt: Length of the step [ms].

        Returns:
            Output of the last module, and the state after the step.
        """
        states = []
        for (name, module), inner in zip(self._modules.items(), state, strict=True):
            if is_stateful(module):
                x, inner = module.step(x, inner, dt=dt)
            else:
                x = _over_time(name, module, x[None])[0]
            states.append(inner)
        return x, tuple(states)

    @override
    def forward(
        self,
        xs: Tensor,
        state: tuple[Any, ...] | None = None,
        *,
        dt: float = 1.0,
        detach_every: int | None = None,
        checkpoint_every: int | None = None,
        observe: Observer | None = None,
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Run a sequence through the chain.

        Args:
            xs: Input, ``(time, batch, *features)``.
            state: State before the first step, as an earlier call returned it; None to begin.
            dt: Length of a step [ms].
            detach_every: Steps after which gradients stop (truncated back-propagation through time). Modules with
                batch statistics see such a block at a time.
            checkpoint_every: Steps whose activations are computed again in the backward pass instead of kept; running
                statistics then move twice.
            observe: Called after each step with its output and state; the steps are then run one by one.

        Returns:
            Output of the last module ``(time, batch, ...)``, and the state after the last step.

        Raises:
            TypeError: An input or a state of the wrong dtype.
            ValueError: An input or a state of the wrong shape, or an empty sequence.
        """
        check_sequence(xs)
        if xs.dim() < 3:
            raise ValueError(
                f"Expected `input` of shape (time, batch, *features), got {tuple(xs.shape)}. "
                "Give a single sample a batch axis: `x.unsqueeze(1)`."
            )
        if state is not None and (not isinstance(state, tuple) or len(state) != len(self)):
            got = len(state) if isinstance(state, tuple) else type(state).__name__
            raise TypeError(f"Expected `state` to be a tuple of {len(self)}, one for each module, got {got}.")
        for (name, module), inner in zip(self._modules.items(), state or (), strict=False):
            if inner is not None and not is_stateful(module):
                raise TypeError(
                    f"Expected `state` to have None for module {name!r}, which has no state, got a "
                    f"{type(inner).__name__}. It is of another chain."
                )
        if observe is not None and state is None:
            state = self.initial_state(xs[0])
        returned = False  # what a backward pass computes again is not observed again

        def run(block: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
            if observe is not None:
                watch = None if returned else observe
                return scan(lambda x, s: self.step(x, s, dt=dt), block, state, observe=watch)
            states: list[Any] = []
            before: nn.Module | None = None
            for (name, module), inner in zip(self._modules.items(), state, strict=True):
                if is_stateful(module):
                    hands_over = plain(block) and _hands_over(before, cast("nn.Module", module))
                    with Spare(block) if hands_over else contextlib.nullcontext():
                        block, inner = module(block, inner, dt=dt)
                else:
                    block = _over_time(name, module, block)
                states.append(inner)
                before = cast("nn.Module | None", module)
            return block, tuple(states)

        def run_parts(block: Tensor, state: tuple[Any, ...]) -> tuple[Tensor, tuple[Any, ...]]:
            size = len(block) if observe is not None else _steps_at_once(self, block)
            if size >= len(block):
                return run(block, state)
            outputs = []
            for part in block.split(size):
                output, state = run(part, state)
                outputs.append(output)
            return torch.cat(outputs), state

        start = (None,) * len(self) if state is None else state
        result = in_blocks(run_parts, xs, start, detach_every=detach_every, checkpoint_every=checkpoint_every)
        returned = True
        return result


def _admitted(name: str, module: nn.Module | None) -> nn.Module | None:
    """Return a module as it can stand in the chain; raise if it has a state that the chain would not see."""
    if module is None:
        return None
    if is_stateful(module):
        return cast("nn.Module", module)
    if isinstance(module, nn.Flatten) and module.start_dim == 0:
        raise ValueError(
            f"Expected module {name!r}, a Flatten, to leave the samples apart, got start_dim=0. The axes of features "
            "begin at 1: `nn.Flatten()`."
        )
    if _of_snntorch(module):
        return FromSnnTorch(module)
    for inner in module.modules():
        if isinstance(inner, _RECURRENT):
            raise TypeError(
                f"Expected module {name!r} to be stateless or to have `initial_state` and `step`, got a "
                f"{type(inner).__name__}, which has a state of its own. Give it these two methods in a class of yours."
            )
        if is_stateful(inner) or _of_snntorch(inner):
            raise TypeError(
                f"Expected module {name!r} ({type(module).__name__}) to be stateless or to have `initial_state` "
                "and `step`, got one with neurons inside, whose state would be lost. Nest a cx.Sequential, or "
                "define both methods on it."
            )
    return module


def _hands_over(giver: nn.Module | None, taker: nn.Module) -> bool:
    """Whether nobody but the taker sees what the giver makes, not even its own backward pass."""
    if giver is None or type(giver) not in _MAKERS or type(taker) not in (LIF, IF):
        return False
    return not (_is_watched(giver) or _is_watched(taker) or "forward" in vars(giver) or "forward" in vars(taker))


def _of_snntorch(module: nn.Module) -> bool:
    return hasattr(module, "reset_mem") and hasattr(module, "init_hidden")


def _steps_at_once(chain: Sequential, xs: Tensor) -> int:
    """Return how many steps of a sequence a chain takes at once."""
    steps, batch = xs.shape[:2]
    size = max(1, _SAMPLES // batch)
    if size >= steps or xs.device.type != "cpu" or not plain(xs) or (steps > 1 and xs.stride(0) == 0):
        return steps
    inner = list(chain.modules())
    cut = any(isinstance(module, nn.modules.conv._ConvNd) for module in inner) and not any(
        isinstance(module, _NORMS) or _is_watched(module) for module in inner
    )
    return size if cut and all(_is_alike_in_time(module) for module in chain) else steps


def _is_watched(module: nn.Module) -> bool:
    """Whether a hook sees what a module does."""
    hooks = nn.modules.module
    return any((
        module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks,
        hooks._global_forward_hooks, hooks._global_forward_pre_hooks,
        hooks._global_backward_hooks, hooks._global_backward_pre_hooks,
    ))  # fmt: skip


def _is_alike_in_time(module: nn.Module) -> bool:
    """Whether what a module does to a sequence is the same in parts."""
    if isinstance(module, nn.Flatten):
        return module.start_dim >= 1
    return is_stateful(module) or type(module) in _SAME_AT_EACH_STEP or isinstance(module, nn.Dropout)


def _over_time(name: str, module: nn.Module | None, xs: Tensor) -> Tensor:
    """Run a stateless module on every step of every sample."""
    if module is None:
        return xs
    if isinstance(module, nn.Flatten):
        of_sample = module.start_dim == 1  # its axes are then counted without time
        end = module.end_dim + 1 if of_sample and module.end_dim > 0 else module.end_dim
        return xs.flatten(2 if of_sample else module.start_dim, end)
    _check_features(name, module, xs)
    steps, batch = xs.shape[:2]
    once = steps > 1 and xs.stride(0) == 0 and isinstance(module, _SAME_AT_EACH_STEP)
    lean = isinstance(module, _POOLS) and xs.device.type == "cpu" and plain(xs)
    with saved_tensors_hooks(_shape_of, _of_shape) if lean else contextlib.nullcontext():
        ys = module(xs[0] if once else xs.flatten(0, 1))
    if not isinstance(ys, Tensor):
        raise TypeError(
            f"Expected module {name!r} ({type(module).__name__}) to return a tensor, got {type(ys).__name__}."
        )
    return ys.expand(steps, *ys.shape) if once else ys.unflatten(0, (steps, batch))


def _shape_of(x: Tensor) -> tuple[torch.Size, Tensor]:
    """Keep of the input of an average what its derivative on a CPU looks at."""
    return x.shape, x.new_empty(())


def _of_shape(kept: tuple[torch.Size, Tensor]) -> Tensor:
    shape, one = kept
    return one.expand(shape)


def _check_features(name: str, module: nn.Module, xs: Tensor) -> None:
    """Raise if the features of the input cannot be the module's."""
    hint = f"got shape {tuple(xs.shape)}; sequences are (time, batch, *features)."
    if isinstance(module, nn.Linear) and xs.shape[-1] != module.in_features:
        flat = " Flatten the features first: nn.Flatten()." if xs[0, 0].numel() == module.in_features else ""
        raise ValueError(
            f"Expected the input of module {name!r} (Linear) to have {module.in_features} features, {hint}{flat}"
        )
    if isinstance(module, nn.modules.conv._ConvNd):
        axes = len(module.kernel_size)
        if xs.dim() != axes + 3 or xs.shape[2] != module.in_channels:
            raise ValueError(
                f"Expected the input of module {name!r} ({type(module).__name__}) to have {module.in_channels} "
                f"channels and {axes} axes of space, {hint}"
            )
