"""Rules on plain torch modules: a layer and the neurons after it learn whenever they run over a sequence."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from conex_nn.plasticity.gradient_change import GradientChange
from conex_nn.plasticity.hebbian import feature_axes, weight_of
from conex_nn.plasticity.learn import apply_change
from conex_nn.plasticity.processes import mean_over_processes
from conex_nn.plasticity.rule import Rule
from conex_nn.plasticity.weight_in_force import in_backward, weight_in_force

__all__ = ["Attachment", "Into", "When", "attach", "attached"]

When = Literal["sequence", "step"]
"""When weights change: once after a sequence, or after every step of it."""

Into = Literal["weight", "grad"]
"""Where a change goes: into the weight, or with the opposite sign into its gradient."""


_ATTACHED = "attachments"
"""Attribute of a synapse: its attachments, by the name of their rule among its submodules."""


class _Call(NamedTuple):
    """What a synapse got and made in one call."""

    pre: Tensor
    lead: int
    """Axes before those of one sample."""
    target: torch.Size
    """Shape of one sample of its output."""


class _Sequence(NamedTuple):
    """What a rule waits for a modulator to learn from."""

    pre: Tensor
    post: Tensor
    dt: float
    goes_on: bool
    graph: bool
    """Whether a graph may hold the weight that it was made with."""


def attach(
    rule: Rule,
    *,
    synapse: nn.Module,
    neuron: nn.Module,
    when: When = "sequence",
    into: Into = "weight",
    carry: bool = False,
    gradient: bool | None = None,
) -> "Attachment":
    """Let a layer learn by a rule whenever it and its neurons run over a sequence in ``train()`` mode.

    The source's spikes are what the synapse gets, the target's what the neuron returns. The change is the mean over the
    batch and, in a process group, over all processes; all have to run as often. It is applied when the neuron has run:
    spikes, and the gradients of this sequence, are those of the weight in force before. In ``eval()`` nothing is
    learned. A rule that waits for a modulator, such as ``RSTDP``, learns when :meth:`Attachment.learn` is called.

    With ``into="grad"`` the change is taken off the gradient, so that any optimizer of torch follows it, beside a loss
    or without one: it arrives in the backward pass through the layer, or where there is none when an optimizer that
    holds the weight makes its step. Constraints are then applied before the next sequence.

    The rule becomes a submodule of the synapse, so that what it keeps moves with it and is in its ``state_dict``.

    Args:
        rule: The rule, or a chain.
        synapse: A synapse, ``nn.Linear``, a convolution, or any module linear in its ``weight``.
        neuron: The neurons that get its current, perhaps through a ``Flatten``.
        when: ``"sequence"``; ``"step"`` takes a network that runs step by step, such as a ``Neocortex``.
        into: ``"weight"``, or ``"grad"``.
        carry: Traces go on where the neuron does, that is where it is given a state; otherwise they always start at 0.
        gradient: Whether gradients train the weight, too. True and False set its ``requires_grad``; None leaves that
            as it is, and what sees both, such as a ``SpikingClassifier``, asks which is meant.

    Returns:
        A handle, whose ``remove()`` ends it; also a context manager.

    Raises:
        TypeError: No rule, or a synapse without a weight.
        ValueError: ``when="step"``, a rule that needs potentials, weights outside of soft bounds, ``into="grad"`` with
            ``gradient=False``. When the modules run, a neuron whose shape is not that of the synapse's output.

    Example:
        >>> import conex_nn as cx
        >>> model = cx.Sequential(nn.Linear(4, 3), cx.LIF(), nn.Linear(3, 2), cx.LI())
        >>> with attach(cx.STDP(), synapse=model[0], neuron=model[1]):
        ...     v, state = model(torch.ones(10, 1, 4))
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"Expected `rule` to be a rule, such as STDP(...), got {type(rule).__name__}.")
    if when == "step":
        raise ValueError(
            'Expected `when="sequence"`, got "step": a layer of a chain makes the spikes of all steps with the weight '
            "in force at the start. Connect populations of a cx.Neocortex, or call `plasticity.learn_step` in a loop "
            "of your own."
        )
    if when != "sequence" or into not in ("weight", "grad"):
        raise ValueError(f'Expected `when="sequence"`, and `into` "weight" or "grad", got {when!r} and {into!r}.')
    if rule.reads_v:
        raise ValueError(
            "Expected a rule of spikes, got one that reads the potential, which a neuron does not return. Call "
            "`rule.update(..., v=...)` with potentials that were recorded."
        )
    if into == "grad" and gradient is False:
        raise ValueError(
            'Expected `into="grad"` with a weight that an optimizer trains, got `gradient=False`. Leave out one.'
        )
    rule.check(synapse)
    if gradient is not None:
        weight_of(synapse).requires_grad_(gradient)
    return Attachment(rule, synapse, neuron, into=into, carry=carry, gradient=gradient)


def attached(model: nn.Module) -> dict[str, "Attachment"]:
    """Return every rule that :func:`attach` has put on a layer of a model, by the address of the rule.

    Args:
        model: Any module.

    Example:
        >>> import conex_nn as cx
        >>> model = cx.Sequential(nn.Linear(4, 3), cx.LIF())
        >>> _ = attach(cx.STDP(), synapse=model[0], neuron=model[1])
        >>> list(attached(model))
        ['0.plasticity']
    """
    return {
        f"{address}.{name}" if address else name: attachment
        for address, module in model.named_modules()
        for name, attachment in module.__dict__.get(_ATTACHED, {}).items()
    }


class Attachment:
    """A rule on a layer, as :func:`attach` makes it.

    Args:
        rule: The rule.
        synapse: What learns.
        neuron: Its target.
        into: ``"weight"`` or ``"grad"``.
        carry: Whether traces go on where the neuron does.
        gradient: Whether gradients are meant to train the weight, too; None where that was not said.

    Example:
        >>> import conex_nn as cx
        >>> model = cx.Sequential(nn.Linear(4, 3), cx.LIF())
        >>> handle = attach(cx.RSTDP(), synapse=model[0], neuron=model[1])
        >>> spikes, _ = model(torch.ones(10, 2, 4))
        >>> handle.learn(dopamine=torch.ones(10, 2))
        >>> handle.remove()
    """

    def __init__(
        self,
        rule: Rule,
        synapse: nn.Module,
        neuron: nn.Module,
        *,
        into: Into,
        carry: bool,
        gradient: bool | None = None,
    ) -> None:
        self.rule, self.synapse, self.neuron = rule, synapse, neuron
        self.into, self.carry, self.gradient = into, carry, gradient
        self.state: Any = None
        self._call: _Call | None = None
        self._waiting: _Sequence | None = None
        self.to_gradient = GradientChange(lambda: weight_of(synapse))
        """What waits to go into the gradient of the weight."""
        self._weight: Tensor | None = None
        names = (f"plasticity{i or ''}" for i in range(1_000))
        self._name = next(name for name in names if not hasattr(synapse, name))
        synapse.add_module(self._name, rule)
        synapse.__dict__.setdefault(_ATTACHED, {})[self._name] = self
        self._handles = [
            synapse.register_forward_pre_hook(self._before),
            synapse.register_forward_hook(self._after, always_call=True),
            neuron.register_forward_hook(self._fired, with_kwargs=True),
        ]

    def remove(self) -> None:
        """End it. What was learned stays."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.synapse._modules.pop(self._name, None)
        self.synapse.__dict__.get(_ATTACHED, {}).pop(self._name, None)

    def __enter__(self) -> "Attachment":
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def waits_for(self) -> list[str]:
        """Return the names of the modulators without which the last sequence cannot be learned from."""
        return [] if self._waiting is None else self.rule.modulators()

    def learn(self, **modulators: Tensor | float) -> None:
        """Learn from the last sequence, now that what modulates it is known.

        Args:
            modulators: Each ``(time, batch)``, or ``(time,)`` or a number where all samples share it [1].

        Raises:
            RuntimeError: There was no sequence in ``train()`` mode since the last call.
        """
        if self._waiting is None:
            raise RuntimeError("Expected a sequence to learn from, got none in train() since the last call of `learn`.")
        waiting, self._waiting = self._waiting, None
        self._learn(waiting, modulators)

    def discard(self) -> None:
        """Forget the last sequence instead of learning from it."""
        self._waiting = self._call = None

    def constrain(self) -> None:
        """Apply the constraints now, such as after the last step of an optimizer."""
        with torch.no_grad():
            self.rule.constrain_(weight_of(self.synapse).data, self.synapse)
            self.rule.finish_(weight_of(self.synapse).data, self.synapse)

    def _learns(self) -> bool:
        """Whether the synapse runs for the first time, in training."""
        if not (self.synapse.training and self.rule.enabled):
            return False
        if in_backward():
            if self.into == "weight":
                raise RuntimeError(
                    "Expected no checkpointing around a layer that learns, got its forward pass again in a backward "
                    "pass: its weight has changed since. Run without `checkpoint_every`."
                )
            return False
        return True

    def _before(self, synapse: nn.Module, _: Any) -> None:
        """Let the graph keep the weight in force."""
        if not self._learns():
            return
        if self._call is not None:
            self._call = None
            raise RuntimeError(
                "Expected the neuron to be called after the synapse, got the synapse again. A rule needs whole "
                "sequences: not `step`, `observe` or recorded state, which run a chain step by step. Use `eval()` for "
                "that; or call `discard()` if the sequence was broken off."
            )
        if self._waiting is not None:
            raise RuntimeError(
                f"Expected `learn({', '.join(f'{name}=...' for name in self.rule.modulators())})` after each sequence, "
                "got another sequence. Call `discard()` to learn nothing from the last one."
            )
        if self.into == "grad" and self.to_gradient.pending is None:
            self.constrain()
        if torch.is_grad_enabled() and "weight" in synapse._parameters:
            self._weight = synapse._parameters["weight"]
            assert self._weight is not None  # noqa: S101  `rule.check` has seen to it
            synapse._parameters["weight"] = weight_in_force(self._weight, self.to_gradient.deliver)  # pyright: ignore[reportArgumentType]

    def _after(self, synapse: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """Note what went through the synapse."""
        if self._weight is not None:
            synapse._parameters["weight"] = self._weight  # pyright: ignore[reportArgumentType]
            self._weight = None
        if not isinstance(output, Tensor) or not self._learns():  # None where it has raised
            return
        axes = feature_axes(synapse)
        lead = 1 if axes is None else inputs[0].dim() - axes[0]
        target = output.shape[1:] if axes is None else output.shape[output.dim() - axes[1] :]
        self._call = _Call(inputs[0].detach(), lead, target)

    def _fired(self, _: nn.Module, inputs: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any) -> None:
        """Learn, or wait for what modulates."""
        call, self._call = self._call, None
        if call is None:
            return
        fired = output[0] if isinstance(output, tuple) else output
        given = inputs[1] if len(inputs) > 1 else kwargs.get("state")
        pre, post = _sequence(self.synapse, call, fired.detach())
        goes_on = self.carry and given is not None
        found = _Sequence(pre, post, float(kwargs.get("dt", 1.0)), goes_on, torch.is_grad_enabled())
        if self.rule.modulators():
            self._waiting = found
        else:
            self._learn(found, {})

    def _learn(self, found: _Sequence, modulators: Mapping[str, Tensor | float]) -> None:
        state = self.state if found.goes_on else None
        change, self.state = self.rule.update(
            self.synapse, state, found.pre, found.post, modulators, dt=found.dt, keep_state=self.carry
        )
        change = mean_over_processes(change, found.post.shape[1])
        if self.into == "weight":
            apply_change(self.rule, self.synapse, change, in_place=not found.graph)
        else:
            self.to_gradient.add(change)


def _sequence(synapse: nn.Module, call: _Call, fired: Tensor) -> tuple[Tensor, Tensor]:
    """Return what both sides did, (time, batch, ...) each."""
    n, target = call.target.numel(), call.target
    axes = next((axes for axes in range(1, fired.dim()) if fired.shape[axes:].numel() == n), None)
    if fired.shape[fired.dim() - len(target) :] == target:
        axes = fired.dim() - len(target)
    if not axes:
        raise ValueError(
            f"Expected neurons of the shape {tuple(target)} of the output of {type(synapse).__name__}, (time, batch, "
            f"*neurons), got {tuple(fired.shape)}. Attach the rule to the neurons that get its current."
        )
    steps, batch = fired.shape[0], fired.shape[1:axes].numel()
    source = call.pre.shape[call.lead :]
    samples = call.pre.shape[: call.lead].numel()
    if samples == steps * batch:
        pre = call.pre.reshape(steps, batch, *source)
    elif samples == batch:  # an input that is the same at each step was projected once
        pre = call.pre.reshape(1, batch, *source).expand(steps, batch, *source)
    else:
        raise ValueError(
            f"Expected {type(synapse).__name__} and the neurons to see as many samples, got {samples} and {steps} "
            f"steps of {batch}: (time, batch, ...) each."
        )
    return pre, fired.reshape(steps, batch, *target)
