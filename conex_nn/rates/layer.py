"""The linear layers of rate networks: initialised, constrained, and looked over for neurons that nothing reaches."""

import warnings
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from conex_nn.rates.constrain import How, constrain, constraints_of
from conex_nn.rates.constraint import Constraint

__all__ = ["Init", "existing", "make_layer", "warn_of_silent"]

Init = Callable[[Tensor], object] | Iterable[Callable[[Tensor], object]] | None
"""What fills a weight in place, or several of these, called in turn."""


def make_layer(
    name: str,
    inputs: int,
    outputs: int,
    bias: bool,
    constraints: Iterable[Constraint],
    how: How,
    init: Init,
) -> nn.Linear:
    """Make a linear layer.

    Args:
        name: What messages call it.
        inputs: Number of inputs.
        outputs: Number of outputs.
        bias: Whether it has a bias; it begins at 0.
        constraints: What its weight has to obey.
        how: Whether constraints are kept by a parametrization or by projection.
        init: Fills its weight.

    Raises:
        ValueError: A size that is no count, a constraint that does not fit; the message names the layer.

    Example:
        >>> layer = make_layer("input", 2, 3, True, (), "parametrize", nn.init.ones_)
        >>> layer.weight.sum()
        tensor(6., grad_fn=<SumBackward0>)
    """
    for size in (inputs, outputs):
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"Expected the sizes of the {name} layer to be whole numbers of at least 1, got {size!r}.")
    layer = nn.Linear(inputs, outputs, bias=bias)
    if bias:
        nn.init.zeros_(layer.bias)
    constraints = tuple(constraints)
    if constraints:
        try:
            constrain(layer, *constraints, how=how)
        except ValueError as error:
            raise ValueError(f"{name} weight: {error}") from error
    for fill in () if init is None else (init,) if callable(init) else init:
        with torch.no_grad():
            weight = layer.weight.detach().clone()
            fill(weight)
            if constraints:
                layer.weight = weight  # pyright: ignore[reportAttributeAccessIssue]  made to obey on the way
            else:
                layer.weight.copy_(weight)
    return layer


@torch.no_grad()
def existing(layer: nn.Linear) -> Tensor:
    """Return which synapses the constraints of a layer allow, whatever their weights are now, ``(post, pre)``.

    Args:
        layer: The layer.

    Example:
        >>> from conex_nn.rates import NoSelf
        >>> existing(constrain(nn.Linear(2, 2), NoSelf()))
        tensor([[False,  True],
                [ True, False]])
    """
    allowed = torch.ones_like(layer.weight)
    for constraint in constraints_of(layer):
        allowed = constraint(allowed)
    return allowed != 0


@torch.no_grad()
def warn_of_silent(kind: str, *layers: nn.Linear) -> None:
    """Warn of neurons that no synapse reaches, by what the constraints allow.

    Args:
        kind: What to call them.
        layers: All layers that project to them.

    Warns:
        UserWarning: There are some; it names them.

    Example:
        >>> warn_of_silent("neuron", nn.Linear(2, 3))
    """
    reached = None
    for layer in layers:
        if layer.weight.is_meta:
            return
        here = existing(layer).any(1)
        reached = here if reached is None else reached | here
    if reached is None or reached.all():
        return
    silent = (~reached).nonzero().flatten().tolist()
    shown = ", ".join(map(str, silent[:10])) + (", ..." if len(silent) > 10 else "")
    warnings.warn(
        f"Nothing reaches {kind} {shown}: all of its row of the masks is zero. Its activity does not depend on the "
        "input.",
        stacklevel=4,
    )
