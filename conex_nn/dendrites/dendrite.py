"""A dendrite: compartments side by side, and the current that they make together."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.dendrites.compartment import Compartment, Drive, Pull, capacitance, constant
from conex_nn.functional import decay_factor, rise_factor, shunted_current
from conex_nn.kernels import li_rows, li_sequence
from conex_nn.scan import check_sequence, scan

__all__ = ["Dendrite"]


class Dendrite(nn.Module):
    r"""Compartments at which currents arrive; together they make the current into the membrane.

    .. math::
        I = I_\mathrm{proximal} + \frac{\tau_m}{R} \left(
            \tanh(I_\mathrm{distal}) \Delta v_\mathrm{distal} + \tanh(I_\mathrm{apical}) \Delta v_\mathrm{apical}\right)

    with :math:`\Delta v_x = \max(0, v_\mathrm{rest} + p_x (v_\mathrm{threshold} - v_\mathrm{rest}) - v)`; see
    :class:`Drive` and :class:`Pull`, and :class:`Conductance` for what flows toward a reversal potential. A compartment
    with a ``tau_syn`` keeps a synaptic current, :math:`I_x \leftarrow I_x e^{-dt/\tau} + \mathrm{arrivals}`, and its
    contribution is computed afresh from that at each step; one that drives counts as it decays within the step. Pulls
    are limited to what takes the membrane, by itself, to the highest of their targets in one step: with long steps,
    several pulls at once, or a potential far below rest, their sum would overshoot it.

    Args:
        compartments: By name; default proximal, which drives, and distal and apical, which pull to 0.8 of threshold.
        tau_syn: For the default compartments, the decay of their synaptic currents: of all, or by name; None for
            currents that last one step [ms].

    Raises:
        TypeError: Something that is no :class:`Compartment`.
        ValueError: No compartment, or a name that cannot be one.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> dendrite, neuron, v = Dendrite(tau_syn={"proximal": 5.0}), LIF(), torch.zeros(2)
        >>> arrivals = {"proximal": torch.tensor([1.0, 0.0]), "distal": torch.tensor([0.0, 1.0])}
        >>> current, state = dendrite.step(arrivals, dendrite.initial_state(v), v, neuron)
        >>> current, state
        (tensor([0.9048, 6.0928]), {'proximal': tensor([1., 0.])})

    References:
        CoNeX 0.1.5 (github.com/cnrl/CoNeX), SimpleDendriteComputation.
    """

    compartments: nn.ModuleDict

    def __init__(
        self,
        compartments: Mapping[str, Compartment] | None = None,
        *,
        tau_syn: float | Tensor | Mapping[str, float | Tensor] | None = None,
    ) -> None:
        super().__init__()
        if compartments is None:
            compartments = _default(tau_syn)
        elif tau_syn is not None:
            raise ValueError(
                "Expected `tau_syn` for the default compartments alone [ms], got `compartments` too. "
                "Give each of them its own: `Drive(tau_syn=5.0)`."
            )
        if not compartments:
            raise ValueError("Expected `compartments` to hold one at least, got none.")
        for name, compartment in compartments.items():
            if not isinstance(compartment, Compartment):
                raise TypeError(f"Expected `compartments[{name!r}]` to be a Compartment, got {compartment!r}.")
            if not isinstance(name, str) or not name.isidentifier() or hasattr(nn.ModuleDict, name):
                raise ValueError(f"Expected names of compartments like 'distal', got {name!r}.")
        self.compartments = nn.ModuleDict(compartments)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the compartments."""
        return tuple(self.compartments)

    def check(self, names: Iterable[str]) -> None:
        """Raise unless all of these are compartments.

        Args:
            names: Names of compartments.

        Raises:
            ValueError: One is none.
        """
        for name in names:
            if name not in self.compartments:
                near = get_close_matches(str(name), self.names, n=1, cutoff=0.0)[0]
                raise ValueError(f"Expected a compartment among {', '.join(self.names)}, got {name!r}. Is it {near!r}?")

    def linear(self, names: Iterable[str]) -> bool:
        """Return whether nothing depends on the membrane potential when currents arrive only at these compartments.

        Args:
            names: Names of compartments.
        """
        names = tuple(names)
        self.check(names)
        return not any(self._at(name).pulls for name in names)

    def initial_state(self, x: Tensor, names: Iterable[str] | None = None) -> dict[str, Tensor]:
        """Return the synaptic currents before the first step: 0 [nA], where there is a ``tau_syn``.

        Those of a :class:`Conductance` are conductances [uS].

        Args:
            x: Something in the shape of one step, ``(*batch, *neurons)``, for its dtype and device.
            names: Compartments at which currents arrive; None for all. What is not in the state is 0.
        """
        names = self.names if names is None else tuple(names)
        self.check(names)
        decaying = {name: tau for name in names if (tau := self._at(name).tau_syn) is not None}
        return {name: torch.zeros_like(x, dtype=torch.promote_types(x.dtype, t.dtype)) for name, t in decaying.items()}

    def step(
        self,
        arrivals: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        v: Tensor | None,
        neuron: nn.Module,
        *,
        dt: float = 1.0,
        injected: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Advance by one step.

        Args:
            arrivals: Current that arrives at each compartment, ``(*batch, *neurons)`` [nA], or conductance at those
                that open one [uS]; none where it is missing.
            state: Synaptic currents before the step [nA].
            v: Membrane potential at the start of the step, which compartments that pull look at [mV].
            neuron: The neurons, whose constants these read.
            dt: Length of the step [ms].
            injected: Current into the membrane from elsewhere, ``(*batch, *neurons)`` [nA].

        Returns:
            The current into the membrane with what is injected [nA], and the synaptic currents after the step [nA].

        Raises:
            ValueError: A compartment that does not exist, or nothing from which a current could be made.
        """
        self._check_names(arrivals, state)
        currents, after = dict(arrivals), {}
        for name, start in self._decaying(arrivals, state, next(iter(arrivals.values()), v)).items():
            current = self._decay(name, dt, start.dtype) * start
            currents[name] = after[name] = current + arrivals[name] if name in arrivals else current
        drive, lift, ceiling, opened = None, None, None, None
        for name in self.names:
            if name not in currents:
                continue
            compartment = self._at(name)
            given = _held(compartment, compartment(currents[name], v, neuron), neuron, dt)
            if (conductance := compartment.opened(currents[name], v)) is not None:
                opened = _sum(opened, _held(compartment, conductance, neuron, dt))
            top = compartment.ceiling(neuron) if compartment.pulls else None
            if top is None:
                drive = _sum(drive, given)
            else:
                lift, ceiling = _sum(lift, given), top if ceiling is None else torch.maximum(ceiling, top)
        if lift is not None and ceiling is not None and v is not None:
            drive = _sum(drive, torch.minimum(lift, _room(ceiling, v, neuron, dt)))
        if drive is None:
            if v is None:
                raise ValueError("Expected `arrivals` at one compartment at least, got none.")
            drive = torch.zeros_like(v)
        drive = drive if injected is None else drive + injected
        if opened is not None and v is not None:
            drive = _shunted(drive, opened, v, neuron, dt)
        return drive, after

    @override
    def forward(
        self,
        arrivals: Mapping[str, Tensor],
        state: Mapping[str, Tensor] | None = None,
        *,
        neuron: nn.Module | None = None,
        dt: float = 1.0,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Advance over a sequence at once, where nothing depends on the membrane potential: see :meth:`linear`.

        Args:
            arrivals: Current that arrives at each compartment, ``(time, *batch, *neurons)`` [nA]; at least one.
            state: Synaptic currents before the first step [nA]; None for :meth:`initial_state`.
            neuron: Handed to the compartments; None for currents as they are at the start of each step.
            dt: Length of a step [ms].

        Returns:
            The current into the membrane, ``(time, *batch, *neurons)`` [nA], and the synaptic currents after the last
            step [nA].

        Raises:
            ValueError: Arrivals at a compartment that pulls or does not exist, or none, or currents in the state of one
                that pulls.
        """
        if not arrivals:
            raise ValueError("Expected `arrivals` at one compartment at least, got none.")
        self._check_names(arrivals, state or {})
        for name, xs in arrivals.items():
            check_sequence(xs, name=f"arrivals[{name!r}]")
        if not self.linear(arrivals):
            pulling = next(name for name in arrivals if self._at(name).pulls)
            raise ValueError(
                f"Expected `arrivals` at compartments that do not look at the membrane potential, got {pulling!r}. "
                "Take the steps one by one, with `step`."
            )
        like = next(iter(arrivals.values()))
        state = self.initial_state(like[0]) if state is None else state
        currents, after = dict(arrivals), {}
        for name, start in self._decaying(arrivals, state, like[0]).items():
            if self._at(name).pulls:
                after[name] = self._at_rest(name, start)
                continue
            xs = arrivals[name] if name in arrivals else like.new_zeros(()).expand(like.shape)
            currents[name] = self._decay_over(name, xs, start, dt)
            after[name] = currents[name][-1].clone()  # a view would keep the whole sequence in memory
        drive = None
        for name in self.names:
            if name in currents:
                compartment = self._at(name)
                drive = _sum(drive, _held(compartment, compartment(currents[name], None, neuron), neuron, dt))
        return (like if drive is None else drive), after

    def _at(self, name: str) -> Compartment:
        return self.compartments[name]  # pyright: ignore[reportReturnType]

    def _check_names(self, arrivals: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> None:
        self.check(arrivals)
        self.check(state)

    def _decaying(
        self, arrivals: Mapping[str, Tensor], state: Mapping[str, Tensor], x: Tensor | None
    ) -> dict[str, Tensor]:
        """Return the synaptic currents at the start: what is not in the state begins at 0."""
        missing = [name for name in arrivals if name not in state]
        found = {**state, **(self.initial_state(x, missing) if missing and x is not None else {})}
        return {name: found[name] for name in self.names if name in found}

    def _decay(self, name: str, dt: float, dtype: torch.dtype) -> Tensor:
        tau = self._at(name).tau_syn
        if tau is None:
            raise ValueError(f"Expected `state` of compartments with a `tau_syn`, got {name!r}, which has none.")
        return decay_factor(tau, dt=dt).to(dtype)

    def _decay_over(self, name: str, xs: Tensor, start: Tensor, dt: float) -> Tensor:
        """Return the synaptic current after each step."""
        decay = self._decay(name, dt, start.dtype)
        if start.device.type in ("cpu", "cuda") and start.dtype in (torch.float32, torch.float64):
            one = torch.ones_like(decay)
            return li_sequence(xs, start, li_rows(start.shape, decay=decay, gain=one, drive=torch.zeros_like(one)))
        return scan(lambda x, current: (decay * current + x,) * 2, xs, start)[0]

    def _at_rest(self, name: str, start: Tensor) -> Tensor:
        """Return the current of a compartment that pulls; raise if there is one."""
        if not torch.compiler.is_compiling() and not start.is_meta and bool(start.any()):
            raise ValueError(
                f"Expected the synaptic current of {name!r} in `state` to be 0 [nA]: it pulls, which depends on the "
                "membrane potential. Take the steps one by one, with `step`."
            )
        return start


def _default(tau_syn: float | Tensor | Mapping[str, float | Tensor] | None) -> dict[str, Compartment]:
    names = ("proximal", "distal", "apical")
    taus = dict(tau_syn) if isinstance(tau_syn, Mapping) else dict.fromkeys(names, tau_syn)
    if unknown := taus.keys() - set(names):
        raise ValueError(f"Expected `tau_syn` for compartments among {', '.join(names)} [ms], got {sorted(unknown)}.")
    proximal, distal, apical = (taus.get(name) for name in names)
    return {"proximal": Drive(proximal), "distal": Pull(0.8, tau_syn=distal), "apical": Pull(0.8, tau_syn=apical)}


def _sum(total: Tensor | None, part: Tensor) -> Tensor:
    return part if total is None else total + part


def _held(compartment: Compartment, given: Tensor, neuron: nn.Module | None, dt: float) -> Tensor:
    """Return what a compartment gives as the current that, held for a step, does what it does as it decays."""
    factor = compartment.factor(neuron, dt=dt)
    return given if factor is None else factor.to(given.dtype) * given


def _shunted(current: Tensor, opened: Tensor, v: Tensor, neuron: nn.Module, dt: float) -> Tensor:
    """Return the current that, held for a step, does what currents do through a conductance that is open [nA]."""
    if getattr(neuron, "method", None) != "exact":
        return current
    tau_mem, own = getattr(neuron, "tau_mem", None), capacitance(neuron)
    if not isinstance(tau_mem, Tensor):
        return shunted_current(current, opened, v, capacitance=own, dt=dt)
    v_rest = constant(neuron, "v_rest")
    return shunted_current(current, opened, v, capacitance=own, tau_mem=tau_mem, v_rest=v_rest, dt=dt)


def _room(ceiling: Tensor, v: Tensor, neuron: nn.Module, dt: float) -> Tensor:
    """Return the current that, held for a step, brings the membrane by itself to the ceiling and not beyond [nA]."""
    if not isinstance(tau_mem := getattr(neuron, "tau_mem", None), Tensor):
        return (ceiling - v).clamp(min=0) * (capacitance(neuron) / dt)
    rise = rise_factor(tau_mem, dt=dt, method=getattr(neuron, "method", "euler"))  # of the two, Euler's is the larger
    v = v + rise * (constant(neuron, "v_rest") - v)
    return (ceiling - v).clamp(min=0) / (rise * constant(neuron, "resistance"))
