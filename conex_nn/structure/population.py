"""Populations of neurons, and the populations through which input enters."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.dendrites import Dendrite
from conex_nn.functional.grid import coordinates
from conex_nn.neurons import (
    ActivityHomeostasis,
    Background,
    Behavior,
    KWinners,
    Neuron,
    Noise,
    VoltageHomeostasis,
)
from conex_nn.structure.fit import check_background
from conex_nn.structure.storable import Storable

__all__ = ["Population", "PopulationState", "Source", "StepObserver"]

StepObserver = Callable[[Mapping[str, Any]], None]
"""What is called after each observed step of a population, with its variables by name."""


class PopulationState(NamedTuple):
    """Fast state of a population."""

    neuron: Any
    """State of its neurons."""
    dendrite: Any
    """Synaptic currents that decay, by compartment [nA]; conductances where it opens some [uS]."""
    behaviors: tuple[Any, ...]
    """State of its behaviors, in their order."""
    background: tuple[Any, ...] = ()
    """State of what arrives by itself, in its order."""


class _Located(Storable):
    """What has a shape, tags, and neurons at places."""

    takes_input: bool = False
    """Whether a network takes a tensor for it."""

    def __init__(self, shape: int | Sequence[int], tags: Sequence[str]) -> None:
        super().__init__()
        axes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if not axes or not all(isinstance(n, int) and n > 0 for n in axes):
            raise ValueError(f"Expected `shape` to be positive whole numbers of neurons [1], got {shape!r}.")
        self.shape = torch.Size(axes)
        self.tags = (tags,) if isinstance(tags, str) else tuple(tags)
        self.axon = nn.Identity()
        """What every sequence of this population's spikes passes: a forward hook here sees them."""

    def refresh(self) -> None:
        """Take note of constants of the neurons that were changed since they were last read."""
        if (refresh := getattr(getattr(self, "neuron", None), "refresh", None)) is not None:
            refresh()

    @property
    def coordinates(self) -> Tensor:
        """Places of the neurons on their grid, x, y and z, ``(neurons, 3)`` [1]."""
        return coordinates(self.shape)


class Source(_Located):
    """A population that emits what comes from outside: an encoder's spikes, or currents.

    Args:
        shape: Number of neurons, or ``(depth, height, width)`` [1].
        tags: Names by which it can be found.

    Example:
        >>> Source((1, 28, 28)).shape
        torch.Size([1, 28, 28])
    """

    takes_input = True

    def __init__(self, shape: int | Sequence[int], *, tags: Sequence[str] = ()) -> None:
        super().__init__(shape, tags)
        self.inhibitory = False
        self.enabled = True

    @override
    def extra_repr(self) -> str:
        return "x".join(map(str, self.shape))


class Population(_Located):
    """Neurons of one kind with a dendrite, and what else happens to them in a step.

    A step goes in this order: currents arrive at compartments, those of connections and then those of ``background``,
    the dendrite makes one of them, injected currents are added, ``behaviors`` at ``current``; the membrane integrates;
    ``noise``, ``winners``, ``voltage_homeostasis``, ``behaviors`` at ``membrane``; neurons fire and are reset;
    ``activity_homeostasis``, ``behaviors`` at ``spikes``.

    Args:
        shape: Number of neurons, or ``(depth, height, width)`` [1].
        neuron: Their model.
        inhibitory: Make their outgoing currents negative; weights are magnitudes there.
        dendrite: Compartments; default proximal, distal and apical.
        background: What arrives by itself, such as a :class:`PoissonDrive`: one, by name or in a row.
        noise: Noise on the membrane.
        winners: Let only so many neurons fire in a step.
        voltage_homeostasis: Hold potentials in a range.
        activity_homeostasis: Move thresholds until neurons fire at a given rate.
        behaviors: Of your own, by name or in a row; see :class:`Behavior`.
        tags: Names by which it can be found.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> population = Population((2, 3, 3), LIF(), winners=KWinners(4), tags=["l4"])
        >>> spikes, state = population({"proximal": torch.rand(10, 5, 2, 3, 3) * 20})
        >>> spikes.shape, int(spikes.sum((2, 3, 4)).max())
        (torch.Size([10, 5, 2, 3, 3]), 4)
    """

    neuron: Any  # a module with the methods of a neuron, ours or not
    dendrite: Dendrite

    def __init__(
        self,
        shape: int | Sequence[int],
        neuron: nn.Module,
        *,
        inhibitory: bool = False,
        dendrite: Dendrite | None = None,
        background: Background | Mapping[str, Background] | Sequence[Background] = (),
        noise: Noise | None = None,
        winners: KWinners | None = None,
        voltage_homeostasis: VoltageHomeostasis | None = None,
        activity_homeostasis: ActivityHomeostasis | None = None,
        behaviors: Mapping[str, Behavior] | Sequence[Behavior] = (),
        tags: Sequence[str] = (),
    ) -> None:
        super().__init__(shape, tags)
        if isinstance(neuron, type) or not callable(getattr(neuron, "step", None)):
            raise TypeError(
                f"Expected `neuron` to be a neuron model with `initial_state` and `step`, e.g. `LIF()`, got {neuron!r}."
            )
        self.neuron = neuron
        self._inhibitory = bool(inhibitory)
        self.dendrite = Dendrite() if dendrite is None else dendrite
        self.noise = noise
        self.winners = winners
        self.voltage_homeostasis = voltage_homeostasis
        self.activity_homeostasis = activity_homeostasis
        self.behaviors = _by_name(behaviors)
        self.background = _by_name((background,) if isinstance(background, Background) else background)
        self._check_neuron()
        self._bind_background()
        for name, behavior in self._named_behaviors():
            if not isinstance(behavior, Behavior):
                raise TypeError(f"Expected `{name}` to be a Behavior, got {type(behavior).__name__}.")
            behavior.bind(self.shape, self.neuron)
            if "membrane" in behavior.places and not callable(getattr(neuron, "charge", None)):
                raise TypeError(
                    f"Expected `neuron` to have `charge` and `fire`, since {type(behavior).__name__} comes between "
                    f"them, got {type(neuron).__name__} with `step` alone."
                )

    def _bind_background(self) -> None:
        for name, each in self.background.items():
            if not isinstance(each, Background):
                raise TypeError(
                    f"Expected `background` to be a Background, such as a PoissonDrive, got {type(each).__name__} as "
                    f"{name!r}."
                )
            check_background(self, each)
            each.bind(self.shape)

    @property
    def inhibitory(self) -> bool:
        """Whether its outgoing currents are negative; its connections were made for that."""
        return self._inhibitory

    def _check_neuron(self) -> None:
        try:
            self.neuron.initial_state(self._example())
        except ValueError as error:
            raise ValueError(f"Expected `neuron` to fit `shape` = {tuple(self.shape)}: {error}") from error

    def _example(self) -> Tensor:
        like = next((b for b in (*self.neuron.parameters(), *self.neuron.buffers()) if b.is_floating_point()), None)
        return torch.zeros(self.shape) if like is None else like.new_zeros(self.shape)

    def _named_behaviors(self) -> Iterator[tuple[str, Any]]:
        """Yield every behavior in the order of a step."""
        for name in ("noise", "winners", "voltage_homeostasis"):
            if (behavior := getattr(self, name)) is not None:
                yield name, behavior
        yield from ((f"behaviors.{name}", behavior) for name, behavior in self.behaviors.items())
        if self.activity_homeostasis is not None:
            yield "activity_homeostasis", self.activity_homeostasis

    def initial_state(self, x: Tensor, compartments: Iterable[str] | None = None) -> PopulationState:
        """Return the state before the first step.

        Args:
            x: Something in the shape of one step, ``(*batch, *shape)``, for its dtype and device.
            compartments: Those at which currents arrive; None for all.
        """
        if compartments is not None:
            own: Any = [each.compartment for each in self.background.values() if each.compartment is not None]
            compartments = dict.fromkeys([*compartments, *own])
        return PopulationState(
            self.neuron.initial_state(x),
            self.dendrite.initial_state(x, compartments),
            tuple(behavior.initial_state(x) for _, behavior in self._named_behaviors()),
            tuple(each.initial_state(x) for each in self.background.values()),  # pyright: ignore[reportCallIssue]
        )

    def step(
        self,
        arrivals: Mapping[str, Tensor],
        state: PopulationState,
        *,
        dt: float = 1.0,
        observe: StepObserver | None = None,
    ) -> tuple[Tensor, PopulationState]:
        """Advance by one step.

        Args:
            arrivals: Current that arrives at each compartment, ``(*batch, *shape)`` [nA].
            state: State before the step.
            dt: Length of the step [ms].
            observe: Called with the variables of the step.

        Returns:
            Spikes, and the state after the step.
        """
        v = getattr(state.neuron, "v", None)
        x = next(iter(arrivals.values()), v)
        if self.background and x is not None:
            block = {name: xs[None] for name, xs in arrivals.items()}
            block, injected, state = self._with_background(block, state, x, 1, dt)
            arrivals = {name: xs[0] for name, xs in block.items()}
            return self._step(arrivals, None if injected is None else injected[0], state, dt, observe)
        return self._step(arrivals, None, state, dt, observe)

    def _with_background(
        self, arrivals: Mapping[str, Tensor], state: PopulationState, x: Tensor, steps: int, dt: float
    ) -> tuple[dict[str, Tensor], Tensor | None, PopulationState]:
        """Return what arrives in a block with the background in it, what is injected, and the state after that."""
        if len(state.background) != len(self.background):
            raise ValueError(
                f"Expected a `state` with that of {len(self.background)} parts of the background, got "
                f"{len(state.background)}. Leave it out to start anew."
            )
        found, injected, states = dict(arrivals), None, list(state.background)
        for i, each in enumerate(self.background.values()):
            if not each.enabled:
                continue
            current, states[i] = each(states[i], steps, x, dt=dt)
            if each.compartment is None:
                injected = current if injected is None else injected + current
            else:
                name: Any = each.compartment
                found[name] = found[name] + current if name in found else current
        return found, injected, state._replace(background=tuple(states))

    def _step(
        self,
        arrivals: Mapping[str, Tensor],
        injected: Tensor | None,
        state: PopulationState,
        dt: float,
        observe: StepObserver | None,
    ) -> tuple[Tensor, PopulationState]:
        """Advance by one step whose background has arrived."""
        neuron, behaviors = self.neuron, list(state.behaviors)
        active = self._active()
        v = getattr(state.neuron, "v", None)
        current, dendrite = self.dendrite.step(arrivals, state.dendrite, v, neuron, dt=dt, injected=injected)
        for i, behavior in active.get("current", ()):
            current, behaviors[i] = behavior.current(current, behaviors[i], neuron, dt=dt)
        if "membrane" in active:
            v = neuron.charge(current, state.neuron, dt=dt)
            for i, behavior in active["membrane"]:
                v, behaviors[i] = behavior.membrane(v, behaviors[i], neuron, dt=dt)
            spikes, cells = neuron.fire(v, state.neuron, dt=dt)
        else:
            spikes, cells = neuron.step(current, state.neuron, dt=dt)
        for i, behavior in active.get("spikes", ()):
            spikes, behaviors[i] = behavior.spikes(spikes, behaviors[i], neuron, dt=dt)
        state = PopulationState(cells, dendrite, tuple(behaviors), state.background)
        if observe is not None:
            observe({"spikes": spikes, "current": current, "arrivals": arrivals, "state": state})
        return spikes, state

    def _active(self) -> dict[str, list[tuple[int, Behavior]]]:
        """Return the behaviors that are switched on by their place, each with its number."""
        found: dict[str, list[tuple[int, Behavior]]] = {}
        for i, (_, behavior) in enumerate(self._named_behaviors()):
            for place in behavior.places if behavior.enabled else ():
                found.setdefault(place, []).append((i, behavior))
        return found

    def takes_sequences(self, compartments: Sequence[str]) -> bool:
        """Whether a whole sequence can be advanced in one pass: nothing looks at the state between its steps.

        Args:
            compartments: Names of those with a current.
        """
        return isinstance(self.neuron, Neuron) and not self._active() and self.dendrite.linear(compartments)

    @override
    def forward(
        self,
        arrivals: Mapping[str, Tensor],
        state: PopulationState | None = None,
        *,
        dt: float = 1.0,
        observe: StepObserver | None = None,
    ) -> tuple[Tensor, PopulationState]:
        """Advance over a sequence.

        Args:
            arrivals: Current that arrives at each compartment, ``(time, *batch, *shape)`` [nA]; at least one.
            state: State before the first step; None for :meth:`initial_state`.
            dt: Length of a step [ms].
            observe: Called with the variables of each step; the steps are then run one by one.

        Returns:
            Spikes of all steps ``(time, *batch, *shape)``, and the state after the last.

        Raises:
            ValueError: No arrivals, of unequal or wrong shapes, or at a compartment that does not exist.
        """
        self._check_arrivals(arrivals)
        self.refresh()
        if state is None:
            state = self.initial_state(next(iter(arrivals.values()))[0], arrivals)
        spikes, state = self.advance(arrivals, state, dt=dt, observe=observe)
        return self.axon(spikes), state

    def advance(
        self,
        arrivals: Mapping[str, Tensor],
        state: PopulationState,
        *,
        dt: float = 1.0,
        observe: StepObserver | None = None,
    ) -> tuple[Tensor, PopulationState]:
        """Advance over a block of steps: :meth:`forward` without its checks, and past the axon.

        Args:
            arrivals: Current that arrives at each compartment, ``(time, *batch, *shape)`` [nA].
            state: State before the first step.
            dt: Length of a step [ms].
            observe: Called with the variables of each step.
        """
        first = next(iter(arrivals.values()))
        steps, injected = len(first), None
        if self.background:
            arrivals, injected, state = self._with_background(arrivals, state, first[0], steps, dt)
        if observe is None and self.takes_sequences([*arrivals, *state.dendrite]):
            current, dendrite = self.dendrite(arrivals, state.dendrite, neuron=self.neuron, dt=dt)
            current = current if injected is None else current + injected
            spikes, cells = self.neuron(current, state.neuron, dt=dt)
            return spikes, state._replace(neuron=cells, dendrite=dendrite)
        outputs = []
        cut = {name: xs.unbind(0) for name, xs in arrivals.items()}
        pushes = [None] * steps if injected is None else injected.unbind(0)
        for t in range(steps):
            here = {name: xs[t] for name, xs in cut.items()}
            spikes, state = self._step(here, pushes[t], state, dt, observe)
            outputs.append(spikes)
        return torch.stack(outputs), state

    def _check_arrivals(self, arrivals: Mapping[str, Tensor]) -> None:
        if not arrivals:
            raise ValueError("Expected `arrivals` at one compartment at least, got none.")
        for name, xs in arrivals.items():
            if xs.shape[xs.dim() - len(self.shape) :] != self.shape or xs.dim() <= len(self.shape) or not len(xs):
                raise ValueError(
                    f"Expected `arrivals[{name!r}]` of shape (time, *batch, {', '.join(map(str, self.shape))}), "
                    f"got {tuple(xs.shape)}."
                )
        if len({len(xs) for xs in arrivals.values()}) > 1:
            lengths = {name: len(xs) for name, xs in arrivals.items()}
            raise ValueError(f"Expected `arrivals` of equal numbers of steps, got {lengths}.")

    @override
    def extra_repr(self) -> str:
        shown = ["x".join(map(str, self.shape))]
        return ", ".join(shown + (["inhibitory=True"] if self.inhibitory else []))


def _by_name(modules: Mapping[str, Any] | Sequence[Any]) -> nn.ModuleDict:
    """Return modules by name, those in a row by their number."""
    return nn.ModuleDict(modules if isinstance(modules, Mapping) else {str(i): each for i, each in enumerate(modules)})
