"""Connections that learn at every step, as the kernel of ring buffers is told of them, and what they have learned."""

from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor

from conex_nn.kernels import Learning
from conex_nn.plasticity import weight_of
from conex_nn.structure.connection import Connection, ConnectionState
from conex_nn.structure.learning import RuleState, Steps
from conex_nn.structure.learning_by_events import LearningPlan
from conex_nn.synapses import Dense, Sparse

__all__ = ["Lesson", "plan_of"]


def plan_of(connection: Connection, like: Tensor) -> LearningPlan | str:
    """Return how a connection that learns does so, or why the kernel does not know that.

    Args:
        connection: The connection.
        like: Something of the device and batch of the run, ``(time, *batch)``.

    Example:
        >>> from conex_nn.plasticity import STDP
        >>> plan_of(Connection(Dense(2, 2), "a", "b", rule=STDP(), when="step"), torch.zeros(1))
        <...LearningPlan object at ...>
        >>> plan_of(Connection(Dense(2, 2), "a", "b", rule=STDP(), when="sequence"), torch.zeros(1))
        'learns from whole sequences'
    """
    rule, synapse = connection.rule, connection.synapse
    if rule is None or connection.when != "step":
        return "learns from whole sequences"
    if like[0].numel() != 1 or like.device.type != "cpu":
        return "learns at every step from several samples, or not on the CPU"
    if bool((torch.as_tensor(connection.axon_delay) > 0).any()):
        return "learns, and has an axon_delay, with which its rule sees spikes late"
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return "learns at every step in several processes, which have to agree on each"
    if getattr(synapse, "mask", None) is not None:
        return "learns, and some pairs of its neurons have no synapse; make it a Sparse"
    plan = LearningPlan.of(rule, synapse, magnitudes=connection.magnitudes, delays=True)
    if plan is None:
        return f"learns by {rule}, or has weights, that the kernel does not know"
    return "normalises its weights at every change, which concerns all of a neuron" if plan.normalises else plan


class _Edges(NamedTuple):
    """The synapses of a connection as edges."""

    weight: Tensor
    begins: Tensor
    targets: Tensor
    by_target: tuple[Tensor, Tensor, Tensor]


class Lesson:
    """What a connection learns in a run.

    Args:
        plan: How it learns.
        learner: Who learns in the step loop.
        connection: The connection.
    """

    def __init__(self, plan: LearningPlan, learner: Steps, connection: Connection) -> None:
        self.plan, self.learner, self.synapse = plan, learner, connection.synapse
        self.edges = _edges_of(self.synapse)
        self._learning: Learning | None = None

    def learning(self, state: ConnectionState, *, steps: int, dt: float) -> Learning | None:
        """Return what the kernel is told, or None where a modulator needs the step loop.

        Args:
            state: State of the connection before the first step.
            steps: Number of steps [1].
            dt: Length of a step [ms].
        """
        synapse: Any = self.synapse
        pre, post = (self.edges.weight.new_zeros(1, n.numel()) for n in (synapse.source_shape, synapse.target_shape))
        signals = self.learner.shaped(steps, 1)
        if signals is None:
            return None
        rule = (state.rule or RuleState(None, (), ())).rule
        options: dict[str, Any] = {"by_target": self.edges.by_target}
        self._learning = self.plan.learning(rule, signals, pre=pre, post=post, steps=steps, dt=dt, **options)
        if self._learning is None or self._learning.eligibility is None or self._learning.modulator is None:
            return self._learning
        flat = self._learning.eligibility.reshape(-1)
        return replace(self._learning, eligibility=flat, modulator=self._learning.modulator * dt)

    def finish(self, state: ConnectionState, steps: int) -> ConnectionState:
        """Put what was learned where it belongs, and return the state of the connection with that of its rule.

        Args:
            state: State of the connection, but for its rule, after the run.
            steps: Number of steps [1].
        """
        synapse: Any = self.synapse
        weight, learned = weight_of(synapse), self.edges.weight
        if learned.data_ptr() == weight.data_ptr():
            torch.autograd.graph.increment_version(weight)
        elif type(synapse) is Dense:
            weight.copy_(learned.reshape(weight.shape[::-1]).t())
        else:
            weight.copy_(learned.reshape(weight.shape))
        self.learner.time += steps
        if self._learning is None:
            return state
        shapes = [torch.Size((1, *shape)) for shape in (synapse.source_shape, synapse.target_shape)]
        before = state.rule or RuleState(None, (), ())
        return state._replace(rule=before._replace(rule=self.plan.state(self._learning, *shapes)))


def _edges_of(synapse: Any) -> _Edges:
    """Return the synapses of a connection as edges; their weights are the connection's own memory, or a copy."""
    weight = weight_of(synapse).detach()
    if type(synapse) is Sparse:
        begins, edges, sources = synapse.columns()
        return _Edges(weight.contiguous(), synapse.indptr, synapse.stored_target, (begins, edges, sources))
    n, m = synapse.source_shape.numel(), synapse.target_shape.numel()
    if type(synapse) is Dense:
        numbers = torch.arange(n * m, dtype=torch.int32).reshape(n, m)
        sources, targets = torch.arange(n, dtype=torch.int32), torch.arange(m, dtype=torch.int32)
        by_target = torch.arange(m + 1) * n, numbers.t().reshape(-1), sources.repeat(m)
        return _Edges(weight.t().reshape(-1), torch.arange(n + 1) * m, targets.repeat(n), by_target)
    numbers = torch.arange(n, dtype=torch.int32)
    return _Edges(weight.reshape(-1), torch.arange(n + 1), numbers, (torch.arange(n + 1), numbers, numbers))
