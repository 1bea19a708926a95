"""Whether a synapse fits the populations that it is to connect, and a rule the synapse."""

from typing import Any

import torch
from torch import nn

from conex_nn.plasticity import Clip, Link, Rule

__all__ = [
    "check_background",
    "check_conductance",
    "check_excitatory",
    "check_fit",
    "check_magnitudes",
    "check_rule",
    "opens_conductance",
]


def check_fit(synapse: nn.Module, s: str, t: str, sender: Any, receiver: Any) -> None:
    """Raise unless a synapse is between the shapes of two populations.

    Args:
        synapse: The synapse.
        s: Address of the population that sends.
        t: Address of the population that receives.
        sender: That population.
        receiver: The other.

    Raises:
        ValueError: It is between others.

    Example:
        >>> import conex_nn as cx
        >>> check_fit(cx.Dense(2, 3), "a", "b", cx.Source(2), cx.Population(3, cx.LIF()))
    """
    for end, path, part in (("source_shape", s, sender), ("target_shape", t, receiver)):
        shape = getattr(synapse, end, None)
        if shape is None or torch.Size(shape) != part.shape:
            raise ValueError(
                f"Expected a synapse whose `{end}` is that of {path!r}, {tuple(part.shape)}, got "
                f"{None if shape is None else tuple(shape)} of {type(synapse).__name__}."
            )


def check_magnitudes(synapse: nn.Module, source: str) -> None:
    """Raise where a weight from an inhibitory population is negative.

    Args:
        synapse: The synapse.
        source: Address of the population.

    Raises:
        ValueError: One is.

    Example:
        >>> import conex_nn as cx
        >>> check_magnitudes(cx.OneToOne(2, 2, weight=torch.ones(2)), "inh")
    """
    weight = getattr(synapse, "weight", None)
    if weight is not None and bool((weight < 0).any()):
        raise ValueError(
            f"Expected `weight` from the inhibitory population {source!r} to be magnitudes, 0 or more [nA], got values "
            f"down to {float(weight.detach().min()):g}. The connection makes their current negative by itself."
        )


def check_excitatory(synapse: nn.Module, source: str) -> None:
    """Raise where a weight that was drawn, or is one number, is negative, although the source is not inhibitory.

    Args:
        synapse: The synapse.
        source: Address of the population that sends.

    Raises:
        ValueError: One is.

    Example:
        >>> import conex_nn as cx
        >>> check_excitatory(cx.Sparse(2, 2, number=3, weight=cx.Normal(1.0, 0.1, low=0.0)), "exc")
    """
    weight = getattr(synapse, "weight", None)
    if weight is not None and not weight.is_meta and bool((weight < 0).any()):
        raise ValueError(
            f"Expected `weight` from {source!r}, which is not inhibitory, to be 0 or more [nA], got values down to "
            f"{float(weight.detach().min()):g}. Make the population `inhibitory=True` and give magnitudes, bound what "
            "they are drawn from (`low=0.0`), or draw weights of either sign by `init`."
        )


def opens_conductance(population: Any, name: str) -> bool:
    """Whether a compartment of a population opens a conductance.

    Args:
        population: The population.
        name: Of the compartment.

    Example:
        >>> import conex_nn as cx
        >>> opens_conductance(cx.Population(2, cx.LIF()), "proximal")
        False
    """
    return population.dendrite.compartments[name].opens


def check_conductance(synapse: nn.Module | None, name: str, receiver: Any, *, source: str, inhibitory: bool) -> None:
    """Raise where what opens a conductance would close it, or an inhibitory population would excite.

    Args:
        synapse: The synapse, where its weights were given.
        name: Of the compartment, which opens a conductance.
        receiver: The population that has it.
        source: Address of the population that sends.
        inhibitory: Whether it is inhibitory.

    Raises:
        ValueError: A weight is negative, or an inhibitory population reaches a reversal potential at which cells fire.

    Example:
        >>> import conex_nn as cx
        >>> cell = cx.Population(2, cx.LIF.cortical(), dendrite=cx.Dendrite({"gaba": cx.Conductance(-80.0)}))
        >>> check_conductance(cx.OneToOne(2, 2, weight=torch.ones(2)), "gaba", cell, source="inh", inhibitory=True)
    """
    weight = getattr(synapse, "weight", None)
    if weight is not None and not weight.is_meta and bool((weight < 0).any()):
        raise ValueError(
            f"Expected `weight` from {source!r} to {name!r}, which opens a conductance, to be 0 or more [uS], got "
            f"values down to {float(weight.detach().min()):g}. Whether it inhibits is said by the reversal."
        )
    reversal = getattr(receiver.dendrite.compartments[name], "reversal", None)
    threshold = getattr(receiver.neuron, "v_threshold", None)
    if not inhibitory or not isinstance(threshold, torch.Tensor) or not isinstance(reversal, torch.Tensor):
        return
    if not threshold.is_meta and not reversal.is_meta and bool((reversal >= threshold).any()):
        raise ValueError(
            f"Expected the reversal of {name!r}, at which the inhibitory population {source!r} arrives, to be below "
            f"the threshold, {float(threshold.detach().min()):g} [mV], got {float(reversal.max()):g}. Connect it to a "
            "compartment that inhibits, such as `Conductance(-80.0)`."
        )


def check_background(population: Any, background: Any) -> None:
    """Raise unless what arrives by itself arrives at a compartment that there is, and closes no conductance.

    Args:
        population: The population.
        background: What arrives.

    Raises:
        ValueError: There is none of this name, or it opens a conductance and something negative arrives there.

    Example:
        >>> import conex_nn as cx
        >>> check_background(cx.Population(2, cx.LIF()), cx.ConstantDrive(0.1, "proximal"))
    """
    name = background.compartment
    if name is None:
        return
    population.dendrite.check([name])
    for what in ("weight", "current") if opens_conductance(population, name) else ():
        value = getattr(background, what, None)
        if isinstance(value, torch.Tensor) and not value.is_meta and bool((value < 0).any()):
            raise ValueError(
                f"Expected `{what}` of {type(background).__name__} at {name!r}, which opens a conductance, to be 0 or "
                f"more [uS], got {float(value.detach().min()):g}. Whether it inhibits is said by the reversal."
            )


def _without_sums(rule: Rule) -> bool:
    """Whether gradients can pass through all of a chain."""
    links: Any = getattr(rule, "links", ())
    return all(isinstance(link, Clip) or type(link).constrain_ is Link.constrain_ for link in list(links)[1:])


def check_rule(connection: Any) -> None:
    """Raise unless what a connection shall learn by fits it; leave its weight to gradients or not, as it says.

    Args:
        connection: The connection.

    Raises:
        TypeError: A rule that is none, or a synapse without a weight.
        ValueError: Options that exclude each other, or weights out of the rule's bounds.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Neocortex(x=cx.InputLayer(2), a=cx.Population(2, cx.LIF()))
        >>> check_rule(net.connect("x", "a", cx.Dense, rule=cx.STDP()).only)
    """
    rule, synapse = connection.rule, connection.synapse
    ends = f"{connection.source!r} -> {connection.target!r}"
    if connection.when not in ("sequence", "step") or connection.into not in ("weight", "grad"):
        raise ValueError(
            f'Expected `when` of {ends} to be "sequence" or "step", and `into` to be "weight" or "grad", got '
            f"{connection.when!r} and {connection.into!r}."
        )
    if rule is None:
        if (connection.when, connection.into, connection.differentiable) != ("sequence", "weight", False):
            raise ValueError(f"Expected a `rule` of {ends} with `when`, `into` or `differentiable`, got none.")
    else:
        if not isinstance(rule, Rule):
            got = rule.__name__ if isinstance(rule, type) else type(rule).__name__
            raise TypeError(f"Expected `rule` of {ends} to be a rule, such as STDP(...), got {got}.")
        if connection.into == "grad" and (connection.when == "step" or connection.gradient is False):
            raise ValueError(
                f'Expected `into="grad"` of {ends} with `when="sequence"` and a weight that is trained, got '
                f"`when={connection.when!r}`, `gradient={connection.gradient}`."
            )
        if connection.differentiable and (connection.when != "step" or not _without_sums(rule)):
            raise ValueError(
                f'Expected `when="step"` of {ends} and no constraint but Clip, where the rule is `differentiable`, got '
                f"`when={connection.when!r}` and {rule}."
            )
        rule.check(synapse)
    trained = connection.gradient
    if trained is None:
        trained = rule is None or connection.into == "grad"
    weight = getattr(synapse, "weight", None)
    if weight is not None and (not trained or connection.gradient):
        weight.requires_grad_(trained)
