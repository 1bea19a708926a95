"""One compartment of a dendrite: what its synaptic current does to the membrane."""

from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import override

from conex_nn.functional import held_factor
from conex_nn.kept import kept
from conex_nn.parameters import shown

__all__ = ["Compartment", "Drive", "Pull", "capacitance", "constant", "fixed_number"]


class Compartment(nn.Module):
    """One compartment of a dendrite.

    A compartment of your own defines ``forward(current, v, neuron) -> current``, elementwise in its tensors, and says
    in ``pulls`` whether it looks at ``v``. One that does not is handed whole sequences, ``(time, *batch, *neurons)``,
    and None for ``v``.

    Args:
        tau_syn: Time constant with which its synaptic current decays, one or one per neuron; None for a current that
            lasts one step [ms].

    Raises:
        TypeError: ``tau_syn`` is no number and no tensor, or is trainable.
        ValueError: It is not positive.

    Example:
        >>> class Rectified(Compartment):
        ...     def forward(self, current, v, neuron):
        ...         return current.clamp(min=0)
        >>> Rectified(tau_syn=5.0)(torch.tensor([-1.0, 2.0]), None, None)
        tensor([0., 2.])
    """

    pulls: bool = False
    """Whether what it gives depends on the membrane potential."""
    opens: bool = False
    """Whether what arrives are conductances [uS], which are never negative, from inhibitory sources neither."""
    tau_syn: Tensor | None

    def __init__(self, tau_syn: float | Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("tau_syn", None if tau_syn is None else fixed_number("tau_syn", tau_syn, unit="ms"))
        if self.tau_syn is not None and not self.tau_syn.is_meta and not (self.tau_syn > 0).all():
            raise ValueError(f"Expected `tau_syn` to be positive [ms], got {tau_syn}.")

    @override
    def forward(self, current: Tensor, v: Tensor | None, neuron: nn.Module | None) -> Tensor:
        """Return the current into the membrane.

        Args:
            current: Synaptic current, ``(*batch, *neurons)`` [nA].
            v: Membrane potential at the start of the step [mV].
            neuron: The neurons, whose constants can be read.
        """
        raise TypeError(f"Expected {type(self).__name__} to define `forward(self, current, v, neuron)`.")

    def ceiling(self, neuron: nn.Module) -> Tensor | None:
        """Return the potential above which it does not lift the membrane [mV]; None where there is no such bound.

        A dendrite sees to it that no step takes the cell beyond, however strong the currents and long the step.

        Args:
            neuron: The neurons.
        """
        return None

    def opened(self, current: Tensor, v: Tensor | None) -> Tensor | None:
        """Return the conductance that it opens in the membrane, ``(*batch, *neurons)`` [uS]; None for none.

        What :meth:`forward` returns is then what flows through it at the start of the step. A dendrite sees to it that
        this changes as the membrane's potential does.

        Args:
            current: As :meth:`forward` is given it.
            v: Membrane potential at the start of the step [mV].
        """
        return None

    def factor(self, neuron: nn.Module | None, *, dt: float) -> Tensor | None:
        """Return by what its contribution is multiplied for its decay within a step [1]; None for nothing.

        Args:
            neuron: The neurons.
            dt: Length of the step [ms].
        """
        return None

    @override
    def extra_repr(self) -> str:
        return "" if self.tau_syn is None else f"tau_syn={shown(self.tau_syn)}"


class Drive(Compartment):
    """A compartment whose current drives the membrane as it is, like a proximal dendrite's.

    A current with a ``tau_syn`` decays within a step too. Neurons whose linear part is integrated exactly are given the
    constant current that does the same over the step, :func:`held_factor` times that at its start: their potential at
    common times does not depend on ``dt``. Neurons of ``method="euler"`` are given the current at its start.

    Args:
        tau_syn: Time constant with which its synaptic current decays; None for a current that lasts one step [ms].

    Example:
        >>> from conex_nn.neurons import LIF
        >>> Drive()(torch.tensor([1.5]), None, None)
        tensor([1.5000])
        >>> Drive(tau_syn=0.5).factor(LIF(tau_mem=10.0), dt=0.1)
        tensor([0.9062])

    References:
        Rotter and Diesmann, Biological Cybernetics 81 (1999), section 3.1.2.
    """

    @override
    def forward(self, current: Tensor, v: Tensor | None, neuron: nn.Module | None) -> Tensor:
        return current

    @override
    def factor(self, neuron: nn.Module | None, *, dt: float) -> Tensor | None:
        if self.tau_syn is None or getattr(neuron, "method", None) != "exact":
            return None
        taus = [tau for tau in (self.tau_syn, getattr(neuron, "tau_mem", None)) if isinstance(tau, Tensor)]
        return kept(self, "factor", dt, lambda: held_factor(*taus, dt=dt), of=taus)


class Pull(Compartment):
    r"""A compartment that pulls the membrane toward a fraction of its threshold, like distal and apical dendrites.

    .. math::
        \frac{\tau_m}{R} \tanh(I) \max\left(0,\; v_\mathrm{rest} + p (v_\mathrm{threshold} - v_\mathrm{rest}) - v\right)

    As a rate of change of the potential that is at most :math:`\tanh(I)` of the distance to the target in 1 ms. It
    ends at the target, so for p below 1 the cell is primed and does not fire by it alone. Exponential neurons begin
    their upstroke below the threshold: keep their target below that.

    Args:
        p: Where the target lies between rest (0) and threshold (1), above 0 and up to 1 [1].
        tau_syn: Time constant with which its synaptic current decays; None for a current that lasts one step [ms].

    Raises:
        TypeError: ``p`` is no number and no tensor, or is trainable.
        ValueError: It is not in (0, 1].

    Example:
        >>> from conex_nn.neurons import LIF
        >>> Pull(0.8)(torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.9]), LIF(tau_mem=10.0))
        tensor([6.0928, 0.0000])

    References:
        CoNeX 0.1.5 (github.com/cnrl/CoNeX), SimpleDendriteComputation; there the pull accumulates, here it is computed
        afresh at each step.
    """

    pulls = True
    p: Tensor

    def __init__(self, p: float | Tensor, *, tau_syn: float | Tensor | None = None) -> None:
        super().__init__(tau_syn)
        self.register_buffer("p", fixed_number("p", p, unit="1"))
        if not self.p.is_meta and not ((self.p > 0) & (self.p <= 1)).all():
            raise ValueError(f"Expected `p` to be above 0 and at most 1 [1], got {p}.")

    @override
    def ceiling(self, neuron: nn.Module) -> Tensor:
        v_rest = constant(neuron, "v_rest")
        return v_rest + self.p * (constant(neuron, "v_threshold") - v_rest)

    @override
    def forward(self, current: Tensor, v: Tensor | None, neuron: nn.Module | None) -> Tensor:
        if v is None or neuron is None:
            raise TypeError(
                "Expected `v`, the membrane potential [mV], and `neuron`: a pull depends on both, got None."
            )
        return (self.ceiling(neuron) - v).clamp(min=0) * capacitance(neuron) * torch.tanh(current)

    @override
    def extra_repr(self) -> str:
        return ", ".join(filter(None, [f"p={shown(self.p)}", super().extra_repr()]))


def constant(neuron: nn.Module, name: str) -> Tensor:
    """Return a constant of the neurons.

    Args:
        neuron: The neurons.
        name: Name of the constant.

    Raises:
        TypeError: They have none of this name.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> constant(LIF(), "v_rest")
        tensor([0.])
    """
    value = getattr(neuron, name, None)
    if not isinstance(value, Tensor):
        raise TypeError(
            f"Expected neurons with a constant `{name}`, since the dendrite pulls them toward a potential, got "
            f"{type(neuron).__name__} without. Connect to a compartment that drives, such as `proximal`."
        )
    return value


def capacitance(neuron: nn.Module) -> Tensor:
    """Return the membrane capacitance of the neurons: tau_mem / resistance where there is a leak [nF].

    Args:
        neuron: The neurons.

    Example:
        >>> from conex_nn.neurons import LIF
        >>> capacitance(LIF(tau_mem=10.0, resistance=2.0))
        tensor([5.])
    """
    if isinstance(getattr(neuron, "tau_mem", None), Tensor):
        return constant(neuron, "tau_mem") / constant(neuron, "resistance")
    return constant(neuron, "capacitance")


def fixed_number(name: str, value: Any, *, unit: str) -> Tensor:
    """Return a constant of a compartment as a tensor, of shape (1,) or per neuron.

    Args:
        name: Name of the constant.
        value: What was given for it.
        unit: Its unit.

    Raises:
        TypeError: It is no number and no tensor, or trainable.
        ValueError: It is not finite.

    Example:
        >>> fixed_number("tau_syn", 5, unit="ms")
        tensor([5.])
    """
    if isinstance(value, nn.Parameter) or (isinstance(value, Tensor) and value.requires_grad):
        raise TypeError(f"Expected `{name}` to be fixed [{unit}], got a trainable tensor.")
    if isinstance(value, bool) or not isinstance(value, (int, float, Tensor)):
        raise TypeError(f"Expected `{name}` to be a number or a tensor [{unit}], got {value!r}.")
    tensor = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.get_default_dtype())
    tensor = tensor if tensor.is_floating_point() else tensor.to(torch.get_default_dtype())
    if not tensor.is_meta and not tensor.isfinite().all():
        raise ValueError(f"Expected `{name}` to be finite [{unit}], got {value}.")
    return tensor.clone().reshape(tensor.shape or (1,))
