"""Learning, carried out: a rule's change, averaged over all processes, applied to the weight."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from conex_nn.plasticity.hebbian import weight_of
from conex_nn.plasticity.processes import mean_over_processes
from conex_nn.plasticity.rule import Rule

__all__ = ["apply_change", "learn", "learn_step"]


@torch.no_grad()
def apply_change(rule: Rule, synapse: nn.Module, change: Tensor, *, in_place: bool = True, last: bool = True) -> None:
    """Add a change to a weight, and apply the rule's constraints.

    Args:
        rule: The rule, or a chain with constraints.
        synapse: What learns.
        change: What to add.
        in_place: False leaves the values that a graph may hold as they were, and puts new ones in their place.
        last: Whether a sequence ends with it; constraints that wait for that are then applied.

    Example:
        >>> from conex_nn.plasticity import STDP, Clip, chain
        >>> layer = nn.Linear(1, 1)
        >>> apply_change(chain(STDP(), Clip(0, 1)), layer, torch.full((1, 1), 5.0))
        >>> layer.weight.data
        tensor([[1.]])
    """
    weight = weight_of(synapse)
    if in_place:
        weight.add_(change)
    else:
        weight.data = weight.data + change
    rule.constrain_(weight.data, synapse)
    if last:
        rule.finish_(weight.data, synapse)


def learn(
    rule: Rule,
    synapse: nn.Module,
    state: Any,
    pre: Tensor,
    post: Tensor,
    modulators: Mapping[str, Tensor | float] | None = None,
    *,
    v: Tensor | None = None,
    dt: float = 1.0,
    keep_state: bool = True,
    last: bool = True,
) -> Any:
    """Change a weight once, by what a rule makes of a sequence.

    Args:
        rule: The rule.
        synapse: What learns.
        state: State before the first step; None to begin.
        pre: Spikes of the source, ``(time, batch, *source)`` [1].
        post: Spikes of the target, ``(time, batch, *target)`` [1].
        modulators: Signals of the whole network by name, see :meth:`Rule.update`.
        v: Potential of the target [mV].
        dt: Length of a step [ms].
        keep_state: Whether the state after the sequence will be needed.
        last: Whether the sequence ends here; constraints that wait for that are then applied.

    Returns:
        The state after the last step.

    Example:
        >>> from conex_nn.plasticity import STDP
        >>> layer, spikes = nn.Linear(1, 1), torch.ones(3, 2, 1)
        >>> learn(STDP(), layer, None, spikes, spikes).trace_pre.shape
        torch.Size([2, 1])
    """
    change, state = rule.update(synapse, state, pre, post, modulators, v=v, dt=dt, keep_state=keep_state)
    apply_change(rule, synapse, mean_over_processes(change, post.shape[1]), last=last)
    return state


def learn_step(
    rule: Rule,
    synapse: nn.Module,
    state: Any,
    pre: Tensor,
    post: Tensor,
    modulators: Mapping[str, Tensor | float] | None = None,
    *,
    v: Tensor | None = None,
    dt: float = 1.0,
    last: bool = False,
) -> Any:
    """Change a weight by what a rule makes of one step: what ``when="step"`` does, step after step.

    Args:
        rule: The rule.
        synapse: What learns; the spikes of this step were made with the weight that it has.
        state: State before the step; None to begin.
        pre: Spikes of the source, ``(batch, *source)`` [1].
        post: Spikes of the target, ``(batch, *target)`` [1].
        modulators: Signals of the whole network by name: ``(batch,)``, or a number where all samples share them.
        v: Potential of the target, ``(batch, *target)`` [mV].
        dt: Length of the step [ms].
        last: Whether the sequence ends with it; constraints that wait for that are then applied.

    Returns:
        The state after the step.

    Example:
        >>> from conex_nn.plasticity import RSTDP
        >>> layer, rule, state = nn.Linear(1, 1), RSTDP(), None
        >>> for _ in range(3):
        ...     state = learn_step(rule, layer, state, torch.ones(1, 1), torch.ones(1, 1), {"dopamine": 0.5})
    """
    signals = {name: torch.as_tensor(signal) for name, signal in (modulators or {}).items()}
    return learn(
        rule,
        synapse,
        state,
        pre[None],
        post[None],
        {name: signal[None] if signal.dim() else signal for name, signal in signals.items()},
        v=None if v is None else v[None],
        dt=dt,
        last=last,
    )
