"""The laws of a module with state. Each takes a case and raises unless it holds; its docstring says what it demands."""

import copy
import inspect
import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._pytree import tree_leaves, tree_map_only

__all__ = ["LAWS", "Case"]


@dataclass(frozen=True)
class Case:
    """A module under test and its input.

    Args:
        make: Makes the module.
        x: Its input, ``(time, batch, *neurons)``, in float64.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> ys, state = Case(LIF, torch.rand(4, 2, 3).double()).run()
        >>> ys.shape
        torch.Size([4, 2, 3])
    """

    make: Callable[[], nn.Module]
    x: Tensor

    def new(self) -> Any:
        """Make the module: always with the same seed, in float64 and ``eval()`` mode."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return self.make().double().eval()

    def run(self, module: Any = None, x: Tensor | None = None, state: Any = None, **options: Any) -> tuple[Tensor, Any]:
        """Run a sequence through a module, by default this one through a new one."""
        module = self.new() if module is None else module
        return module(self.x if x is None else x, state, **options)


LAWS: dict[str, Callable[[Case], None]] = {}
"""Every law by its name, in the order in which they are tried."""


def _law(function: Callable[[Case], None]) -> Callable[[Case], None]:
    LAWS[function.__name__.strip("_")] = function
    return function


def _same(got: Any, expected: Any, what: str, *, exactly: bool = False) -> None:
    """Raise unless two nests of tensors are equal to rounding, leaf by leaf."""
    pairs = zip(tree_leaves(got), tree_leaves(expected), strict=True)
    for i, (left, right) in enumerate(pairs):
        if isinstance(right, Tensor):
            rtol, atol = (0.0, 0.0) if exactly else (1e-7, 1e-9)
            assert_close(left, right, rtol=rtol, atol=atol, msg=lambda text, i=i: f"{what} (tensor {i}): {text}")


def _demand(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)


def _options(module: nn.Module) -> set[str]:
    return {"detach_every", "checkpoint_every"} & set(inspect.signature(module.forward).parameters)


@_law
def _output(case: Case) -> None:
    """The output is a finite tensor, time first, of the input's steps and samples; some of it is not zero."""
    ys, state = case.run()
    _demand(ys.shape[:2] == case.x.shape[:2], f"an input {tuple(case.x.shape)} gave an output {tuple(ys.shape)}.")
    _demand(bool(ys.any()), "it is zero everywhere: this input shows nothing. Give a stronger one.")
    leaves = [ys, *(leaf for leaf in tree_leaves(state) if isinstance(leaf, Tensor))]
    _demand(all(bool(leaf.isfinite().all()) for leaf in leaves), "there are infinities or NaN in it or in the state.")


@_law
def _steps(case: Case) -> None:
    """A sequence equals its steps taken one by one, from the initial state, and so does the state after it."""
    module = case.new()
    state, outputs = module.initial_state(case.x[0]), []
    for x in case.x:
        y, state = module.step(x, state)
        outputs.append(y)
    ys, last = case.run(module)
    _same(torch.stack(outputs), ys, "the outputs of the steps")
    _same(state, last, "the state after the steps")


@_law
def _halves(case: Case) -> None:
    """A sequence equals its parts, the state of one handed to the next."""
    module, whole = case.new(), case.run()
    for cut in (1, len(case.x) // 2):
        first, state = case.run(module, case.x[:cut])
        second, state = case.run(module, case.x[cut:], state)
        _same((torch.cat([first, second]), state), whole, f"the parts cut after step {cut}")


@_law
def _forgets(case: Case) -> None:
    """Nothing of a call stays on the module or its classes: the same input gives the same output."""
    module = case.new()
    before = list(_contents(module))
    first = case.run(module)
    _unchanged(before, list(_contents(module)), "forward")
    _same(case.run(module), first, "the second call")
    module.step(case.x[0], module.initial_state(case.x[0]))
    _unchanged(before, list(_contents(module)), "step")


def _contents(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """Yield a copy of all that a module and its classes hold, each with a name."""
    for path, part in module.named_modules():
        kinds = [kind for kind in type(part).__mro__ if not kind.__module__.startswith(("torch.", "builtins"))]
        for owner in (part, *kinds):
            for name, value in vars(owner).items():
                if name not in ("__annotations__", "_modules"):
                    yield from _leaves(f"{path}.{name}".strip("."), value)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    elif isinstance(value, Tensor):
        yield name, value.detach().clone()
    elif isinstance(value, (list, tuple, set)) or hasattr(value, "appendleft"):
        yield name, len(value)
        for i, item in enumerate(value):
            yield from _leaves(f"{name}[{i}]", item)
    elif isinstance(value, (int, float, complex, str, bytes, type(None))):
        yield name, value
    else:
        yield name, id(value)


def _unchanged(before: list[tuple[str, Any]], after: list[tuple[str, Any]], call: str) -> None:
    names, old, new = [name for name, _ in after], dict(before), dict(after)
    _demand(len(before) == len(after) and set(old) == set(new), f"{call} left or took {set(old) ^ set(new)}.")
    for name in names:
        same = torch.equal(old[name], new[name]) if isinstance(old[name], Tensor) else old[name] == new[name]
        _demand(same, f"{call} changed `{name}`.")


@_law
def _arguments(case: Case) -> None:
    """No call changes what it was given, nor what an earlier call returned."""
    module = case.new()
    given = case.x.clone()
    kept = case.run(module, given)
    copies = tree_map_only(Tensor, torch.clone, kept)
    module.step(given[0], kept[1])
    case.run(module, given, kept[1])
    _demand(given._version == 0, "the input was written to.")
    _same(given, case.x, "the input", exactly=True)
    _same(kept, copies, "the first output and state", exactly=True)


@_law
def _batch(case: Case) -> None:
    """A sample alone gives what it gives in a batch."""
    module = case.new()
    ys, _ = case.run(module)
    for row in (0, case.x.shape[1] - 1):
        alone, _ = case.run(module, case.x[:, row : row + 1])
        _same(alone, ys[:, row : row + 1], f"sample {row}")


@_law
def _permutation(case: Case) -> None:
    """Neurons in another order, their constants along with them, give the same outputs in that order."""
    neurons = case.x.shape[-1]
    order = torch.arange(neurons).roll(1)
    module = case.new()
    case.run(module)  # whatever it remembers of its constants is to be forgotten
    with torch.no_grad():
        for constant in (*module.parameters(), *module.buffers()):
            if constant.dim() and constant.shape[-1] == neurons:
                constant.copy_(constant[..., order].clone())
    ys, _ = case.run()
    _same(case.run(module, case.x[..., order])[0], ys[..., order], "the neurons in another order")


@_law
def _dtype(case: Case) -> None:
    """Outputs and state have the dtype that the module was moved to."""
    for dtype in (torch.float32, torch.float64):
        module = case.new()
        case.run(module)
        ys, state = case.run(module.to(dtype), case.x.to(dtype))
        found = {leaf.dtype for leaf in tree_leaves((ys, state)) if isinstance(leaf, Tensor)}
        _demand({d for d in found if d.is_floating_point} == {dtype}, f"after .to({dtype}) there is {found}.")


@_law
def _meta(case: Case) -> None:
    """A module on the meta device gives outputs of the right shape; one made there comes back by load_state_dict."""
    ys, _ = case.run()
    moved, _ = case.run(case.new().to("meta"), case.x.to("meta"))
    _demand(moved.is_meta and moved.shape == ys.shape, f"on the meta device the output is {moved}.")
    with torch.device("meta"):
        made = case.make().eval()
    repr(made)
    made = made.to_empty(device="cpu").double()
    made.load_state_dict(case.new().state_dict())
    _same(case.run(made)[0], ys, "the module made on the meta device")


@_law
def _state_dict(case: Case) -> None:
    """The state_dict holds all that makes the output: loaded into another module, it gives the same output."""
    module = case.new()
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.mul_(1.0625)
    module.load_state_dict(module.state_dict())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        other = case.make().double().eval()
    case.run(other)  # whatever it remembers of its constants is to be forgotten
    other.load_state_dict(module.state_dict())
    _same(case.run(other), case.run(module), "the module that was loaded")


@_law
def _deepcopy(case: Case) -> None:
    """A deep copy gives the same output, also after a call that was differentiated."""
    module, x = case.new(), case.x.clone().requires_grad_()
    ys, _ = case.run(module, x)
    _same(case.run(copy.deepcopy(module))[0], ys, "the copy")


@_law
def _pickle(case: Case) -> None:
    """A pickled module gives the same output, also after a call that was differentiated."""
    module, x = case.new(), case.x.clone().requires_grad_()
    ys, _ = case.run(module, x)
    _same(case.run(pickle.loads(pickle.dumps(module)))[0], ys, "the pickled module")


@_law
def _returns_self(case: Case) -> None:
    """train(), eval() and to() return the module itself, and the first two set `training` on all of its parts."""
    module = case.new()
    for training, returned in ((True, module.train()), (False, module.eval())):
        _demand(returned is module, "train() or eval() returned something else.")
        module.train(training)
        _demand(all(part.training is training for part in module.modules()), f"train({training}) missed a part.")
    _demand(module.to(torch.float64) is module, "to() returned something else.")


@_law
def _gradient(case: Case) -> None:
    """A finite gradient reaches the input."""
    x = case.x.clone().requires_grad_()
    ys, _ = case.run(None, x)
    ys.sum().backward()
    _demand(x.grad is not None and bool(x.grad.isfinite().all()), f"it is {x.grad}.")
    _demand(x.grad is not None and bool(x.grad.any()), "it is zero everywhere.")


@_law
def _detach_every(case: Case) -> None:
    """detach_every leaves the output as it is, and no gradient passes from one block to the one before."""
    module, x = case.new(), case.x.clone().requires_grad_()
    if "detach_every" not in _options(module):
        return
    _same(case.run(module, detach_every=3), case.run(module), "the run in blocks")
    ys, _ = case.run(module, x, detach_every=2)
    ys[2:4].sum().backward()
    _demand(x.grad is not None and not x.grad[:2].any(), "a gradient passed into an earlier block.")


@_law
def _checkpoint_every(case: Case) -> None:
    """checkpoint_every leaves the output and all gradients as they are."""
    module = case.new()
    if "checkpoint_every" not in _options(module):
        return
    found = []
    for options in ({}, {"checkpoint_every": 3}):
        x = case.x.clone().requires_grad_()
        ys, state = case.run(module, x, **options)
        leaves = [x, *(p for p in module.parameters() if p.requires_grad)]
        found.append((ys, state, torch.autograd.grad(ys.cumsum(0).sum(), leaves, allow_unused=True)))
    _same(found[1], found[0], "the run with checkpoints: outputs, state, gradients")


@_law
def _zero_steps(case: Case) -> None:
    """A sequence of no step is a ValueError."""
    try:
        case.run(None, case.x[:0])
    except ValueError:
        return
    raise AssertionError("it was accepted.")
