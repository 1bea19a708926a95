"""Hold the weight of any torch module to constraints, through `torch.nn.utils.parametrize`."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from typing_extensions import override

from conex_nn.rates.constraint import Constraint, Sparsity

__all__ = ["How", "constrain", "constraints_of", "grow"]

How = Literal["parametrize", "project"]
"""Whether the stored weight may leave what is allowed (``"parametrize"``) or is put back into it (``"project"``)."""


class _Constrained(nn.Module):
    """The parametrization: every constraint in turn."""

    def __init__(self, constraints: tuple[Constraint, ...], how: How) -> None:
        super().__init__()
        self.constraints = nn.ModuleList(constraints)
        self.how = how

    @override
    def forward(self, weight: Tensor) -> Tensor:
        if self.how == "project" and type(weight) is nn.Parameter:
            with torch.no_grad():
                allowed = weight.data
                for constraint in self.constraints:
                    allowed = constraint.project(allowed)  # pyright: ignore[reportCallIssue]
                weight.data.copy_(allowed)  # through `data`: an unchanged weight does not count as written to
        for constraint in self.constraints:
            weight = constraint(weight)
        return weight

    @torch.no_grad()
    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return what is stored for a weight that is assigned: one that obeys."""
        for constraint in self.constraints:
            weight = constraint(weight)
        return weight


def constrain(module: nn.Module, *constraints: Constraint, name: str = "weight", how: How = "parametrize") -> nn.Module:
    """Hold a weight of a module to constraints: ``module.weight`` obeys them from now on, whatever happens to it.

    The weight in force is computed, by ``torch.nn.utils.parametrize``, each time that it is read, in ``train()`` and
    ``eval()``, after an optimizer's step, after loading. An assigned weight is made to obey. What is stored, trained
    and saved is ``module.parametrizations.weight.original``:

    - with ``how="parametrize"`` it may wander where it likes, with a gradient through the constraints;
    - with ``how="project"`` it is put back to the nearest allowed value whenever the weight is read.

    Unlike other parametrized modules, it can be pickled.

    Args:
        module: Any module, such as ``nn.Linear``; it is changed.
        constraints: What the weight has to obey, applied in this order.
        name: Name of the parameter.
        how: ``"parametrize"`` or ``"project"``.

    Returns:
        The module.

    Raises:
        TypeError: What is no constraint.
        ValueError: No constraint, one that does not fit the weight, some that cannot hold together, an unknown ``how``,
            no such parameter.

    Example:
        >>> from conex_nn.rates import NoSelf, NonNegative
        >>> layer = constrain(nn.Linear(3, 3), NoSelf(), NonNegative())
        >>> bool((layer.weight >= 0).all()), layer.weight.diagonal().tolist()
        (True, [0.0, 0.0, 0.0])
    """
    if how not in get_args(How):
        raise ValueError(f"Expected `how` to be one of {get_args(How)}, got {how!r}.")
    if not constraints:
        raise ValueError("Expected at least one constraint, such as NoSelf(), got none.")
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Expected `name` to be a parameter of {type(module).__name__}, got {name!r}.")
    for constraint in constraints:
        if not isinstance(constraint, Constraint):
            got = constraint.__name__ if isinstance(constraint, type) else type(constraint).__name__
            raise TypeError(f"Expected constraints such as Dale(signs) or NoSelf(), got {got}.")
        constraint.check(weight.shape)
    _check_agreement([*constraints_of(module, name), *constraints], weight)
    parametrize.register_parametrization(module, name, _Constrained(constraints, how).to(weight.device))
    _make_picklable(module)
    return module


@torch.no_grad()
def _check_agreement(constraints: list[Constraint], weight: Tensor) -> None:
    """Raise if what one constraint makes of a weight breaks another."""
    if weight.is_meta:
        return
    for probe in (torch.ones_like(weight), -torch.ones_like(weight)):
        allowed = probe
        for constraint in constraints:
            allowed = constraint(allowed)
        for constraint in constraints:
            if not torch.allclose(constraint(allowed), allowed, rtol=1e-3, atol=1e-6, equal_nan=True):
                raise ValueError(
                    f"Expected constraints that hold together, but {constraint} does not hold any more after all of "
                    f"{', '.join(map(str, constraints))}. Leave one out, or change their order."
                )


def constraints_of(module: nn.Module, name: str = "weight") -> list[Constraint]:
    """Return the constraints that a module's weight is held to.

    Args:
        module: Any module.
        name: Name of the parameter.

    Example:
        >>> from conex_nn.rates import NoSelf
        >>> constraints_of(constrain(nn.Linear(3, 3), NoSelf())), constraints_of(nn.Linear(3, 3))
        ([NoSelf()], [])
    """
    if not parametrize.is_parametrized(module, name):
        return []
    parts = module.parametrizations[name]  # pyright: ignore[reportIndexIssue, reportCallIssue, reportArgumentType]
    return [each for part in parts if isinstance(part, _Constrained) for each in part.constraints]  # pyright: ignore


def grow(module: nn.Module, *, generator: torch.Generator | None = None) -> int:
    """Let missing synapses of a network come to be, each with the ``growth`` of its :class:`Sparsity`.

    Args:
        module: A module with constrained weights, anywhere inside.
        generator: Source of randomness.

    Returns:
        The number of new synapses.

    Example:
        >>> from conex_nn.rates import Sparsity
        >>> grow(constrain(nn.Linear(3, 3), Sparsity(torch.eye(3), growth=1.0)))
        6
    """
    masks = [part for part in module.modules() if isinstance(part, Sparsity)]
    return sum(int(mask.grow(generator=generator).sum()) for mask in masks)


def _make_picklable(module: nn.Module) -> None:
    """Give a parametrized module's class, which torch made for it alone, a way into pickles."""
    type(module).__reduce_ex__ = _reduce  # pyright: ignore[reportAttributeAccessIssue]


def _reduce(module: nn.Module, protocol: object) -> tuple[Any, ...]:
    lists = dict(module.parametrizations.items())  # pyright: ignore[reportCallIssue, reportAttributeAccessIssue]
    state = dict(module.__dict__)
    state["_modules"] = {key: part for key, part in module._modules.items() if key != "parametrizations"}
    return _restore, (
        type(module).__bases__[0],
        state,
        {k: (list(parts), parts.original) for k, parts in lists.items()},
    )


def _restore(
    kind: type[nn.Module], state: dict[str, Any], lists: dict[str, tuple[list[nn.Module], nn.Parameter]]
) -> nn.Module:
    module = kind.__new__(kind)
    module.__setstate__(state)
    for name, (parts, original) in lists.items():
        stored = original.detach().clone()  # registering makes it obey
        module.register_parameter(name, original)
        for part in parts:
            parametrize.register_parametrization(module, name, part, unsafe=True)
        with torch.no_grad():
            original.copy_(stored)
    _make_picklable(module)
    return module
