"""Rules that wait for a modulator are told what their outputs have earned."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.plasticity import Payoff, Rule, at_step, attached
from conex_nn.sequential import is_stateful
from conex_nn.training.plastic_weights import plastic_weights

__all__ = ["check_payoff", "learners", "modulator_signal", "teach"]


def learners(net: nn.Module) -> Iterator[Any]:
    """Yield everything in a network that may wait for modulators: attachments, and modules that say so themselves.

    Each has ``waits_for()``, the names for which it waits now, and ``learn(**modulators)``.

    Args:
        net: The network.

    Example:
        >>> import conex_nn as cx
        >>> net = cx.Sequential(nn.Linear(4, 3), cx.LIF())
        >>> _ = cx.plasticity.attach(cx.RSTDP(), synapse=net[0], neuron=net[1])
        >>> _ = net(torch.ones(10, 2, 4))
        >>> [each.waits_for() for each in learners(net)]
        [['dopamine']]
    """
    yield from attached(net).values()
    for module in net.modules():
        if callable(getattr(module, "waits_for", None)) and callable(getattr(module, "learn", None)):
            yield module


def check_payoff(net: nn.Module, payoff: Payoff | None, modulators: Mapping[str, nn.Module]) -> None:
    """Raise if rules wait for modulators and nothing pays, or the other way round.

    Args:
        net: The network.
        payoff: What pays, if anything.
        modulators: What makes signals of it, by name.

    Raises:
        ValueError: That is so.

    Example:
        >>> check_payoff(nn.Linear(2, 2), None, {})
    """
    waiting = {name: plastic.address for plastic in plastic_weights(net) for name in plastic.rule.modulators()}
    if waiting and payoff is None:
        name, address = next(iter(waiting.items()))
        raise ValueError(
            f"Expected a `payoff`, since the rule of {address!r} waits for {name!r}, got none. Give the classifier "
            "`payoff=` a callable of the outputs and the labels that says what each sample earns."
        )
    for address, module in net.named_modules():
        rule = getattr(module, "rule", None)
        if isinstance(rule, Rule) and rule.modulators() and getattr(module, "when", "sequence") == "step":
            raise ValueError(
                f"Expected the rule of {address!r}, which waits for {rule.modulators()[0]!r}, to learn once a sequence "
                'under a classifier, got `when="step"`: a payoff is known when the outputs are. Say '
                '`when="sequence"`, or run the network yourself: `net(x, modulators={...})`.'
            )
    if payoff is not None and not waiting:
        raise ValueError(
            "Expected a rule that waits for a modulator, such as RSTDP(), since there is a `payoff`, got none."
        )
    if odd := [name for name in modulators if name not in waiting]:
        raise ValueError(f"Expected `modulators` that rules wait for, {', '.join(map(repr, waiting))}, got {odd[0]!r}.")


def modulator_signal(module: nn.Module | None, payoff: Tensor, *, steps: int, dt: float) -> Tensor:
    """Return what a modulator makes of a payoff.

    What takes part in time, such as :class:`Dopamine`, is given the payoff over time, one of whole samples at the last
    step. Anything else is given it as it is, and without a module the payoff is the signal: one of whole samples then
    holds at every step. The modules of an ``nn.Sequential`` act one after the other.

    Args:
        module: The modulator, if there is one.
        payoff: ``(batch,)`` or ``(time, batch)`` [1].
        steps: Length of the sequence [1].
        dt: Length of a step [ms].

    Returns:
        The signal, ``(time or 1, batch)`` [1].

    Example:
        >>> from conex_nn.plasticity import Dopamine
        >>> modulator_signal(Dopamine(tau=200.0), torch.tensor([1.0]), steps=2, dt=1.0)
        tensor([[0.],
                [1.]])
        >>> modulator_signal(None, torch.tensor([1.0]), steps=2, dt=1.0)
        tensor([[1.]])
    """
    parts: Any = module if isinstance(module, nn.Sequential) and not is_stateful(module) else [module]
    for part in parts:
        if part is not None and is_stateful(part):
            payoff, _ = part(at_step(payoff, steps=steps), dt=dt)
        elif part is not None:
            payoff = part(payoff)
    return payoff[None] if payoff.dim() == 1 else payoff


@torch.no_grad()
def teach(
    net: nn.Module,
    payoff: Payoff | None,
    modulators: Mapping[str, nn.Module],
    outputs: Tensor,
    labels: Tensor,
    *,
    dt: float,
) -> Tensor | None:
    """Let what waits for modulators learn from the sequence that has just run.

    Args:
        net: The network.
        payoff: Says what each sample earns, ``(batch,)`` or ``(time, batch)`` [1].
        modulators: What makes a signal of that, by name; a name without one gets the payoff itself.
        outputs: Outputs of the network, ``(time, batch, ...)``.
        labels: True classes, ``(batch,)``.
        dt: Length of a step [ms].

    Returns:
        The payoff; None where nothing waited.

    Raises:
        ValueError: A payoff of another shape.

    Example:
        >>> teach(nn.Linear(2, 2), None, {}, torch.ones(3, 1, 2), torch.tensor([0]), dt=1.0)
    """
    waiting = [(learner, names) for learner in learners(net) if (names := learner.waits_for())]
    if not waiting or payoff is None:
        return None
    steps, batch = outputs.shape[:2]
    earned = payoff(outputs.detach(), labels)
    if not isinstance(earned, Tensor) or earned.shape not in ((batch,), (steps, batch)):
        got = tuple(earned.shape) if isinstance(earned, Tensor) else type(earned).__name__
        raise ValueError(f"Expected `payoff` to return ({batch},) or ({steps}, {batch}), (time, batch) [1], got {got}.")
    earned = earned.to(outputs.dtype)
    names = dict.fromkeys(name for _, needed in waiting for name in needed)
    signals = {name: modulator_signal(modulators.get(name), earned, steps=steps, dt=dt) for name in names}
    for learner, needed in waiting:
        learner.learn(**{name: signals[name] for name in needed})
    return earned
