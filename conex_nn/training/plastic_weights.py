"""The weights of a network that rules change, and whether an optimizer may change them, too."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from conex_nn.plasticity import Rule, attached

__all__ = ["PlasticWeight", "check_optimizer", "check_rules_see_no_padding", "give_changes", "plastic_weights"]


class PlasticWeight(NamedTuple):
    """A weight with a rule."""

    address: str
    """Of the weight, as ``named_parameters`` gives it."""
    weight: Tensor
    rule: Rule
    into: str
    """``"weight"`` or ``"grad"``."""
    gradient: bool | None
    """Whether gradients are meant to train it as well; None where that was not said."""


def plastic_weights(net: nn.Module) -> list[PlasticWeight]:
    """Return the weights that rules change: those of connections with a rule, and of layers with one attached.

    Args:
        net: The network.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 3), cx.LIF())
        >>> _ = cx.plasticity.attach(cx.STDP(), synapse=net[0], neuron=net[1])
        >>> [each.address for each in plastic_weights(net)]
        ['0.weight']
    """
    found = []
    for address, each in attached(net).items():
        layer, _, _ = address.rpartition(".")
        found.append(_plastic(layer, each.synapse, each))
    for address, module in net.named_modules():
        if isinstance(getattr(module, "rule", None), Rule) and isinstance(synapse := module.synapse, nn.Module):
            found.append(_plastic(f"{address}.synapse" if address else "synapse", synapse, module))
    return found


def _plastic(layer: str, synapse: nn.Module, owner: Any) -> PlasticWeight:
    weight: Any = synapse.weight
    return PlasticWeight(f"{layer}.weight" if layer else "weight", weight, owner.rule, owner.into, owner.gradient)


def give_changes(net: nn.Module) -> None:
    """Give what rules with ``into="grad"`` have learned to gradients, where no backward pass has taken it along.

    Args:
        net: The network.

    Example:
        >>> give_changes(nn.Linear(2, 2))
    """
    for owner in (*attached(net).values(), *net.modules()):
        if isinstance(getattr(owner, "rule", None), Rule) and owner.into == "grad":  # pyright: ignore
            owner.to_gradient.give()  # pyright: ignore
    for module in net.modules():
        if isinstance(getattr(module, "rule", None), Rule):
            connection: Any = module
            if connection.into == "grad" and connection.to_gradient.pending is not None:
                weight = connection.synapse.weight
                zero = torch.zeros_like(weight) if weight.grad is None else weight.grad
                weight.grad = connection.to_gradient.deliver(zero)


def check_optimizer(net: nn.Module, optimizer: Optimizer) -> None:
    """Raise if an optimizer changes a weight that only its rule is meant to change, or lacks one that it has to change.

    Args:
        net: The network.
        optimizer: What was made for its parameters.

    Raises:
        ValueError: Either is so.

    Example:
        >>> import conex_nn as cx
        >>> import torch
        >>> net = cx.Sequential(nn.Linear(4, 3), cx.LIF())
        >>> _ = cx.plasticity.attach(cx.STDP(), synapse=net[0], neuron=net[1], gradient=True)
        >>> check_optimizer(net, torch.optim.SGD(net.parameters(), lr=0.1))
    """
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for address, weight, rule, into, gradient in plastic_weights(net):
        name = type(rule).__name__
        if into == "weight" and not gradient and id(weight) in held:
            raise ValueError(
                f"Expected {address!r} to be learned by its rule ({name}) alone, got it among the parameters of the "
                "optimizer as well. If both shall train it, say `gradient=True` where the rule is given (`attach`, "
                "`connect`); if not, `gradient=False`, or `weight.requires_grad_(False)`."
            )
        if (into == "grad" or gradient) and id(weight) not in held:
            what = f'its rule ({name}) goes `into="grad"`' if into == "grad" else "`gradient=True` was said of it"
            raise ValueError(
                f"Expected an optimizer that holds {address!r}, since {what}, got one without. Give it that weight, or "
                'let the rule alone change it: `into="weight"`, `gradient=False`.'
            )


def check_rules_see_no_padding(net: nn.Module, lengths: Tensor | None, *, steps: int) -> None:
    """Raise if rules would learn from the padding of a batch: they learn at every step.

    Args:
        net: The network.
        lengths: Length of each sample; None where all are equally long [steps].
        steps: Steps of the batch [1].

    Raises:
        ValueError: Samples that are padded, and a network with rules.

    Example:
        >>> check_rules_see_no_padding(nn.Linear(2, 2), torch.tensor([3, 5]), steps=5)
    """
    if lengths is None or not (plastic := plastic_weights(net)) or bool((lengths == steps).all()):
        return
    raise ValueError(
        f"Expected samples of equal length where rules learn at every step, got {int(lengths.min())} to {steps} steps "
        f"in one batch, and {plastic[0].address!r} has a rule. Put samples of one length into a batch (`batch_size=1`)."
    )
