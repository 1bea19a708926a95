"""A connection between two populations."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from typing_extensions import override

from conex_nn.plasticity import GradientChange, Rule, weight_in_force, weight_of
from conex_nn.structure.deferred import Deferred
from conex_nn.structure.fit import check_rule
from conex_nn.structure.sparse_input import Projection
from conex_nn.synapses import Delay, Sparse, Synapse

__all__ = ["Connection", "ConnectionState", "Projector"]

Projector = Callable[..., Tensor]
"""Takes spikes of a block to currents."""


class ConnectionState(NamedTuple):
    """Fast state of a connection: what is under way."""

    axon: Tensor
    """Spikes sent and not yet delivered, ``(steps, *batch, *source_shape)`` [1]."""
    dendrite: Tensor
    """Currents under way in the target's dendrite, ``(steps, *batch, *target_shape)`` [nA]."""
    rule: Any = ()
    """Of its rule, such as traces; empty before it has learned."""


class Connection(nn.Module):
    """A synapse between two populations, with its delays, its sign and the compartment that it reaches.

    A spike at t reaches the target's membrane at ``t + latency + axon_delay + dendrite_delay``.

    Args:
        synapse: From the source's shape to the target's.
        source: Address of the population that sends, within the container that holds the connection.
        target: Address of the population that receives.
        compartment: Where its current arrives.
        latency: Delay that all share [1].
        axon_delay: Further delay of each source neuron: a whole number of steps, or a tensor of them [1].
        dendrite_delay: Further delay of each target neuron, likewise [1].
        gain: Factor of its current [1].
        inhibitory: Whether its current is negative, and its weights magnitudes.
        conductance: Whether it opens a :class:`Conductance`. Its weights are magnitudes then, and what arrives is not
            negative from inhibitory sources either.
        rule: How its weight learns by itself, in ``train()``: a rule or a chain. It sees the source's spikes delayed by
            ``axon_delay`` and the target's by ``dendrite_delay``.
        when: The weight changes after every ``"step"``, or once after a ``"sequence"``. A spike is transmitted with the
            weight in force when it is at the synapse, after ``latency`` and ``axon_delay``.
        into: The change goes into the ``"weight"``, or into its gradient (``"grad"``), for an optimizer to follow.
        gradient: Whether the weight is trained by gradient as well; None for only where it has no rule, or one that
            goes into the gradient.
        differentiable: Let gradients pass through what the rule does at each step: to its own parameters, and to the
            spikes and weights before. All steps are kept; for small networks.
        tags: Names by which it can be found.

    Raises:
        TypeError: A rule that is none, or a synapse without a weight for it to learn.
        ValueError: A delay out of range; a rule with options that exclude each other, or weights out of its bounds; a
            negative ``gain`` of a conductance.

    Example:
        >>> from conex_nn.synapses import OneToOne
        >>> connection = Connection(OneToOne(2, 2, weight=torch.tensor([1.0, 2.0])), "a", "b", latency=2)
        >>> spikes = torch.zeros(4, 1, 2)
        >>> spikes[0] = 1
        >>> connection(spikes, connection.initial_state(spikes[0]))[0][:, 0]
        tensor([[0., 0.],
                [0., 0.],
                [1., 2.],
                [0., 0.]], grad_fn=<SelectBackward0>)
    """

    def __init__(
        self,
        synapse: nn.Module,
        source: str,
        target: str,
        *,
        compartment: str = "proximal",
        latency: int = 1,
        axon_delay: int | Tensor = 0,
        dendrite_delay: int | Tensor = 0,
        gain: float = 1.0,
        inhibitory: bool = False,
        conductance: bool = False,
        rule: Rule | None = None,
        when: Literal["sequence", "step"] = "sequence",
        into: Literal["weight", "grad"] = "weight",
        gradient: bool | None = None,
        differentiable: bool = False,
        tags: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.synapse = synapse
        self.source = source
        self.target = target
        self.compartment = compartment
        self.gain = gain
        self.inhibitory = inhibitory
        self.conductance = conductance
        if conductance and gain < 0:
            raise ValueError(
                f"Expected `gain` of a connection that opens a conductance to be 0 or more [1], got {gain:g}. Whether "
                "it inhibits is said by the reversal of the compartment."
            )
        self.tags = (tags,) if isinstance(tags, str) else tuple(tags)
        self.enabled = True
        self._latency = int(whole_steps("latency", latency))
        axon_delay = whole_steps("axon_delay", axon_delay, getattr(synapse, "source_shape", None))
        dendrite_delay = whole_steps("dendrite_delay", dendrite_delay, getattr(synapse, "target_shape", None))
        if rule is not None and isinstance(synapse, Sparse):
            synapse.unshare()
        first = self._read_taps()
        # The time that all share is waited for in the axon: the scheduler sees it at one place.
        # Where the weight changes at every step, it acts when a spike is at the synapse, before the dendrite.
        self._soonest = 0 if when == "step" else int(torch.as_tensor(dendrite_delay, device="cpu").min())
        self.axon = Delay(self._latency + self._soonest + first + axon_delay)
        self.dendrite = Delay(dendrite_delay - self._soonest)
        if self.magnitudes and getattr(synapse, "weight", None) is not None:
            with torch.no_grad():
                synapse.weight.abs_()  # pyright: ignore[reportCallIssue]
        self.rule, self.when, self.into, self.gradient = rule, when, into, gradient
        self.differentiable = differentiable
        self._to_gradient: GradientChange | None = None
        self.graph_holds = False
        """Whether some graph may hold the weight, so that it is replaced rather than changed in place."""
        check_rule(self)
        self.register_load_state_dict_post_hook(_read_again)

    def _read_taps(self) -> int:
        """Learn by how much synapses are later than the first; return the delay of that one."""
        synapse = self.synapse
        delays = synapse.delays() if isinstance(synapse, Sparse) and not synapse.indptr.is_meta else []
        first = min(delays, default=0)
        self._taps = [delay - first for delay in delays] if len(delays) > 1 else []
        self._reach = max(self._taps, default=0)
        self._first = first
        return first

    @property
    def latency(self) -> int:
        """Delay that all spikes share [1]; make a new connection for another."""
        return self._latency

    @property
    def axon_delay(self) -> int | Tensor:
        """Further delay of each source neuron [1]."""
        return _number(self.axon.steps - (self._latency + self._soonest + self._first))

    @property
    def dendrite_delay(self) -> int | Tensor:
        """Further delay of each target neuron [1]."""
        return _number(self.dendrite.steps + self._soonest)

    @property
    def learns(self) -> bool:
        """Whether its rule changes its weight when the network runs now."""
        rule: Any = self.rule
        return rule is not None and rule.enabled and self.training and self.synapse.training and self.enabled

    @property
    def to_gradient(self) -> GradientChange:
        """What its rule has added to the gradient of its weight and no optimizer has seen."""
        if self._to_gradient is None:
            synapse: Any = self.synapse
            self._to_gradient = GradientChange(lambda: synapse.weight, self.constrain)
        return self._to_gradient

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_to_gradient": None}

    @property
    def scale(self) -> float:
        """Factor of its current, negative for inhibition other than through a conductance [1]."""
        return -self.gain if self.inhibitory and not self.conductance else self.gain

    @property
    def magnitudes(self) -> bool:
        """Whether its weights are magnitudes, 0 or more."""
        return self.inhibitory or self.conductance

    @property
    def delay(self) -> int:
        """Steps after which the first of its spikes can arrive [1]."""
        return self.axon.minimum

    @property
    def weight(self) -> Tensor | None:
        """The weights in force, see :attr:`magnitudes`; None where the synapse has none."""
        synapse = self.synapse
        weight = getattr(synapse, "weight", None)
        if weight is not None and isinstance(synapse, Synapse):
            weight = synapse.weight_in_force()
        return self._magnitudes(weight)

    def _magnitudes(self, weight: Tensor | None) -> Tensor | None:
        if weight is None or not self.magnitudes:
            return weight
        return torch.where(weight < 0, -weight, weight)  # unlike that of abs(), its gradient at 0 is not 0

    def keep_magnitudes(self) -> None:
        """Stop at 0 what learning would carry below it, where weights are magnitudes."""
        if self.magnitudes:
            weight_of(self.synapse).data.clamp_(min=0)

    @torch.no_grad()
    def constrain(self) -> None:
        """Apply the constraints of its rule now, such as after the step of an optimizer."""
        if self.rule is not None:
            weight = weight_of(self.synapse).data
            self.rule.constrain_(weight, self.synapse)
            self.rule.finish_(weight, self.synapse)
            self.keep_magnitudes()

    def in_force(self) -> Tensor:
        """Return the weight as a graph keeps it: what is learned while or after the graph is made does not change it.

        A change that waits to go into the gradient goes there with what comes back to it.
        """
        synapse: Any = self.synapse
        return weight_in_force(synapse.weight, self.to_gradient.deliver)

    def projector(self, *, by_steps: bool = False, weight: Tensor | None = None) -> Projector:
        """Return what takes spikes to currents during one run.

        Args:
            by_steps: It will be called for one block of steps after the other: the gradient of the weight is then made
                of all of them at once.
            weight: A weight to use in place of the synapse's own.
        """
        synapse = self.synapse
        if weight is None and self.learns and torch.is_grad_enabled():
            weight = self.in_force()
        if weight is None:
            weight = self.weight
        else:
            mask = getattr(synapse, "mask", None)
            weight = self._magnitudes(weight if mask is None else torch.where(mask, weight, 0.0))
        if weight is None or not (isinstance(synapse, Synapse) and type(synapse).project is not Synapse.project):
            if weight is None or (weight is getattr(synapse, "weight", None)):
                return synapse
            return lambda spikes: functional_call(synapse, {"weight": weight}, (spikes,))
        if self._taps:
            sparse: Any = synapse
            parts = [sparse.part(edges) for _, edges in sparse.taps()]
            return lambda spikes, tap: sparse.project(spikes, weight, parts[tap])
        if by_steps:
            return Deferred(synapse, weight)

        return Projection(synapse, weight)

    def initial_state(self, x: Tensor) -> ConnectionState:
        """Return the state before the first step: nothing is under way.

        Args:
            x: Spikes of one step, ``(*batch, *source_shape)``, for their dtype and device.
        """
        batch = x.shape[: x.dim() - len(self.synapse.source_shape)]  # pyright: ignore[reportArgumentType, reportCallIssue]
        y = x.new_zeros(*batch, *self.synapse.target_shape)  # pyright: ignore[reportGeneralTypeIssues]
        history = x.new_zeros(self.axon.maximum + self._reach, *x.shape)
        return ConnectionState(history, self.dendrite.initial_state(y))

    def push(self, spikes: Tensor, state: ConnectionState) -> ConnectionState:
        """Send a block of spikes on its way.

        Args:
            spikes: ``(time, *batch, *source_shape)``.
            state: State before the block.
        """
        kept = len(state.axon)
        if kept == 0:
            return state
        if kept == len(spikes):
            return state._replace(axon=spikes)
        axon = spikes[-kept:] if len(spikes) >= kept else torch.cat([state.axon[len(spikes) :], spikes])
        return state._replace(axon=axon)

    def read(
        self, state: ConnectionState, steps: int, project: Projector | None = None
    ) -> tuple[Tensor, ConnectionState]:
        """Return the currents of the next steps from what is under way.

        Args:
            state: State before the block.
            steps: Their number, at most :attr:`delay` [1].
            project: From :meth:`projector`.

        Returns:
            Currents ``(steps, *batch, *target_shape)`` [nA], and the state with the dendrite's part advanced.
        """
        project = self.projector() if project is None else project
        if self._taps:
            return self._through_dendrite(self._tapped(state.axon, steps, project, known=False), state)
        return self._through_dendrite(project(self.axon.read(state.axon, steps)), state)

    @override
    def forward(
        self, spikes: Tensor, state: ConnectionState, project: Projector | None = None
    ) -> tuple[Tensor, ConnectionState]:
        """Carry a block of spikes to the target.

        Args:
            spikes: ``(time, *batch, *source_shape)``.
            state: State before the block.
            project: From :meth:`projector`.

        Returns:
            Currents ``(time, *batch, *target_shape)`` [nA], before gain and sign, and the state after the block.
        """
        project = self.projector() if project is None else project
        if self._taps:
            history = torch.cat([state.axon, spikes])
            return self._through_dendrite(
                self._tapped(history, len(spikes), project, known=True), self.push(spikes, state)
            )
        if isinstance(project, Projection) and self.axon.minimum == self.axon.maximum:
            current, axon = project.late(state.axon, spikes), self.axon.push(spikes, state.axon)
        else:
            arrived, axon = self.axon(spikes, state.axon)
            current = project(arrived)
        return self._through_dendrite(current, state._replace(axon=axon))

    def _through_dendrite(self, current: Tensor, state: ConnectionState) -> tuple[Tensor, ConnectionState]:
        if self.dendrite.maximum == 0:
            return current, state
        current, dendrite = self.dendrite(current, state.dendrite)
        return current, state._replace(dendrite=dendrite)

    def _tapped(self, history: Tensor, steps: int, project: Projector, *, known: bool) -> Tensor:
        """Return the currents through synapses with delays of their own: one product for each delay."""
        pieces = []
        for tap, late in enumerate(self._taps):
            begin = self.axon.maximum + self._reach - late
            before = history[begin - self.axon.maximum : begin]
            arrived = self.axon(history[begin : begin + steps], before)[0] if known else self.axon.read(before, steps)
            pieces.append(project(arrived, tap))
        return torch.stack(pieces).sum(0) if len(pieces) > 1 else pieces[0]

    @override
    def extra_repr(self) -> str:
        shown = [f"{self.source} -> {self.target}", f"compartment={self.compartment!r}", f"latency={self.latency}"]
        if self.gain != 1:
            shown.append(f"gain={self.gain:g}")
        shown += [f"{name}=True" for name in ("inhibitory", "conductance") if getattr(self, name)]
        if self.rule is not None:
            shown += [f"when={self.when!r}", f"into={self.into!r}"]
        return ", ".join(shown)


def _read_again(module: nn.Module, _: Any) -> None:
    """Read the delays of synapses that a state_dict brought."""
    if isinstance(module, Connection):
        module._read_taps()


def _number(steps: Tensor) -> int | Tensor:
    """Return delays as a number where all are the same, and are known."""
    return steps if steps.is_meta or steps.numel() != 1 else int(steps)


def whole_steps(name: str, value: int | Tensor, shape: Sequence[int] | None = ()) -> int | Tensor:
    """Check a delay: one for all, or one for each neuron of a shape, where that is known."""
    try:
        tensor = value if isinstance(value, Tensor) else torch.as_tensor(value, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        tensor = torch.empty(0)
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool or bool((tensor < 0).any()):
        raise ValueError(
            f"Expected `{name}` to be whole numbers of steps, 0 or more [1], got {value!r}. "
            "Delays are counted in steps, not in ms."
        )
    fits = zip(reversed(tensor.shape), reversed(shape or ()), strict=False)
    if shape is not None and (tensor.dim() > len(shape) or any(own not in (1, there) for own, there in fits)):
        raise ValueError(
            f"Expected `{name}` to be {f'of shape {tuple(shape)}' if shape else 'one number'}, got one of shape "
            f"{tuple(tensor.shape)}. A source neuron's own delay is `axon_delay`, a target neuron's `dendrite_delay`."
        )
    return int(tensor) if tensor.dim() == 0 else tensor
